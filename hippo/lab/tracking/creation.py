"""Creation of runs: one run, also if a server answers so late that the client repeats its request."""

import uuid

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

CREATION = "creation"  # tag: a name of the request that created a run


def create_run(client: MlflowClient, experiment: str, name: str, tags: dict[str, str], began: int | None = None) -> Run:
    """Create a run.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment : str
        Id of the MLflow experiment.
    name : str
        Name of the run.
    tags : dict of str
        Tags of the run; the tag `creation` is added.
    began : int, optional
        Start of the run in milliseconds since 1970. By default now.

    Raises
    ------
    STORE_ERRORS
        If the store is unreachable. It may have the run even so.
    """
    run = client.create_run(experiment, start_time=began, run_name=name, tags=tags | {CREATION: uuid.uuid4().hex})
    remove_repeats(client, run)
    return run


def remove_repeats(client: MlflowClient, run: Run) -> None:
    """Delete the runs that repetitions of the request for `run` created; they are empty.

    The first request may still be at work when its repetition has been answered, so this is called again at the end of
    a trial. Where the user may not delete runs, they are marked superseded.

    Raises
    ------
    STORE_ERRORS
        If the store is unreachable.
    """
    if CREATION not in run.data.tags:  # of a version that did not set it
        return
    same = client.search_runs([run.info.experiment_id], f"tags.{CREATION} = '{run.data.tags[CREATION]}'")
    for repeat in (found for found in same if found.info.run_id != run.info.run_id):
        try:
            client.delete_run(repeat.info.run_id)
        except MlflowException:
            supersede(client, repeat)


def supersede(client: MlflowClient, run: Run) -> None:
    """Mark a run as superseded, and end it if it has the status RUNNING.

    Raises
    ------
    STORE_ERRORS
        If the store is unreachable.
    """
    client.set_tag(run.info.run_id, "superseded", "true")
    if run.info.status == "RUNNING":  # no process is left that could end it
        client.set_terminated(run.info.run_id, "KILLED")
