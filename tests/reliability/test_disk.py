"""Disks that fill, turn read-only or lose a folder: one clear line, the last good checkpoint intact, and then on."""

import shutil
import subprocess

import pytest

from hippo.lab.trials.checkpoints import Checkpoints
from tests.reliability.laboratory import wait_for

pytestmark = pytest.mark.reliability

NAMESPACE = ("unshare", "--map-root-user", "--mount")

# In a namespace of its own: the trial's folder is a file system of 2 MB, which is full from its third epoch on.
FILLED = """
mkdir -p {folder} && mount -t tmpfs -o size=2m small {folder} || exit 99
{train} & trial=$!
until [ "$(wc -l < {folder}/history.csv)" -gt 3 ]; do sleep 0.02; done 2> /dev/null
cat /dev/zero > {folder}/filler 2> /dev/null
wait $trial; echo "status $?"
cp -r {folder}/checkpoints .; rm {folder}/filler
{train}; echo "status $?"
mkdir after && cp {folder}/*.* after
"""

# A second mount in front of the first: a mount on which files are open for writing cannot be made read-only.
READ_ONLY = """
mkdir -p results && mount --bind results results || exit 99
{train} & trial=$!
until [ "$(wc -l < {folder}/history.csv)" -gt 3 ]; do sleep 0.02; done 2> /dev/null
mount --bind results results && mount -o remount,ro,bind results || exit 99
wait $trial; echo "status $?"
"""


def in_a_namespace(laboratory, script: str):
    try:
        subprocess.run([*NAMESPACE, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {getattr(error, 'stderr', None) or error}")
    folder = laboratory.place().relative_to(laboratory.folder)
    script = script.format(folder=folder, train=" ".join(laboratory.command()))
    done = laboratory.run(*NAMESPACE, "bash", "-c", script)
    if done.returncode == 99:
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    return done


def said(stderr: str) -> str:
    """The message of a trial that failed; it is one line, and no traceback."""
    (line,) = [line for line in stderr.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in stderr
    return line


def test_a_disk_that_fills_costs_nothing_but_the_wait_for_room(undisturbed, laboratory, figure):
    done = in_a_namespace(laboratory, FILLED)
    assert [line for line in done.stdout.splitlines() if line.startswith("status")] == ["status 1", "status 0"]
    line = said(done.stderr)
    assert "results/smoke/trials" in line and "No space left on device" in line
    (run,) = laboratory.runs()
    intact = Checkpoints(laboratory.folder / "checkpoints", run.data.tags["identity"]).load()
    assert len(intact["rows"]) >= 2
    assert run.info.status == "FINISHED"
    assert laboratory.steps() == list(range(1, laboratory.epochs + 1))
    laboratory.place().mkdir(parents=True, exist_ok=True)
    shutil.copytree(laboratory.folder / "after", laboratory.place(), dirs_exist_ok=True)
    assert laboratory.metrics() == undisturbed.metrics()
    assert laboratory.history() == undisturbed.history()
    figure("disk full in the middle: checkpoint intact, the same end once there is room, 1 run")


def test_a_folder_that_turns_read_only_is_named(laboratory):
    done = in_a_namespace(laboratory, READ_ONLY)
    assert "status 1" in done.stdout, done.stderr
    line = said(done.stderr)
    assert "results/smoke/trials" in line and "Read-only file system" in line
    (run,) = laboratory.runs()
    assert run.info.status == "FAILED" and "Read-only file system" in run.data.tags["error"]


def test_a_file_that_may_not_grow_is_named_and_the_trial_goes_on_later(laboratory):
    """As over a quota. The limit is below a checkpoint, and so below the store's database, which is made before."""
    assert laboratory.run("hippo", "runs", "init", "pens").returncode == 0
    failed = laboratory.run("bash", "-c", f"ulimit -f 8; exec {' '.join(laboratory.command())}")
    assert failed.returncode == 1
    assert "File too large" in failed.stderr or "disk" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "reason" in (laboratory.place() / "failure.json").read_text()
    assert not (laboratory.place() / "metrics.json").exists()


@pytest.mark.parametrize("lost", [pytest.param("the trial's folder", marks=pytest.mark.slow), "all of it"])
def test_a_folder_that_is_removed_is_named(undisturbed, laboratory, lost):
    with laboratory.running() as process:
        wait_for(lambda: laboratory.rows() >= 2)
        # the trial may write into it meanwhile
        folder = laboratory.place() if lost == "the trial's folder" else laboratory.folder
        aside = folder.with_name("aside")
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr
    line = said(stderr)
    assert "results/smoke/trials" in line and ("removed while it ran" in line or "No such file" in line)
    if lost == "the trial's folder":
        (run,) = laboratory.runs()
        assert run.info.status == "FAILED"
        assert "removed while it ran" in run.data.tags["error"] or "No such file" in run.data.tags["error"]
        done = laboratory.train()
        assert done.returncode == 0, done.stderr
        (again,) = laboratory.runs()
        assert again.info.run_id == run.info.run_id and again.info.status == "FINISHED"
        assert laboratory.steps() == list(range(1, laboratory.epochs + 1))
        assert laboratory.metrics() == undisturbed.metrics()
