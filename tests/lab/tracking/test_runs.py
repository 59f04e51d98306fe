"""Trial folders brought into a store: what is superseded, what is left as it was, and what cannot be read."""

import json
import shutil
import time

import pytest
import yaml
from click.testing import CliRunner

from hippo.cli import main
from hippo.config import ConfigError
from hippo.lab.tracking import import_runs as module
from hippo.lab.tracking.import_runs import import_trials, reconcile
from hippo.lab.trials.failures import read_json
from tests.lab.tracked import HERE, LIVING, left_behind, made_up, rows, tracked
from tests.workspace import ROOT

LONG_AGO, SOON = 1_000_000_000_000, int(1000 * (time.time() + 3600))  # milliseconds since 1970
PUBLISHED = ROOT / "results/paper/trials/timescale/100hz-to-200hz/legs/seed0"
GONE = {"host": "a machine that was", "pid": 1}


def contents(folder) -> dict:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def finished(trial, folder) -> str:
    """The id of a run that this machine trained from beginning to end."""
    run = tracked(trial, folder)
    run.start(resumed=False)
    outcome = {"status": "finished", "seconds": 1.5, "run_id": run.id, "dataset": run.data}
    (folder / "metrics.json").write_text(json.dumps(outcome))
    assert run.finish(rows(3), outcome)
    return run.id


def current(runs: dict) -> list[str]:
    return [run for run, content in runs.items() if "superseded" not in content.data.tags]


@pytest.mark.parametrize("process", [{**GONE, "started": LONG_AGO}, GONE, None], ids=["old", "undated", "published"])
def test_an_import_of_older_results_supersedes_nothing(tracking, tmp_path, process):
    own = finished(made_up(tracking.experiment), tmp_path / "own")
    older = made_up(tracking.experiment, learning_rate=0.5)
    left_behind(tmp_path / "imported/older", older, "f00d", process)
    (line,) = import_trials(tmp_path / "imported")
    assert "finished, run" in line
    before = tracking.runs()
    assert len(before) == 2 and current(before) == [own]
    (line,) = import_trials(tmp_path / "imported")
    assert "in the store already" in line and tracking.runs().keys() == before.keys()


def test_an_import_of_newer_results_supersedes_the_older(tracking, tmp_path):
    finished(made_up(tracking.experiment), tmp_path / "own")
    newer = made_up(tracking.experiment, learning_rate=0.5)
    left_behind(tmp_path / "imported/newer", newer, "f00d", {**GONE, "started": SOON})
    list(import_trials(tmp_path / "imported"))
    (run,) = current(tracking.runs())
    made = tracking.runs()[run]
    assert made.data.params["training.learning_rate"] == "0.5"
    assert (made.info.start_time, made.info.end_time) == (SOON, SOON + 1500)


def test_an_import_leaves_a_run_in_the_making_alone(tracking, tmp_path):
    running = tracked(made_up(tracking.experiment), tmp_path / "own")
    running.start(resumed=False)
    tracking.belongs_to(running.id, HERE, LIVING)
    newer = made_up(tracking.experiment, learning_rate=0.5)
    left_behind(tmp_path / "imported/newer", newer, "f00d", {**GONE, "started": SOON})
    list(import_trials(tmp_path / "imported"))
    run = tracking.runs()[running.id]
    assert run.info.status == "RUNNING" and "superseded" not in run.data.tags


def test_an_import_ends_the_folders_own_run_though_an_equal_one_has_ended(tracking, tmp_path):
    """Two clones trained the same trial into one store, which was away when the second of them ended."""
    trial = made_up(tracking.experiment)
    second = tracked(trial, tmp_path / "second")
    second.start(resumed=False)
    tracking.belongs_to(second.id, HERE, LIVING)
    first = finished(trial, tmp_path / "first")
    tracking.belongs_to(second.id, **GONE)
    process = read_json(tmp_path / "second/run.json") | GONE
    shutil.rmtree(tmp_path / "second")
    left_behind(tmp_path / "second", trial, second.id, process)
    (line,) = import_trials(tmp_path / "second")
    assert f"run {second.id}" in line
    assert {run.info.status for run in tracking.runs().values()} == {"FINISHED"}
    assert tracking.runs().keys() == {first, second.id} and tracking.steps(second.id) == [1, 2, 3]


@pytest.mark.parametrize("process", [GONE, None], ids=["with run.json", "published"])
def test_an_import_changes_nothing_in_a_finished_folder(tracking, tmp_path, process):
    """The run that its files name is found by a tag of the one that was made for it."""
    folder = left_behind(tmp_path / "trials/one", made_up(tracking.experiment), "f00d", process)
    before = contents(folder)
    list(import_trials(tmp_path / "trials"))
    assert contents(folder) == before
    (run,) = tracking.runs().values()
    assert run.data.tags["imported_from"] == "f00d" == read_json(folder / "metrics.json")["run_id"]
    (line,) = import_trials(tmp_path / "trials")
    assert "in the store already" in line and contents(folder) == before


