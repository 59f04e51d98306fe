"""Points of a sweep: every model of an experiment at every value of the swept setting."""

import math
import re
from dataclasses import dataclass

from hippo.config import ConfigError
from hippo.lab.plan.schema import LONGEST_NAME, ExperimentSpec, ModelSpec

Value = bool | int | float | str


@dataclass(frozen=True)
class SweepPoint:
    """Place of one trial in a sweep: the swept model (its name in the file), the setting and its value."""

    model: str
    key: str
    value: Value


def format_value(value: Value) -> str:
    """Return the shortest text that tells a grid value apart from every other value."""
    if not isinstance(value, float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _is_number(text: str) -> bool:
    """Whether a text is a number to a reader."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def expand_sweep(spec: ExperimentSpec, where: str) -> tuple[dict[str, ModelSpec], dict[str, SweepPoint]]:
    """Expand a sweep into one model entry per model and value.

    Parameters
    ----------
    spec : ExperimentSpec
        Content of the experiment file, with a sweep.
    where : str
        Name of the file, for error messages.

    Returns
    -------
    models : dict of ModelSpec
        Entries "model.key-value" with the swept setting in place.
    points : dict of SweepPoint
        The place in the sweep of each entry.

    Raises
    ------
    ConfigError
        If a value is repeated, is a number that YAML reads as text, or cannot be part of a folder's name.
    """
    sweep, models, points = spec.sweep, {}, {}
    for value in sweep.values:
        if sweep.values.count(value) > 1:
            raise ConfigError(f"{where}: sweep.values: {value!r} is repeated")
        if isinstance(value, str) and _is_number(value):
            raise ConfigError(
                f"{where}: sweep.values: YAML reads {value} as text; write it without quotes, and 1e-3 as 1.0e-3"
            )
        text = format_value(value)
        if len(text) > LONGEST_NAME or not re.fullmatch(r"[A-Za-z0-9_.+-]+", text):
            raise ConfigError(
                f"{where}: sweep.values: {text[:LONGEST_NAME]!r} cannot be part of a folder's name: use letters, "
                f"digits, '_', '.', '+' and '-', at most {LONGEST_NAME} characters"
            )
    for name, model in spec.models.items():
        for value in sweep.values:
            settings = model.model_dump(exclude_unset=True) | {"model": model.model or name}
            settings[sweep.block] = {**settings.get(sweep.block, {}), sweep.key: value}
            settings["label"] = f"{model.label}, {sweep.label} = {format_value(value)}"
            entry = f"{name}.{sweep.key}-{format_value(value)}"
            models[entry], points[entry] = ModelSpec(**settings), SweepPoint(name, sweep.key, value)
    return models, points
