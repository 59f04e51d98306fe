"""Classification of sequences by a trained model or a fitted classifier."""

from hippo import registry
from hippo.config import ConfigError, Options, closest
from hippo.lab.plan.task import Column, Task


def find_model(name: str, where: str) -> type[Options]:
    """Return the options class of a registered model or classifier; ConfigError for any other name."""
    groups = ("models", "classifiers")
    for group in groups:
        if name in registry.names(group):
            return registry.find(group, name, where)
    known = [known for group in groups for known in registry.names(group)]
    raise ConfigError(f"{where}: unknown model {name!r}; {closest(name, known)}")


def run(trial, dataset, recorder) -> dict:
    """Train the model, or fit the classifier; return the outcome."""
    if trial.model_name in registry.names("classifiers"):
        from hippo.lab.analysis import fitted

        return fitted.run(trial, dataset, recorder)
    from hippo.lab.training import trainer

    return trainer.run(trial, dataset, recorder)


TASK = Task(
    find_model=find_model,
    run=run,
    trained=True,
    columns=(
        Column("validation_accuracy", "validation, %", 100),
        Column("test_accuracy", "test, %", 100),
    ),
    score="test_accuracy",
    selection="validation_accuracy",
)