def test_an_import_changes_nothing_in_the_published_folder(tracking, tmp_path):
    folder = tmp_path / "trials/published"
    shutil.copytree(PUBLISHED, folder)
    before = contents(folder)
    (line,) = import_trials(tmp_path / "trials")
    assert "finished, run" in line and contents(folder) == before


def test_an_unfinished_folder_takes_the_name_of_its_new_run(tracking, tmp_path):
    """So that `hippo runs` no longer shows another machine's process at work, and a resumed trial goes on with it."""
    trial = made_up(tracking.experiment)
    folder = left_behind(tmp_path / "trials/one", trial, "f00d", {**GONE, "started": LONG_AGO}, finished=False)
    (line,) = import_trials(tmp_path / "trials")
    assert "left alone" in line and not tracking.runs()
    (line,) = import_trials(tmp_path / "trials", gone=(GONE["host"],))
    (run,) = tracking.runs()
    assert f"killed, run {run}" in line and tracking.runs()[run].info.status == "KILLED"
    assert (read_json(folder / "run.json")["run_id"], read_json(folder / "run.json")["host"]) == (run, HERE)
    list(import_trials(tmp_path / "trials"))
    resumed = tracked(trial, folder)
    resumed.start(resumed=True)
    assert list(tracking.runs()) == [run] == [resumed.id]


def test_a_trial_whose_process_is_still_ending_is_left_alone(tracking, tmp_path):
    process = {"host": HERE, "pid": LIVING}
    left_behind(tmp_path / "trials/one", made_up(tracking.experiment), "f00d", process)
    (line,) = import_trials(tmp_path / "trials")
    assert f"running in process {LIVING}" in line and not tracking.runs()


DAMAGES = {
    "no YAML": ("trial.yaml", "experiment: [", "trial.yaml: not valid YAML"),
    "no mapping": ("trial.yaml", "- 1", "trial.yaml: expected a mapping"),
    "short": ("trial.yaml", "experiment: demo", "trial.yaml: key 'scale' is missing, and 8 more"),
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
def test_a_folder_that_cannot_be_read_stops_no_other(tracking, tmp_path, damage):
    file, content, words = DAMAGES[damage]
    left_behind(tmp_path / "trials/a", made_up(tracking.experiment), "f00d")
    (tmp_path / "trials/a" / file).write_text(content)
    good = made_up(tracking.experiment, learning_rate=0.5)
    left_behind(tmp_path / "trials/b", good, "beef")
    done = CliRunner().invoke(main, ["runs", "import", "trials"])
    bad, whole, end = done.output.splitlines()
    assert bad.startswith(f"trials/a: cannot be read ({words}") and bad.endswith("), left out")
    assert "finished, run" in whole
    assert end == "Error: 1 trial not brought into the store, as said above" and done.exit_code == 1
    (run,) = tracking.runs().values()
    assert run.data.params["training.learning_rate"] == "0.5"


def test_reconcile_passes_over_a_folder_that_cannot_be_read(tracking, tmp_path):
    trials = [made_up(tracking.experiment, seed=seed) for seed in (0, 1, 2)]
    folders = [tmp_path / "results/smoke/trials" / trial.name for trial in trials]
    started = [tracked(trial, folder) for trial, folder in zip(trials, folders, strict=True)]
    for run, trial, folder in zip(started, trials, folders, strict=True):
        run.start(resumed=False)
        (folder / "trial.yaml").write_text(yaml.safe_dump(trial.model_dump()))
    (folders[1] / "trial.yaml").write_text("[")
    with pytest.raises(ConfigError, match="1 trial not brought"):
        list(reconcile(tmp_path / "results"))
    runs = tracking.runs()
    assert [runs[run.id].info.status for run in started] == ["KILLED", "RUNNING", "KILLED"]


def test_reconcile_ends_an_import_that_was_broken_off(tracking, tmp_path):
    """Its run has another id than the folder names, and is told from others by its tag."""
    trial = made_up(tracking.experiment)
    folder = left_behind(tmp_path / "results/smoke/trials" / trial.name, trial, "f00d")
    broken_off = tracked(trial, folder)
    broken_off.bring_in()
    (line,) = (line for line in reconcile(tmp_path / "results") if tracking.experiment in line)
    assert f"finished, run {broken_off.id}" in line
    assert tracking.runs()[broken_off.id].info.status == "FINISHED" and tracking.steps(broken_off.id) == [1, 2, 3]


def test_a_store_that_is_away_makes_an_import_fail(tracking, tmp_path, monkeypatch):
    left_behind(tmp_path / "trials/a", made_up(tracking.experiment), "f00d")
    monkeypatch.setattr(module.TrackedRun, "finish", lambda *_: False)
    with pytest.raises(ConfigError, match="1 trial not brought"):
        list(import_trials(tmp_path / "trials"))
