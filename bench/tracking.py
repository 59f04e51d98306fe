"""Time that history, checkpoints and tracking take beside training: `python -m bench.tracking`.

One trial of the quick scale, 12 epochs, in a temporary folder with a tracking store of its own.
"""

import os
import tempfile
import time
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pandas as pd

EPOCHS = 12
METHODS = ("epoch", "save")


def main() -> None:
    """Train the trial and print the percentage of its time that each method of the recorder takes."""
    from bench.report import processor
    from hippo.data.sources import Sources
    from hippo.lab.plan.experiment import load_experiment
    from hippo.lab.training.recorder import Recorder
    from hippo.lab.training.run_trial import run_trial

    variant = "100hz-to-200hz"
    experiment = load_experiment(Path("config/experiments/timescale.yaml").resolve(), "quick")
    trial = experiment.trial(variant, "legs", 0)
    trial = replace(trial, training=trial.training.model_copy(update={"epochs": EPOCHS}))
    spent = dict.fromkeys(METHODS, 0.0)

    def timed(name):
        method = getattr(Recorder, name)

        def call(*arguments):
            started = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                spent[name] += time.perf_counter() - started

        return call

    for name in METHODS:
        setattr(Recorder, name, timed(name))
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        dataset = experiment.datasets[variant].build(Sources())
        replace(dataset, options=trial.dataset_settings).save(Path("data.npz"))
        run_trial(trial, Path("data.npz"), Path("trial"))
        seconds = pd.read_csv("trial/history.csv")["seconds"].sum()
    history, checkpoints = (100 * spent[name] / seconds for name in METHODS)
    print(f"{processor()}: of an epoch of {seconds / EPOCHS:.2f} s, history and tracking take {history:.2f} %,")
    print(f"checkpoints {checkpoints:.2f} %")


if __name__ == "__main__":
    main()
