"""Import of trial folders into a store: superseded runs, unchanged folders, unreadable files, reused pids."""

import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from click.testing import CliRunner

from hippo.cli.commands import hippo as main
from hippo.lab.tracking import import_runs as module
from hippo.lab.tracking.import_runs import import_trials, reconcile
from hippo.lab.tracking.run import UNKNOWN
from hippo.lab.trials import lock
from hippo.lab.trials.outcome import UNDELIVERED, read_json
from tests.lab.tracked import HERE, LIVING, make_run, make_trial, rows, write_folder
from tests.workspace import ROOT

LONG_AGO, SOON = 1_000_000_000_000, int(1000 * (time.time() + 3600))  # milliseconds since 1970
PUBLISHED = ROOT / "results/paper/trials/timescale/100hz-to-200hz/legs/seed0"
GONE = {"host": "a machine that is gone", "pid": 1}


def contents(folder) -> dict:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != lock.NAME}


def train(trial, folder) -> str:
    """Track a trial from its start to its end; the id of its run."""
    run = make_run(trial, folder)
    run.start(resumed=False)
    outcome = {"status": "finished", "seconds": 1.5, "run_id": run.id, "dataset": run.data}
    (folder / "metrics.json").write_text(json.dumps(outcome))
    assert run.finish(rows(3), outcome)
    return run.id


def current(runs: dict) -> list[str]:
    return [run for run, content in runs.items() if "superseded" not in content.data.tags]


@pytest.mark.parametrize("process", [{**GONE, "started": LONG_AGO}, GONE, None], ids=["old", "undated", "published"])
def test_an_import_of_older_results_supersedes_nothing(tracking, tmp_path, process):
    own = train(make_trial(tracking.experiment), tmp_path / "own")
    older = make_trial(tracking.experiment, learning_rate=0.5)
    write_folder(tmp_path / "imported/older", older, "f00d", process)
    (line,) = import_trials(tmp_path / "imported")
    assert "finished, run" in line.message
    before = tracking.runs()
    assert len(before) == 2 and current(before) == [own]
    (line,) = import_trials(tmp_path / "imported")
    assert "in the store already" in line.message and tracking.runs().keys() == before.keys()


def test_an_import_leaves_the_mark_of_a_folder_that_cannot_be_written(tracking, tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "imported/trial", make_trial(tracking.experiment), "f00d", GONE)
    mark, unlink = folder / UNDELIVERED, Path.unlink
    mark.touch()

    def refuse_mark(path, missing_ok=False):
        if path == mark:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse_mark)  # root may unlink everywhere
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    (line,) = import_trials(tmp_path / "imported", undelivered=True)
    assert "finished, run" in line.message and mark.exists()


def test_two_imports_do_not_deliver_one_trial_at_once(tracking, tmp_path):
    folder = tmp_path / "imported/trial"
    write_folder(folder, make_trial(tracking.experiment), "f00d", GONE)
    with lock.locked(folder):
        (line,) = import_trials(tmp_path / "imported")
    assert line.state == "left" and not tracking.runs()
    (line,) = import_trials(tmp_path / "imported")
    assert line.state == "imported" and len(tracking.runs()) == 1


def test_an_import_of_newer_results_supersedes_the_older(tracking, tmp_path):
    train(make_trial(tracking.experiment), tmp_path / "own")
    newer = make_trial(tracking.experiment, learning_rate=0.5)
    write_folder(tmp_path / "imported/newer", newer, "f00d", {**GONE, "started": SOON})
    list(import_trials(tmp_path / "imported"))
    (run,) = current(tracking.runs())
    made = tracking.runs()[run]
    assert made.data.params["training.learning_rate"] == "0.5"
    assert (made.info.start_time, made.info.end_time) == (SOON, SOON + 1500)


def test_an_import_leaves_a_running_run_alone(tracking, tmp_path):
    running = make_run(make_trial(tracking.experiment), tmp_path / "own")
    running.start(resumed=False)
    tracking.set_process(running.id, HERE, LIVING)
    newer = make_trial(tracking.experiment, learning_rate=0.5)
    write_folder(tmp_path / "imported/newer", newer, "f00d", {**GONE, "started": SOON})
    list(import_trials(tmp_path / "imported"))
    run = tracking.runs()[running.id]
    assert run.info.status == "RUNNING" and "superseded" not in run.data.tags


def test_an_import_ends_the_folders_own_run_though_an_equal_one_has_ended(tracking, tmp_path):
    """Two clones trained the same trial into one store, which was unreachable when the second of them ended."""
    trial = make_trial(tracking.experiment)
    second = make_run(trial, tmp_path / "second")
    second.start(resumed=False)
    tracking.set_process(second.id, HERE, LIVING)
    first = train(trial, tmp_path / "first")
    tracking.set_process(second.id, **GONE)
    process = read_json(tmp_path / "second/run.json") | GONE
    shutil.rmtree(tmp_path / "second")
    write_folder(tmp_path / "second", trial, second.id, process)
    (line,) = import_trials(tmp_path / "second")
    assert f"run {second.id}" in line.message
    assert {run.info.status for run in tracking.runs().values()} == {"FINISHED"}
    assert tracking.runs().keys() == {first, second.id} and tracking.steps(second.id) == [1, 2, 3]


