import json
import os
import platform

from hippo.lab.trials.failures import KILLED, find_failure

ENDED = {"identity": "settings-data", "host": platform.node(), "pid": 0}
LIVING = {**ENDED, "pid": os.getppid()}
FAILURE = {"status": "failed", "reason": "OSError: no room", "trial": "settings"}


def write(folder, **files):
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text)


def test_a_trial_that_was_not_started_has_no_failure(tmp_path):
    assert find_failure(tmp_path, "settings") is None and find_failure(tmp_path / "absent", "settings") is None


def test_a_process_that_ended_without_a_message_was_killed(tmp_path):
    write(tmp_path, run=ENDED)
    assert find_failure(tmp_path, "settings") == KILLED


def test_a_running_trial_has_no_failure(tmp_path):
    write(tmp_path, run=LIVING)
    assert find_failure(tmp_path, "settings") is None


def test_a_recorded_failure_is_reported(tmp_path):
    write(tmp_path, run=ENDED, failure=FAILURE)
    assert find_failure(tmp_path, "settings") == {"status": "failed", "reason": "OSError: no room"}


def test_a_failure_with_other_settings_is_not_reported(tmp_path):
    write(tmp_path, run=ENDED, failure=FAILURE)
    assert find_failure(tmp_path, "others") is None


def test_a_damaged_record_of_a_failure_counts_as_missing(tmp_path):
    for damaged in ("no JSON", "[]", json.dumps({"trial": "settings"})):
        write(tmp_path, run=ENDED, failure=damaged)
        assert find_failure(tmp_path, "settings") == KILLED


def test_a_trial_with_an_outcome_has_no_failure(tmp_path):
    write(tmp_path, run=ENDED, failure=FAILURE, outcome={"status": "finished"})
    assert find_failure(tmp_path, "settings") is None
