"""Models that the engine runs, and the hyperparameters to test each with, derived from the registry."""

from functools import cache
from typing import Literal, get_args, get_origin

from hippo import registry
from hippo.nn import available_models, build_model
from hippo.nn.cells.unrolled import UnrolledCell
from hippo.nn.options import ModelOptions

# Sizes that differ from each other and from the hidden size, for the models that have them.
SIZES = {"order": 6, "memory_size": 2}


def options_of(name: str) -> type[ModelOptions]:
    """Return the options class of a model."""
    return registry.find("models", name, where="tests")


def valid_size(name: str, size: int) -> int:
    """Return a hidden size, or the next even number for fout: as many coefficients, which are pairs there."""
    return size + size % 2 if name == "fout" else size


@cache
def engine_models() -> tuple[str, ...]:
    """Return the names of the models whose cell the engine runs."""
    return tuple(
        name
        for name in available_models()
        if isinstance(build_model(name, 2, 3, **options_of(name).test_options).backbone, UnrolledCell)
    )


@cache
def compiled_models() -> tuple[str, ...]:
    """Return the names of the models without a memory whose cell has a compiled form."""
    found = []
    for name in engine_models():
        cell = build_model(name, 2, 3, **options_of(name).test_options).backbone
        if getattr(cell.recurrence(None), "kernel", None):  # that of a cell with a memory is a partial function
            found.append(name)
    return tuple(found)


def variants(name: str) -> list[dict]:
    """Return the test options of a model, with each alternative of its own fields, and with all of them at once."""
    options = options_of(name)
    own = {key: field for key, field in options.model_fields.items() if key not in ModelOptions.model_fields}
    alternatives = [{key: value for key, value in SIZES.items() if key in own}]
    for key, field in own.items():
        if field.annotation is bool:
            alternatives.append({key: not field.default})
        elif get_origin(field.annotation) is Literal:
            alternatives += [{key: value} for value in get_args(field.annotation) if value != field.default]
    alternatives = [alternative for alternative in alternatives if alternative]
    combined = {key: value for alternative in alternatives for key, value in alternative.items()}
    changes = [{}, *alternatives] + ([combined] if len(alternatives) > 1 else [])
    return [{**options.test_options, **change} for change in changes]


def cases() -> list[tuple[str, dict]]:
    """Return every variant of every model that the engine runs."""
    return [(name, options) for name in engine_models() for options in variants(name)]


def extreme_cases() -> list[tuple[str, dict]]:
    """Return two variants of every model that the engine runs: none and all of its alternatives."""
    return [
        (name, options) for name in engine_models() for options in variants(name)[:: max(1, len(variants(name)) - 1)]
    ]


def case_id(case: tuple[str, dict]) -> str:
    """Return the name of a case in the list of tests."""
    return ",".join([case[0], *(f"{key}={value}" for key, value in case[1].items() if key != "hidden_size")])
