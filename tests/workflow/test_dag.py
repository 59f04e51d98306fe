"""A small workflow that runs: every rule, every kind of model, tracked; then a second run and single targets."""

import json
import sqlite3
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from hippo import kernels
from hippo.lab.plan.experiment import load_experiment
from tests.workspace import Workspace

EXPERIMENTS = ("pmnist", "timescale", "reconstruction")
MODELS = ("legs", "gru", "ncde", "minirocket")  # the contract suite has them all
SMALLER = {
    "pmnist": {"train_samples": 40, "test_samples": 20},
    "timescale": {"samples": 60},
    "reconstruction": {"samples": 2000},
}


def shrink(workspace: Workspace) -> None:
    """One seed and little data: seconds per trial, with every part of the machinery."""
    sweeps = [path.stem for path in workspace.folder.glob("config/experiments/sweep_*.yaml")]  # a table may name one
    workspace.remove_experiments(*EXPERIMENTS, *sweeps)
    for name, options in SMALLER.items():
        content = workspace.read_experiment(name)
        content["scales"]["smoke"]["dataset"] = options
        if name != "reconstruction":
            del content["claims"]  # they are of models that are removed
            paper, scales = content["paper"]["values"], content["scales"].values()
            for models in (content["models"], *paper.values(), *(scale.get("models", {}) for scale in scales)):
                for model in set(models) - set(MODELS):
                    del models[model]
        workspace.write_experiment(name, content)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("dag") / "workspace")
    shrink(workspace)
    done = workspace.snakemake("--config", "scale=smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    workspace.output = done.stdout + done.stderr
    return workspace


def trial_folders(workspace) -> list:
    return sorted(path.parent for path in workspace.folder.glob("results/smoke/trials/*/*/*/*/metrics.json"))


def test_every_table_is_written_and_every_trial_finished(finished):
    for name in EXPERIMENTS:
        page = (finished.folder / f"results/smoke/tables/{name}.md").read_text()
        assert "smoke scale" in page.splitlines()[0] and "—" not in page
        cells = pd.read_csv(finished.folder / f"results/smoke/tables/{name}.csv")
        assert (cells["finished"] == cells["seeds"]).all()


def test_the_report_and_every_file_beside_the_tables_are_made(finished):
    results = finished.folder / "results/smoke"
    page = (results / "report.html").read_text()
    for name in EXPERIMENTS:
        assert f'id="{name}"' in page
        for suffix in (".tex", "_seeds.csv", "_pairs.csv"):
            assert (results / f"tables/{name}{suffix}").exists()
    for figure in ("pmnist_learning_curves", "timescale_speed_curve", "reconstruction_signals", "basis_functions"):
        assert (results / f"figures/{figure}.png").exists() and (results / f"figures/{figure}.svg").exists()


def test_snakemakes_own_report_has_tables_and_figures(finished):
    done = finished.snakemake("--report", "report.zip", "--config", "scale=smoke")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(finished.folder / "report.zip") as bundle:
        names = {Path(name).name for name in bundle.namelist()}
        page = bundle.read("report/report.html").decode()
    assert {"pmnist.csv", "pmnist_seeds.csv", "reconstruction_signals.png", "pmnist_learning_curves.png"} <= names
    assert "Validation score of each model after each epoch" in page


def test_a_trial_folder_is_complete(finished):
    folders = trial_folders(finished)
    experiments = [
        load_experiment(finished.folder / f"config/experiments/{name}.yaml", "smoke") for name in EXPERIMENTS
    ]
    assert len(folders) == sum(len(experiment.trials()) for experiment in experiments)
    for folder in folders:
        metrics = json.loads((folder / "metrics.json").read_text())
        trial = yaml.safe_load((folder / "trial.yaml").read_text())
        history = pd.read_csv(folder / "history.csv")
        assert metrics["status"] == "finished"
        assert len(history) == metrics["epochs"]
        assert metrics["run_id"] and metrics["versions"]["torch"] and len(metrics["dataset"]["digest"]) == 64
        assert metrics["kernels"] in kernels.runnable()
        assert trial["model"] == folder.parent.name and trial["scale"] == "smoke"


def test_every_trial_is_one_finished_run_with_its_numbers(finished, monkeypatch):
    monkeypatch.chdir(finished.folder)  # artifact paths are relative to it
    client = MlflowClient(f"sqlite:///{finished.folder}/mlruns/mlflow.db")
    for folder in trial_folders(finished):
        metrics = json.loads((folder / "metrics.json").read_text())
        run = client.get_run(metrics["run_id"])
        assert run.info.status == "FINISHED"
        assert run.data.tags["outcome"] == "finished" and run.data.tags["model"] == folder.parent.name
        assert run.inputs.dataset_inputs[0].dataset.digest == metrics["dataset"]["digest"][:36]
        history = pd.read_csv(folder / "history.csv")
        for key in history.columns.drop("epoch"):
            logged = client.get_metric_history(run.info.run_id, key)
            assert [point.step for point in logged] == list(history["epoch"])
            assert [point.value for point in logged] == pytest.approx(list(history[key]))
        artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert artifacts == {file.name for file in folder.iterdir() if not file.name.startswith(".")}
        assert ("figure.png" in artifacts) == (len(history) > 1 or "reconstruction.csv" in artifacts)


def test_the_time_table_is_printed_at_the_end(finished):
    assert "longest_s" in finished.output and "reconstruction" in finished.output


def test_a_second_run_does_nothing(finished):
    done = finished.snakemake("--config", "scale=smoke")
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_learning_rate_reruns_only_the_trials_of_its_model(finished):
    path = finished.folder / "config/experiments/timescale.yaml"
    before = path.read_text()
    content = finished.read_experiment("timescale")
    content["models"]["gru"]["training"] = {"learning_rate": 0.01}
    finished.write_experiment("timescale", content)
    try:
        done = finished.snakemake("-n", "--quiet", "rules", "--config", "scale=smoke")
    finally:
        path.write_text(before)
    counts = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    assert {rule: counts.get(rule) for rule in ("fetch", "prepare", "train", "table")} == {
        "fetch": None,
        "prepare": None,
        "train": str(len(load_experiment(path, "smoke").datasets)),  # one per variant
        "table": "1",
    }


def test_a_lost_tracking_store_reruns_no_finished_trial(finished):
    store = finished.folder / "mlruns/store.json"
    content = store.read_text()
    store.unlink()
    try:
        done = finished.snakemake("-n", "--config", "scale=smoke")
    finally:
        store.write_text(content)
    assert "train" not in done.stdout


@pytest.mark.parametrize("target", ["results/smoke/tables/reconstruction.md", "reconstruction"])
def test_a_table_is_made_by_its_file_or_its_name(finished, target):
    """The page is made again, and nothing of another experiment."""
    page = finished.folder / "results/smoke/tables/reconstruction.md"
    before = page.read_text()
    page.unlink()
    done = finished.snakemake(target, "-n", "--quiet", "rules", "--config", "scale=smoke")
    page.write_text(before)
    pairs = [line.split() for line in done.stdout.splitlines() if len(line.split()) == 2]
    counts = {rule: number for rule, number in pairs if number.isdigit() and rule not in ("total", "reconstruction")}
    assert counts == {"table": "1"}, done.stdout + done.stderr


def test_a_rerun_from_scratch_is_a_new_run_and_supersedes_the_old(finished):
    folder = next(f for f in trial_folders(finished) if "reconstruction" in str(f))
    before = json.loads((folder / "metrics.json").read_text())
    target = str((folder / "metrics.json").relative_to(finished.folder))
    done = finished.snakemake("--forcerun", "train", "--", target)
    assert done.returncode == 0, done.stderr
    after = json.loads((folder / "metrics.json").read_text())
    assert after["run_id"] != before["run_id"] and after["mse"] == before["mse"]
    with sqlite3.connect(finished.folder / "mlruns/mlflow.db") as database:
        query = "select run_uuid from tags where key = 'superseded' and value = 'true'"
        assert database.execute(query).fetchall() == [(before["run_id"],)]


def test_a_damaged_prepared_dataset_is_named_and_leaves_no_outcome(finished):
    data = finished.folder / "data/smoke/timescale/100hz-to-200hz.npz"
    stored = data.read_bytes()
    damaged = finished.folder / "damaged.npz"
    middle = len(stored) // 2
    for content in (stored[:middle], stored[:middle] + bytes([stored[middle] ^ 255]) + stored[middle + 1 :]):
        damaged.write_bytes(content)
        done = finished.run(
            *"hippo train timescale --scale smoke --variant 100hz-to-200hz --model gru".split(),
            *"--seed 0 --data damaged.npz --out elsewhere".split(),
        )
        assert done.returncode != 0
        assert "damaged.npz" in done.stderr and "Traceback" not in done.stderr
        assert not (finished.folder / "elsewhere/metrics.json").exists()


TRAIN = "hippo train timescale --scale smoke --model gru --seed 0 --out elsewhere"


def test_a_dataset_prepared_with_other_options_is_refused(finished):
    quick = TRAIN.replace("smoke", "quick").split()
    done = finished.run(*quick, "--variant", "100hz-to-200hz", "--data", "data/smoke/timescale/100hz-to-200hz.npz")
    assert done.returncode != 0
    assert "prepared with" in done.stderr and "Traceback" not in done.stderr
    assert not (finished.folder / "elsewhere/metrics.json").exists()


@pytest.mark.parametrize("uri", ["foo://bar", "sqlite:///damaged.db"])
def test_a_tracking_store_that_cannot_be_used_is_named(finished, uri):
    (finished.folder / "damaged.db").write_text("no database at all")
    data = "data/smoke/timescale/100hz-to-200hz.npz"
    command = [*TRAIN.split(), "--variant", "100hz-to-200hz", "--data", data]
    done = finished.run(*command, env={"MLFLOW_TRACKING_URI": uri})
    assert done.returncode != 0
    assert uri in done.stderr and "check MLFLOW_TRACKING_URI" in done.stderr
