"""Kept models in MLflow: logged to the run of their trial, with signature and input example, and registered."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import torch
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec
from torch import Tensor

from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.tracking.address import tracking_uri
from hippo.lab.trials.provenance import versions
from hippo.nn import MODEL_FILE, load_model
from hippo.nn.sequence import SequenceModel

log = logging.getLogger(__name__)

NAME = "model"  # of the logged model in its run


def registered_name(trial: TrialSpec) -> str:
    """Return the name under which MLflow registers the model of a trial; MLflow permits no slash."""
    return f"{trial.scale}/{trial.name}".replace("/", ".")


def log_kept_model(client: MlflowClient, run: Run, trial: TrialSpec, folder: Path) -> None:
    """Log and register the model in a trial folder, if there is one. A second call changes nothing.

    A model that cannot be read or saved is a warning: the trial is complete without it.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run : Run
        Run of the trial.
    trial : TrialSpec
        The trial.
    folder : Path
        Its folder.

    Raises
    ------
    MlflowException
        If the store is unreachable.
    """
    if not (folder / MODEL_FILE).exists():
        return
    found = run.outputs.model_outputs if run.outputs else []
    identifier = found[0].model_id if found else _log(client, run, trial, folder)
    name = registered_name(trial)
    if identifier is None or client.search_model_versions(f"name = '{name}' and run_id = '{run.info.run_id}'"):
        return
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # A server resolves the address of a logged model; without one, MLflow would ask its global store, not the client's.
    location = client.get_logged_model(identifier).artifact_location
    source = f"models:/{identifier}" if tracking_uri().startswith("http") else location
    client.create_model_version(name, source, run.info.run_id, model_id=identifier)


def _log(client: MlflowClient, run: Run, trial: TrialSpec, folder: Path) -> str | None:
    """Log the model; return its id, or None if the model cannot be saved."""
    with tempfile.TemporaryDirectory() as temporary:
        saved, described = Path(temporary, "model"), Model(run_id=run.info.run_id)
        try:
            metadata = _save(folder, saved, described)
        except Exception as error:  # whatever a damaged file, or the model of another package, may raise
            log.warning("%s: the model is not logged: %s: %s", folder, type(error).__name__, error)
            return None
        tags = {"trial": trial.name, "scale": trial.scale, "input_scale": str(metadata["input_scale"])}
        experiment, source = run.info.experiment_id, run.info.run_id
        logged = client.create_logged_model(experiment, NAME, source, tags, model_type=trial.task)
        described.model_id, described.artifact_path = logged.model_id, logged.artifact_location
        described.save(str(saved / "MLmodel"))
        client.log_model_artifacts(logged.model_id, str(saved))
    client.finalize_logged_model(logged.model_id, "READY")
    # The run names its model at the end, so that an interrupted upload is repeated.
    client.log_outputs(source, [LoggedModelOutput(logged.model_id, step=metadata["best_epoch"])])
    return logged.model_id


def _save(folder: Path, saved: Path, described: Model) -> dict:
    """Write the model of a trial folder in MLflow's form; return its metadata."""
    from mlflow import pytorch  # takes a second to import

    model, metadata = load_model(folder)
    signature, example = _describe(model, metadata)
    installed = versions()
    logging.getLogger("mlflow.pytorch").setLevel(logging.ERROR)  # it warns of the format that is necessary here
    pytorch.save_model(
        model,
        str(saved),
        mlflow_model=described,
        signature=signature,
        input_example=example,
        pip_requirements=[f"hippo-lab[lab]=={installed['hippo-lab']}", f"torch=={installed['torch'].split('+')[0]}"],
        serialization_format="pickle",  # torch.export does not trace the engine
    )
    return metadata


def _describe(model: SequenceModel, metadata: dict) -> tuple[ModelSignature, np.ndarray | dict[str, np.ndarray]]:
    """Signature, and one sample as the model reads it: an array, or arrays by name if it reads times or lengths."""
    given = {name: value for name, value in metadata["example"].items() if value is not None}
    if metadata["vocabulary"] is None:
        given["inputs"] = given["inputs"] * metadata["input_scale"]
    with torch.no_grad():
        outputs = model(**given)
    steps = {name: value.ndim - 1 for name, value in given.items()}  # axis that may have any size
    if metadata["vocabulary"] is None:
        steps["inputs"] = 1
    specs = {name: _spec(value, steps[name], name) for name, value in given.items()}
    answer = Schema([_spec(outputs, 1 if metadata["return_sequence"] else 0)])
    if set(given) == {"inputs"}:
        return ModelSignature(Schema([_spec(given["inputs"], steps["inputs"])]), answer), given["inputs"].numpy()
    return ModelSignature(Schema(list(specs.values())), answer), {name: v.numpy() for name, v in given.items()}


def _spec(value: Tensor, steps: int, name: str | None = None) -> TensorSpec:
    """Type and shape of a tensor, with any number of samples, and any size of the axis `steps`."""
    shape = [-1 if axis in (0, steps) else size for axis, size in enumerate(value.shape)]
    return TensorSpec(value.numpy().dtype, tuple(shape), name)
