"""Jobs that an edit makes out of date, as docs/reruns.md says: `snakemake -n` after each, in a finished workspace."""

import json
import os
import random
import shutil
import sys
from dataclasses import replace

import pytest

from hippo.data.dataset import Dataset
from tests.workspace import Workspace, pens

RULES = ("fetch", "store", "prepare", "train", "table")
FILE = "config/experiments/pens.yaml"
DATA = "data/smoke/pens/100hz-to-200hz.npz"
TRIAL = "results/smoke/trials/pens/100hz-to-200hz/gru/seed0"


def shrink(workspace: Workspace) -> None:
    """Two experiments, one with two models and one with one; one epoch each."""
    workspace.remove_experiments()
    workspace.write_experiment("pens", pens(models={"gru": {"label": "GRU"}, "lstm": {"label": "LSTM"}}))
    workspace.write_experiment("other", pens())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("reruns") / "workspace")
    shrink(workspace)
    done = workspace.snakemake("--config", "scale=smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    return workspace


@pytest.fixture
def here(finished, tmp_path):
    """A copy of the finished workspace, with the times of its files and Snakemake's metadata."""
    shutil.copytree(finished.folder, tmp_path / "here")
    return Workspace.at(tmp_path / "here")


@pytest.fixture
def clone(finished, tmp_path):
    """What git would hold of it with published results: other file times in arbitrary order, nothing else."""
    copy = Workspace.at(tmp_path / "clone")
    for name in ("config", "workflow", "profiles", "results/smoke/trials", "results/smoke/tables"):
        shutil.copytree(finished.folder / name, copy.folder / name)
    shutil.copy(finished.folder / "Snakefile", copy.folder)
    for path in copy.folder.rglob("outcome.json"):
        path.unlink()  # outcomes of the first release have none
    files = sorted(path for path in copy.folder.rglob("*") if path.is_file())
    random.Random(0).shuffle(files)
    for second, path in enumerate(files):
        os.utime(path, (1.7e9 + second, 1.7e9 + second))
    return copy


def change(workspace: Workspace, name: str = "pens", **keys) -> None:
    """Edit an experiment file; `models` are added to, other keys replaced."""
    content = workspace.read_experiment(name)
    content["models"] |= keys.pop("models", {})
    workspace.write_experiment(name, content | keys)


def jobs(workspace: Workspace, *arguments: str) -> dict[str, int]:
    """How many jobs of each rule would run."""
    done = workspace.snakemake(*arguments, "-n", "--quiet", "rules", "--config", "scale=smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    return {rule: int(counts[rule]) for rule in RULES if rule in counts}


PAPER = {"source": "Someone 2020", "values": {"100hz-to-200hz": {"gru": {"test_accuracy": 50.0}}}}
FASTER = {"gru": {"label": "GRU", "training": {"learning_rate": 0.1}}}


def comment(workspace):
    for path in (FILE, "Snakefile", "workflow/rules/trials.smk"):
        file = workspace.folder / path
        file.write_text(file.read_text() + "\n# a comment\n")


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


def prepared_again(workspace):
    Dataset.load(workspace.folder / DATA).save(workspace.folder / DATA)


def dataset_option(workspace):
    change(workspace, dataset=workspace.read_experiment("pens")["dataset"] | {"split_seed": 1})


def without_outcome(workspace):
    for name in ("metrics.json", "outcome.json"):
        (workspace.folder / TRIAL / name).unlink()


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
    "a value of the paper": (lambda w: change(w, paper=PAPER), {"table": 1}),
    "an option of the dataset": (dataset_option, {"prepare": 1, "train": 2, "table": 1}),
    "data touched": (touched, {}),
    "data prepared again": (prepared_again, {}),
    "data of other values": (other_values, {"train": 2, "table": 1}),
    "data of other values under an old date": (other_values_of_old, {"train": 2, "table": 1}),
    "an outcome cut short": (cut_short, {"train": 1, "table": 1}),
    "data and tracked runs removed": (without_data, {}),
    "metrics.json removed": (lambda w: (w.folder / TRIAL / "metrics.json").unlink(), {"train": 1, "table": 1}),
    "both files of an outcome removed": (without_outcome, {"train": 1, "table": 1}),
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
    """Neither a comment in Python nor another kernel makes a finished trial out of date."""
    done = finished.snakemake("-n", "--forceall", "--quiet", "host", "--config", "scale=smoke")
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


def test_an_outcome_of_substitute_data_is_out_of_date_if_real_data_is_required(here):
    for path in (here.folder / "results/smoke/trials/pens").rglob("metrics.json"):
        metrics = json.loads(path.read_text())
        metrics["dataset"]["substitute"] = True
        path.write_text(json.dumps(metrics))
    done = here.snakemake("-n", "--quiet", "rules", "--config", "scale=smoke", "require_real_data=true")
    assert "prepare" in done.stdout and "train" in done.stdout


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (TRIAL.replace("gru", "gruu") + "/metrics.json", "no model 'gruu'; did you mean 'gru'?"),
        (TRIAL.replace("seed0", "seed9") + "/metrics.json", "no seed 9"),
        ("data/smoke/pens/100hz.npz", "no variant '100hz'"),
        ("pnes", "no target 'pnes'; did you mean 'pens'?"),
    ],
)
def test_a_wrong_target_is_one_clear_line(finished, target, message):
    done = finished.snakemake("-n", target, "--config", "scale=smoke")
    output = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in output
    assert message in output.splitlines()[-1]


