"""Settings of the workflow as flags of commands and as resources of rules."""

import shlex

import pytest

from hippo.lab.plan.settings import read_settings


@pytest.mark.parametrize("folder", ["data", "my data", "it's; here"])
def test_the_flags_are_words_that_a_shell_reads_back(folder):
    settings = read_settings({"data_dir": folder, "require_real_data": True})
    assert shlex.split(settings.data_flags()) == ["--data-dir", folder, "--require-real-data"]


def test_settings_that_are_not_stated_are_no_flags_and_no_resources():
    assert read_settings({}).data_flags() == "" and read_settings({}).slurm_resources() == {}
    stated = read_settings({"slurm_account": "physics", "slurm_extra": "--exclusive"})
    assert stated.slurm_resources() == {"slurm_account": "physics", "slurm_extra": "--exclusive"}


def test_one_experiment_may_be_stated_without_a_list():
    assert read_settings({"experiments": "pmnist"}).experiments == ["pmnist"]
