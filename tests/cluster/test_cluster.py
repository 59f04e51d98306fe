"""Trials as Slurm jobs that are warned, requeued, limited, and lose their node and their tracking server.

A trial whose disturbance waits for something else is stopped meanwhile, so that it cannot end before it.
"""

import time
from collections.abc import Callable

import pytest

from tests.cluster.laboratory import ClusterLaboratory
from tests.reliability.laboratory import wait_for

pytestmark = pytest.mark.cluster
SEEDS, EPOCHS = 6, 120
EARLY = 3  # epochs after which a trial is disturbed


class Disturbances:
    """What is done to the trials while they run: each action once, as soon as its condition holds."""

    def __init__(self, laboratory, slurm, server):
        self.laboratory, self.slurm, self.server = laboratory, slurm, server
        self.done: dict[str, float] = {}
        self.state: dict[str, str] = {}
        self.connections, self.sampled = 0, 0.0

    def job(self, seed: int) -> str:
        """Number of the Slurm job that runs a trial."""
        jobs = self.slurm.jobs("all")
        return next(job for job, (_, comment) in jobs.items() if comment.endswith(f"_gru_{seed}"))

    def is_training(self, seed: int, rows: int = EARLY) -> bool:
        """Whether a trial has trained some epochs, and has not ended."""
        return self.laboratory.rows(seed) >= rows and not self.laboratory.has_outcome(seed)

    def signal(self, name: str, seed: int) -> None:
        """Send a signal to the steps of a trial's job."""
        self.slurm.run("scancel", f"--signal={name}", self.job(seed))

    def warn(self, seed: int) -> None:
        """Let a trial that is stopped go on, warned as before a preemption."""
        self.signal("USR1", seed)
        self.signal("CONT", seed)

    def is_pending(self, seed: int) -> bool:
        return self.slurm.jobs().get(self.job(seed), ("", ""))[0] == "PENDING"

    def since(self, name: str) -> float:
        """Seconds since an action; -1 before it."""
        return time.monotonic() - self.done[name] if name in self.done else -1

    def plan(self) -> dict[str, tuple[Callable[[], bool], Callable[[], object]]]:
        """Conditions and actions by name, in no particular order."""
        run = self.slurm.run
        return {
            "warn": (lambda: self.is_training(0), lambda: self.signal("USR1", 0)),
            "requeue": (lambda: self.is_training(1), lambda: run("scontrol", "requeue", self.job(1))),
            # Slurm warns a job that has less than two minutes left; a new limit lets its second start train to the end.
            "limit": (lambda: self.is_training(2), lambda: self.limit(2, "1")),
            "extend": (lambda: "limit" in self.done and self.is_pending(2), lambda: self.limit(2, "60")),
            "stop database": (lambda: self.is_training(3), self.server.stop_database),
            "hold 4": (lambda: self.is_training(4), lambda: self.signal("STOP", 4)),
            "warn without a server": (lambda: {"stop database", "hold 4"} <= set(self.done), lambda: self.warn(4)),
            "start database": (
                lambda: self.since("stop database") > 15 and self.since("warn without a server") > 5,
                self.server.start_database,
            ),
            "hold 5": (lambda: self.is_training(5), lambda: self.signal("STOP", 5)),
            "kill node": (lambda: {"start database", "hold 5"} <= set(self.done), lambda: self.kill_node(5)),
            "start node": (self.is_down, lambda: self.slurm.start_node(self.state["node"])),
        }

    def limit(self, seed: int, minutes: str) -> None:
        self.slurm.run("scontrol", "update", f"JobId={self.job(seed)}", f"TimeLimit={minutes}")

    def kill_node(self, seed: int) -> None:
        self.state["node"] = self.slurm.node_of(self.job(seed))
        self.slurm.kill_node(self.state["node"])

    def is_down(self) -> bool:
        """Whether Slurm has noticed that the killed node is gone."""
        return "node" in self.state and "down" in self.slurm.run(
            "sinfo", "-h", "-N", "-n", self.state["node"], "-o", "%t"
        )

    def act(self) -> None:
        """Carry out every action whose condition holds."""
        is_up = "stop database" not in self.done or "start database" in self.done
        if is_up and time.monotonic() - self.sampled > 2:
            self.sampled = time.monotonic()
            self.connections = max(self.connections, self.server.connections())
        for name, (condition, action) in self.plan().items():
            if name not in self.done and condition():
                action()
                self.done[name] = time.monotonic()


@pytest.fixture(scope="module")
def local(folder):
    """The same trials on this machine, without a cluster."""
    laboratory = ClusterLaboratory(folder / "local", SEEDS, EPOCHS)
    done = laboratory.snakemake("pens", "--config", "scale=smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    return laboratory


def test_trials_outlive_their_jobs_nodes_and_server(folder, slurm, server, local, figure, monkeypatch):
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    laboratory = ClusterLaboratory(folder / "cluster", SEEDS, EPOCHS)
    disturbances = Disturbances(laboratory, slurm, server)
    started = time.monotonic()
    with laboratory.workflow(slurm, server) as process:

        def ended():
            disturbances.act()
            time.sleep(0.2)
            return process.poll() is not None

        wait_for(ended, 5400)
    assert process.returncode == 0, laboratory.output
    assert not set(disturbances.plan()) - set(disturbances.done), laboratory.output
    laboratory.assert_equal_to(local)
    laboratory.assert_tracked_once(server.uri)
    # No trial was submitted twice: an announced end is no failure, and costs no retry.
    assert sorted(comment[-1] for _, comment in slurm.jobs("all").values()) == [str(seed) for seed in range(SEEDS)]
    wait_for(lambda: not slurm.jobs(), 60)
    seconds = time.monotonic() - started
    number = sum(not name.startswith("hold") for name in disturbances.done)
    figure(f"{SEEDS} trials on Slurm, {number} disturbances: the numbers of a local run, 1 run each")
    figure(f"ended after {seconds:.0f} s; at most {disturbances.connections} connections to PostgreSQL")
