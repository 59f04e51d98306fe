"""Checkpoints and prepared data with random bytes changed: noticed, named, and survived."""

import random
import signal

import numpy as np
import pytest
import torch

from hippo.data.dataset import Dataset
from hippo.data.sources import DataError
from hippo.lab.trials.checkpoints import Checkpoints
from tests.reliability.laboratory import stop, wait_for

pytestmark = pytest.mark.reliability

DAMAGES = 300


def damage(content: bytes, at: random.Random) -> bytes:
    """One random byte changed, or all after a random one lost."""
    position = at.randrange(len(content))
    if at.random() < 0.2:
        return content[:position]
    return content[:position] + bytes([content[position] ^ at.randrange(1, 256)]) + content[position + 1 :]


@pytest.fixture(scope="module")
def stopped(undisturbed, tmp_path_factory):
    """A laboratory whose trial was stopped on its way, two checkpoints behind it."""
    import shutil

    laboratory = undisturbed.copy(tmp_path_factory.mktemp("stopped") / "laboratory")
    shutil.rmtree(laboratory.folder / "results")
    shutil.rmtree(laboratory.folder / "mlruns")
    with laboratory.running() as process:
        wait_for(lambda: laboratory.rows() >= 3)
        status, stderr = stop(process, signal.SIGTERM)
    assert status == 143, stderr
    assert len(checkpoints(laboratory)) == 2
    return laboratory


def checkpoints(laboratory) -> list:
    return sorted((laboratory.place() / "checkpoints").glob("*.pt"))


@pytest.mark.parametrize("broken", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_trial_with_damaged_checkpoints_ends_the_same(undisturbed, stopped, tmp_path, broken, figure):
    laboratory = stopped.copy(tmp_path / "laboratory")
    at = random.Random(broken)
    for path in checkpoints(laboratory)[-broken:]:
        path.write_bytes(damage(path.read_bytes(), at))
    done = laboratory.train()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is damaged (") >= broken
    assert laboratory.metrics() == undisturbed.metrics()
    assert laboratory.history() == undisturbed.history()
    (run,) = laboratory.runs()
    assert run.info.status == "FINISHED"
    assert laboratory.steps() == list(range(1, laboratory.epochs + 1))
    figure(f"{broken} of 2 checkpoints damaged: the same end, 1 run, no step twice")


def test_every_damage_to_a_checkpoint_is_noticed(tmp_path, figure, caplog):
    states = [{"weights": torch.arange(500.0), "epoch": epoch} for epoch in (1, 2)]
    kept = Checkpoints(tmp_path, "settings-data")
    for state in states:
        kept.save(state)
    newest = max(tmp_path.glob("*.pt"))
    content = newest.read_bytes()
    at = random.Random(0)
    for _ in range(DAMAGES):
        newest.write_bytes(damage(content, at))
        assert kept.load()["epoch"] == 1
    newest.write_bytes(content)
    assert kept.load()["epoch"] == 2
    figure(f"checkpoints damaged at a random byte or cut short: {DAMAGES} of {DAMAGES} noticed")


def test_a_damaged_checkpoint_is_not_among_the_two_that_are_kept(tmp_path):
    kept = Checkpoints(tmp_path, "settings-data")
    for epoch in (1, 2):
        kept.save({"epoch": epoch})
    newest = max(tmp_path.glob("*.pt"))
    newest.write_bytes(damage(newest.read_bytes(), random.Random(0)))
    assert kept.load() == {"epoch": 1}
    kept.save({"epoch": 3})
    max(tmp_path.glob("*.pt")).write_bytes(b"")
    assert kept.load() == {"epoch": 1}


def test_a_state_of_another_format_is_not_gone_on_from(tmp_path, monkeypatch, caplog):
    kept = Checkpoints(tmp_path, "settings-data")
    kept.save({"epoch": 1})
    monkeypatch.setattr("hippo.lab.trials.checkpoints.FORMAT", -1)
    assert kept.load() is None and "another version of hippo-lab" in caplog.text


def test_no_damage_to_prepared_data_changes_a_number(undisturbed, tmp_path, figure):
    """A changed byte that no value depends on, such as a date in the archive, may pass; a changed value never does."""
    whole = Dataset.load(undisturbed.folder / "data.npz")
    content = (undisturbed.folder / "data.npz").read_bytes()
    path = tmp_path / "damaged.npz"
    at = random.Random(1)
    refused = 0
    for _ in range(DAMAGES // 3):
        path.write_bytes(damage(content, at))
        try:
            read = Dataset.load(path)
        except DataError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            for name, part in whole.parts.items():
                np.testing.assert_array_equal(part.inputs, read.parts[name].inputs)
                np.testing.assert_array_equal(part.targets, read.parts[name].targets)
    assert refused > 0.9 * (DAMAGES // 3)
    figure(f"prepared data damaged: {refused} of {DAMAGES // 3} refused, the rest without a changed value")
