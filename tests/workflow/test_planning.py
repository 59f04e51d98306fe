"""What a dry run prints, and the generated experiment of the benchmark of planning."""

import pytest

from bench import planning
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


def test_the_benchmark_plans_as_many_trials_as_asked(tmp_path):
    folder = planning.make_workspace(tmp_path / "workspace", 100)
    assert len(load_experiment(folder / "config/experiments/planning.yaml", "quick").trials()) == 100
    planning.finish_trials(folder)
    done = Workspace.at(folder).snakemake("-n", "planning")
    counts = [line.split() for line in done.stdout.splitlines()]
    assert ["table", "1"] in counts and "train" not in {words[0] for words in counts if words}, done.stderr
