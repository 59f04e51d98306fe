"""The model that a trial keeps: model.pt in its folder."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from hippo.data.dataset import Dataset
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.nn import MODEL_FILE, save_model
from hippo.nn.sequence import SequenceModel

log = logging.getLogger(__name__)


def keep_model(
    folder: Path,
    trial: TrialSpec,
    dataset: Dataset,
    model: SequenceModel,
    weights: dict[str, Tensor] | None,
    outcome: dict,
) -> None:
    """Write the best weights of a finished trial.

    Parameters
    ----------
    folder : Path
        Folder of the trial.
    trial : TrialSpec
        The trial.
    dataset : Dataset
        Its prepared dataset.
    model : SequenceModel
        Its model.
    weights : dict of Tensor or None
        State of the model at the best epoch. None, and nothing is written, if the best epoch was in an earlier attempt
        that did not keep them.
    outcome : dict
        Its outcome.
    """
    if weights is None:
        advice = "train again with `hippo train --force`"
        reason = "since the best epoch came before keep_model"
        log.warning("%s: %s is not written, %s; %s", trial.name, MODEL_FILE, reason, advice)
        return
    metadata = {
        "classes": dataset.classes,
        "input_scale": dataset.scale,
        "missing_values": dataset.missing_values,
        "example": _example(dataset),
        "trial": trial.name,
        "scale": trial.scale,
        "digest": trial.digest,
        "best_epoch": outcome["best_epoch"],
        "scores": {key: outcome[key] for key in outcome if key.startswith(("validation_", "test_"))},
        "dataset": {"digest": dataset.digest, "source": dataset.source, "substitute": dataset.substitute},
        "settings": trial.to_mapping(),
    }
    save_model(folder / MODEL_FILE, model, trial.model_name, metadata, weights)


def _example(dataset: Dataset) -> dict[str, Tensor | None]:
    """The first sample of the validation part, before its inputs are scaled."""
    part = dataset.parts["validation"]
    inputs = torch.from_numpy(part.inputs[:1].copy())
    inputs = inputs.float() if dataset.vocabulary is None else inputs.long()
    others = {"times": part.times, "lengths": part.lengths}
    return {"inputs": inputs, **{k: None if v is None else torch.from_numpy(v[:1].copy()) for k, v in others.items()}}
