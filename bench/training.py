"""One training step of every form of a model: `python -m bench.training [folder [model ...]]`.

The forms are the fast form in float32 and with every unit for bfloat16 that the processor has, the reference form,
PyTorch's own module (stock), and the matrix products alone by PyTorch. The reference form of NCDE and ODE-RNN is the
solution by torchdiffeq. A step is forward, backward and optimizer for a batch of 100. Every form runs in a process of
its own, so that its peak memory is its own; forms that are compared take turns, and the fastest of their steps counts.

The share of the peak is that of the operations in a step's matrix products, at the rate that the cores reach in the
same run: for PyTorch's product of large matrices, on the fastest unit of the processor, or in float32 for multiply-adds
in registers where that is faster (the rate of one core, times the threads).
"""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pandas as pd

from bench.report import processor
from hippo import kernels

BATCH, CLASSES = 100, 10
SIZES = ((256, 182), (512, 784))
MODELS = ("legs", "legt", "lmu", "gru", "lstm", "ncde", "ode_rnn")
FLOWS = ("ncde", "ode_rnn")  # float32 only, with the channels of CharacterTrajectories
MEMORIES = ("legt", "lmu")  # with a dense transition, which has no gradient
LARGE = 2048  # rows and columns of large matrices
ROUNDS, STEPS = 2, 3
ENOUGH = 8.0  # seconds of steps: forms that take longer are stepped less often


def units() -> list[str]:
    """The names of the fastest instruction set with each unit for bfloat16 products that the processor has."""
    prefix = f"{kernels.backend().instruction_set}+"
    return [name for name in kernels.runnable() if name.startswith(prefix) and not name.endswith("emulated")]


def forms_of(model: str) -> list[str]:
    """Only gated recurrent networks have a stock module; the products alone are shown for LegS, NCDE and ODE-RNN."""
    forms = ["reference", *(["stock"] if model in ("gru", "lstm") else []), "float32"]
    if model in FLOWS:
        return [*forms, "products float32"]
    forms += [f"bfloat16 {name}" for name in units()]
    return [*forms, "products float32", *(["products bfloat16"] if units() else [])] if model == "legs" else forms


def dtype_of(form: str) -> str:
    """The type of a form's products."""
    return "bfloat16" if "bfloat16" in form else "float32"


def measure(model: str, form: str, hidden: int, length: int, threads: int) -> dict:
    """Seconds of the fastest of a few training steps, after one that warms up, and peak memory in MB."""
    import torch

    torch.set_flush_denormal(True)  # as in every trial: it spares stock modules most of their backward pass
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if form.startswith("large"):
        return {"rate": peak_rate(dtype_of(form), threads)}
    before = peak_memory()
    step = (products if form.startswith("products") else training)(model, form, hidden, length)
    seconds = []
    while len(seconds) < 2 or (len(seconds) <= STEPS and sum(seconds) < ENOUGH):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return {"seconds": min(seconds[1:]), "all": seconds[1:], "memory": peak_memory() - before}


def peak_rate(dtype: str, threads: int) -> float:
    """Floating-point operations per second that so many threads of this process reach."""
    import torch

    left, right = (torch.rand(LARGE, LARGE).to(getattr(torch, dtype)) for _ in range(2))
    rates = []
    for _ in range(5):
        start = time.perf_counter()
        left @ right
        rates.append(2 * LARGE**3 / (time.perf_counter() - start))
    module = kernels.backend().compiled
    if dtype == "float32" and module is not None:
        start = time.perf_counter()
        multiply_adds = module.peak_fma_float32(20_000_000)
        rates.append(2 * multiply_adds * threads / (time.perf_counter() - start))
    return max(rates)


def training(model: str, form: str, hidden: int, length: int):
    """A training step of the named form."""
    import torch
    from torch.nn.functional import cross_entropy

    from hippo.nn import build_model
    from hippo.nn.optimizers import Adam

    options = {"ode_rnn": {"time_unit": float(length)}, **dict.fromkeys(MEMORIES, {"theta": float(length)})}
    channels = 3 if model in FLOWS else 1
    engine = {"precision": "bfloat16"} if dtype_of(form) == "bfloat16" else {}
    network = build_model(model, channels, CLASSES, hidden_size=hidden, engine=engine, **options.get(model, {}))
    inputs, targets = torch.rand(BATCH, length, channels), torch.randint(0, CLASSES, (BATCH,))
    stock = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}.get(model) if form == "stock" else None
    cell = stock(1, hidden, batch_first=True) if stock else network.backbone
    last = {
        "reference": lambda: cell.reference(inputs)[:, -1],
        "stock": lambda: cell(inputs)[0][:, -1],
    }.get(form, lambda: cell(inputs))
    optimizer = Adam([{"params": [*cell.parameters(), *network.decoder.parameters()], "lr": 1e-3}])

    def step():
        optimizer.zero_grad()
        cross_entropy(network.decoder(last()), targets).backward()
        optimizer.step()

    return step


def product_shapes(model: str, hidden: int, length: int) -> list[tuple[int, int, int]]:
    """Number, inputs and outputs of the products with each weight in the forward pass of a batch."""
    flows, channels = length - 1, 4  # time and the three inputs
    return {
        "legs": [(length, hidden, 2 * hidden)],
        "legt": [(length, hidden, 2 * hidden)],
        "lmu": [(length, 2 * hidden, hidden)],
        "gru": [(length, hidden, 3 * hidden)],
        "lstm": [(length, hidden, 4 * hidden)],
        "ncde": [(4 * flows, hidden, hidden), (4 * flows, hidden, channels * hidden)],  # four stages of rk4
        "ode_rnn": [(flows, hidden, hidden), (flows, hidden, hidden), (length, hidden, 3 * hidden)],
    }[model]


