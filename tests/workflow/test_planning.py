"""What a dry run prints, and the generated experiment of the benchmark of planning."""

import re

import pytest

from bench import planning
from bench.planning import INSTANT
from hippo.lab.plan.experiment import load_experiment
from tests.workspace import Workspace, pens


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("planning") / "workspace")
    workspace.remove_experiments()
    workspace.write_experiment("pens", pens(seeds=2))
    return workspace


def plan(workspace: Workspace, *arguments: str) -> str:
    done = workspace.snakemake("-n", "pens", *arguments, "--config", "scale=smoke")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_dry_run_counts_the_jobs_of_each_rule_and_says_how_to_see_them_all(workspace):
    output = plan(workspace)
    assert ["train", "2"] in [line.split() for line in output.splitlines()]
    assert "rule train:" not in output and "Missing output files" not in output
    assert "--quiet host" in output


@pytest.mark.parametrize("asked", [("--quiet", "host"), ("--verbose",)])
def test_a_dry_run_prints_every_job_with_its_reason_on_request(workspace, asked):
    output = plan(workspace, *asked)
    assert output.count("rule train:") == 2 and "hippo train config/experiments/pens.yaml" in output
    assert "reason: Missing output files: results/smoke/trials/pens/" in output


def test_trials_begin_with_the_first_seeds_in_the_order_of_the_file(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    workspace.remove_experiments()
    models = {name: {"label": name} for name in ("rnn", "gru", "mgu", "lstm")}
    workspace.write_experiment("pens", pens(seeds=2, models=models))
    (workspace.folder / "instant.sh").write_text(INSTANT)
    instant = {"BASH_ENV": str(workspace.folder / "instant.sh")}
    done = workspace.run("snakemake", "--cores", "1", "pens", "--config", "scale=smoke", env=instant)
    assert done.returncode == 0, done.stderr
    begun = re.findall(r"model=(\w+), seed=(\d)$", done.stdout + done.stderr, re.MULTILINE)
    assert begun == [(name, seed) for seed in "01" for name in models]


def test_the_benchmark_plans_as_many_trials_as_asked(tmp_path):
    folder = planning.make_workspace(tmp_path / "workspace", 100)
    assert len(load_experiment(folder / "config/experiments/planning.yaml", "quick").trials()) == 100
    planning.finish_trials(folder)
    done = Workspace.at(folder).snakemake("-n", "planning")
    counts = [line.split() for line in done.stdout.splitlines()]
    assert ["table", "1"] in counts and "train" not in {words[0] for words in counts if words}, done.stderr
