"""Number of threads that a batch is divided among."""

import os
import sys

import pytest
import torch

from hippo.kernels.threads import WORK, available_threads, threads_for


@pytest.fixture
def four_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)


def test_no_more_than_rows_or_work(four_threads):
    assert [threads_for(rows, 100 * WORK) for rows in (1, 2, 4, 9)] == [1, 2, 4, 4]
    assert [threads_for(9, work) for work in (0, WORK, 2 * WORK, 3 * WORK - 1, 9 * WORK)] == [1, 1, 2, 2, 4]


@pytest.mark.parametrize(("variable", "expected"), [("3", 3), ("1", 1), ("0", None), ("2,4", None), ("", None)])
def test_without_torch_the_environment_decides(variable, expected, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert available_threads() == (expected or len(os.sched_getaffinity(0)))
