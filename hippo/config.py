"""Blocks of options: every option is declared once, and an unknown key is an error that names the closest valid one."""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from hippo.errors import ConfigError, closest

__all__ = ["ADDED_LATER", "ConfigError", "Options", "closest", "parse"]


class _AddedLater:
    """Type of `ADDED_LATER`."""


ADDED_LATER = _AddedLater()
"""Annotation of an option that was added after outcomes had been published.

`Annotated[int, ADDED_LATER] = 1` leaves the option out of the settings digest while it has its default value, so that
outcomes of earlier versions, which were trained without the option, stay up to date.
"""


class Options(BaseModel):
    """Base of every block of options: immutable, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_booleans_as_numbers(cls, value, info):
        if _is_boolean_as_number(_members(cls.model_fields[info.field_name].annotation), value):
            raise ValueError("expected a number, not true or false")
        return value

    def digest_content(self) -> dict[str, Any]:
        """Return the options that a settings digest is computed from.

        Returns
        -------
        dict
            All options as JSON values, without those marked `ADDED_LATER` that have their default value.
        """
        unchanged = {
            name
            for name, field in type(self).model_fields.items()
            if ADDED_LATER in field.metadata and getattr(self, name) == field.get_default(call_default_factory=True)
        }
        return self.model_dump(mode="json", exclude=unchanged)


def _is_boolean_as_number(kinds: list, value: object) -> bool:
    """Whether a value, or an element of it, is a boolean where `kinds` name numbers and no booleans."""
    if isinstance(value, bool):
        return bool not in kinds and (int in kinds or float in kinds)
    elements = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    nested = [member for kind in kinds for argument in get_args(kind) for member in _members(argument)]
    return any(_is_boolean_as_number(nested, element) for element in elements)


def _members(annotation: Any) -> list:
    """Members of a union, of unions in it, and of what `Annotated` describes; else the annotation itself."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [kind for member in get_args(annotation) for kind in _members(member)]
    return [annotation]


OptionsType = TypeVar("OptionsType", bound=Options)


def parse(cls: type[OptionsType], values: object, where: str) -> OptionsType:
    """Validate a mapping as a block of options.

    Parameters
    ----------
    cls : type
        Subclass of `Options`.
    values : mapping
        Values by option name.
    where : str
        Place of the mapping, for error messages: a file and a key.

    Returns
    -------
    Options
        An instance of `cls`.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, or a value is out of range. The message names `where` and the key.
    """
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(cls, item, where) for item in error.errors())) from None


def _describe(cls: type[Options], item: Mapping[str, Any], where: str) -> str:
    """One validation error as a line of text."""
    location = [part for part in item["loc"] if part != "[key]"]
    *parents, key = location or ("",)
    path = ".".join(str(part) for part in location)
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown key {path!r}; {closest(key, _block(cls, parents).model_fields)}"
    if item["type"] == "missing":
        return f"{where}: key {path!r} is missing"
    message = item["msg"].removeprefix("Value error, ")
    if "[key]" in item["loc"]:  # the key itself is not valid; the message of a validator names it
        path = ".".join(str(part) for part in parents)
        subject = f"{path}: " if item["type"] == "value_error" else f"{path}: key {_shorten(key)}: "
    elif isinstance(item["input"], dict) and item["type"] == "value_error":  # options that contradict each other
        subject = f"{path}: " if path else ""
    else:
        subject = f"{path} = {_shorten(item['input'])}: " if path else ""
    return f"{where}: {subject}{message}"


def _shorten(value, width: int = 80) -> str:
    """`repr` of a value, at most `width` characters."""
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _block(cls: type[BaseModel], path: list) -> type[BaseModel]:
    """The class of the block of options at `path` inside `cls`."""
    for key in path:
        field = cls.model_fields.get(key)
        if field is None:  # an index or a free name inside a list or mapping of blocks
            continue
        candidates = (field.annotation, *get_args(field.annotation))
        cls = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), cls)
    return cls
