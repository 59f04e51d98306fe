"""A workspace whose trials take seconds; each is a `hippo train` process of its own."""

import contextlib
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient

from hippo.lab.trials.outcome import read_json
from tests.workspace import Workspace, pens

EXPERIMENT = "config/experiments/pens.yaml"
VARIANT = "100hz-to-200hz"
# Values that may differ between two runs of one trial; all others are equal to the last bit. A commit during the test
# changes `commit`, and leaves the earlier one in `earlier_commits`.
OF_THE_PROCESS = {"seconds", "run_id", "commit", "earlier_commits"}


class Laboratory(Workspace):
    """Trials of one GRU on few samples: `epochs` of some hundredths of a second."""

    def __init__(self, folder: Path, epochs: int = 150, seeds: int = 1):
        super().__init__(folder)
        self.epochs = epochs
        self.remove_experiments()
        small = {
            "dataset": {"samples": 60},
            "training": {"epochs": epochs, "batch_size": 4},
            "hyperparameters": {"hidden_size": 16},
            "seeds": seeds,
        }
        both = (VARIANT, "200hz-to-100hz")
        self.write_experiment("pens", pens(both, scales={"smoke": small, "quick": small}))
        done = self.run(*f"hippo prepare {EXPERIMENT} --scale smoke --variant {VARIANT} --out data.npz".split())
        assert done.returncode == 0, done.stderr

    def copy(self, folder: Path) -> "Laboratory":
        """Copy this laboratory to another folder."""
        shutil.copytree(self.folder, folder)
        other = Laboratory.at(folder)
        other.epochs = self.epochs
        return other

    def place(self, seed: int = 0) -> Path:
        """Folder of a trial."""
        return self.folder / f"results/smoke/trials/pens/{VARIANT}/gru/seed{seed}"

    def command(self, seed: int = 0) -> list[str]:
        axes = f"--scale smoke --variant {VARIANT} --model gru --seed {seed}"
        out = self.place(seed).relative_to(self.folder)
        return f"hippo train {EXPERIMENT} {axes} --data data.npz --out {out}".split()

    def train(self, seed: int = 0, **how) -> subprocess.CompletedProcess:
        """Run a trial to its end."""
        return self.run(*self.command(seed), **how)

    @contextlib.contextmanager
    def running(self, seed: int = 0, env: dict | None = None):
        """A process that runs a trial, past its start in the tracking store; killed at the end of the context."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(self.command(seed), cwd=self.folder, env=self.environment(env), **pipes)
        try:
            wait_for(lambda: process.poll() is not None or self.trainer(seed) == process.pid)
            yield process
        finally:
            process.kill()
            process.communicate()

    def trainer(self, seed: int = 0) -> int | None:
        """Number of the process that started the trial last."""
        return read_json(self.place(seed) / "run.json").get("pid")

    def rows(self, seed: int = 0) -> int:
        """Epochs in the trial's history so far."""
        try:
            return len((self.place(seed) / "history.csv").read_text().splitlines()) - 1
        except FileNotFoundError:
            return 0

    def wait_for_epoch(self, epoch: int, seed: int = 0) -> None:
        wait_for(lambda: self.rows(seed) >= epoch)

    def metrics(self, seed: int = 0) -> dict:
        """The outcome, without what depends on the process."""
        content = json.loads((self.place(seed) / "metrics.json").read_text())
        return {key: value for key, value in content.items() if key not in OF_THE_PROCESS}

    def history(self, seed: int = 0) -> str:
        """The history to the last digit, without its times."""
        return pd.read_csv(self.place(seed) / "history.csv", dtype=str).drop(columns="seconds").to_csv()

    def runs(self, uri: str | None = None) -> list:
        """Every run in the store."""
        client = MlflowClient(uri or self.uri)
        return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlruns/mlflow.db"

    def steps(self, key: str = "train_loss", uri: str | None = None, run: str | None = None) -> list[int]:
        """Every step that a run, by default the only one, has logged of `key`, in the order of the store."""
        run = run or self.runs(uri)[0].info.run_id
        return [metric.step for metric in MlflowClient(uri or self.uri).get_metric_history(run, key)]


def wait_for(condition, seconds: float = 120) -> None:
    """Wait until `condition()` holds; AssertionError if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"the condition did not hold within {seconds} s"
        time.sleep(0.01)


def stop(process: subprocess.Popen, number: signal.Signals) -> tuple[int, str]:
    """Send a signal; the exit status and the standard error."""
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr
