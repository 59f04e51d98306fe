"""Tags that MLflow's own pages read: kind of an experiment; user, source and commit of a run."""

import getpass

EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development"
}  # otherwise it shows the view for language models


def source_tags(commit: str) -> dict[str, str]:
    """Return the tags behind the columns Source, Version and Created by of a run.

    Parameters
    ----------
    commit : str
        Commit of the source that trained it, with the suffix -dirty if a file differs; "unknown" without any.
    """
    tags = {"mlflow.source.name": "hippo train", "mlflow.source.type": "LOCAL"}
    if commit != "unknown":
        tags["mlflow.source.git.commit"] = commit.removesuffix("-dirty")
    try:
        tags["mlflow.user"] = getpass.getuser()
    except (OSError, KeyError):  # this process has no user name, as in some containers
        pass
    return tags
