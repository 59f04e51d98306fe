"""Reading and merging of YAML files."""

from pathlib import Path

import yaml

from hippo.config import ConfigError, closest


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader that refuses a repeated key; the safe loader itself would silently keep the last."""

    def construct_mapping(self, node, deep=False):
        """Construct a mapping; ConstructorError for a repeated key."""
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is repeated", key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict:
    """Read the mapping in a YAML file.

    Raises
    ------
    ConfigError
        If the file does not exist, is not YAML, is nested too deeply, or holds no mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; {_suggestion(path)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
        raise ConfigError(f"{path}: not valid YAML: {reason}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid YAML: nested too deeply") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys, found {type(content).__name__}")
    return content


def _suggestion(path: Path) -> str:
    """What to name instead of a YAML file that does not exist."""
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either; start in the project's folder, or name another file"
    present = [p.name for p in path.parent.glob("*.yaml")]
    return closest(path.name, present) if present else f"{path.parent} holds no YAML file; name another file"


def merge(base: dict, override: dict) -> dict:
    """Return `base` with `override` merged into it, mapping by mapping.

    Null removes a mapping, such as a model. In place of any other value, it is the value null of a setting.
    """
    merged = dict(base)
    for key, value in override.items():
        if isinstance(base.get(key), dict) and value is None:
            del merged[key]
        elif isinstance(base.get(key), dict) and isinstance(value, dict):
            merged[key] = merge(base[key], value)
        else:
            merged[key] = value
    return merged
