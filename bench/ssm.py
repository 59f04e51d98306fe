"""One bidirectional S4 block in every form, and recurrent steps: `python -m bench.ssm [folder]`.

A block is convolution kernel, convolution, skip, GELU, linear map to twice the features and GLU, forward and backward,
in float32 with a state of size 64. The forms are the published algorithm in plain PyTorch (`bench/ssm_reference.py`),
this project's PyTorch form and its compiled form. Every form runs in a process of its own, so that its peak memory is
its own; forms take turns, and the fastest step counts.

The limit is the time of the block's arithmetic at rates measured in the same run: the products of the linear map at the
rate of PyTorch's product of these shapes, and the Fourier transforms at the multiply-add peak of one core times the
threads, at half of it, since a butterfly has as many additions as multiplications that no multiply-add joins.
"""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from resource import RLIMIT_AS, setrlimit

import pandas as pd
import psutil

from bench.report import processor
from bench.training import peak_memory
from hippo import kernels
from hippo.cli.allocator import use_huge_pages

SIZES = ((50, 128, 1024), (16, 256, 4096), (4, 256, 16384))  # batch, features, length
SYSTEMS = {"DPLR": "legs", "diagonal": "diag_legs"}
FORMS = ("reference", "PyTorch", "compiled")
STATE_SIZE, THREADS, STEPS, ROUNDS = 64, 2, 4, 2
ENOUGH = 20.0  # seconds of steps: forms that take longer are stepped less often
RECURRENT_LAYERS, RECURRENT_FEATURES, RECURRENT_STEPS = 6, 256, 50


def measure(form: str, system: str, batch: int, features: int, length: int) -> dict:
    """Seconds of the fastest of a few steps, after one that warms up, and peak memory in MB."""
    use_huge_pages()  # as in every trial
    import torch

    setrlimit(RLIMIT_AS, [psutil.virtual_memory().available] * 2)  # a form that does not fit fails, and kills nothing
    torch.set_flush_denormal(True)  # as in every trial
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    if form == "products":
        return {"seconds": products(batch, features, length)}
    inputs = torch.randn(batch, length, features, requires_grad=True)
    block = build(form, system, features, length)
    before = peak_memory()
    seconds: list[float] = []
    while len(seconds) < 2 or (len(seconds) <= STEPS and sum(seconds) < ENOUGH):
        start = time.perf_counter()
        outputs = block(inputs)
        outputs.backward(outputs.detach())
        seconds.append(time.perf_counter() - start)
    return {"seconds": min(seconds[1:]), "memory": peak_memory() - before}


def build(form: str, system: str, features: int, length: int):
    """A block in the named form."""
    from bench.ssm_reference import ReferenceBlock
    from hippo.nn import S4, S4D

    layer = S4D if system == "diagonal" else S4
    block = layer(features, state_size=STATE_SIZE, measure=SYSTEMS[system], bidirectional=True)
    return ReferenceBlock(block, length) if form == "reference" else block


def products(batch: int, features: int, length: int) -> float:
    """Seconds of the linear map's products alone, forward and backward."""
    import torch

    inputs, weight = torch.randn(batch * length, features), torch.randn(2 * features, features)
    grad = torch.randn(batch * length, 2 * features)
    seconds = []
    for _ in range(STEPS + 1):
        start = time.perf_counter()
        inputs @ weight.t(), grad @ weight, grad.t() @ inputs
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def transforms(batch: int, features: int, length: int) -> float:
    """Floating-point operations of the five real Fourier transforms that a step needs for every sequence.

    Inputs and outputs forward; inputs, gradients of outputs and gradients of inputs backward.
    """
    size = 2 * length
    return 5 * batch * features * 2.5 * size * math.log2(size)


