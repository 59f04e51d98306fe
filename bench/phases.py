"""The phases of a training step: `python -m bench.phases [threads]`, at 512 units, 784 steps, batch 100."""

import sys
import time
from collections import Counter

import torch
from tabulate import tabulate
from torch.nn.functional import cross_entropy

from bench.training import BATCH, CLASSES
from hippo.kernels import backend, product_precision
from hippo.nn import build_model
from hippo.nn.engine import phases
from hippo.nn.optimizers import Adam
from hippo.nn.parameter_groups import parameter_groups

HIDDEN, LENGTH = 512, 784
CASES = (("legs", "float32"), ("legs", "bfloat16"), ("gru", "float32"), ("gru", "bfloat16"), ("lstm", "float32"))
PHASES = ("input product", "loop forward", "loop backward", "weight gradient")


def measure(name: str, precision: str) -> list[str]:
    """The fastest of three steps after one that warms up: seconds, and the fraction of each phase."""
    model = build_model(name, 1, CLASSES, hidden_size=HIDDEN, engine={"precision": precision})
    optimizer = Adam(parameter_groups(model, 1e-3))
    inputs, targets = torch.rand(BATCH, LENGTH, 1), torch.randint(0, CLASSES, (BATCH,))
    steps = []
    for _ in range(4):
        spent: Counter = Counter()
        phases.on_phase = lambda phase, seconds, spent=spent: spent.update({phase: seconds})
        started = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        steps.append((time.perf_counter() - started, spent))
    seconds, spent = min(steps[1:], key=lambda step: step[0])
    fractions = [spent[phase] / seconds for phase in PHASES]
    used = "" if product_precision(precision) == precision else f" (computed in {product_precision(precision)})"
    shown = [f"{fraction:.0%}" for fraction in [*fractions, 1 - sum(fractions)]]
    return [f"{name}, {precision}{used}", f"{seconds:.3f}", *shown]


def main(threads: int) -> None:
    """Print one line for each cell and precision."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    print(f"Kernels: {backend().name}. Threads: {threads}.\n")
    print(tabulate([measure(*case) for case in CASES], ["cell", "seconds", *PHASES, "rest"], disable_numparse=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
