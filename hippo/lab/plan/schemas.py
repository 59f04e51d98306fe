"""JSON schemas of the configuration files, from the same definitions that validate them: for editors and readers."""

import json
from pathlib import Path

from hippo.files import write_text
from hippo.lab.plan.experiment import Plan
from hippo.lab.plan.settings import Settings

FOLDER = Path("workflow/schemas")
FILES = {FOLDER / "config.schema.json": Settings, FOLDER / "experiment.schema.json": Plan}


def write() -> None:
    """Write every schema."""
    for path, content in _contents().items():
        write_text(path, content)


def stale() -> list[Path]:
    """Schema files that do not say what the definitions say."""
    return [p for p, content in _contents().items() if not p.exists() or p.read_text(encoding="utf-8") != content]


def _contents() -> dict[Path, str]:
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        path: json.dumps({**dialect, **options.model_json_schema()}, indent=2, ensure_ascii=False) + "\n"
        for path, options in FILES.items()
    }
