"""Trained models in files: the weights, what is necessary to build the model again, and what its inputs are."""

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from hippo import registry
from hippo.config import ConfigError, parse
from hippo.files import atomic
from hippo.nn import MODEL_FILE
from hippo.nn.engine.options import EngineOptions
from hippo.nn.options import ModelOptions
from hippo.nn.sequence import SequenceModel

FORMAT = 1

KEYS = {"format", "model", "options", "arguments", "engine", "metadata", "weights", "digest"}
# What reading a damaged file raises.
DAMAGE = (
    *(RuntimeError, ValueError, TypeError, AttributeError, LookupError, EOFError, OSError),
    *(pickle.UnpicklingError, zipfile.BadZipFile),
)


def save_model(
    path: Path | str,
    model: SequenceModel,
    name: str,
    metadata: dict[str, Any],
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Write a model to a file, atomically: weights only, and the options that `load_model` builds it from.

    Parameters
    ----------
    path : Path or str
        File to write. Missing folders are created.
    model : SequenceModel
        The model.
    name : str
        Its registered name.
    metadata : dict
        What `load_model` returns beside the model: tensors, numbers, strings, None, and lists and dicts of them.
    weights : dict of Tensor, optional
        A state of the model that is saved in the place of its present one.

    Raises
    ------
    OSError
        If the file cannot be written. An older file is then left as it was.
    """
    weights = model.state_dict() if weights is None else weights
    weights = {key: value.detach().cpu() for key, value in weights.items()}
    content = {
        "format": FORMAT,
        "model": name,
        "options": model.options.model_dump(mode="json"),
        "arguments": {
            "input_size": model.input_size,
            "output_size": model.output_size,
            "vocabulary": model.vocabulary,
            "timestamps": model.timestamps,
            "return_sequence": model.return_sequence,
            "documents": model.documents,
        },
        "engine": model.engine.model_dump(mode="json"),
        "metadata": metadata,
        "weights": weights,
        "digest": _digest(weights),
    }
    with atomic(Path(path)) as partial:
        torch.save(content, partial)


def load_model(place: Path | str) -> tuple[SequenceModel, dict[str, Any]]:
    """Build the model that a trial kept, with its weights of the best validation score.

    No code of the file is executed: it holds weights, numbers and text.

    Parameters
    ----------
    place : Path or str
        Folder of a trial that was trained with ``keep_model: best``, or a file that `save_model` wrote.

    Returns
    -------
    model : SequenceModel
        In evaluation mode, on the CPU.
    metadata : dict
        `model` (registered name) and the arguments `input_size`, `output_size`, `vocabulary`, `timestamps`,
        `return_sequence` and `documents` of `build_model`. A trial adds

        - `classes`: number of classes, or None if the outputs are numbers;
        - `input_scale`: factor of the dataset's inputs; the model reads their product with it;
        - `missing_values`: whether inputs may be NaN;
        - `example`: one sample of the validation part, with `inputs` (before scaling), `times` and `lengths`;
        - `trial`, `scale`, `digest`, `best_epoch`, `scores`, `dataset`, `settings`: where the weights come from.

    Raises
    ------
    ConfigError
        If there is no such file, or it is damaged, or this version cannot build the model.

    Examples
    --------
    >>> import tempfile
    >>> from hippo.nn import build_model, load_model, save_model
    >>> path = Path(tempfile.mkdtemp()) / "model.pt"
    >>> save_model(path, build_model("legs", input_size=1, output_size=10, hidden_size=8), "legs", metadata={})
    >>> model, metadata = load_model(path)
    >>> metadata["output_size"]
    10
    """
    path = Path(place)
    path = path / MODEL_FILE if path.is_dir() else path
    content = _read(path)
    options_type = cast("type[ModelOptions]", registry.find("models", content["model"], f"{path}: model"))
    options = parse(options_type, content["options"], f"{path}: options")
    engine = parse(EngineOptions, content["engine"], f"{path}: engine")
    with torch.random.fork_rng(devices=[]):  # initial values, which the weights replace
        model = SequenceModel(options, engine=engine, **content["arguments"])
    try:
        model.load_state_dict(content["weights"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{path}: weights of another version of {content['model']}: {reason}") from error
    return model.eval(), {"model": content["model"], **content["arguments"], **content["metadata"]}


def _read(path: Path) -> dict[str, Any]:
    """Content of a file, checked."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; a trial keeps its model if its experiment file has keep_model: best")
    try:
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"its part {damaged} does not match its checksum")
        content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or content.get("format") != FORMAT or content.keys() != KEYS:
            raise ValueError(f"expected a model in the format {FORMAT} of hippo.nn.save_model")
        if content["digest"] != _digest(content["weights"]):
            raise ValueError("the weights do not match their digest")
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{path}: damaged, or not a model that hippo saved: {reason}") from error
    return content


def _digest(weights: dict[str, Tensor]) -> str:
    """sha256 of names, dtypes, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
