"""Where a training step's time goes: `python -m bench.phases [threads]`, at 512 units, 784 steps, batch 100."""

import sys
import time
from collections import Counter

import torch
from tabulate import tabulate
from torch.nn.functional import cross_entropy

from bench.training import BATCH, CLASSES
from hippo.nn import build_model
from hippo.nn.engine import compiled as fused
from hippo.nn.engine.recurrence import Recurrence
from hippo.nn.optimizers import Adam
from hippo.nn.parameter_groups import parameter_groups

HIDDEN, LENGTH = 512, 784
CASES = (("legs", "float32"), ("legs", "bfloat16"), ("gru", "float32"), ("gru", "bfloat16"), ("lstm", "float32"))
PHASES = ("input product", "loop forward", "loop backward", "weight gradient")
spent: Counter = Counter()


def timed(function, phase):
    """`function`, its time added to what `phase`(*arguments) names."""

    def call(*arguments):
        started = time.perf_counter()
        result = function(*arguments)
        spent[phase(*arguments)] += time.perf_counter() - started
        return result

    return call


def measure(name: str, precision: str) -> list[str]:
    """The fastest of three steps after one that warms up: seconds, and the share of each phase."""
    model = build_model(name, 1, CLASSES, hidden_size=HIDDEN, engine={"precision": precision})
    optimiser = Adam(parameter_groups(model, 1e-3))
    inputs, targets = torch.rand(BATCH, LENGTH, 1), torch.randint(0, CLASSES, (BATCH,))
    steps = []
    for _ in range(4):
        spent.clear()
        started = time.perf_counter()
        optimiser.zero_grad()
        cross_entropy(model(inputs), targets).backward()
        optimiser.step()
        steps.append((time.perf_counter() - started, dict(spent)))
    seconds, phases = min(steps[1:], key=lambda step: step[0])
    shares = [phases.get(phase, 0) / seconds for phase in PHASES]
    return [f"{name}, {precision}", f"{seconds:.3f}", *(f"{share:.0%}" for share in [*shares, 1 - sum(shares)])]


def main(threads: int) -> None:
    """One line per cell and precision."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    fused.run = timed(fused.run, lambda *a: PHASES[2 if a[3] else 1])  # its fourth argument is `adjoint`
    Recurrence.outer = timed(Recurrence.outer, lambda *_: PHASES[3])
    Recurrence.input_product = timed(Recurrence.input_product, lambda *_: PHASES[0])
    print(tabulate([measure(*case) for case in CASES], ["cell", "seconds", *PHASES, "rest"], disable_numparse=True))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
