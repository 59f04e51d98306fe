"""JSON schemas of the configuration files, generated from the classes that validate them; editors read them."""

import json
from pathlib import Path

from hippo.config import ConfigError
from hippo.files import write_text
from hippo.lab.plan.schema import ExperimentSpec
from hippo.lab.plan.settings import Settings

FOLDER = Path("workflow/schemas")
FILES = {FOLDER / "config.schema.json": Settings, FOLDER / "experiment.schema.json": ExperimentSpec}


def write_schemas() -> None:
    """Write every schema; ConfigError outside the project's folder."""
    for path, content in _contents().items():
        write_text(path, content)


def outdated_schemas() -> list[Path]:
    """Return the schema files whose content differs from what the classes define; ConfigError outside the project."""
    return [p for p, content in _contents().items() if not p.exists() or p.read_text(encoding="utf-8") != content]


def _contents() -> dict[Path, str]:
    """Text of every schema file."""
    if not FOLDER.is_dir():
        raise ConfigError(f"no folder {FOLDER} in {Path.cwd()}: change to the project's folder")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        path: json.dumps({**dialect, **options.model_json_schema()}, indent=2, ensure_ascii=False) + "\n"
        for path, options in FILES.items()
    }
