"""The pools of tapes and graphs, which the threads of a process share."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import nn

from hippo.nn.engine import graph, tape

THREADS, ROUNDS = 4, 20
CPU = torch.device("cpu")


class Slow(dict):
    """A dict whose iteration lets other threads run before the first key is read."""

    def __iter__(self):
        keys = super().__iter__()
        time.sleep(0.0005)
        return keys


def in_threads(release) -> None:
    """Call release(number) with other numbers in every thread and round."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(release, range(1, THREADS * ROUNDS + 1)))


def test_threads_release_tapes_of_many_sizes(monkeypatch):
    monkeypatch.setattr(tape, "spare_tapes", Slow())
    in_threads(lambda size: tape.release(tape.acquire({"h": ((size, 2), torch.float32)}, CPU)))
    assert len(tape.spare_tapes) == tape.TAPES_KEPT


def test_threads_release_graphs_of_many_shapes():
    cell = nn.Identity()
    graph.spare_graphs[cell] = Slow()
    settings = graph._Settings(partial(object), sequence=False, adjoint=False, states=0)
    in_threads(lambda size: graph._release(cell, settings, (torch.empty(size),), object()))
    assert len(graph.spare_graphs[cell]) == graph.GRAPHS_KEPT
