"""One training step of every form of a model: `python -m bench.training [folder [model ...]]`.

The forms are the fast form in float32 and bfloat16, the reference form, PyTorch's own module (stock), the matrix
products alone by PyTorch, and as many multiply-adds at the peak rate of the cores. The reference form of NCDE and
ODE-RNN is the solution by torchdiffeq. A step is forward, backward and optimizer for a batch of 100. Every form runs in
a process of its own, so that its peak memory is its own; forms that are compared take turns, and the fastest of their
steps counts.
"""

import json
import math
import subprocess
import sys
import time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pandas as pd

from bench.report import processor
from hippo.kernels import backend, product_precision

BATCH, CLASSES = 100, 10
SIZES = ((256, 182), (512, 784))
MODELS = ("legs", "lmu", "gru", "lstm", "ncde", "ode_rnn")
FLOWS = ("ncde", "ode_rnn")  # float32 only, with the channels of CharacterTrajectories
FORMS = ("reference", "stock", "float32", "bfloat16", "products float32", "products bfloat16", "peak float32")
ROUNDS, STEPS = 2, 3
ENOUGH = 8.0  # seconds of steps: forms that take longer are stepped less often


def has(form: str, model: str) -> bool:
    """Only gated recurrent networks have a stock module; the products alone are shown for LegS, NCDE and ODE-RNN."""
    if form == "stock":
        return model in ("gru", "lstm")
    if model in FLOWS:
        return not form.endswith("bfloat16")
    return not form.startswith(("products", "peak")) or model == "legs"


def measure(model: str, form: str, hidden: int, length: int, threads: int) -> dict:
    """Seconds of the fastest of a few training steps, after one that warms up, and peak memory in MB."""
    import torch

    torch.set_flush_denormal(True)  # as in every trial: it spares stock modules most of their backward pass
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    before = peak_memory()
    if form.startswith("products"):
        step = products(model, form, hidden, length)
    elif form.startswith("peak"):
        step = peak(model, hidden, length, threads)
    else:
        step = training(model, form, hidden, length)
    seconds = []
    while len(seconds) < 2 or (len(seconds) <= STEPS and sum(seconds) < ENOUGH):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return {"seconds": min(seconds[1:]), "all": seconds[1:], "memory": peak_memory() - before}


def training(model: str, form: str, hidden: int, length: int):
    """A training step of the named form."""
    import torch
    from torch.nn.functional import cross_entropy

    from hippo.nn import build_model
    from hippo.nn.optimizers import Adam

    options = {"lmu": {"theta": float(length)}, "ode_rnn": {"time_unit": float(length)}}.get(model, {})
    channels = 3 if model in FLOWS else 1
    engine = {"precision": form} if form in ("float32", "bfloat16") else {}
    network = build_model(model, channels, CLASSES, hidden_size=hidden, engine=engine, **options)
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
        "ncde": [(4 * flows, hidden, hidden), (4 * flows, hidden, channels * hidden)],  # four stages of rk4
        "ode_rnn": [(flows, hidden, hidden), (flows, hidden, hidden), (length, hidden, 3 * hidden)],
    }[model]


def products(model: str, form: str, hidden: int, length: int):
    """The products of the cell's steps and nothing else, by torch: no form on these goes below."""
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


def peak(model: str, hidden: int, length: int, threads: int):
    """As many multiply-adds in registers as one thread's part of these products: no form at all goes below."""
    multiply_adds = 3 * BATCH * sum(math.prod(shape) for shape in product_shapes(model, hidden, length)) / threads
    run, rounds = backend().compiled.peak_fma_float32, 100_000
    per_round = run(rounds) / rounds
    return lambda: run(round(multiply_adds / per_round))


def peak_memory() -> float:
    """Peak resident memory of this process so far, MB."""
    return getrusage(RUSAGE_SELF).ru_maxrss / 1024


def start(*arguments) -> subprocess.Popen:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "bench.training", "measure", json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


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
    for hidden, length in SIZES:
        for model in models:
            if model in FLOWS and (hidden, length) != SIZES[0]:
                continue
            forms = [form for form in FORMS if has(form, model)]
            found = {form: [] for form in forms}
            for _ in range(ROUNDS if side_by_side == 1 else 1):
                for form in forms:
                    crowd = [start(model, form, hidden, length, threads) for _ in range(side_by_side)]
                    found[form] += [result(process) for process in crowd]
            for form, results in found.items():
                seconds = [r["seconds"] for r in results]
                best = min(seconds) if side_by_side == 1 else sum(seconds) / len(seconds)
                row = {"hidden": hidden, "length": length, "model": model, "form": form, "seconds": best}
                table.append({**row, "steps_per_second": side_by_side / best, "MB": results[0]["memory"]})
                print(table[-1], file=sys.stderr, flush=True)
    reference = {(r["hidden"], r["model"]): r["seconds"] for r in table if r["form"] == "reference"}
    return [{**row, "times_reference": reference[row["hidden"], row["model"]] / row["seconds"]} for row in table]


def main(folder: Path, models: list[str]) -> None:
    """Measure both arrangements, and write them as CSV and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    precision = product_precision("bfloat16")
    about = (
        f"Batch {BATCH}; forward, backward and Adam; fastest of a few steps. {processor()}, kernels "
        f"{backend().name}; the form bfloat16 computes in {precision} here."
    )
    text = ["# Training step", "", about, ""]
    for title, threads, crowd in (("Two threads", 2, 1), ("One thread, two processes side by side", 1, 2)):
        frame = pd.DataFrame(rows(threads, crowd, models)).round(
            {"seconds": 3, "steps_per_second": 2, "times_reference": 1, "MB": 0}
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
