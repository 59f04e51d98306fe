"""Closed configuration: every option is declared once, and an unknown key fails with the closest valid one."""

from difflib import get_close_matches
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator


class ConfigError(ValueError):
    """A setting that cannot be used; the message names where it stands and what to write instead."""


class Options(BaseModel):
    """Base of every block of options: immutable, and closed to keys that nothing reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value, info):
        annotation = cls.model_fields[info.field_name].annotation
        kinds = get_args(annotation) or (annotation,)
        if isinstance(value, bool) and {int, float} & set(kinds) and bool not in kinds:
            raise ValueError("expected a number, not true or false")
        return value


OptionsType = TypeVar("OptionsType", bound=Options)


def closest(name: str, valid) -> str:
    """A clause naming the valid name nearest to `name`, or all valid names when none is near, or that there is none."""
    valid = sorted(str(v) for v in valid)
    if not valid:
        return "there is none to choose from"
    match = get_close_matches(str(name), valid, n=1, cutoff=0.5)
    return f"did you mean {match[0]!r}?" if match else f"valid: {', '.join(valid)}"


def parse(cls: type[OptionsType], values, where: str) -> OptionsType:
    """Validate the mapping `values` as a `cls`; ConfigError names `where`, the key and the closest valid key."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(cls, item, where) for item in error.errors())) from None


def _describe(cls: type[Options], item: dict, where: str) -> str:
    *parents, key = item["loc"] or ("",)
    path = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown key {path!r}; {closest(key, _block(cls, parents).model_fields)}"
    if item["type"] == "missing":
        return f"{where}: key {path!r} is missing"
    message = item["msg"].removeprefix("Value error, ")
    subject = f"{path} = {item['input']!r}: " if path else ""
    return f"{where}: {subject}{message}"


def _block(cls: type[Options], path: list) -> type[Options]:
    """The class of the block of options at `path` inside `cls`."""
    for key in path:
        field = cls.model_fields.get(key)
        if field is None:  # an index or a free name inside a list or mapping of blocks
            continue
        candidates = (field.annotation, *get_args(field.annotation))
        cls = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), cls)
    return cls