def products(model: str, form: str, hidden: int, length: int):
    """The products of the cell's steps and nothing else, by PyTorch."""
    import torch

    dtype = getattr(torch, form.split()[1])

    def with_one_weight(number: int, inputs: int, outputs: int):
        weight, operand = torch.rand(inputs, outputs).to(dtype), torch.rand(BATCH, inputs).to(dtype)
        transposed = weight.t().contiguous()
        product, back = torch.empty(BATCH, outputs, dtype=dtype), torch.empty(BATCH, inputs, dtype=dtype)
        tapes = torch.rand(number * BATCH, outputs).to(dtype), torch.rand(number * BATCH, inputs).to(dtype)

        def step():
            for _ in range(number):
                torch.mm(operand, weight, out=product)
            for _ in range(number):
                torch.mm(product, transposed, out=back)
            return tapes[0].t() @ tapes[1]

        return step

    steps = [with_one_weight(*shape) for shape in product_shapes(model, hidden, length)]
    return lambda: [step() for step in steps]


def operations(model: str, hidden: int, length: int) -> float:
    """Floating-point operations in the products of a training step: forward, backward, gradients of weights."""
    memory = 4 * BATCH * length * hidden**2 if model in MEMORIES else 0
    return 6 * BATCH * sum(math.prod(shape) for shape in product_shapes(model, hidden, length)) + memory


def peak_memory() -> float:
    """Peak resident memory of this process so far, MB."""
    return getrusage(RUSAGE_SELF).ru_maxrss / 1024


def start(model: str, form: str, *arguments) -> subprocess.Popen:
    """`measure` in a process of its own, with the kernels that the form names."""
    command = [sys.executable, "-m", "bench.training", "measure", json.dumps((model, form, *arguments))]
    chosen = form.partition(" ")[2] if form.startswith("bfloat16") else kernels.backend().name
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "HIPPO_KERNELS": chosen})


def result(process: subprocess.Popen) -> dict:
    """Return the result of `measure`; RuntimeError if its process failed."""
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args[-1]} exited with {process.returncode}")
    return json.loads(output)


def rows(threads: int, side_by_side: int, models: list[str]) -> list[dict]:
    """One row per size, model and form; NCDE and ODE-RNN at the first size only.

    With `side_by_side` processes at once, the mean of their steps.
    """
    table = []
    dtypes = ("float32", "bfloat16") if units() else ("float32",)
    peak = {dtype: peak_of_crowd(dtype, threads, side_by_side) for dtype in dtypes}
    for hidden, length in SIZES:
        for model in models:
            if model in FLOWS and (hidden, length) != SIZES[0]:
                continue
            forms = forms_of(model)
            found = {form: [] for form in forms}
            for _ in range(ROUNDS if side_by_side == 1 else 1):
                for form in forms:
                    crowd = [start(model, form, hidden, length, threads) for _ in range(side_by_side)]
                    found[form] += [result(process) for process in crowd]
            for form, results in found.items():
                seconds = [r["seconds"] for r in results]
                best = min(seconds) if side_by_side == 1 else sum(seconds) / len(seconds)
                row = {"hidden": hidden, "length": length, "model": model, "form": form, "seconds": best}
                share = 100 * operations(model, hidden, length) / best / peak[dtype_of(form)]
                row |= {"steps_per_second": side_by_side / best, "MB": results[0]["memory"], "percent_of_peak": share}
                table.append(row)
                print(table[-1], file=sys.stderr, flush=True)
    reference = {(r["hidden"], r["model"]): r["seconds"] for r in table if r["form"] == "reference"}
    return [{**row, "times_reference": reference[row["hidden"], row["model"]] / row["seconds"]} for row in table]


def peak_of_crowd(dtype: str, threads: int, side_by_side: int) -> float:
    """Operations per second that each of so many processes at once reaches, the mean."""
    crowd = [start("", f"large {dtype}", 0, 0, threads) for _ in range(side_by_side)]
    return sum(result(process)["rate"] for process in crowd) / side_by_side


def main(folder: Path, models: list[str]) -> None:
    """Measure both arrangements, and write them as CSV and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    about = (
        f"Batch {BATCH}; forward, backward and Adam; fastest of a few steps. {processor()}, kernels "
        f"{kernels.backend().name}; units for bfloat16: {', '.join(units()) or 'none'}."
    )
    text = ["# Training step", "", about, ""]
    for title, threads, crowd in (("Two threads", 2, 1), ("One thread, two processes side by side", 1, 2)):
        frame = pd.DataFrame(rows(threads, crowd, models)).round(
            {"seconds": 3, "steps_per_second": 2, "times_reference": 1, "MB": 0, "percent_of_peak": 0}
        )
        frame.to_csv(folder / f"training_{threads}.csv", index=False)
        text += [f"## {title}", "", frame.to_markdown(index=False), ""]
    (folder / "training.md").write_text("\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(*json.loads(sys.argv[2]))))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results/bench"), sys.argv[2:] or list(MODELS))
