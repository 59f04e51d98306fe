from types import SimpleNamespace

import pytest

from hippo.lab.training.interruption import Interruption
from hippo.lab.training.recorder import Recorder
from hippo.lab.trials.checkpoints import Checkpoints


@pytest.mark.parametrize(
    ("attempts", "earlier"), [("a", []), ("aa", []), ("ab", ["a"]), ("aba", ["b"]), ("abc", ["a", "b"])]
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


def test_the_kernels_of_all_attempts_are_known(tmp_path):
    for kernels in ("torch", "avx2", "avx2"):
        kept = Checkpoints(tmp_path / "checkpoints", "settings-data")
        recorder = Recorder(tmp_path, SimpleNamespace(commit="a"), kept, Interruption(), kernels)
        recorder.save({"epoch": 1})
    assert recorder.kernels == "torch, avx2"
