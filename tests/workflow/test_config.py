"""config/README.md and the schemas describe the configuration that the code accepts."""

import json
import re

import pytest
from pydantic import BaseModel

from hippo.lab.plan.schema import ClaimSpec, ExperimentSpec, ModelSpec, PaperSpec, Resources, SweepSpec, VariantSpec
from hippo.lab.plan.schemas import outdated_schemas
from hippo.lab.plan.settings import Settings
from hippo.lab.plan.training_options import TrainingOptions
from tests.workspace import ROOT

README = (ROOT / "config/README.md").read_text(encoding="utf-8")
BLOCKS = {
    "## config.yaml": Settings,
    "## A file in experiments/": ExperimentSpec,
    "### One entry of `variants`": VariantSpec,
    "### One entry of `models`": ModelSpec,
    "### `training`": TrainingOptions,
    "### `resources`": Resources,
    "### `sweep`": SweepSpec,
    "### `paper`": PaperSpec,
    "### One entry of `claims`": ClaimSpec,
}


def documented(heading: str) -> dict[str, str]:
    """Default by key, of the table under a heading."""
    section = README.split(f"\n{heading}\n", 1)[1]
    section = re.split(r"\n##", section, maxsplit=1)[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", section, re.MULTILINE))


@pytest.mark.parametrize("heading", BLOCKS)
def test_the_readme_has_every_key_and_no_other(heading):
    block: type[BaseModel] = BLOCKS[heading]
    assert documented(heading).keys() == block.model_fields.keys()


@pytest.mark.parametrize("heading", ["## config.yaml", "### `training`", "### `resources`"])
def test_the_readme_states_the_defaults(heading):
    defaults = {key: field.default for key, field in BLOCKS[heading].model_fields.items()}
    for key, text in documented(heading).items():
        default = defaults[key][0] if isinstance(defaults[key], list) else defaults[key]
        expected = f"{default:g}" if isinstance(default, float) else json.dumps(default).strip('"')
        assert text.strip("`") == expected, key


def test_the_schemas_are_up_to_date(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert not outdated_schemas()
