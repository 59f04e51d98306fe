"""Prepared datasets in MLflow: name, digest and source, and the schema and number of samples of their arrays."""

import json

from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.types.schema import Schema, TensorSpec
from numpy import dtype

from hippo.lab.plan.trial_spec import TrialSpec


def dataset_input(trial: TrialSpec, data: dict) -> DatasetInput:
    """Return the dataset of a trial as the input of its run.

    Parameters
    ----------
    trial : TrialSpec
        The trial.
    data : dict
        `digest` and `source` of the prepared dataset; and `arrays`, the dtype and shape of each array, which trials of
        earlier versions did not record.

    Returns
    -------
    DatasetInput
        With a schema and a profile if `data` has `arrays`.
    """
    arrays = data.get("arrays", {})
    dataset = Dataset(
        name=f"{trial.dataset_name}/{trial.variant}",
        digest=data["digest"][:36],  # MLflow's limit
        source_type="local",
        source=data["source"],
        schema=json.dumps({"mlflow_tensorspec": _schema(arrays)}) if arrays else None,
        profile=json.dumps(_profile(arrays)) if arrays else None,
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def _schema(arrays: dict[str, list]) -> dict[str, str]:
    """Types of inputs, times and lengths, and of targets, with any number of samples, as MLflow's JSON.

    They are those of the first part: all parts of a dataset agree, but that a test part may have another length.
    """
    first = next(iter(arrays)).partition(".")[0]
    specs = [
        TensorSpec(dtype(kind), (-1, *shape[1:]), name.partition(".")[2])
        for name, (kind, shape) in arrays.items()
        if name.partition(".")[0] == first
    ]
    groups = {
        "features": [spec for spec in specs if spec.name != "targets"],
        "targets": [spec for spec in specs if spec.name == "targets"],
    }
    return {key: Schema(group).to_json() for key, group in groups.items() if group}


def _profile(arrays: dict[str, list]) -> dict[str, int]:
    """Samples in all parts, and in each one."""
    samples = {
        name.removesuffix(".inputs"): shape[0] for name, (_, shape) in arrays.items() if name.endswith(".inputs")
    }
    return {"num_rows": sum(samples.values()), **samples}
