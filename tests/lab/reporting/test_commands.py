"""The printed command lines, parsed by the programs that they call."""

import shlex

import pytest
from snakemake.cli import get_argument_parser

from hippo.lab.reporting.commands import make_command, retrain_command, train_command
from tests.lab.outcomes import write_experiment


@pytest.fixture
def experiment(tmp_path):
    return write_experiment(tmp_path)


def parse(command: str):
    """The command line as snakemake understands it."""
    program, *words = shlex.split(command)
    assert program == "snakemake"
    return get_argument_parser().parse_args(words)


def test_snakemake_takes_the_table_as_target_and_the_scale_as_setting():
    arguments = parse(make_command("pmnist", "paper"))
    assert list(arguments.targets) == ["pmnist"] and list(arguments.config) == ["scale=paper"]


def test_snakemake_takes_the_trials_as_targets_and_forces_only_their_training(experiment):
    arguments = parse(retrain_command(experiment, "a", "legs"))
    assert sorted(arguments.targets) == [f"results/quick/trials/demo/a/legs/seed{k}/metrics.json" for k in range(3)]
    assert list(arguments.forcerun) == ["train"] and not arguments.config


def test_names_of_files_are_quoted_for_the_shell(tmp_path):
    folder = tmp_path / "my experiments"
    folder.mkdir()
    experiment = write_experiment(folder)
    words = shlex.split(train_command(experiment, "a", "gru", 2))
    assert words[:3] == ["hippo", "train", str(folder / "demo.yaml")]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--out"] == "results/quick/trials/demo/a/gru/seed2" and options["--seed"] == "2"
