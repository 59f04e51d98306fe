"""The last two states of a trial, which are read by the same trial only. Damaged files are in tests/reliability."""

import pytest
import torch

from hippo.lab.trials import checkpoints
from hippo.lab.trials.checkpoints import Checkpoints


@pytest.fixture
def kept(tmp_path):
    """Checkpoints of three saved states."""
    kept = Checkpoints(tmp_path / "checkpoints", "settings-data")
    for epoch in (1, 2, 3):
        kept.save({"epoch": epoch, "weights": torch.full((2,), float(epoch))})
    return kept


def test_the_newest_state_is_read_and_two_are_kept(kept):
    assert [path.name for path in sorted(kept.folder.iterdir())] == ["000002.pt", "000003.pt"]
    saved = kept.load()
    assert saved["epoch"] == 3 and saved["weights"].tolist() == [3, 3]


def test_a_damaged_state_is_removed_and_the_one_before_it_is_read(kept, caplog):
    newest = kept.folder / "000003.pt"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert kept.load()["epoch"] == 2 and not newest.exists()
    assert f"{newest} is damaged (the content does not match its digest)" in caplog.text


def test_states_of_other_settings_or_data_are_not_read(kept):
    assert Checkpoints(kept.folder, "settings-other").load() is None
    assert kept.load()["epoch"] == 3


def test_states_of_another_format_are_not_read(kept, monkeypatch, caplog):
    monkeypatch.setattr(checkpoints, "FORMAT", checkpoints.FORMAT + 1)
    assert kept.load() is None and "was written by another version of hippo-lab" in caplog.text


def test_nothing_is_left_of_checkpoints_that_are_cleared(kept):
    kept.clear()
    assert not kept.folder.exists() and kept.load() is None
    kept.clear()
