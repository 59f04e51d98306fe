"""Blocks of options refuse booleans where they expect numbers."""

from typing import Annotated

import pytest
from pydantic import PositiveFloat, PositiveInt, TypeAdapter, ValidationError

from hippo import registry
from hippo.config import Options, parse
from hippo.errors import ConfigError
from hippo.lab.plan import experiment, settings  # noqa: F401, which define options of their own

REFUSED = "expected a number, not true or false"
WRAPPED = (lambda value: value, lambda value: {"a": value}, lambda value: [value])


def subclasses(cls: type) -> set[type]:
    return {found for own in cls.__subclasses__() for found in {own, *subclasses(own)}}


def numbers(value: object) -> list:
    """The value, or the values in a mapping or list."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]


def takes_booleans_as_numbers(annotation) -> list:
    """The values that pydantic itself, without the check of `Options`, would convert from true to a number."""
    adapter, found = TypeAdapter(annotation), []
    for wrap in WRAPPED:
        for flag in (True, False):
            try:
                parsed = numbers(adapter.validate_python(wrap(flag)))
            except (ValidationError, ConfigError):
                continue
            if any(type(value) in (int, float) for value in parsed):
                found.append(wrap(flag))
    return found


def test_no_option_takes_a_boolean_as_a_number():
    """The oracle is pydantic: every field whose annotation converts true or false to a number must refuse it."""
    for group in ("models", "classifiers", "datasets"):
        for name in registry.names(group):
            registry.find(group, name, "test")
    checked = set()
    for cls in sorted(subclasses(Options), key=lambda cls: cls.__qualname__):
        for name, field in cls.model_fields.items():
            for value in takes_booleans_as_numbers(field.annotation):
                with pytest.raises(ValidationError) as caught:
                    cls.model_validate({name: value})
                faults = [error["msg"] for error in caught.value.errors() if error["loc"][0] == name]
                assert any(REFUSED in fault for fault in faults), f"{cls.__name__}.{name} = {value!r}: {faults}"
                checked.add((cls.__name__, name))
    assert {"gradient_clip", "early_stopping", "n_ssm"} <= {name for _, name in checked}  # optional ones, too


class Nested(Options):
    number: Annotated[PositiveInt | None, "documented"] = None
    mapping: dict[str, PositiveFloat | None] = {}
    several: tuple[int, ...] | None = None
    flag: bool | int = False
    flags: dict[str, bool | float] = {}


@pytest.mark.parametrize("values", [{"number": True}, {"mapping": {"a": False}}, {"several": [1, True]}])
def test_a_boolean_is_no_number_inside_unions_and_containers(values):
    with pytest.raises(ConfigError, match=REFUSED):
        parse(Nested, values, "test")


def test_a_boolean_is_kept_where_the_option_takes_booleans():
    kept = parse(Nested, {"flag": True, "flags": {"a": True, "b": 2.0}}, "test")
    assert kept.flag is True and kept.flags == {"a": True, "b": 2.0}
