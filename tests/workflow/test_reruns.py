"""Which jobs an edit makes out of date, as docs/reruns.md says: `snakemake -n` after each, in a finished workspace."""

import json
import os
import random
import shutil
from dataclasses import replace

import pytest
import yaml

from hippo.data.dataset import Dataset
from tests.workspace import Workspace

RULES = ("fetch", "store", "prepare", "train", "table")
FILE = "config/experiments/pens.yaml"
DATA = "data/smoke/pens/100hz-to-200hz.npz"
TRIAL = "results/smoke/trials/pens/100hz-to-200hz/gru/seed0"


def shrink(workspace: Workspace) -> None:
    """Two experiments, one of two models and one of one; an epoch each."""
    folder = workspace.folder / "config/experiments"
    plan = yaml.safe_load((folder / "timescale.yaml").read_text())
    for path in folder.glob("*.yaml"):
        path.unlink()
    plan["dataset"]["options"] = {"uniform": True}
    plan["variants"] = {"100hz-to-200hz": plan["variants"]["100hz-to-200hz"]}
    small = {"dataset": {"options": {"samples": 60}}, "training": {"epochs": 1}, "hyperparameters": {"hidden_size": 8}}
    plan |= {"scales": {"smoke": small}, "seeds": 1, "paper": None}
    for name, models in (("pens", ("gru", "lstm")), ("other", ("gru",))):
        plan["models"] = {model: {"label": model.upper()} for model in models}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("reruns") / "workspace")
    shrink(workspace)
    done = workspace.snakemake("--config", "scale=smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    return workspace


@pytest.fixture
def here(finished, tmp_path):
    """A copy of the finished workspace, file times and Snakemake's memory included."""
    copy = object.__new__(Workspace)
    copy.folder = tmp_path / "here"
    shutil.copytree(finished.folder, copy.folder)
    return copy


@pytest.fixture
def clone(finished, tmp_path):
    """What git would hold of it, results published: new file times in arbitrary order, nothing else."""
    copy = object.__new__(Workspace)
    copy.folder = tmp_path / "clone"
    for name in ("config", "workflow", "profiles", "results/smoke/trials", "results/smoke/tables"):
        shutil.copytree(finished.folder / name, copy.folder / name)
    shutil.copy(finished.folder / "Snakefile", copy.folder)
    files = sorted(path for path in copy.folder.rglob("*") if path.is_file())
    random.Random(0).shuffle(files)
    for second, path in enumerate(files):
        os.utime(path, (1.7e9 + second, 1.7e9 + second))
    return copy


def change(workspace: Workspace, name: str = "pens", **keys) -> None:
    """Edit an experiment file; `models` are added to, other keys replaced."""
    path = workspace.folder / f"config/experiments/{name}.yaml"
    plan = yaml.safe_load(path.read_text())
    plan["models"] |= keys.pop("models", {})
    path.write_text(yaml.safe_dump(plan | keys, sort_keys=False))


def jobs(workspace: Workspace, *arguments: str) -> dict[str, int]:
    """How many jobs of each rule would run."""
    done = workspace.snakemake("-n", "--quiet", "rules", *arguments, "--config", "scale=smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    return {rule: int(counts[rule]) for rule in RULES if rule in counts}


FASTER = {"gru": {"label": "GRU", "training": {"learning_rate": 0.1}}}


def comment(workspace):
    for path in (FILE, "Snakefile", "workflow/rules/trials.smk"):
        file = workspace.folder / path
        file.write_text(file.read_text() + "\n# a word\n")


def touched(workspace):
    os.utime(workspace.folder / DATA)


def other_values(workspace):
    dataset = Dataset.load(workspace.folder / DATA)
    train = dataset.parts["train"]
    parts = dataset.parts | {"train": replace(train, inputs=train.inputs + 1)}
    replace(dataset, parts=parts).save(workspace.folder / DATA)


def other_values_of_old(workspace):
    other_values(workspace)
    os.utime(workspace.folder / DATA, (1, 1))  # as `rsync` and `cp -p` leave it


def cut_short(workspace):
    outcome = workspace.folder / TRIAL / "metrics.json"
    time = outcome.stat()
    outcome.write_text(outcome.read_text()[:40])
    os.utime(outcome, ns=(time.st_atime_ns, time.st_mtime_ns))


def without_data(workspace):
    shutil.rmtree(workspace.folder / "data")
    shutil.rmtree(workspace.folder / "mlruns")


EDITS = {
    "nothing": (lambda w: None, {}),
    "a comment": (comment, {}),
    "learning rate of one model": (lambda w: change(w, models=FASTER), {"train": 1, "table": 1}),
    "a new seed": (lambda w: change(w, seeds=2), {"train": 2, "table": 1}),
    "a new model": (lambda w: change(w, models={"mgu": {"label": "MGU"}}), {"train": 1, "table": 1}),
    "another experiment's file": (lambda w: change(w, "other", models=FASTER), {"train": 1, "table": 1}),
    "a title": (lambda w: change(w, title="Another"), {"table": 1}),
    "data touched": (touched, {}),
    "data of other values": (other_values, {"train": 2, "table": 1}),
    "data of other values under an old date": (other_values_of_old, {"train": 2, "table": 1}),
    "an outcome cut short": (cut_short, {"train": 1, "table": 1}),
    "data and tracked runs removed": (without_data, {}),
    "an outcome removed": (lambda w: (w.folder / TRIAL / "metrics.json").unlink(), {"train": 1, "table": 1}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_reruns_what_it_changes_and_no_more(here, edit):
    make, expected = EDITS[edit]
    make(here)
    assert jobs(here) == expected


def test_data_removed_and_a_new_seed_train_the_new_seed_alone(here):
    without_data(here)
    change(here, seeds=2)
    assert jobs(here) == {"fetch": 1, "store": 1, "prepare": 1, "train": 2, "table": 1}


def test_no_source_file_is_an_input(finished):
    """So that neither a comment in Python nor another kernel makes a finished trial out of date."""
    done = finished.snakemake("-n", "--forceall", "--config", "scale=smoke")
    inputs = [line.split(":", 1)[1] for line in done.stdout.splitlines() if line.strip().startswith("input:")]
    files = {file.strip() for line in inputs for file in line.split(",")}
    assert files and {file.partition("/")[0] for file in files} <= {"data", "mlruns", "results", "config"}


CLONED = {
    "nothing": (lambda w: None, {}),
    "a new seed": (lambda w: change(w, seeds=2), {"fetch": 1, "store": 1, "prepare": 1, "train": 2}),
    "learning rate of one model": (
        lambda w: change(w, models=FASTER),
        {"fetch": 1, "store": 1, "prepare": 1, "train": 1},
    ),
}


@pytest.mark.parametrize("edit", CLONED)
def test_a_fresh_clone_trains_nothing_that_is_published(clone, edit):
    make, expected = CLONED[edit]
    make(clone)
    found = jobs(clone)
    found.pop("table", None)  # by the order of the checkout; from the same outcomes, the same page
    assert found == expected


def test_data_prepared_after_the_checkout_trains_nothing_that_is_published(clone, finished):
    shutil.copytree(finished.folder / "data", clone.folder / "data")
    os.utime(clone.folder / DATA)
    assert "train" not in jobs(clone)


def test_an_outcome_of_a_stand_in_does_not_stand_where_real_data_is_required(here):
    for path in (here.folder / "results/smoke/trials/pens").rglob("metrics.json"):
        metrics = json.loads(path.read_text())
        metrics["dataset"]["stand_in"] = True
        path.write_text(json.dumps(metrics))
    done = here.snakemake("-n", "--quiet", "rules", "--config", "scale=smoke", "require_real_data=true")
    assert "prepare" in done.stdout and "train" in done.stdout


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (TRIAL.replace("gru", "gruu") + "/metrics.json", "no model 'gruu'; did you mean 'gru'?"),
        (TRIAL.replace("seed0", "seed9") + "/metrics.json", "no seed 9"),
        ("data/smoke/pens/100hz.npz", "no variant '100hz'"),
    ],
)
def test_a_wrong_target_is_one_clear_line(finished, target, said):
    done = finished.snakemake("-n", target, "--config", "scale=smoke")
    output = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in output
    assert said in output.splitlines()[-1]
