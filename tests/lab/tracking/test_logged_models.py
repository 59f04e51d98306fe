"""Kept models in MLflow: logged, registered and loaded again; each once."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from mlflow.models import Model
from mlflow.types.schema import Schema

from hippo import registry
from hippo.lab.tracking.import_runs import import_trials
from hippo.lab.tracking.models import registered_name
from hippo.lab.tracking.run import TrackedRun
from hippo.lab.tracking.store import open_client
from hippo.lab.training.run_trial import run_trial
from hippo.nn import load_model
from tests.lab.training.trials import make_trial, separable_dataset

MNIST = registry.find("datasets", "mnist", "test")()


@pytest.fixture
def trial(tracking):
    axes = {"experiment": tracking.experiment, "dataset_name": "mnist", "dataset": MNIST}
    return replace(make_trial(epochs=2), keep_model="best", **axes)


@pytest.fixture
def data(tmp_path, trial):
    replace(separable_dataset(), scale=0.5, options=trial.dataset_settings).save(tmp_path / "data.npz")
    return tmp_path / "data.npz"


def models(tracking, trial) -> tuple[list, list]:
    """Logged models and registered versions of a trial."""
    experiment = tracking.client.get_experiment_by_name(tracking.experiment).experiment_id
    logged = tracking.client.search_logged_models([experiment])
    return list(logged), list(tracking.client.search_model_versions(f"name = '{registered_name(trial)}'"))


def test_a_kept_model_is_logged_registered_and_loaded_again(tracking, trial, data, tmp_path):
    from mlflow import pytorch

    metrics = run_trial(trial, data, tmp_path / "trial")
    (logged,), (version,) = models(tracking, trial)
    assert version.name == f"quick.{tracking.experiment}.v.gru.seed0" and version.run_id == metrics["run_id"]
    assert logged.source_run_id == metrics["run_id"] and logged.status == "READY"
    assert logged.tags["input_scale"] == "0.5"
    run = tracking.runs()[metrics["run_id"]]
    assert run.info.status == "FINISHED" and [o.model_id for o in run.outputs.model_outputs] == [logged.model_id]
    assert "model.pt" not in [file.path for file in tracking.client.list_artifacts(metrics["run_id"])]
    expected, metadata = load_model(tmp_path / "trial")
    uri = f"models:/{version.name}/{version.version}"
    loaded = pytorch.load_model(uri)
    weights, stored = loaded.state_dict(), expected.state_dict()
    assert weights.keys() == stored.keys() and all(torch.equal(weights[key], stored[key]) for key in stored)
    described = Model.load(uri)
    assert described.signature.inputs.inputs[0].shape == (-1, -1, 1)
    assert described.signature.outputs.inputs[0].shape == (-1, 2)
    example = described.load_input_example(uri)
    np.testing.assert_array_equal(example, 0.5 * metadata["example"]["inputs"].numpy())
    with torch.no_grad():
        assert torch.equal(loaded(torch.from_numpy(example.astype(np.float32))), expected(torch.from_numpy(example)))


def test_a_model_is_logged_once_and_again_only_into_another_store(tracking, trial, data, tmp_path, monkeypatch):
    folder = tmp_path / "trials" / trial.name
    with monkeypatch.context() as killed:  # after the outcome, before the end of the run
        killed.setattr(TrackedRun, "finish", lambda *_: False)
        run_trial(trial, data, folder)
    assert models(tracking, trial) == ([], [])
    for _ in range(2):
        (imported,) = import_trials(tmp_path / "trials")
        assert imported.state == "imported"
        assert [len(found) for found in models(tracking, trial)] == [1, 1]
    ((run, found),) = tracking.runs().items()
    tracking.client.set_terminated(run, "KILLED")  # as if the delivery had been cut off at its end
    list(import_trials(tmp_path / "trials"))
    assert [len(found) for found in models(tracking, trial)] == [1, 1]
    tracking.client.delete_run(run)
    list(import_trials(tmp_path / "trials"))
    assert len(models(tracking, trial)[1]) == 2


def test_a_damaged_model_does_not_keep_a_trial_from_its_run(tracking, trial, data, tmp_path, monkeypatch, caplog):
    folder = tmp_path / "trials" / trial.name
    with monkeypatch.context() as killed:
        killed.setattr(TrackedRun, "finish", lambda *_: False)
        run_trial(trial, data, folder)
    (folder / "model.pt").write_bytes(b"damaged")
    (imported,) = import_trials(tmp_path / "trials")
    assert imported.state == "imported" and "the model is not logged: ConfigError" in caplog.text
    assert models(tracking, trial) == ([], [])
    shutil.rmtree(folder)


def test_a_model_that_reads_times_has_them_in_its_signature(tracking, trial, tmp_path):
    dataset = separable_dataset()
    times = np.tile(np.arange(12, dtype=np.float32), (64, 1))
    parts = {name: replace(part, times=times[: len(part.inputs)]) for name, part in dataset.parts.items()}
    trial = replace(trial, model="gru_d", model_name="gru_d")
    trial = replace(trial, model_options=registry.find("models", "gru_d", "test")(hidden_size=6))
    replace(dataset, parts=parts, options=trial.dataset_settings).save(tmp_path / "data.npz")
    run_trial(trial, tmp_path / "data.npz", tmp_path / "trial")
    (logged,), _ = models(tracking, trial)
    signature = Model.load(f"models:/{logged.model_id}").signature
    assert {spec.name: spec.shape for spec in signature.inputs.inputs} == {"inputs": (-1, -1, 1), "times": (-1, -1)}


def test_runs_have_the_tags_that_the_pages_of_mlflow_read(tracking, trial, data, tmp_path):
    metrics = run_trial(replace(trial, keep_model="none"), data, tmp_path / "trial")
    tags = tracking.runs()[metrics["run_id"]].data.tags
    assert tags["mlflow.source.name"] == "hippo train" and tags["mlflow.source.type"] == "LOCAL"
    assert tags.get("mlflow.source.git.commit", "unknown") == (metrics["commit"] or "unknown").removesuffix("-dirty")
    experiment = tracking.client.get_experiment_by_name(tracking.experiment)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    (dataset,) = tracking.runs()[metrics["run_id"]].inputs.dataset_inputs
    assert {tag.key: tag.value for tag in dataset.tags}["mlflow.data.context"] == "training"
    described = {key: Schema.from_json(text) for key, text in tensor_specs(dataset.dataset).items()}
    assert [(spec.name, spec.type, spec.shape) for spec in described["features"].inputs] == [
        ("inputs", np.dtype(np.float32), (-1, 12, 1))
    ]
    assert [(spec.name, spec.type, spec.shape) for spec in described["targets"].inputs] == [
        ("targets", np.dtype(np.int64), (-1,))
    ]
    profile, parts = json.loads(dataset.dataset.profile), separable_dataset().parts
    assert profile == {"num_rows": sum(len(p.inputs) for p in parts.values())} | {
        name: len(part.inputs) for name, part in parts.items()
    }


def tensor_specs(dataset) -> dict[str, str]:
    """The schema of a tracked dataset, as MLflow's pages read it."""
    return json.loads(dataset.schema)["mlflow_tensorspec"]


def test_an_experiment_of_an_earlier_version_gets_its_kind(tracking, trial, data, tmp_path):
    identifier = tracking.client.create_experiment(tracking.experiment)
    run_trial(replace(trial, keep_model="none"), data, tmp_path / "trial")
    assert tracking.client.get_experiment(identifier).tags["mlflow.experimentKind"] == "custom_model_development"


def test_the_embedded_store_has_the_model_and_no_other_store_is_made(tmp_path, monkeypatch):
    from mlflow import pytorch

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    trial = replace(make_trial(epochs=1), keep_model="best", dataset_name="mnist", dataset=MNIST)
    replace(separable_dataset(), options=trial.dataset_settings).save(tmp_path / "data.npz")
    run_trial(trial, tmp_path / "data.npz", tmp_path / "trial")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.npz", "mlruns", "trial"]
    (version,) = open_client().search_model_versions()
    assert version.name == registered_name(trial) and not version.source.startswith("/")
    expected, _ = load_model(tmp_path / "trial")
    weights = pytorch.load_model(version.source).state_dict()
    assert all(torch.equal(weights[key], value) for key, value in expected.state_dict().items())
