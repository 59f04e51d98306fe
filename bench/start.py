"""Processor time of one short trial, phase by phase: `python -m bench.start`.

One trial of two epochs on 100 sequences of the adding task, with its figure, in a temporary folder with a tracking
store of its own. Each phase is the fastest of several processes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

ROOT = Path(__file__).parents[1]
EPOCHS, PROCESSES = 2, 5
EXPERIMENT, VARIANT = "adding", "uniform"
# Names and owners of the functions that a phase consists of, once everything is imported.
PHASES = {
    "run: store, MLflow run": ("hippo.lab.tracking.run", "TrackedRun", ("__init__", "start")),
    "data": ("hippo.lab.training.run_trial", None, ("_load_dataset",)),
    "epochs: history, MLflow": ("hippo.lab.training.recorder", "Recorder", ("epoch",)),
    "epochs: checkpoints": ("hippo.lab.training.recorder", "Recorder", ("save",)),
    "end: figure": ("hippo.lab.training.run_trial", None, ("_plot",)),
    "end: MLflow, artifacts": ("hippo.lab.tracking.run", "TrackedRun", ("finish",)),
}
IMPORTS = {"import: torch": "torch", "import: MLflow": "mlflow", "import: hippo": "hippo.lab.training.run_trial"}


class Spent(dict):
    """Processor seconds by phase."""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Context whose time counts to the phase `name`."""
        started = time.process_time()
        try:
            yield
        finally:
            self[name] = self.get(name, 0.0) + time.process_time() - started

    def watch(self, name: str, module: str, owner: str | None, functions: tuple[str, ...]) -> None:
        """Count the time of functions of a module, or of a class in it, to the phase `name`."""
        place = getattr(sys.modules[module], owner) if owner else sys.modules[module]
        for function in functions:
            setattr(place, function, self.timed(name, getattr(place, function)))

    def timed(self, name: str, function):
        """The function, with its time counted to the phase `name`."""

        @wraps(function)
        def call(*arguments, **options):
            with self.phase(name):
                return function(*arguments, **options)

        return call


def run_timed(arguments: list[str]) -> None:
    """Run the command `hippo` with `arguments` in this process, and write the phases to phases.json."""
    from importlib import import_module

    from hippo.cli import collector, commands

    spent = Spent({"interpreter, command line": time.process_time()})
    with collector.paused():
        for name, module in IMPORTS.items():
            with spent.phase(name):
                import_module(module)
    for name, place in PHASES.items():
        spent.watch(name, *place)

    def end(status: int) -> None:
        """End in place of os._exit: what no phase names is the training with its model, and the trial's files."""
        spent["training and the rest"] = time.process_time() - sum(spent.values())
        Path("phases.json").write_text(json.dumps(spent))
        sys.stdout.flush()
        leave(status)

    leave, os._exit = os._exit, end
    commands.hippo(arguments, prog_name="hippo")


def make_trial(folder: Path) -> list[str]:
    """Write an experiment file and its prepared dataset to `folder`; return the arguments of `hippo` for its trial."""
    from dataclasses import replace

    import yaml

    from hippo.data.sources import Sources
    from hippo.lab.plan.experiment import load_experiment

    content = yaml.safe_load((ROOT / f"config/experiments/{EXPERIMENT}.yaml").read_text())
    content["scales"]["smoke"]["training"]["epochs"] = EPOCHS
    (folder / "start.yaml").write_text(yaml.safe_dump(content))
    experiment = load_experiment(folder / "start.yaml", "smoke")
    trial = experiment.trial(VARIANT, "gru", 0)
    replace(experiment.datasets[VARIANT].build(Sources()), options=trial.dataset_settings).save(folder / "data.npz")
    place = ["--variant", VARIANT, "--model", "gru", "--seed", "0", "--data", "data.npz", "--out", "trial"]
    return ["train", "start.yaml", "--scale", "smoke", *place, "--force"]


def main() -> None:
    """Print the seconds of each phase."""
    from tabulate import tabulate

    from bench.report import processor

    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment |= {"PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "bench.start", *make_trial(folder)]
        found = []
        for _ in range(PROCESSES + 1):  # the first creates the store
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
            found.append(json.loads((folder / "phases.json").read_text()))
    best = {phase: min(spent[phase] for spent in found[1:]) for phase in found[1]}
    lines = [*best.items(), ("sum", sum(best.values()))]
    print(f"{processor()}; processor seconds, fastest of {PROCESSES} processes.\n")
    print(tabulate(lines, headers=("phase", "s"), floatfmt=".2f", tablefmt="github"))


if __name__ == "__main__":
    run_timed(sys.argv[1:]) if sys.argv[1:] else main()
