"""What every registered dataset keeps, whoever brought it."""

import subprocess
import sys

import numpy as np
import pytest

from hippo import registry
from hippo.config import Options
from hippo.data.dataset import NOT_ASKED, Dataset
from hippo.data.sources import Sources
from hippo.lab.plan.experiment import load
from tests.workspace import ROOT

# Options that make a dataset small; a dataset of another package is tested as it is.
SMALL = {
    "mnist": {"train_samples": 40, "test_samples": 20},
    "character_trajectories": {"samples": 60},
    "white_noise": {"samples": 1000},
    "copying": {"length": 20, "train_samples": 30, "eval_samples": 10},
    "adding": {"length": 20, "train_samples": 30, "eval_samples": 10},
    "mackey_glass": {"length": 30, "train_samples": 6, "eval_samples": 3},
}


@pytest.fixture(scope="module", params=registry.names("datasets"))
def options(request) -> Options:
    return registry.find("datasets", request.param, "test")(**SMALL.get(request.param, {}))


@pytest.fixture(scope="module")
def dataset(options) -> Dataset:
    return options.build(Sources())


def test_parts_are_arrays_that_fit_each_other(options, dataset):
    expected = {"test"} if options.task == "reconstruction" else {"train", "validation", "test"}
    assert set(dataset.parts) == expected
    for part in dataset.parts.values():
        samples, length, _ = part.inputs.shape
        assert samples and part.inputs.dtype in (np.uint8, np.float32) and np.isfinite(part.inputs).all()
        if part.times is not None:
            assert part.times.shape == (samples, length) and (np.diff(part.times, axis=1) >= 0).all()
        if options.task == "classification":
            assert part.targets.dtype == np.int64 and part.targets.shape in ((samples,), (samples, length))
            asked = part.targets[part.targets != NOT_ASKED]
            assert asked.size and asked.min() >= 0 and asked.max() < dataset.classes
        if options.task == "regression":
            assert part.targets.dtype == np.float32 and part.targets.shape[:-1] in ((samples,), (samples, length))
            assert np.isfinite(part.targets).all() and dataset.classes is None


def test_no_sample_is_in_two_parts(dataset):
    seen = [{sample.tobytes() for sample in part.inputs} for part in dataset.parts.values()]
    assert sum(map(len, seen)) == len(set.union(*seen))


@pytest.mark.parametrize("name", ["adding", "copying", "mackey_glass"])
@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_no_sample_of_a_table_is_in_two_parts(name, scale):
    """With the options that the experiment files state: few enough possible samples would be drawn again."""
    for variant in load(ROOT / f"config/experiments/{name}.yaml", scale).datasets.values():
        parts = variant.model_copy(update={"train_samples": min(variant.train_samples, 5000)}).parts()
        seen = [{sample.tobytes() for sample in part.inputs} for part in parts.values()]
        assert sum(map(len, seen)) == len(set.union(*seen))


def test_the_same_options_make_the_same_dataset(options, dataset):
    assert options.build(Sources()).digest == dataset.digest


def test_it_is_the_same_after_saving(dataset, tmp_path):
    dataset.save(tmp_path / "it.npz")
    assert Dataset.load(tmp_path / "it.npz").digest == dataset.digest


def test_it_says_where_it_came_from(dataset):
    assert len(dataset.source) > 3


def test_options_are_read_without_heavy_imports():
    code = (
        "import sys; from hippo import registry\n"
        "for name in registry.names('datasets'): registry.find('datasets', name, 'test')\n"
        "print([m for m in ('torch', 'sklearn', 'sktime', 'pandas', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
