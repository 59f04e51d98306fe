"""What a person can get wrong before any job starts: one message, a non-zero exit, nothing written."""

import pytest

PMNIST = "config/experiments/pmnist.yaml"
MISTAKES = {
    "misspelt key": (PMNIST, "epochs: 50", "epoch: 50", ["pmnist.yaml", "'training.epoch'", "'epochs'"]),
    "misspelt top key": (PMNIST, "title:", "titel:", ["pmnist.yaml", "'titel'", "'title'"]),
    "misspelt hyperparameter": (PMNIST, "theta: 784", "thetta: 784", ["models.lmu", "'thetta'", "'theta'"]),
    "misspelt dataset option": (
        PMNIST,
        "{permutation: bit-reversal}",
        "{permutations: bit-reversal}",
        ["variants.bit-reversal.dataset", "'permutations'", "'permutation'"],
    ),
    "unknown model": (PMNIST, "lstm: {label: LSTM}", "lsmt: {label: LSTM}", ["models.lsmt", "'lstm'"]),
    "unknown dataset": (PMNIST, "name: mnist", "name: mnits", ["dataset.name", "'mnits'", "'mnist'"]),
    "unknown task": (PMNIST, "task: classification", "task: clasification", ["task", "'classification'"]),
    "unknown scale": (PMNIST, "  smoke:", "  smok:", ["scales", "'smoke'"]),
    "model only in a scale": (
        PMNIST,
        "training: {epochs: 5, batch_size: 50, learning_rate: 5.0e-3}",
        "models: {legz: {label: x}}",
        ["(scale quick)", "'models.legz'", "'legs'"],
    ),
    "paper value of no row": (
        PMNIST,
        "lmu: {validation",
        "lmuu: {validation",
        ["bit-reversal.lmuu", "'lmu'"],
    ),
    "negative epochs": (PMNIST, "epochs: 50", "epochs: -1", ["training.epochs", "-1", "greater than 0"]),
    "not YAML": (PMNIST, "title: Permuted MNIST", "title: [", ["pmnist.yaml", "not valid YAML"]),
    "misspelt setting": (
        "config/config.yaml",
        "scale: quick",
        "scael: quick",
        ["config.yaml", "'scael'", "'scale'"],
    ),
    "unknown experiment": ("config/config.yaml", "experiments: all", "experiments: [pmnits]", ["'pmnist'"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_configuration_stops_before_any_job(workspace, mistake):
    file, old, new, said = MISTAKES[mistake]
    workspace.edit(file, old, new)
    done = workspace.snakemake("-n")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    for words in said:
        assert words in output
    assert "Traceback" not in output
    for made in ("results", "data", "mlruns"):
        assert not (workspace.folder / made).exists()


def test_an_unknown_scale_on_the_command_line(workspace):
    done = workspace.snakemake("-n", "--config", "scale=pap")
    assert done.returncode != 0
    assert "scale" in done.stderr and "'paper'" in done.stderr and "Traceback" not in done.stderr


def test_a_missing_data_folder_is_named(workspace, tmp_path):
    absent = tmp_path / "nowhere"
    done = workspace.snakemake("data/sources/mnist.json", "--config", f"data_dir={absent}")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert str(absent) in output and "Traceback" not in output
    assert not (workspace.folder / "data/sources/mnist.json").exists()


def test_a_command_of_a_wrong_name_offers_the_right_one(workspace):
    done = workspace.run("hippo", "trian")
    assert done.returncode != 0 and "'train'" in done.stderr and "Traceback" not in done.stderr


def test_a_trial_of_no_such_variant_names_the_valid_ones(workspace):
    command = "hippo train config/experiments/timescale.yaml --variant 100hz --model legs --seed 0 --data x --out y"
    done = workspace.run(*command.split())
    assert done.returncode != 0
    assert "100hz-to-200hz" in done.stderr and "Traceback" not in done.stderr
    assert not (workspace.folder / "y").exists()
