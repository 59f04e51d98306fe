"""Cost of trials as jobs of an emulated Slurm cluster: `python -m bench.cluster`.

By default, some stub trials of a second run as one job each, and in groups of ten; the table has the processor time of
the whole machine, which must be quiet otherwise. With `--submit`, all jobs of larger tables are submitted to nodes that
accept none, and the table has the rate of submission and the memory of Snakemake and of Slurm's controller.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from tabulate import tabulate

from bench.planning import INSTANT, NAME, make_workspace, snakemake, whole_seeds
from bench.report import processor
from tests.cluster.slurm import Slurm, missing

PROFILE = ("--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "2")
MODES = {
    "one job per trial": (),
    "groups of 10": ("--groups", "train=short", "--group-components", "short=10"),
}


@contextlib.contextmanager
def cluster(trials: int, nodes: int = 2):
    """A cluster, a workflow with so many stub trials of a second, and the environment of commands."""
    with tempfile.TemporaryDirectory(prefix="hippo-bench-") as name:
        Path(name).chmod(0o755)
        slurm = Slurm(Path(name) / "slurm", nodes)
        folder = make_workspace(Path(name) / "workflow", trials)
        (folder / "stub.sh").write_text(INSTANT.replace("train) mkdir", "train) sleep 1; mkdir"))
        environment = os.environ | slurm.environment | {"BASH_ENV": str(folder / "stub.sh")}
        try:
            slurm.start()
            yield slurm, folder, environment
        finally:
            slurm.stop()


def processor_seconds() -> float:
    """Processor time of this machine so far: jobs on emulated nodes are no children of this process."""
    used = psutil.cpu_times()
    return used.user + used.nice + used.system


def run_trials(trials: int, mode: str) -> dict[str, object]:
    """One line of the table of modes."""
    with cluster(trials) as (slurm, folder, environment):
        started, before = time.monotonic(), processor_seconds()
        command = snakemake(NAME, *PROFILE, *MODES[mode])
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
        seconds, used = time.monotonic() - started, processor_seconds() - before
        jobs = len({number.partition("_")[0] for number in slurm.jobs("all")})
    per_trial = f"{used / trials:.1f}"
    return {"mode": mode, "trials": trials, "submissions": jobs, "seconds": f"{seconds:.0f}", "core s/trial": per_trial}


def submit(trials: int) -> dict[str, object]:
    """One line of the table of submissions."""
    with cluster(trials) as (slurm, folder, environment):
        slurm.run("scontrol", "update", f"NodeName={','.join(slurm.names)}", "State=DRAIN", "Reason=benchmark")
        limits = ("--jobs", "20000", "--max-jobs-per-timespan", "1000/1s")
        started = time.monotonic()
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(
                snakemake(NAME, *PROFILE, *limits),
                cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        first, at_first, count = 0.0, 0, 0
        while count < trials and process.poll() is None:
            time.sleep(2)
            count = len(slurm.jobs())
            if count and not first:
                first, at_first = time.monotonic() - started, count
        ended = time.monotonic() - started
        if process.poll() is not None:
            sys.exit((folder / "out").read_text()[-3000:])
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
        controller = psutil.Process(slurm.controller).memory_info().rss / 1e6
        slurm.run("scancel", "--user", psutil.Process().username())
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return {
        "trials": trials,
        "until the first job, s": f"{first:.0f}",
        "jobs a minute": f"{60 * (count - at_first) / (ended - first):.0f}",
        "Snakemake, MB": f"{memory:.0f}",
        "controller, MB": f"{controller:.0f}",
    }


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=whole_seeds, nargs="+", default=[50])
    parser.add_argument("--submit", action="store_true", help="only submit: how it grows with the number of trials")
    asked = parser.parse_args()
    if reason := missing():
        sys.exit(reason)
    print(f"{processor()}, two emulated nodes.\n")
    if asked.submit:
        lines = [submit(trials) for trials in asked.trials]
    else:
        lines = [run_trials(trials, mode) for trials in asked.trials for mode in MODES]
    print(tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
