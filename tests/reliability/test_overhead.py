"""What logging and checkpoints cost beside training. Measured and told; a busy machine fails no test.

That logging keeps to its share is tested in tests/lab/test_tracking.py, on a clock that no machine disturbs.
"""

import time

import pandas as pd
import pytest

from hippo.data.sources import Sources
from hippo.lab.plan.experiment import load_experiment
from tests.workspace import ROOT, Workspace


@pytest.mark.slow
def test_the_cost_of_logging_is_told(tmp_path, monkeypatch, figure):
    from dataclasses import replace

    from hippo.lab.training.recorder import Recorder
    from hippo.lab.training.run_trial import run_trial

    workspace = Workspace(tmp_path / "workspace")
    monkeypatch.chdir(workspace.folder)
    experiment = load_experiment(ROOT / "config/experiments/timescale.yaml", "quick")
    trial = experiment.trial("100hz-to-200hz", "legs", 0)
    trial = trial.model_copy(update={"training": {**trial.training, "epochs": 12}})
    options = experiment.datasets["100hz-to-200hz"]
    dataset = options.build(Sources())
    replace(dataset, options=trial.dataset).save(workspace.folder / "data.npz")

    spent = dict.fromkeys(("epoch", "save"), 0.0)

    def timed(name):
        method = getattr(Recorder, name)

        def call(*args):
            started = time.perf_counter()
            try:
                return method(*args)
            finally:
                spent[name] += time.perf_counter() - started

        return call

    for name in spent:
        monkeypatch.setattr(Recorder, name, timed(name))
    run_trial(trial, workspace.folder / "data.npz", workspace.folder / "trial")
    seconds = pd.read_csv(workspace.folder / "trial/history.csv")["seconds"].sum()
    shares = {name: 100 * value / seconds for name, value in spent.items()}
    assert seconds > 0 and all(value > 0 for value in spent.values())
    figure(
        f"of an epoch of {seconds / 12:.1f} s at the quick scale, history and tracking take {shares['epoch']:.2f} %, "
        f"checkpoints {shares['save']:.2f} %"
    )