def test_a_table_without_the_scale_is_one_clear_line(finished):
    named = "--config", "experiments=[pens]"
    for request in (("pens", "--config"), ("results/hour/tables/pens.md", "--config"), named):
        done = finished.snakemake("-n", *request, "scale=hour")
        output = done.stdout + done.stderr
        assert done.returncode and "Traceback" not in output
        assert "config/experiments/pens.yaml: no scale hour; state its settings under scales.hour" in output


PLANS = {
    "nothing": lambda w: None,
    "an outcome out of date": lambda w: change(w, models=FASTER),
    "an outcome cut short": cut_short,
    "data of other values": other_values,
    "a lock of another process": lambda w: lock(w),
}


def lock(workspace: Workspace) -> None:
    """Leave the lock of a Snakemake process that was killed."""
    locks = workspace.folder / ".snakemake/locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.output.lock").write_text(f"{TRIAL}/metrics.json\n")


QUESTIONS = [("nothing", option) for option in ("--summary", "--list", "--forceall")]


@pytest.mark.parametrize(("edit", "option"), [*((edit, None) for edit in PLANS), *QUESTIONS])
def test_planning_changes_no_file(here, edit, option):
    PLANS[edit](here)
    folders = ("results", "data", "mlruns", ".snakemake", "logs")
    shutil.rmtree(here.folder / ".snakemake/iocache", ignore_errors=True)
    before = here.snapshot(*folders)
    done = here.snakemake("-n", *([option] if option else []), "--config", "scale=smoke")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(here.folder / ".snakemake/iocache", ignore_errors=True)  # Snakemake's own cache of file times
    assert here.snapshot(*folders) == before


def test_planning_imports_neither_torch_nor_pandas(clone):
    """Planning must be fast. Snakemake itself imports pandas if it remembers earlier jobs, which a clone does not."""
    code = """
import sys
from snakemake.cli import main
try:
    main(["-n", "--quiet", "all", "--cores", "1", "--config", "scale=smoke"])
except SystemExit as end:
    assert not end.code, end.code
print("loaded", *{"torch", "mlflow", "pandas", "matplotlib", "sklearn", "sktime"} & set(sys.modules))
"""
    done = clone.run(sys.executable, "-c", code)
    assert done.stdout.splitlines()[-1:] == ["loaded"], done.stdout + done.stderr


def test_only_the_forced_trials_are_trained_again(here):
    assert jobs(here, "--forcerun", "table") == {"table": 2}
    assert jobs(here, "--forcerun", "train")["train"] == 3
    assert jobs(here, f"{TRIAL}/metrics.json", "--forcerun", f"{TRIAL}/metrics.json")["train"] == 1


def test_an_experiment_cannot_have_the_name_of_a_rule(here):
    here.write_experiment("ranks", here.read_experiment("other"))
    done = here.snakemake("-n")
    output = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in output
    assert "config/experiments/ranks.yaml: an experiment cannot be named 'ranks'" in output


def test_a_target_comes_before_the_settings(finished):
    """The documented form; after --config, Snakemake reads a target as a setting, before it reads the Snakefile."""
    done = finished.snakemake("-n", "pens", "--config", "scale=smoke")
    assert done.returncode == 0, done.stderr
    done = finished.snakemake("-n", "--config", "scale=smoke", "pens")
    assert done.returncode != 0 and "name=value pairs. (Unparsable value: 'pens')" in done.stdout + done.stderr


def test_cores_have_a_default(finished):
    done = finished.run("snakemake", "pens", "--config", "scale=smoke")
    assert done.returncode == 0, done.stderr
