"""The command `windjammer replay`: logs read, candidates evaluated on them, reports written."""
