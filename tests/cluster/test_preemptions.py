"""Slow tests on the emulated cluster: a hundred random preemptions, and every table of the smoke scale."""

import random
import time

import pytest

from tests.cluster.laboratory import PROFILE, ClusterLaboratory
from tests.reliability.laboratory import wait_for
from tests.workspace import Workspace

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
SEEDS, EPOCHS, PREEMPTIONS = 5, 250, 100  # about ten epochs pass between two preemptions of a trial


class Preemptions:
    """Interrupts random trials, each after a random number of epochs of its present attempt.

    Parameters
    ----------
    laboratory : ClusterLaboratory
    slurm : Slurm
    number : int
        Interruptions in all.
    """

    def __init__(self, laboratory, slurm, number: int):
        self.laboratory, self.slurm, self.number = laboratory, slurm, number
        self.random = random.Random(0)
        self.done: dict[str, int] = {}
        self._trainer: dict[int, tuple] = {}
        self._due: dict[int, int] = {}
        self._kinds = {
            "warned": lambda job: slurm.run("scancel", "--signal=USR1", job),
            "requeued": lambda job: slurm.run("scontrol", "requeue", job),
            "preempted": self._preempt,
        }

    def _preempt(self, job: str) -> None:
        """Submit a job of the partition that preempts others to the node of a trial; it takes the whole node."""
        node = self.slurm.node_of(job)
        self.slurm.run("sbatch", "-p", "urgent", "-w", node, "-c", "2", "-o", "/dev/null", "--wrap", "sleep 1")

    def act(self) -> None:
        """Interrupt every trial that is due."""
        jobs = {comment[-1]: job for job, (state, comment) in self.slurm.jobs().items() if state == "RUNNING"}
        for seed in range(self.laboratory.seeds):
            if sum(self.done.values()) >= self.number or self.laboratory.has_outcome(seed) or str(seed) not in jobs:
                continue
            trainer, rows = self.laboratory.trainer(seed), self.laboratory.rows(seed)
            if self._trainer.get(seed) != trainer:  # a new attempt
                self._trainer[seed], self._due[seed] = trainer, rows + self.random.randint(1, 2)
            elif rows >= self._due[seed]:
                kind = self.random.choice(sorted(self._kinds))
                self._kinds[kind](jobs[str(seed)])
                self.done[kind] = self.done.get(kind, 0) + 1
                self._due[seed] = EPOCHS + 1  # until the next attempt


def test_a_hundred_random_preemptions_change_no_number(folder, slurm, server, figure, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    local = ClusterLaboratory(folder / "undisturbed", SEEDS, EPOCHS, name="preempted")
    done = local.snakemake("preempted", "--config", "scale=smoke", env={"MLFLOW_TRACKING_URI": None})
    assert done.returncode == 0, done.stdout + done.stderr
    laboratory = ClusterLaboratory(folder / "preempted", SEEDS, EPOCHS, name="preempted")
    preemptions = Preemptions(laboratory, slurm, PREEMPTIONS)
    with laboratory.workflow(slurm, server) as process:

        def ended():
            preemptions.act()
            time.sleep(0.5)
            return process.poll() is not None

        wait_for(ended, 4 * 3600)
    assert process.returncode == 0, laboratory.output
    said = (laboratory.folder / "snakemake.out").read_text()
    assert "Trying to restart" not in said, said  # no retry was used
    assert sum(preemptions.done.values()) == PREEMPTIONS
    laboratory.assert_equal_to(local)
    laboratory.assert_tracked_once(server.uri)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(preemptions.done.items()))
    figure(f"{PREEMPTIONS} random ends of Slurm jobs ({kinds}): the numbers of a local run, 1 run each, no retry")


def test_every_table_of_the_smoke_scale_runs_on_the_cluster(folder, slurm, server, figure):
    workspace = Workspace(folder / "smoke")
    environment = slurm.environment | server.environment
    done = workspace.run("snakemake", *PROFILE.split(), env=environment, timeout=4 * 3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (workspace.folder / "results/smoke/report.html").exists()
    trials = len(list((workspace.folder / "results/smoke/trials").rglob("metrics.json")))
    assert trials > 50 and not slurm.jobs()
    figure(f"every table of the smoke scale on Slurm: {trials} trials")
