"""Differences between the settings of two trials, as their files state them."""

from contextlib import suppress

from hippo.config import ConfigError
from hippo.lab.plan.trial_spec import TrialSpec, rename_first_release_keys

IRRELEVANT = ("threads", "sweep", "keep_model")  # no number of a trial depends on them


def trial_differences(one: dict, other: dict) -> dict[str, tuple]:
    """Compare the contents of two trial.yaml files.

    Parameters
    ----------
    one, other : dict
        Contents in the form of any release.

    Returns
    -------
    dict of tuple
        Both values of every setting that differs, by dotted key; None where a file lacks the setting. An option that
        one of the files lacks because it did not exist yet, and that has its default value in the other, is equal.
    """
    one, other = rename_first_release_keys(one), rename_first_release_keys(other)
    differences = mapping_differences(one, other)
    for content, side in ((one, 1), (other, 0)):
        for key in _later_defaults(content):
            if key in differences and differences[key][side] is None:
                del differences[key]
    return differences


def is_relevant(key: str) -> bool:
    """Return whether the numbers of a trial depend on the setting with this dotted key."""
    return key.split(".")[0] not in IRRELEVANT


def mapping_differences(one: dict, other: dict) -> dict[str, tuple]:
    """Return both values of every entry that differs between two nested mappings, by dotted key; None if absent."""
    one, other = _flatten(one), _flatten(other)
    keys = sorted(one.keys() | other.keys())
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def _flatten(settings: dict, prefix: str = "") -> dict:
    """A nested mapping as one level of dotted keys."""
    flat: dict[str, object] = {}
    for key, value in settings.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _later_defaults(content: dict) -> set[str]:
    """Dotted keys of options that were added after the first release and have their default value."""
    with suppress(ConfigError, TypeError, AttributeError):
        trial = TrialSpec.from_mapping(content, "trial.yaml")
        blocks = {"dataset": trial.dataset, "model_options": trial.model_options, "training": trial.training}
        return {
            f"{name}.{key}"
            for name, options in blocks.items()
            if options is not None
            for key in options.model_dump().keys() - options.digest_content().keys()
        }
    return set()
