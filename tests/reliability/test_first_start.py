"""Many trials at one instant, and no tracking store at all before them.

What is tried is the store under processes that want it at once. They are forks of one process (herd.py): starting
an interpreter and importing, which each trial of a workflow does for itself, is not part of it.
"""

import sys
from pathlib import Path

import pytest

from tests.reliability.laboratory import Laboratory

pytestmark = pytest.mark.reliability

TRIALS = 32
HERD = Path(__file__).with_name("herd.py")


def test_many_first_trials_at_once_share_a_store_that_none_had_made(tmp_path, figure):
    laboratory = Laboratory(tmp_path / "laboratory", epochs=2, seeds=TRIALS)
    command = [word.replace("seed0", "seed{}") for word in laboratory.command()[1:]]
    command[command.index("--seed") + 1] = "{}"
    done = laboratory.run(sys.executable, str(HERD), str(TRIALS), *command)
    assert done.returncode == 0, done.stderr
    for trouble in ("locked", "Traceback", "alembic", "tracking store"):
        assert trouble not in done.stderr, done.stderr
    runs = laboratory.runs()
    assert len(runs) == TRIALS and {run.info.status for run in runs} == {"FINISHED"}
    assert {run.data.tags["seed"] for run in runs} == {str(seed) for seed in range(TRIALS)}
    assert {run.info.artifact_uri.partition("/")[0] for run in runs} == {"mlruns"}  # none made with absolute paths
    for run in runs:
        assert laboratory.steps(run=run.info.run_id) == [1, 2]
    figure(f"{TRIALS} trials started at one instant with no store: {len(runs)} finished runs, no locked database")
