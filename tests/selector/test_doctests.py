"""The example in each policy's docstring runs and prints what it says."""

from __future__ import annotations

import doctest
import sys
from typing import get_args

import pytest

from selector import AnyPolicy


@pytest.mark.parametrize("policy", get_args(AnyPolicy))
def test_a_policy_comes_with_an_example_that_holds(policy: type) -> None:
    results = doctest.testmod(sys.modules[policy.__module__])
    assert results.attempted > 0
    assert results.failed == 0
