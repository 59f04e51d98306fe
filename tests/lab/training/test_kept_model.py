"""The model that a trial keeps: the weights of its best epoch, the same after any interruption."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hippo import registry
from hippo.config import ConfigError
from hippo.data.dataset import Dataset, Part
from hippo.lab.plan.experiment import load_experiment, scales_of
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.training.run_trial import run_trial
from hippo.lab.training.trainer import run
from hippo.nn import load_model
from tests.lab.plan.files import EXPERIMENTS
from tests.lab.recorders import Rows, Stopped
from tests.lab.training.trials import make_trial, separable_dataset

MNIST = registry.find("datasets", "mnist", "test")()


def kept(trial, **changes):
    return replace(trial, keep_model="best", **changes)


def loss(model, metadata, part) -> float:
    with torch.no_grad():
        answers = model(torch.from_numpy(part.inputs) * metadata["input_scale"])
        return torch.nn.functional.cross_entropy(answers, torch.from_numpy(part.targets)).item()


def test_the_kept_model_has_the_scores_of_the_best_epoch(tmp_path):
    """The first epoch reaches the best accuracy, and later ones change the weights."""
    dataset = replace(separable_dataset(), scale=0.5)
    outcome = run(kept(make_trial(epochs=6)), dataset, Rows(folder=tmp_path))
    model, metadata = load_model(tmp_path)
    assert outcome["best_epoch"] < outcome["epochs"]
    for name in ("validation", "test"):
        assert loss(model, metadata, dataset.parts[name]) == outcome[f"{name}_loss"] != outcome[f"last_{name}_loss"]
    assert metadata["best_epoch"] == outcome["best_epoch"] and metadata["classes"] == 2
    assert metadata["scores"]["test_accuracy"] == outcome["test_accuracy"]
    assert metadata["trial"] == "e/v/gru/seed0" and metadata["dataset"]["digest"] == dataset.digest
    assert torch.equal(metadata["example"]["inputs"], torch.from_numpy(dataset.parts["validation"].inputs[:1]))


def test_the_example_of_a_model_of_tokens_is_ids_with_their_lengths(tmp_path):
    rng = np.random.default_rng(0)
    part = Part(rng.integers(0, 9, (20, 5)).astype(np.uint8), rng.integers(0, 2, 20), None, rng.integers(1, 6, 20))
    dataset = Dataset({"train": part, "validation": part, "test": part}, classes=2, source="invented", vocabulary=9)
    run(kept(make_trial(epochs=1)), dataset, Rows(folder=tmp_path))
    model, metadata = load_model(tmp_path)
    example = metadata["example"]
    assert example["inputs"].dtype == torch.int64 and example["inputs"].tolist() == part.inputs[:1].tolist()
    assert example["lengths"].tolist() == part.lengths[:1].tolist() and example["times"] is None
    assert model(**example).shape == (1, 2)


def test_keeping_a_model_changes_no_number_and_no_digest(tmp_path):
    dataset, trial = separable_dataset(), make_trial()
    assert run(kept(trial), dataset, Rows(folder=tmp_path)) == run(trial, dataset, Rows(folder=tmp_path / "none"))
    assert kept(trial).digest == trial.digest and kept(trial).settings() == trial.settings()
    assert not (tmp_path / "none").exists()


def test_a_trial_interrupted_after_any_step_keeps_the_same_weights(tmp_path):
    dataset, trial = separable_dataset(), kept(make_trial(epochs=3, learning_rate=0.3))
    whole = Rows(folder=tmp_path / "whole")
    run(trial, dataset, whole)
    expected = load_model(tmp_path / "whole")[0].state_dict()
    for stop in range(1, whole.chances + 1):
        first = Rows(stop, folder=tmp_path / "stopped")
        with pytest.raises(Stopped):
            run(trial, dataset, first)
        assert not (tmp_path / "stopped").exists()
        folder = tmp_path / f"resumed{stop}"
        run(trial, dataset, Rows(earlier=first, folder=folder))
        found = load_model(folder)[0].state_dict()
        assert found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def test_weights_of_an_attempt_that_did_not_keep_them_are_not_invented(tmp_path, caplog):
    """The best epoch may have been in an attempt before `keep_model`."""
    dataset, trial = separable_dataset(), make_trial(epochs=2)
    first = Rows(folder=tmp_path)
    run(trial, dataset, first)
    run(kept(trial), dataset, Rows(earlier=first, folder=tmp_path))
    assert not (tmp_path / "model.pt").exists() and "model.pt is not written" in caplog.text


def test_a_diverged_trial_keeps_nothing(tmp_path):
    trial = kept(make_trial(learning_rate=1e30))
    assert run(trial, separable_dataset(), Rows(folder=tmp_path))["status"] == "diverged"
    assert not list(tmp_path.iterdir())


@pytest.fixture
def trial(tracking):
    return kept(make_trial(epochs=1), experiment=tracking.experiment, dataset_name="mnist", dataset=MNIST)


@pytest.fixture
def data(tmp_path, trial):
    replace(separable_dataset(), options=trial.dataset_settings).save(tmp_path / "data.npz")
    return tmp_path / "data.npz"


def test_a_trial_that_is_trained_again_without_it_removes_the_old_model(trial, data, tmp_path, caplog):
    caplog.set_level("INFO")
    folder, without = tmp_path / "trial", replace(trial, keep_model="none")
    run_trial(trial, data, folder)
    assert (folder / "model.pt").exists()
    assert TrialSpec.from_mapping(load_model(folder)[1]["settings"], "test") == trial
    metrics = run_trial(without, data, folder)
    assert (folder / "model.pt").exists()  # the outcome is up to date, and so is its model
    assert run_trial(without, data, folder, force=True)["run_id"] != metrics["run_id"]
    assert not (folder / "model.pt").exists()
    run_trial(trial, data, folder)
    assert "it was trained without keep_model: --force trains again and writes model.pt" in caplog.text


def write(tmp_path, **keys):
    content = {
        "title": "t",
        "dataset": {"name": "mnist"},
        "variants": {"v": {"label": "v"}},
        "models": {"gru": {"label": "GRU"}, "legs_ridge": {"label": "ridge"}},
        **keys,
    }
    (tmp_path / "e.yaml").write_text(json.dumps(content))
    return load_experiment(tmp_path / "e.yaml", "paper")


def test_the_table_and_a_model_say_what_is_kept(tmp_path):
    def choices(**keys):
        return {model: write(tmp_path, **keys).trial("v", model, 0).keep_model for model in ("gru", "legs_ridge")}

    ridge = {"legs_ridge": {"label": "ridge"}}
    assert choices() == {"gru": "none", "legs_ridge": "none"}
    assert choices(keep_model="best") == {"gru": "best", "legs_ridge": "none"}
    assert choices(models={"gru": {"label": "GRU", "keep_model": "best"}} | ridge)["gru"] == "best"
    assert choices(models={"gru": {"label": "GRU", "keep_model": "none"}} | ridge, keep_model="best")["gru"] == "none"


def test_a_classifier_without_weights_cannot_be_kept(tmp_path):
    models = {"legs_ridge": {"label": "ridge", "keep_model": "best"}}
    with pytest.raises(ConfigError, match=r"models.legs_ridge.keep_model: this model is not trained by gradient desc"):
        write(tmp_path, models=models)


def test_the_quick_scale_keeps_its_headline_models_and_no_other_scale_any():
    trials = [t for path in EXPERIMENTS for scale in scales_of(path) for t in load_experiment(path, scale).trials()]
    found = {(t.scale, t.experiment, t.model) for t in trials if t.keep_model == "best"}
    expected = {("pmnist", "legs"), ("timescale", "legs"), ("smnist", "s4_legs")}
    assert found == {("quick", *model) for model in expected}