@pytest.mark.parametrize("process", [GONE, None], ids=["with run.json", "published"])
def test_an_import_changes_nothing_in_a_finished_folder(tracking, tmp_path, process):
    """The created run names, in a tag, the run that the folder's files name."""
    folder = write_folder(tmp_path / "trials/one", make_trial(tracking.experiment), "f00d", process)
    before = contents(folder)
    list(import_trials(tmp_path / "trials"))
    assert contents(folder) == before
    (run,) = tracking.runs().values()
    assert run.data.tags["imported_from"] == "f00d" == read_json(folder / "metrics.json")["run_id"]
    (line,) = import_trials(tmp_path / "trials")
    assert "in the store already" in line.message and contents(folder) == before


def test_an_import_changes_nothing_in_the_published_folder(tracking, tmp_path):
    folder = tmp_path / "trials/published"
    shutil.copytree(PUBLISHED, folder)
    before = contents(folder)
    (line,) = import_trials(tmp_path / "trials")
    assert "finished, run" in line.message and contents(folder) == before


def test_an_unfinished_folder_names_its_new_run(tracking, tmp_path):
    """Then `hippo runs` no longer shows a process of another machine, and a resumed trial continues the run."""
    trial = make_trial(tracking.experiment)
    folder = write_folder(tmp_path / "trials/one", trial, "f00d", {**GONE, "started": LONG_AGO}, finished=False)
    (line,) = import_trials(tmp_path / "trials")
    assert "left alone" in line.message and not tracking.runs()
    (line,) = import_trials(tmp_path / "trials", gone=(GONE["host"],))
    (run,) = tracking.runs()
    assert f"killed, run {run}" in line.message and tracking.runs()[run].info.status == "KILLED"
    assert (read_json(folder / "run.json")["run_id"], read_json(folder / "run.json")["host"]) == (run, HERE)
    list(import_trials(tmp_path / "trials"))
    resumed = make_run(trial, folder)
    resumed.start(resumed=True)
    assert list(tracking.runs()) == [run] == [resumed.id]


def test_a_trial_whose_own_process_is_still_ending_is_left_alone(tracking, tmp_path):
    process = {"host": HERE, "pid": LIVING, "process_started": psutil.Process(LIVING).create_time()}
    write_folder(tmp_path / "trials/one", make_trial(tracking.experiment), "f00d", process)
    (line,) = import_trials(tmp_path / "trials")
    assert f"running in process {LIVING}" in line.message and line.state == "left" and not tracking.runs()


@pytest.mark.parametrize("started", [None, -3600.0], ids=["of the first release", "with start time"])
def test_a_finished_trial_is_imported_though_its_process_number_is_used_again(tracking, tmp_path, started):
    process = {"host": HERE, "pid": LIVING}
    if started:
        process["process_started"] = psutil.Process(LIVING).create_time() + started
    write_folder(tmp_path / "trials/one", make_trial(tracking.experiment), "f00d", process)
    (line,) = import_trials(tmp_path / "trials")
    (run,) = tracking.runs()
    assert f"finished, run {run}" in line.message and line.state == "imported"


def test_an_unfinished_trial_is_imported_though_its_process_number_is_used_again(tracking, tmp_path):
    """run.json is older than the process that has the number now."""
    folder = tmp_path / "trials/one"
    write_folder(folder, make_trial(tracking.experiment), "f00d", {"host": HERE, "pid": LIVING}, finished=False)
    (line,) = import_trials(tmp_path / "trials")
    assert line.state == "left"
    before = psutil.Process(LIVING).create_time() - 3600
    os.utime(folder / "run.json", (before, before))
    (line,) = import_trials(tmp_path / "trials")
    assert "killed, run" in line.message and line.state == "imported"


def test_an_import_tells_how_many_trials_were_left_alone(tracking, tmp_path):
    write_folder(tmp_path / "trials/a", make_trial(tracking.experiment), "f00d")
    running = make_trial(tracking.experiment, learning_rate=0.5)
    write_folder(tmp_path / "trials/b", running, "beef", {"host": HERE, "pid": LIVING}, finished=False)
    done = CliRunner().invoke(main, ["runs", "import", "trials"])
    assert done.output.splitlines()[-1] == "1 of 2 imported, 1 left alone" and done.exit_code == 1


