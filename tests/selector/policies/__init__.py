"""Tests of the policies, each against its published rule."""
