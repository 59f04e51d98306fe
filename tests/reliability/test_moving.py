"""Results and tracked runs on another machine, and a store made again from trial folders alone."""

import shutil
import signal

import pytest
from mlflow import MlflowClient

from tests.reliability.laboratory import stop, wait_for

pytestmark = pytest.mark.reliability

# Tags of the process that imported the run, the older id of the run, and the name of the request that created it.
OF_THE_IMPORT = {"host", "pid", "process_started", "imported_from", "creation"}


def told(run) -> tuple:
    """What a run says of its trial."""
    tags = {key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
    return run.data.metrics, run.data.params, {k: v for k, v in tags.items() if k not in OF_THE_IMPORT}


def test_a_moved_folder_opens_and_its_store_can_be_made_again(undisturbed, tmp_path, monkeypatch, figure):
    laboratory = undisturbed.copy(tmp_path / "laboratory")
    (before,) = laboratory.runs()
    files = {path.name for path in laboratory.place().iterdir()} - {".lock"}
    moved = laboratory.copy(tmp_path / "elsewhere" / "laboratory")
    shutil.rmtree(laboratory.folder)

    monkeypatch.chdir(moved.folder)
    client = MlflowClient(f"sqlite:///{moved.folder}/mlruns/mlflow.db")
    run = client.get_run(before.info.run_id)
    assert told(run) == told(before)
    listed = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert listed == files
    copy = client.download_artifacts(run.info.run_id, "history.csv", str(tmp_path))
    with open(copy, encoding="utf-8") as artifact:
        assert artifact.read() == (moved.place() / "history.csv").read_text()

    shutil.rmtree(moved.folder / "mlruns")
    left = {path.name: path.read_bytes() for path in moved.place().iterdir()}
    done = moved.run("hippo", "runs", "import", "results/smoke/trials")
    assert done.returncode == 0, done.stderr
    # By the address above, MLflow would still read the database that was removed.
    again = f"sqlite:///{moved.folder}/./mlruns/mlflow.db"
    (made,) = moved.runs(again)
    assert made.info.run_id != before.info.run_id
    assert made.info.status == "FINISHED" and told(made) == told(before)
    assert moved.steps(uri=again) == list(range(1, moved.epochs + 1))
    assert made.data.tags["imported_from"] == before.info.run_id
    assert {path.name: path.read_bytes() for path in moved.place().iterdir()} == left
    figure("store made again from trial folders alone: the same metrics, parameters and tags")


def test_the_newest_checkpoint_alone_carries_a_trial_to_another_machine(undisturbed, laboratory, figure):
    with laboratory.running() as process:
        laboratory.wait_for_epoch(3)
        stop(process, signal.SIGTERM)
    newest = max((laboratory.place() / "checkpoints").glob("*.pt"))
    content, history = newest.read_bytes(), (laboratory.place() / "history.csv").read_text()
    shutil.rmtree(laboratory.folder / "results")
    shutil.rmtree(laboratory.folder / "mlruns")

    newest.parent.mkdir(parents=True)
    newest.write_bytes(content)
    done = laboratory.train()
    assert done.returncode == 0, done.stderr
    assert (laboratory.place() / "history.csv").read_text().startswith(history)  # times included: not trained again
    assert laboratory.metrics() == undisturbed.metrics()
    assert laboratory.history() == undisturbed.history()
    assert laboratory.steps() == list(range(1, laboratory.epochs + 1))
    figure("a trial carried to another machine by its newest checkpoint alone: the same end")


@pytest.mark.parametrize("folder", ["there", pytest.param("lost", marks=pytest.mark.slow)])
def test_a_run_whose_process_is_gone_is_ended(laboratory, folder):
    with laboratory.running() as process:
        wait_for(lambda: laboratory.rows() >= 1)
        process.send_signal(signal.SIGSTOP)  # alive, but no faster than this test
        assert "left alone" in laboratory.run("hippo", "runs", "reconcile").stdout
        stop(process, signal.SIGKILL)
    (run,) = laboratory.runs()
    assert run.info.status == "RUNNING"
    if folder == "lost":
        shutil.rmtree(laboratory.folder / "results")
    done = laboratory.run("hippo", "runs", "reconcile")
    assert done.returncode == 0 and "killed" in done.stdout, done.stderr
    (run,) = laboratory.runs()
    assert run.info.status == "KILLED"
