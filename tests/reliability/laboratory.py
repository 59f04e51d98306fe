"""A workspace whose trials take seconds; each is a `hippo train` of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import yaml
from mlflow import MlflowClient

from hippo.lab.trials.outcome import read_json
from tests.workspace import Workspace

EXPERIMENT = "config/experiments/pens.yaml"
VARIANT = "100hz-to-200hz"
# What may differ between two lives of one trial; all else is the same to the last bit.
OF_THE_PROCESS = {"seconds", "run_id", "commit"}


class Laboratory(Workspace):
    """Trials of one GRU on few samples: `epochs` of some hundredths of a second."""

    def __init__(self, folder: Path, epochs: int = 150, seeds: int = 1):
        super().__init__(folder)
        self.epochs = epochs
        plan = yaml.safe_load((folder / "config/experiments/timescale.yaml").read_text())
        for path in (folder / "config/experiments").glob("*.yaml"):
            path.unlink()
        plan["dataset"]["options"] = {"uniform": True}
        plan["models"] = {"gru": {"label": "GRU"}}
        plan["scales"] = {
            "smoke": {
                "dataset": {"options": {"samples": 60}},
                "training": {"epochs": epochs, "batch_size": 4},
                "hyperparameters": {"hidden_size": 16},
                "seeds": seeds,
            }
        }
        del plan["paper"]
        (folder / EXPERIMENT).write_text(yaml.safe_dump(plan, sort_keys=False))
        done = self.run(*f"hippo prepare {EXPERIMENT} --scale smoke --variant {VARIANT} --out data.npz".split())
        assert done.returncode == 0, done.stderr

    def copy(self, folder: Path) -> "Laboratory":
        """This laboratory as it stands, in another place."""
        shutil.copytree(self.folder, folder)
        other = object.__new__(Laboratory)
        other.folder, other.epochs = folder, self.epochs
        return other

    def place(self, seed: int = 0) -> Path:
        return self.folder / f"results/smoke/trials/pens/{VARIANT}/gru/seed{seed}"

    def command(self, seed: int = 0) -> list[str]:
        axes = f"--scale smoke --variant {VARIANT} --model gru --seed {seed}"
        out = self.place(seed).relative_to(self.folder)
        return f"hippo train {EXPERIMENT} {axes} --data data.npz --out {out}".split()

    def train(self, seed: int = 0, **how) -> subprocess.CompletedProcess:
        """A whole life of a trial."""
        return self.run(*self.command(seed), **how)

    @contextlib.contextmanager
    def living(self, seed: int = 0, env: dict | None = None):
        """A trial that is running, past its start in the tracking store."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, **(env or {})}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        life = subprocess.Popen(self.command(seed), cwd=self.folder, env=environment, **pipes)
        try:
            wait_for(lambda: life.poll() is not None or read_json(self.place(seed) / "run.json").get("pid") == life.pid)
            yield life
        finally:
            life.kill()
            life.communicate()

    def rows(self, seed: int = 0) -> int:
        """Epochs in the trial's history so far."""
        try:
            return len((self.place(seed) / "history.csv").read_text().splitlines()) - 1
        except FileNotFoundError:
            return 0

    def metrics(self, seed: int = 0) -> dict:
        """The outcome, but for what is of the process."""
        content = json.loads((self.place(seed) / "metrics.json").read_text())
        return {key: value for key, value in content.items() if key not in OF_THE_PROCESS}

    @property
    def seconds(self) -> float:
        """What the trial took from the beginning of its training to the end."""
        return json.loads((self.place() / "metrics.json").read_text())["seconds"]

    def history(self, seed: int = 0) -> str:
        """The learning curve to the last digit, but for its times."""
        return pd.read_csv(self.place(seed) / "history.csv", dtype=str).drop(columns="seconds").to_csv()

    def runs(self, uri: str | None = None) -> list:
        """Every run in the store."""
        client = MlflowClient(uri or self.uri)
        return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlruns/mlflow.db"

    def steps(self, key: str = "train_loss", uri: str | None = None, run: str | None = None) -> list[int]:
        """Every step that the one run has logged of `key`, in the order in which the store gives them."""
        run = run or self.runs(uri)[0].info.run_id
        return [metric.step for metric in MlflowClient(uri or self.uri).get_metric_history(run, key)]


def wait_for(condition, seconds: float = 120) -> None:
    """Until `condition()` holds; AssertionError when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def stop(life: subprocess.Popen, number: signal.Signals) -> tuple[int, str]:
    """Send a signal; the exit status and what was said."""
    life.send_signal(number)
    _, said = life.communicate(timeout=60)
    return life.returncode, said
