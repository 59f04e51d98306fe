"""The best linear readout of states that are not trained, in closed form."""

from hippo.config import Options
from hippo.lab.plan.readout_options import FrozenStatesOptions
from hippo.lab.plan.task import Column, Task, find_among

MODELS: dict[str, type[Options]] = {"frozen_states": FrozenStatesOptions}


def run(trial, dataset, recorder) -> dict:
    """Fit the readout; return the outcome."""
    from hippo.lab.analysis import frozen_readout

    return frozen_readout.run(trial, dataset, recorder)


TASK = Task(
    find_model=find_among(MODELS),
    run=run,
    trained=False,
    columns=(
        Column("expected_mse", "MSE, exact", 1, ".5f"),
        Column("log_mse", "ln MSE", 1, ".2f"),
        Column("expected_nrmse", "RMSE / std", 1, ".3f"),
        Column("test_mse", "MSE of test signals", 1, ".5f"),
    ),
    score="expected_mse",
    selection="expected_mse",
    higher_is_better=False,
)
