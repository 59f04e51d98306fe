"""Regression of numbers, at the end of a sequence or at every step, by a trained model."""

from hippo import registry
from hippo.config import Options
from hippo.lab.plan.task import Column, Task


def find_model(name: str, where: str) -> type[Options]:
    """Return the options class of a registered model; ConfigError for any other name."""
    return registry.find("models", name, where)


def run(trial, dataset, recorder) -> dict:
    """Train the model; return the outcome."""
    from hippo.lab.training import trainer

    return trainer.run(trial, dataset, recorder)


TASK = Task(
    find_model=find_model,
    run=run,
    trained=True,
    columns=(
        Column("validation_nrmse", "validation, NRMSE", 1, ".4f"),
        Column("test_nrmse", "test, NRMSE", 1, ".4f"),
        Column("test_loss", "test, MSE", 1, ".6f"),
    ),
    score="test_nrmse",
    selection="validation_nrmse",
    higher_is_better=False,
)
