import json
from dataclasses import replace

import numpy as np
import pytest

from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.trials.outcome import has_outcome, is_substitute, read_json, read_outcome, remove_outcome, write_outcome
from hippo.lab.trials.up_to_date import is_up_to_date, restore_outcome
from hippo.nn.options import LegSOptions


def trial() -> TrialSpec:
    return TrialSpec("e", "quick", "v", "m", 0, "classification", "d", DatasetOptions(), "legs", LegSOptions(), None, 1)


@pytest.fixture
def dataset() -> Dataset:
    part = Part(np.zeros((2, 3, 1), np.float32), np.array([0, 1]))
    return Dataset({"train": part, "validation": part, "test": part}, classes=2, source="invented")


@pytest.fixture
def data(tmp_path, dataset):
    dataset.save(tmp_path / "data.npz")
    return tmp_path / "data.npz"


@pytest.fixture
def metrics(dataset) -> dict:
    about = {"digest": dataset.digest, "source": dataset.source, "substitute": False}
    return {"status": "finished", "trial": trial().digest, "test_accuracy": 0.5, "dataset": about}


@pytest.fixture
def folder(tmp_path, metrics):
    (tmp_path / "trial").mkdir()
    write_outcome(tmp_path / "trial", metrics)
    return tmp_path / "trial"


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_outcome_is_one_content_in_two_files(folder, metrics):
    assert read_json(folder / "outcome.json") == read_json(folder / "metrics.json") == metrics
    assert has_outcome(folder) and read_outcome(folder) == metrics
    remove_outcome(folder)
    assert not has_outcome(folder) and read_outcome(folder) == {} and contents(folder) == {}


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "3", 5000 * "[", '{"a": 1'])
def test_a_damaged_file_reads_as_empty(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    assert read_json(tmp_path / "metrics.json") == {}
    (tmp_path / "metrics.json").write_bytes(b"\xff\xfe")
    assert read_json(tmp_path / "metrics.json") == {}


def test_substitutes_are_known_under_both_keys():
    assert is_substitute({"substitute": True}) and is_substitute({"stand_in": True})
    assert not is_substitute({"substitute": False}) and not is_substitute({"stand_in": False}) and not is_substitute({})


def test_an_outcome_is_up_to_date_by_its_settings_and_data(folder, data, dataset):
    outcome = folder / "metrics.json"
    assert is_up_to_date(trial(), outcome, data)
    assert is_up_to_date(trial(), outcome, data.with_name("absent.npz"))
    assert not is_up_to_date(replace(trial(), seed=1), outcome, data)
    assert not is_up_to_date(trial(), folder / "absent.json", data)
    replace(dataset, source="another").save(data)
    assert not is_up_to_date(trial(), outcome, data)
    data.write_bytes(b"damaged")
    assert not is_up_to_date(trial(), outcome, data)


@pytest.mark.parametrize("key", ["substitute", "stand_in"])
def test_an_outcome_of_a_substitute_is_out_of_date_if_real_data_is_required(folder, data, metrics, key):
    about = {"digest": metrics["dataset"]["digest"], "source": "invented", key: True}
    write_outcome(folder, {**metrics, "dataset": about})
    assert is_up_to_date(trial(), folder / "metrics.json", data)
    assert not is_up_to_date(trial(), folder / "metrics.json", data, require_real=True)


@pytest.mark.parametrize("dataset", [None, "text", []])
def test_an_outcome_without_a_dataset_is_out_of_date(tmp_path, dataset):
    (tmp_path / "metrics.json").write_text(json.dumps({"trial": trial().digest, "dataset": dataset}))
    assert not is_up_to_date(trial(), tmp_path / "metrics.json", tmp_path / "absent.npz")


def test_a_deleted_copy_is_restored(folder, data, metrics):
    before = contents(folder)
    (folder / "metrics.json").unlink()
    assert restore_outcome(folder, trial(), data) == metrics
    assert contents(folder) == before


def test_a_copy_that_was_changed_is_replaced(folder, data, metrics):
    before = contents(folder)
    (folder / "metrics.json").write_text(json.dumps({**metrics, "test_accuracy": 0.99}))
    assert restore_outcome(folder, trial(), data) == metrics
    assert contents(folder) == before


def test_an_outcome_of_the_first_release_is_kept(folder, data, metrics):
    (folder / "outcome.json").unlink()
    assert restore_outcome(folder, trial(), data) == metrics
    assert read_json(folder / "outcome.json") == read_json(folder / "metrics.json") == metrics


def test_nothing_is_written_if_both_files_are_up_to_date(folder, data):
    times = [(path, path.stat().st_mtime_ns) for path in folder.iterdir()]
    assert restore_outcome(folder, trial(), data)
    assert [(path, path.stat().st_mtime_ns) for path in folder.iterdir()] == times


def test_an_outcome_with_other_settings_or_data_is_not_restored(folder, data, dataset):
    (folder / "metrics.json").unlink()
    before = contents(folder)
    assert restore_outcome(folder, replace(trial(), seed=1), data) is None
    replace(dataset, source="another").save(data)
    assert restore_outcome(folder, trial(), data) is None
    assert contents(folder) == before
    assert restore_outcome(folder.with_name("absent"), trial(), data) is None
