"""The examples in the docstrings of S4 layers run."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["layer", "diagonal_layer", "system", "settings", "fast_sizes"])
def test_the_examples_run(name):
    result = doctest.testmod(import_module(f"hippo.nn.ssm.{name}"))
    assert result.attempted and not result.failed
