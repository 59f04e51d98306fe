"""Properties of every registered dataset, those of other packages included.

Each test runs for every entry point in the group `hippo.datasets`, with the options in `test_options` of its class.
"""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from hippo import registry
from hippo.data.dataset import NOT_ASKED, Dataset, DatasetOptions, Part
from hippo.data.errors import NoSourceError
from hippo.data.sources import Sources
from hippo.lab.plan.experiment import load_experiment
from tests.workspace import ROOT

NAMES = registry.names("datasets")


@pytest.fixture(scope="module", params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def options(name) -> DatasetOptions:
    options_type = registry.find("datasets", name, "test")
    return options_type(**options_type.test_options)


@pytest.fixture(scope="module")
def dataset(options) -> Dataset:
    return build(options)


def build(options: DatasetOptions) -> Dataset:
    """The dataset; the test is skipped if only the user can supply its files, and they are absent."""
    try:
        return options.build(Sources())
    except NoSourceError as error:
        if options.user_supplied:
            pytest.skip(f"data not available: {error.advice}")
        raise


@pytest.fixture
def nothing(tmp_path, monkeypatch) -> Sources:
    """Sources without any file and without a network, where no substitute is allowed."""
    monkeypatch.delenv("HIPPO_DATA_DIR", raising=False)
    return Sources(cache=tmp_path, offline=True, require_real=True)


def test_parts_are_those_of_the_task(options, dataset):
    if not registry.find("tasks", options.task, "test").trained:
        assert set(dataset.parts) == {"test"}
        assert options.task != "reconstruction" or dataset.parts["test"].targets is None
    else:
        assert {"train", "validation", "test"} <= set(dataset.parts)
        assert all(part.targets is not None for part in dataset.parts.values())


def test_arrays_of_a_part_fit_each_other(dataset):
    for part in dataset.parts.values():
        samples, length, *channels = part.inputs.shape
        assert samples and length
        if dataset.vocabulary is not None and channels:  # token ids of several documents
            assert part.lengths.shape == (samples, length) and part.lengths.dtype == np.int64
            assert part.lengths.min() >= 1 and part.lengths.max() <= channels[0]
            assert part.inputs.min() >= 0 and part.inputs.max() < dataset.vocabulary
            continue
        if dataset.vocabulary is None:
            assert len(channels) == 1 and part.inputs.dtype in (np.uint8, np.float32)
            assert dataset.missing_values or np.isfinite(part.inputs).all()
        else:
            assert not channels and part.inputs.dtype.kind in "iu"
            assert part.inputs.min() >= 0 and part.inputs.max() < dataset.vocabulary
        if part.times is not None:
            assert part.times.shape == (samples, length) and part.times.dtype == np.float32
        if part.lengths is not None:
            assert part.lengths.shape == (samples,) and part.lengths.dtype == np.int64
            assert part.lengths.min() >= 1 and part.lengths.max() <= length


def test_targets_are_those_of_the_task(options, dataset):
    for part in dataset.parts.values():
        samples, length = part.inputs.shape[:2]
        if options.task.endswith("classification"):
            assert part.targets.dtype == np.int64 and part.targets.shape in ((samples,), (samples, length))
            asked = part.targets[part.targets != NOT_ASKED]
            assert asked.size and asked.min() >= 0 and asked.max() < dataset.classes
        if options.task == "regression":
            assert part.targets.dtype == np.float32 and part.targets.shape[:-1] in ((samples,), (samples, length))
            assert np.isfinite(part.targets).all() and dataset.classes is None


def test_all_parts_have_the_same_channels(dataset):
    assert len({part.inputs.shape[2:] for part in dataset.parts.values()}) == 1
    assert len({part.inputs.dtype for part in dataset.parts.values()}) == 1
    for array in ("times", "lengths"):
        assert len({getattr(part, array) is None for part in dataset.parts.values()}) == 1


def test_test_options_make_a_small_dataset(dataset):
    assert sum(part.inputs.nbytes for part in dataset.parts.values()) <= 10_000_000


def samples(part: Part) -> set[bytes]:
    """Digests of all samples of a part."""
    return {hashlib.blake2b(sample.tobytes(), digest_size=16).digest() for sample in part.inputs}


def assert_no_sample_in_two_parts(dataset: Dataset) -> None:
    """No two of train, validation and the parts that are tested on have a sample in common.

    Parts other than these three may repeat samples of the test part, for example at another sampling rate.
    """
    seen = {name: samples(part) for name, part in dataset.parts.items()}
    tested = set().union(*(seen[name] for name in seen.keys() - {"train", "validation"}))
    train, validation = seen.get("train", set()), seen.get("validation", set())
    assert train.isdisjoint(validation) and train.isdisjoint(tested) and validation.isdisjoint(tested)


def test_no_sample_is_in_two_parts(dataset):
    assert_no_sample_in_two_parts(dataset)


@pytest.fixture(scope="module")
def tabled() -> dict[str, list[DatasetOptions]]:
    """Different options that experiment files state at the quick and paper scale, by name of the dataset."""
    found: dict[str, list[DatasetOptions]] = {name: [] for name in NAMES}
    for path in sorted((ROOT / "config/experiments").glob("*.yaml")):
        for scale in ("quick", "paper"):
            experiment = load_experiment(path, scale)
            for variant, options in experiment.datasets.items():
                known = found[experiment.dataset_names[variant]]
                known += [options] if options not in known else []
    return found


def test_no_sample_of_a_table_is_in_two_parts(name, tabled):
    """With the options of all tables: if few different samples are possible, a generator repeats some."""
    if not tabled[name]:
        pytest.skip(f"no experiment file uses {name}")
    for options in tabled[name]:
        assert_no_sample_in_two_parts(build(options))


def test_the_same_options_make_the_same_dataset(options, dataset):
    assert build(options).digest == dataset.digest


def test_it_is_the_same_after_saving(dataset, tmp_path):
    dataset.save(tmp_path / "it.npz")
    loaded = Dataset.load(tmp_path / "it.npz")
    assert loaded.digest == dataset.digest and loaded.source == dataset.source


def test_source_names_the_dataset_on_one_line(name, dataset):
    """It is printed in titles of tables, for example "MNIST" or "adding task, seed 0"."""
    source = dataset.source
    assert source.isprintable() and source == source.strip() and len(source) <= 120
    letters = "".join(character for character in source.lower() if character.isalnum())
    assert name.replace("_", "") in letters
    assert ("synthetic substitute" in source) == dataset.substitute


def test_raw_files_that_are_not_available_are_one_clear_error(options, nothing):
    """Generated datasets need no file. For all others the error says where files may be put."""
    try:
        files = options.fetch(nothing)
    except NoSourceError as error:
        assert "HIPPO_DATA_DIR" in str(error)
        with pytest.raises(NoSourceError):
            options.build(nothing)
    else:
        assert files == {} and not options.build(nothing).substitute


def test_substitute_is_declared(options, nothing):
    """A dataset is a substitute only if its class declares `has_substitute` and real data is not required."""
    allowed = Sources(cache=nothing.cache, offline=True)
    if options.has_substitute:
        assert options.build(allowed).substitute
    else:
        try:
            assert not options.build(allowed).substitute
        except NoSourceError:
            pass


def test_options_are_read_without_heavy_imports():
    code = (
        "import sys; from hippo import registry\n"
        "for name in registry.names('datasets'): registry.find('datasets', name, 'test')\n"
        "print([m for m in ('torch', 'sklearn', 'sktime', 'pandas', 'mlflow', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
