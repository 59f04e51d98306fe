"""A table whose trials run as jobs of an emulated Slurm cluster, tracked on a server."""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient

from hippo.lab.trials.outcome import read_json
from tests.cluster.server import Server
from tests.cluster.slurm import Slurm
from tests.reliability.laboratory import OF_THE_PROCESS
from tests.workspace import Workspace, pens

VARIANT = "100hz-to-200hz"
PROFILE = "--workflow-profile profiles/slurm --slurm-init-seconds-before-status-checks 2 --config scale=smoke"


class ClusterLaboratory(Workspace):
    """One table of `seeds` trials of a small GRU.

    Parameters
    ----------
    folder : Path
        Folder of the workflow.
    seeds, epochs : int
        Number of trials, and epochs of each: about 0.05 s on a quiet core.
    name : str
        Name of the table, and of its experiment in MLflow.
    """

    def __init__(self, folder: Path, seeds: int, epochs: int, name: str = "pens"):
        super().__init__(folder)
        self.seeds, self.epochs, self.name = seeds, epochs, name
        self.remove_experiments()
        small = {
            "dataset": {"samples": 60},
            "training": {"epochs": epochs, "batch_size": 4},
            "hyperparameters": {"hidden_size": 16},
            "seeds": seeds,
            "resources": {"mem_mb": 1000, "runtime": 60},
        }
        self.write_experiment(name, pens((VARIANT,), scales={"smoke": small, "quick": small}))

    @contextlib.contextmanager
    def workflow(self, slurm: Slurm, server: Server):
        """Snakemake with the Slurm profile, and its output; interrupted at the end of the context if it still runs."""
        environment = self.environment(slurm.environment | server.environment)
        with (self.folder / "snakemake.out").open("ab") as out:
            process = subprocess.Popen(
                ["snakemake", self.name, *PROFILE.split()],
                cwd=self.folder, env=environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(60)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    @property
    def output(self) -> str:
        """What Snakemake has printed, and what the trials have."""
        logs = sorted((self.folder / "logs/smoke/train").rglob("*.log"))
        files = [self.folder / "snakemake.out", *logs, *sorted(self.folder.glob(".snakemake/slurm_logs/**/*.log"))]
        return "\n".join(f"== {path}\n{path.read_text()[-3000:]}" for path in files)

    def place(self, seed: int) -> Path:
        """Folder of a trial."""
        return self.folder / f"results/smoke/trials/{self.name}/{VARIANT}/gru/seed{seed}"

    def rows(self, seed: int) -> int:
        """Epochs in a trial's history so far."""
        with contextlib.suppress(FileNotFoundError):
            return len((self.place(seed) / "history.csv").read_text().splitlines()) - 1
        return 0

    def trainer(self, seed: int) -> tuple:
        """Host, number and start of the process that started a trial last."""
        record = read_json(self.place(seed) / "run.json")
        return record.get("host"), record.get("pid"), record.get("process_started")

    def has_outcome(self, seed: int) -> bool:
        return (self.place(seed) / "metrics.json").exists()

    def metrics(self, seed: int) -> dict:
        """The outcome of a trial, without what depends on the process."""
        content = json.loads((self.place(seed) / "metrics.json").read_text())
        return {key: value for key, value in content.items() if key not in OF_THE_PROCESS}

    def history(self, seed: int) -> str:
        """The history of a trial to the last digit, without its times."""
        return pd.read_csv(self.place(seed) / "history.csv", dtype=str).drop(columns="seconds").to_csv()

    def assert_equal_to(self, local: "ClusterLaboratory") -> None:
        """Every trial has the numbers of a local run, to the last bit."""
        for seed in range(self.seeds):
            assert self.metrics(seed) == local.metrics(seed)
            assert self.history(seed) == local.history(seed)
        assert self.table() == local.table()

    def table(self) -> str:
        """The numbers of the table, without times."""
        numbers = pd.read_csv(self.folder / f"results/smoke/tables/{self.name}.csv", dtype=str)
        return numbers[numbers["metric"] != "seconds"].to_csv()

    def assert_tracked_once(self, uri: str) -> None:
        """Each trial has one run, FINISHED, with every epoch once and in order, and its files as artifacts."""
        client = MlflowClient(uri)
        (experiment,) = [found for found in client.search_experiments() if found.name == self.name]
        runs = client.search_runs([experiment.experiment_id])
        assert sorted(int(run.data.tags["seed"]) for run in runs) == list(range(self.seeds)), f"{runs}\n{self.output}"
        for run in runs:
            assert run.info.status == "FINISHED" and not {"error", "superseded"} & run.data.tags.keys()
            every = list(range(1, self.epochs + 1))
            for key in ("train_loss", "seconds"):
                assert [metric.step for metric in client.get_metric_history(run.info.run_id, key)] == every
            seed = int(run.data.tags["seed"])
            assert read_json(self.place(seed) / "run.json")["run_id"] == run.info.run_id
            names = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
            assert {"trial.yaml", "history.csv", "metrics.json"} <= names