def test_an_import_from_no_folder_fails(tracking):
    done = CliRunner().invoke(main, ["runs", "import", "nope"])
    assert "nope: no such folder" in done.output and done.exit_code == 1


def no_runs(*_) -> list:
    return []


def test_reconcile_says_that_no_run_is_running(tracking, monkeypatch):
    monkeypatch.setattr(module.store, "connect", lambda: SimpleNamespace(search_experiments=list, search_runs=no_runs))
    done = CliRunner().invoke(main, ["runs", "reconcile"])
    assert done.output == "no run has the status RUNNING: nothing to reconcile\n" and done.exit_code == 0


DAMAGES = {
    "no YAML": ("trial.yaml", "experiment: [", "trial.yaml: not valid YAML"),
    "no mapping": ("trial.yaml", "- 1", "trial.yaml: expected a mapping"),
    "short": ("trial.yaml", "experiment: demo", "trial.yaml: key 'scale' is missing, and 9 more"),
    "cut outcome": ("metrics.json", '{"status": "fin', "metrics.json: not valid JSON"),
    "short outcome": ("metrics.json", '{"status": "finished"}', "metrics.json: key 'dataset' is missing"),
    "old dataset": (
        "metrics.json",
        '{"status": "finished", "seconds": 1, "dataset": "mnist"}',
        "metrics.json: dataset = 'mnist': expected digest",
    ),
    "bytes": ("history.csv", "epoch,train_loss\n1,\0\n2,3,4,5\n", "history.csv: not valid CSV"),
    "words": ("history.csv", "epoch,train_loss\n1,low\n", "history.csv: expected columns of numbers"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_import_continues_after_an_unreadable_folder(tracking, tmp_path, damage):
    file, content, message = DAMAGES[damage]
    write_folder(tmp_path / "trials/a", make_trial(tracking.experiment), "f00d")
    (tmp_path / "trials/a" / file).write_text(content)
    write_folder(tmp_path / "trials/b", make_trial(tracking.experiment, learning_rate=0.5), "beef")
    done = CliRunner().invoke(main, ["runs", "import", "trials"])
    bad, good, end = done.output.splitlines()
    assert bad.startswith(f"trials/a: cannot be read ({message}") and bad.endswith("), left out")
    assert "finished, run" in good
    assert end == "1 of 2 imported, 1 failed" and done.exit_code == 1
    (run,) = tracking.runs().values()
    assert run.data.params["training.learning_rate"] == "0.5"


def test_reconcile_continues_after_an_unreadable_folder(tracking, tmp_path):
    trials = [make_trial(tracking.experiment, seed=seed) for seed in (0, 1, 2)]
    folders = [tmp_path / "results/smoke/trials" / trial.name for trial in trials]
    started = [make_run(trial, folder) for trial, folder in zip(trials, folders, strict=True)]
    for run, trial, folder in zip(started, trials, folders, strict=True):
        run.start(resumed=False)
        (folder / "trial.yaml").write_text(trial.to_yaml())
    (folders[1] / "trial.yaml").write_text("[")
    assert [line.state for line in reconcile(tmp_path / "results")].count("failed") == 1
    runs = tracking.runs()
    assert [runs[run.id].info.status for run in started] == ["KILLED", "RUNNING", "KILLED"]


def test_reconcile_ends_an_interrupted_import(tracking, tmp_path):
    """Its run has another id than the folder names, which a tag holds."""
    trial = make_trial(tracking.experiment)
    folder = write_folder(tmp_path / "results/smoke/trials" / trial.name, trial, "f00d")
    interrupted = make_run(trial, folder)
    interrupted.start_import()
    (line,) = (line for line in reconcile(tmp_path / "results") if tracking.experiment in line.name)
    assert f"finished, run {interrupted.id}" in line.message
    assert tracking.runs()[interrupted.id].info.status == "FINISHED" and tracking.steps(interrupted.id) == [1, 2, 3]


def test_reconcile_kills_an_import_whose_folder_is_gone(tracking, tmp_path):
    trial = make_trial(tracking.experiment)
    folder = write_folder(tmp_path / "results/smoke/trials" / trial.name, trial, UNKNOWN)
    interrupted = make_run(trial, folder)
    interrupted.start_import()
    shutil.rmtree(folder)
    lines = list(reconcile(tmp_path / "results"))
    assert [line.message for line in lines if interrupted.id in line.message] == [f"killed, run {interrupted.id}"]
    assert tracking.runs()[interrupted.id].info.status == "KILLED"


def test_an_unreachable_store_makes_an_import_fail(tracking, tmp_path, monkeypatch):
    write_folder(tmp_path / "trials/a", make_trial(tracking.experiment), "f00d")
    monkeypatch.setattr(module.TrackedRun, "finish", lambda *_: False)
    (line,) = import_trials(tmp_path / "trials")
    assert line.state == "failed" and "unreachable" in line.message
