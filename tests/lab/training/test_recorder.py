from types import SimpleNamespace

import pytest

from hippo.lab.training import recorder as module
from hippo.lab.training.interruption import Interrupted, Interruption
from hippo.lab.training.recorder import MINUTES, Recorder
from hippo.lab.trials.checkpoints import Checkpoints


@pytest.mark.parametrize(
    ("attempts", "earlier"), [("a", []), ("aa", []), ("ab", ["a"]), ("aba", ["b"]), ("abc", ["a", "b"]), ("aab", ["a"])]
)
def test_earlier_commits_are_those_of_all_other_attempts(tmp_path, attempts, earlier):
    for commit in attempts:
        kept = Checkpoints(tmp_path / "checkpoints", "settings-data")
        recorder = Recorder(tmp_path, SimpleNamespace(commit=commit), kept, Interruption())
        assert recorder.resumed == (recorder.resume() is not None)
        recorder.save({"epoch": 1})
    assert recorder.earlier_commits == earlier


def test_the_history_of_an_attempt_without_checkpoint_is_removed(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,seconds\n1,1\n")
    Recorder(tmp_path, SimpleNamespace(commit="a"), Checkpoints(tmp_path / "checkpoints", "x"), Interruption())
    assert not (tmp_path / "history.csv").exists()


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the recorder sees; to be changed."""
    clock = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


def new(folder) -> Recorder:
    return Recorder(folder, SimpleNamespace(commit="a"), Checkpoints(folder / "checkpoints", "x"), Interruption())


def test_the_time_of_a_trial_is_that_of_all_attempts(tmp_path, clock):
    for expected in (40, 80):
        recorder = new(tmp_path)
        clock[0] += 40
        recorder.save({"epoch": 1})
        assert recorder.elapsed() == expected
        clock[0] += 1000  # between the attempts


def test_a_checkpoint_is_saved_when_the_last_one_is_old_or_a_signal_came(tmp_path, clock):
    recorder, states = new(tmp_path), []

    def state():
        states.append(1)
        return {"epoch": len(states)}

    for seconds, saved in ((60 * MINUTES, 0), (1, 1), (60 * MINUTES, 1), (1, 2)):
        clock[0] += seconds
        recorder.pause(state)
        assert len(states) == saved
    recorder.interruption.caught = 15
    with pytest.raises(Interrupted):
        recorder.pause(state)
    assert new(tmp_path).resume() == {"epoch": 3}


def test_the_kernels_of_all_attempts_are_known(tmp_path):
    for kernels in ("torch", "avx2", "avx2"):
        kept = Checkpoints(tmp_path / "checkpoints", "settings-data")
        recorder = Recorder(tmp_path, SimpleNamespace(commit="a"), kept, Interruption(), kernels)
        recorder.save({"epoch": 1})
    assert recorder.kernels == "torch, avx2"
