from types import SimpleNamespace

import pytest

from hippo.lab.training.interruption import Interruption
from hippo.lab.training.recorder import Recorder
from hippo.lab.trials.checkpoints import Checkpoints


@pytest.mark.parametrize(
    ("lives", "earlier"), [("a", []), ("aa", []), ("ab", ["a"]), ("aba", ["b"]), ("abc", ["a", "b"])]
)
def test_a_trial_says_at_which_other_commits_it_was_trained(tmp_path, lives, earlier):
    for commit in lives:
        kept = Checkpoints(tmp_path / "checkpoints", "settings-data")
        recorder = Recorder(tmp_path, SimpleNamespace(commit=commit), kept, Interruption())
        assert recorder.resumed == (recorder.resume() is not None)
        recorder.save({"epoch": 1})
    assert recorder.earlier_commits == earlier


def test_a_life_whose_state_is_lost_leaves_no_history(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,seconds\n1,1\n")
    Recorder(tmp_path, SimpleNamespace(commit="a"), Checkpoints(tmp_path / "checkpoints", "x"), Interruption())
    assert not (tmp_path / "history.csv").exists()
