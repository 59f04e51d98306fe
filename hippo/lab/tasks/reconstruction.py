"""Reconstruction of a whole signal from the memory that is left after one pass over it."""

from hippo.config import Options
from hippo.lab.plan.reconstruction_options import LSTMOptions, MemoryOptions
from hippo.lab.plan.task import Column, Task, find_among

MODELS: dict[str, type[Options]] = {"memory": MemoryOptions, "lstm": LSTMOptions}


def run(trial, dataset, recorder) -> dict:
    """Reconstruct the test signal; return the outcome."""
    from hippo.lab.training import reconstruction

    return reconstruction.run(trial, dataset, recorder)


TASK = Task(
    find_model=find_among(MODELS),
    run=run,
    trained=False,
    columns=(
        Column("mse", "MSE", 1, ".6f"),
        Column("optimal_mse", "optimum", 1, ".6f"),
        Column("steps_per_second", "steps/s", 1, ",.0f"),
    ),
    score="mse",
    selection="mse",
    higher_is_better=False,
)
