"""Text of the commands show, runs, compare and explain."""

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hippo.cli.commands import hippo as main
from hippo.lab.plan.experiments import find_experiment
from hippo.lab.reporting.listing import format_duration
from hippo.lab.reporting.pages import format_page
from hippo.lab.reporting.tables import write_table
from hippo.lab.results.results import collect_results
from tests.lab.outcomes import finish, finish_all, write_experiment


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """An experiment among config/experiments, its trials finished, its table written."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "config/experiments"
    folder.mkdir(parents=True)
    experiment = write_experiment(folder)
    finish_all(experiment, tmp_path / "results/quick/trials")
    write_table(collect_results(experiment, tmp_path / "results/quick/trials"), Path("results/quick/tables/demo.md"))
    return experiment


def hippo(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, done.output
    return done.output


def test_show_prints_the_table_with_verdicts_within_100_columns(quick):
    page = hippo("show", "demo")
    assert "reproduced" in page and "above" in page and "90.1 ± 0.1" in page
    assert max(map(len, page.splitlines()[1:])) <= 100  # apart from the title
    assert "did you mean 'demo'" in hippo("show", "dem", code=1)


def test_shipped_tables_fit_100_columns(tmp_path):
    for name in ("pmnist", "timescale", "missing", "reconstruction", "mackey_glass"):
        page = format_page(collect_results(find_experiment(name, "paper"), tmp_path))
        lines = [line for line in page.splitlines() if line.startswith("|")]
        grown = 3 * max(line.count("—") for line in lines)  # "98.3 ± 0.1" is longer than "—" under "test, %"
        assert max(map(len, lines)) + grown <= 100, name


def test_explain_names_settings_seeds_runs_and_command_of_one_cell(quick):
    text = hippo("explain", "results/quick/tables/demo.md", "LegS")
    assert "test, %: 90.1 ± 0.1, paper 90.0, difference +0.1: reproduced" in text
    assert f"seed 2: finished, run run-legs-2, commit {40 * 'c'}-dirty, results/quick/trials/demo/a/legs/seed2" in text
    settings = yaml.safe_load(text.split("\n\n")[3])
    assert settings["model_options"] == quick.trial("a", "legs", 0).settings()["model"]
    assert settings["training"]["epochs"] == 3
    targets = " ".join(f"results/quick/trials/demo/a/legs/seed{seed}/metrics.json" for seed in range(3))
    assert f"  snakemake {targets} --cores all --forcerun train" in text.splitlines()
    assert hippo("explain", "results/quick/tables/demo.md", "legs") == text


def test_explained_commands_name_the_trial_and_its_files(quick):
    """The options that `hippo train` requires are all there, and the trial exists."""
    (line,) = [x.strip() for x in hippo("explain", "results/quick/tables/demo.md", "gru").splitlines() if "train " in x
               and "hippo" in x]  # fmt: skip
    program, command, file, *options = shlex.split(line)
    assert (program, command) == ("hippo", "train") and find_experiment(file, "quick").name == "demo"
    required = {p.opts[0] for p in main.commands["train"].params if p.required and p.param_type_name == "option"}
    assert required <= set(options[::2])
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert given["--data"] == "data/quick/demo/a.npz"
    assert Path(given["--out"], "metrics.json").exists()


def test_explain_names_the_closest_model_and_refuses_a_file_that_is_no_table(quick):
    assert "did you mean 'legs'" in hippo("explain", "results/quick/tables/demo.md", "legz", code=1)
    assert "expected a path like" in hippo("explain", "demo.md", "legs", code=1)


def test_runs_lists_status_progress_and_time_left(quick, tmp_path):
    trials = tmp_path / "results/quick/trials"
    running, stopped, absent = (trials / quick.trial("a", "gru", seed).name for seed in range(3))
    for folder in (running, stopped):
        (folder / "metrics.json").unlink()
        (folder / "history.csv").write_text("epoch,seconds\n1,40\n2,80\n")
    process = {"pid": os.getppid(), "host": platform.node()}
    over = subprocess.Popen([sys.executable, "-c", ""])
    over.wait()
    (running / "run.json").write_text(json.dumps(process))
    (stopped / "run.json").write_text(json.dumps({**process, "pid": over.pid}))
    shutil.rmtree(absent)
    for text in (hippo("runs"), hippo("runs", "list", "demo")):
        lines = {line.split()[0]: line.split(None, 1)[1] for line in text.splitlines() if line.startswith("demo/")}
        assert lines["demo/a/gru/seed0"].split() == ["running", "2", "of", "3", "1", "min", "0", "s"]
        assert lines["demo/a/gru/seed1"].split() == ["stopped", "2", "of", "3"]
        assert lines["demo/a/legs/seed0"].split() == ["finished", "3", "of", "3"]
        assert "6 finished, 1 running, 1 stopped, 1 not started" in text


def test_an_unknown_scale_writes_nothing(quick, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    for command in (("show", "demo"), ("figure", "basis_functions"), ("report",), ("claims",)):
        assert "unknown scale 'qiuck'; did you mean 'quick'" in hippo(*command, "--scale", "qiuck", code=1)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_list_of_a_scale_has_the_experiments_of_that_scale(quick):
    assert "not started" in hippo("runs", "list", "--scale", "paper")
    assert "demo" not in hippo("runs", "list", "--scale", "hour")


def test_the_scale_belongs_to_the_list_of_runs(quick):
    """Before the command it would not reach the list, which would show another scale."""
    assert "No such option" in hippo("runs", "--scale", "smoke", "list", "demo", code=2)
    assert "not started" in hippo("runs", "list", "demo", "--scale", "smoke")


def line_of(trial: str) -> list[str]:
    """Status, epoch and time left of one trial in the list of all."""
    text = hippo("runs")
    assert "demo/a/lstm/seed2  finished  3 of 3" in text  # whatever is wrong with the other trial
    return next(line.split()[1:] for line in text.splitlines() if line.split()[:1] == [trial])


def test_a_finished_trial_did_all_its_epochs_however_many_were_set(quick, tmp_path):
    folder = finish(quick, tmp_path / "results/quick/trials", "gru", 0, epochs=1)
    (folder / "history.csv").write_text("epoch,seconds\n1,2.0\n")
    assert line_of("demo/a/gru/seed0") == "finished 1 of 1".split()
    (folder / "history.csv").unlink()
    assert line_of("demo/a/gru/seed0") == "finished 1 of 1".split()


@pytest.mark.parametrize(
    "history", ["", "epoch,seconds\n", "seconds\n2.0\n", "epoch,seconds\nfirst,2\n", 'epoch\n"', b"\xff"]
)
def test_a_damaged_history_leaves_the_epoch_empty(quick, tmp_path, history):
    path = tmp_path / "results/quick/trials/demo/a/gru/seed0/history.csv"
    path.write_bytes(history if isinstance(history, bytes) else history.encode())
    assert line_of("demo/a/gru/seed0") == ["finished"]
    (path.parent / "metrics.json").unlink()
    (path.parent / "run.json").write_text(json.dumps({"host": platform.node(), "pid": os.getppid()}))
    assert line_of("demo/a/gru/seed0") == ["running"]


@pytest.mark.parametrize("history", ["epoch\n2\n", "epoch,seconds\n1,\n2,\n"])
def test_a_history_without_seconds_leaves_the_time_left_empty(quick, tmp_path, history):
    folder = tmp_path / "results/quick/trials/demo/a/gru/seed0"
    (folder / "metrics.json").unlink()
    (folder / "history.csv").write_text(history)
    (folder / "run.json").write_text(json.dumps({"host": platform.node(), "pid": os.getppid()}))
    assert line_of("demo/a/gru/seed0") == "running 2 of 3".split()


def test_a_trial_whose_process_or_outcome_is_damaged_has_its_line(quick, tmp_path):
    folder = tmp_path / "results/quick/trials/demo/a/gru/seed0"
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps({key: metrics[key] for key in ("trial", "dataset")}))
    assert line_of("demo/a/gru/seed0") == "damaged 3 of 3".split()
    (folder / "metrics.json").unlink()
    run = {"identity": f"{metrics['trial']}-data"}
    (folder / "run.json").write_text(json.dumps(run))
    assert line_of("demo/a/gru/seed0") == "killed 3 of 3".split()


def test_the_report_is_of_every_experiment_that_has_a_table(quick, tmp_path):
    write_experiment(tmp_path / "config/experiments", name="never_made", title="Never made")
    assert "results/quick/report.html" in hippo("report")
    page = (tmp_path / "results/quick/report.html").read_text()
    assert "A table" in page and "Never made" not in page
    assert "results/smoke: contains no table" in hippo("report", "--scale", "smoke", code=1)


def test_durations_have_two_units():
    assert [format_duration(s) for s in (12.4, 61, 3600 * 5 + 130)] == ["12 s", "1 min 1 s", "5 h 2 min"]


def test_compare_and_tables_report_mixed_scales(quick, tmp_path):
    smoke = write_experiment(tmp_path, scale="smoke", scales={"smoke": {"training": {"epochs": 1}}})
    finish_all(smoke, tmp_path / "results/smoke/trials")
    write_table(collect_results(smoke, tmp_path / "results/smoke/trials"), Path("results/smoke/tables/demo.md"))
    assert "DIFFERENT SCALES: A is quick, B is smoke" in hippo("compare", "results/quick", "results/smoke")
    shutil.copytree(tmp_path / "results/smoke/trials", tmp_path / "results/quick/trials", dirs_exist_ok=True)
    page = hippo("show", "demo")
    assert "of another scale" in page and "reproduced" not in page.split("- Mean")[0] and "—" in page
    assert "scale smoke, now quick" in page
    shutil.copy("results/smoke/tables/demo.csv", "results/quick/tables/other.csv")
    assert "several scales" in hippo("compare", "results/quick", "results/smoke", code=1)


def test_trials_of_another_version_are_named_and_those_of_other_settings_left_out(quick, tmp_path):
    trials = tmp_path / "results/quick/trials"
    finish(quick, trials, "legs", 1, versions={"hippo-lab": "0.0.9"})
    assert "MIXED: trials of several versions of hippo-lab: 0.0.9, 0.1.0." in hippo("show", "demo")
    folder = finish(quick, trials, "legs", 1, trial="another digest")
    known = yaml.safe_load((folder / "trial.yaml").read_text())
    del known["training"]["learning_rate"]  # as a version without this option would write it
    (folder / "trial.yaml").write_text(yaml.safe_dump(known))
    page = " ".join(hippo("show", "demo").split())
    assert "a, legs, seed 1: outdated: made with training.learning_rate None, now 0.001" in page
