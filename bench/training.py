"""One training step of the engine, the reference form and the stock modules: `python -m bench.training [folder]`.

Forward, backward and optimizer for a batch of 100. Every form runs in a process of its own, so that its peak memory
is its own; forms that are compared take turns, and the fastest of their steps counts.
"""

import json
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
MODELS = ("legs", "lmu", "gru", "lstm")
FORMS = ("reference", "stock", "float32", "bfloat16", "products float32", "products bfloat16")
ROUNDS, STEPS = 2, 3
ENOUGH = 8.0  # seconds of steps: forms that take longer are stepped less often


def has(form: str, model: str) -> bool:
    """Only gated recurrent networks have a stock module; the products alone are shown for LegS."""
    return {"stock": model in ("gru", "lstm")}.get(form, not form.startswith("products") or model == "legs")


def measure(model: str, form: str, hidden: int, length: int, threads: int) -> dict:
    """Seconds of the fastest of a few training steps, after one that warms up, and peak memory in MB."""
    import torch

    torch.set_flush_denormal(True)  # as in every trial: it spares stock modules most of their backward pass
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    before = peak_memory()
    step = products(form, hidden, length) if form.startswith("products") else training(model, form, hidden, length)
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

    options = {"theta": float(length)} if model == "lmu" else {}
    engine = {"precision": form} if form in ("float32", "bfloat16") else {}
    network = build_model(model, 1, CLASSES, hidden_size=hidden, engine=engine, **options)
    inputs, targets = torch.rand(BATCH, length, 1), torch.randint(0, CLASSES, (BATCH,))
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


def products(form: str, hidden: int, length: int):
    """The products of the LegS cell's step and nothing else, by torch: no engine on these goes below."""
    import torch

    dtype = getattr(torch, form.split()[1])
    weight, operand, gates = (torch.rand(*s).to(dtype) for s in ((hidden, 2 * hidden), (BATCH, hidden), (1, 1)))
    transposed = weight.t().contiguous()
    gates, back = torch.empty(BATCH, 2 * hidden, dtype=dtype), torch.empty(BATCH, hidden, dtype=dtype)
    tapes = torch.rand(length * BATCH, 2 * hidden).to(dtype), torch.rand(length * BATCH, hidden).to(dtype)

    def step():
        for _ in range(length):
            torch.mm(operand, weight, out=gates)
        for _ in range(length):
            torch.mm(gates, transposed, out=back)
        return tapes[0].t() @ tapes[1]

    return step


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


def rows(threads: int, side_by_side: int) -> list[dict]:
    """One row per size, model and form; with `side_by_side` processes at once, the mean of their steps."""
    table = []
    for hidden, length in SIZES:
        for model in MODELS:
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


def main(folder: Path) -> None:
    """Measure both arrangements, and write them as CSV and Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    precision = product_precision("bfloat16")
    about = (
        f"Batch {BATCH}; forward, backward and Adam; fastest of a few steps. {processor()}, kernels "
        f"{backend().name}; the form bfloat16 computes in {precision} here."
    )
    text = ["# Training step", "", about, ""]
    for title, threads, crowd in (("Two threads", 2, 1), ("One thread, two processes side by side", 1, 2)):
        frame = pd.DataFrame(rows(threads, crowd)).round(
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
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results/bench"))
