"""Trials as Slurm jobs that are warned, requeued, limited, and lose their node and their tracking server.

Each trial is stopped after some epochs and goes on when it is disturbed, so that none can end before.
"""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cluster.laboratory import ClusterLaboratory
from tests.reliability.laboratory import wait_for

pytestmark = pytest.mark.cluster
SEEDS, EPOCHS = 6, 120
EARLY = 3  # epochs after which a trial is stopped


class Disturbances:
    """What is done to the trials while they run: each action once, as soon as its condition holds."""

    def __init__(self, laboratory, slurm, server):
        self.laboratory, self.slurm, self.server = laboratory, slurm, server
        self.done: dict[str, float] = {}
        self.stopped: dict[int, psutil.Process] = {}
        self.node = ""
        self.connections, self.sampled = 0, 0.0

    def job(self, seed: int) -> str:
        """Number of the Slurm job that runs a trial."""
        jobs = self.slurm.jobs("all")
        return next(job for job, (_, comment) in jobs.items() if comment.endswith(f"_gru_{seed}"))

    def process(self, seed: int) -> psutil.Process | None:
        """The process that trains a trial now; None if there is none."""
        folder = str(self.laboratory.place(seed).relative_to(self.laboratory.folder))
        for process in psutil.process_iter(["cmdline"]):
            with contextlib.suppress(psutil.Error):
                if folder in (process.info["cmdline"] or ()) and process.cwd() == str(self.laboratory.folder):
                    return process
        return None

    def stop(self) -> None:
        """Stop every trial that has trained some epochs and was not stopped before."""
        for seed in set(range(SEEDS)) - set(self.stopped):
            if self.laboratory.rows(seed) >= EARLY and (process := self.process(seed)):
                process.suspend()
                self.stopped[seed] = process

    def signal(self, name: str, seed: int) -> None:
        """Send a signal to the steps of a trial's job."""
        self.slurm.run("scancel", f"--signal={name}", self.job(seed))

    def limit(self, seed: int, minutes: str) -> None:
        self.slurm.run("scontrol", "update", f"JobId={self.job(seed)}", f"TimeLimit={minutes}")

    def is_signaled(self, seed: int) -> bool:
        """Whether SIGUSR1 waits for a stopped trial, or Slurm has ended the trial."""
        with contextlib.suppress(FileNotFoundError):
            lines = Path(f"/proc/{self.stopped[seed].pid}/status").read_text().splitlines()
            waiting = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
            return any(mask & 1 << signal.SIGUSR1 - 1 for mask in waiting)
        return True

    def extend(self, seed: int) -> bool:
        """Give the second run of a job an hour; False before it, and while Slurm still ends the first."""
        with contextlib.suppress(subprocess.CalledProcessError):
            if "Restarts=0" not in self.slurm.run("scontrol", "show", "job", self.job(seed)):
                self.limit(seed, "60")
                return True
        return False

    def kill_node(self, seed: int) -> None:
        self.node = self.slurm.node_of(self.job(seed))
        self.slurm.kill_node(self.node)

    def since(self, name: str) -> float:
        """Seconds since an action; -1 before it."""
        return time.monotonic() - self.done[name] if name in self.done else -1

    def plan(self) -> dict[str, tuple[int | None, Callable[[], bool], Callable[[], object]]]:
        """By name: the trial that goes on afterwards, the condition, and the action; in no particular order."""
        done = self.done
        return {
            "warn": (0, lambda: True, lambda: self.signal("USR1", 0)),
            "requeue": (1, lambda: True, lambda: self.slurm.run("scontrol", "requeue", self.job(1))),
            # Slurm looks at limits twice a minute, and warns a job that has less than two minutes left. A new limit
            # lets its second start train to the end.
            "limit": (None, lambda: 2 in self.stopped, lambda: self.limit(2, "1")),
            "warn of the limit": (2, lambda: "limit" in done and self.is_signaled(2), lambda: None),
            "extend": (2, lambda: "warn of the limit" in done and self.extend(2), lambda: None),
            "stop database": (3, lambda: True, self.server.stop_database),
            "warn without a server": (4, lambda: "stop database" in done, lambda: self.signal("USR1", 4)),
            "start database": (
                None,
                lambda: self.since("stop database") > 15 and self.since("warn without a server") > 5,
                self.server.start_database,
            ),
            "kill node": (5, lambda: "start database" in done, lambda: self.kill_node(5)),
            # once Slurm has noticed that the node is gone
            "start node": (
                None,
                lambda: "kill node" in done and "down" in self.slurm.state_of(self.node),
                lambda: self.slurm.start_node(self.node),
            ),
        }

    def act(self) -> None:
        """Carry out every action whose condition holds."""
        is_up = "stop database" not in self.done or "start database" in self.done
        if is_up and time.monotonic() - self.sampled > 2:
            self.sampled = time.monotonic()
            self.connections = max(self.connections, self.server.connections())
        for name, (seed, condition, action) in self.plan().items():
            self.stop()
            if name not in self.done and (seed is None or seed in self.stopped) and condition():
                action()
                self.done[name] = time.monotonic()
                if seed is not None:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        self.stopped[seed].resume()


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
    left = set(disturbances.plan()) - set(disturbances.done)
    assert not left, laboratory.output
    laboratory.assert_equal_to(local)
    laboratory.assert_tracked_once(server.uri)
    # No trial was submitted twice: an announced end is no failure, and costs no retry.
    assert sorted(comment[-1] for _, comment in slurm.jobs("all").values()) == [str(seed) for seed in range(SEEDS)]
    wait_for(lambda: not slurm.jobs(), 60)
    seconds = time.monotonic() - started
    figure(f"{SEEDS} trials on Slurm, {len(disturbances.done)} interventions: the numbers of a local run, 1 run each")
    figure(f"ended after {seconds:.0f} s; at most {disturbances.connections} connections to PostgreSQL")
