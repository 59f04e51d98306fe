"""Small datasets and trials for tests of training."""

import numpy as np

from hippo import registry
from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.lab.plan.training_options import TrainingOptions
from hippo.lab.plan.trial_spec import TrialSpec


def separable(samples: int, rng: np.random.Generator, length: int = 12) -> Part:
    """Two classes that differ in the sign of a constant under noise."""
    targets = rng.integers(0, 2, samples)
    inputs = (2 * targets - 1)[:, None, None] + 0.3 * rng.standard_normal((samples, length, 1))
    return Part(inputs.astype(np.float32), targets)


def separable_dataset() -> Dataset:
    """64, 32 and 32 samples."""
    rng = np.random.default_rng(0)
    parts = {"train": separable(64, rng), "validation": separable(32, rng), "test": separable(32, rng)}
    return Dataset(parts=parts, classes=2, source="invented")


def make_trial(
    epochs=3, learning_rate=0.05, seed=0, model="gru", hyperparameters=None, task="classification", **training
) -> TrialSpec:
    """A trial with batches of 10 samples and a model of 6 units."""
    return TrialSpec(
        experiment="e",
        scale="quick",
        variant="v",
        model=model,
        seed=seed,
        task=task,
        dataset_name="none",
        dataset=DatasetOptions(),
        model_name=model,
        model_options=registry.find("models", model, "test")(hidden_size=6, **(hyperparameters or {})),
        training=TrainingOptions(**{"epochs": epochs, "batch_size": 10, "learning_rate": learning_rate, **training}),
        threads=1,
    )


def without_seconds(rows: list[dict]) -> list[dict]:
    """Rows without the time that each epoch took."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]
