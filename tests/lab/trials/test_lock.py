"""The lock of a trial. Two open files of one process exclude each other like those of two processes."""

import json
import threading

import pytest

from hippo.lab.trials import lock
from hippo.lab.trials.lock import LockedError, locked, wait_until_unlocked


@pytest.mark.parametrize(
    ("run", "who"), [({"pid": 7, "host": "node3"}, "process 7 on node3"), ({"pid": 7}, "another process")]
)
def test_a_second_process_is_refused_with_the_name_of_the_first(tmp_path, run, who):
    (tmp_path / "run.json").write_text(json.dumps(run))
    with locked(tmp_path), pytest.raises(LockedError, match=f"{who} is training or importing this trial"):
        with locked(tmp_path):
            pass
    with locked(tmp_path):  # both have been released
        pass


def test_waiting_ends_with_the_lock_or_with_an_error_of_the_check(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "POLL_SECONDS", 0.001)
    checked, release, held = [], threading.Event(), threading.Event()

    def hold():
        with locked(tmp_path):
            held.set()
            release.wait()

    def refuse():
        raise KeyError("stop")

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        held.wait()
        with pytest.raises(KeyError, match="stop"):
            wait_until_unlocked(tmp_path, refuse)
        wait_until_unlocked(tmp_path, lambda: checked.append(1) or len(checked) == 3 and release.set())
    finally:
        release.set()
        thread.join()
    assert len(checked) >= 3
    wait_until_unlocked(tmp_path, refuse)  # nothing to wait for
    wait_until_unlocked(tmp_path / "absent", refuse)
    assert not (tmp_path / "absent").exists()