def in_process(form: str, *arguments) -> dict:
    """`measure` in a process of its own, with the kernels that the form needs."""
    command = [sys.executable, "-m", "bench.ssm", "measure", json.dumps((form, *arguments))]

    chosen = "torch" if form == "PyTorch" else kernels.backend().name
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HIPPO_KERNELS": chosen})
    if "DefaultCPUAllocator" in done.stderr:  # it does not fit in memory
        return {"seconds": math.nan, "memory": math.nan}
    if done.returncode:
        raise RuntimeError(f"{command} exited with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def block_rows() -> list[dict]:
    """One row per size, system and form."""
    table = []
    module = kernels.backend().compiled
    for size in SIZES:
        batch, features, length = size
        limit = in_process("products", "", *size)["seconds"]
        if module is not None:
            start = time.perf_counter()
            multiply_adds = module.peak_fma_float32(20_000_000)
            limit += transforms(*size) / (multiply_adds * THREADS / (time.perf_counter() - start))
        for system in SYSTEMS:
            found = {form: [in_process(form, system, *size) for _ in range(ROUNDS)] for form in FORMS}
            slowest, largest = best(found["reference"])
            for form, results in found.items():
                seconds, memory = best(results)
                table.append(
                    {
                        "batch": batch,
                        "features": features,
                        "length": length,
                        "system": system,
                        "form": form,
                        "seconds": seconds,
                        "times_reference": slowest / seconds,
                        "times_limit": seconds / limit,
                        "MB": memory,
                        "fraction_of_memory": memory / largest,
                    }
                )
                print(table[-1], file=sys.stderr, flush=True)
    return table


def best(results: list[dict]) -> tuple[float, float]:
    """Least seconds and memory of several runs; NaN if the form does not fit in memory."""
    return min(r["seconds"] for r in results), min(r["memory"] for r in results)


def recurrent_rows() -> list[dict]:
    """Microseconds per input of `step()` through a stack of layers, for one sample: the fastest of 20 runs."""
    import torch

    from hippo.nn import S4, S4D

    torch.set_num_threads(1)
    table = []
    for system, measure_name in SYSTEMS.items():
        layer = S4D if system == "diagonal" else S4
        layers = [
            layer(RECURRENT_FEATURES, state_size=STATE_SIZE, measure=measure_name).eval()
            for _ in range(RECURRENT_LAYERS)
        ]
        with torch.no_grad():
            states = [each.initial_state(1) for each in layers]
            value, best = torch.randn(1, RECURRENT_FEATURES), math.inf
            for _ in range(20):
                start = time.perf_counter()
                for _ in range(RECURRENT_STEPS):
                    outputs = value
                    for i, each in enumerate(layers):
                        outputs, states[i] = each.step(outputs, states[i])
                best = min(best, (time.perf_counter() - start) / RECURRENT_STEPS)
        table.append(
            {"system": system, "layers": RECURRENT_LAYERS, "features": RECURRENT_FEATURES, "microseconds": 1e6 * best}
        )
    return table


def main(folder: Path) -> None:
    """Measure, and write the tables as CSV and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks, recurrent = pd.DataFrame(block_rows()), pd.DataFrame(recurrent_rows())
    blocks.to_csv(folder / "ssm.csv", index=False)
    recurrent.to_csv(folder / "ssm_step.csv", index=False)
    shown = blocks.round({"seconds": 3, "times_reference": 1, "times_limit": 1, "MB": 0, "fraction_of_memory": 2})
    text = "\n".join(
        [
            "# S4 blocks",
            "",
            f"Bidirectional, state size {STATE_SIZE}, float32, forward and backward, {THREADS} threads. {processor()}, "
            f"kernels {kernels.backend().name}.",
            "",
            shown.to_markdown(index=False),
            "",
            "Recurrent steps, one sample, one thread.",
            "",
            recurrent.round(1).to_markdown(index=False),
            "",
        ]
    )
    (folder / "ssm.md").write_text(text)
    print(text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(*json.loads(sys.argv[2]))))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results/bench"))
