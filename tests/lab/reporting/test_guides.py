"""The guides docs/add_a_figure.md and docs/add_a_table.md, followed literally."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from hippo.config import ConfigError
from hippo.lab.plan.experiments import find_experiment, load_experiment
from hippo.lab.reporting.pages import format_page
from hippo.lab.results.results import collect_results
from tests.documentation.snippets import ROOT, blocks
from tests.lab.outcomes import finish


def files(page: str, folder) -> dict:
    """Write the blocks of a page that are the content of a file into `folder`; their paths by name."""
    paths = {}
    for block in blocks(ROOT / "docs" / page):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
            paths[path.name] = path
    return paths


def test_the_figure_of_the_guide_is_found_and_passes_its_test(tmp_path):
    found = files("add_a_figure.md", tmp_path)
    (declared,) = (block.text for block in blocks(ROOT / "docs/add_a_figure.md") if block.language == "toml")
    about = tmp_path / "guide-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: guide\nVersion: 1.0\n")
    entry = declared.splitlines()[1].replace('"', "")
    (about / "entry_points.txt").write_text(f"[hippo.figures]\n{entry}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    tests = [str(found["test_score_by_size.py"]), "tests/lab/reporting/test_figures.py"]
    done = subprocess.run(
        [*command, *tests, "-k", "score_by_size or declar"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) == 3, done.stdout[-500:]


def test_the_tables_of_the_guide_load_at_every_scale_and_are_made(tmp_path):
    for path in files("add_a_table.md", tmp_path).values():
        for scale in ("smoke", "quick", "paper"):
            experiment = load_experiment(path, scale)
            trial = experiment.trials()[0]
            shared = {"test_accuracy": 0.98} if scale == "paper" else {}
            finish(experiment, tmp_path / scale, trial.model, trial.seed, trial.variant, **shared)
            page = format_page(collect_results(experiment, tmp_path / scale))
            assert page.startswith(f"# {experiment.spec.title} · {scale} scale")
            assert experiment.is_reduced(trial.variant, trial.model) == (scale != "paper")


def test_the_table_of_the_guide_is_small_at_small_scales(tmp_path):
    path = files("add_a_table.md", tmp_path)["sequential_mnist.yaml"]
    sizes = {
        scale: {trial.model: trial.model_options.hidden_size for trial in load_experiment(path, scale).trials()}
        for scale in ("smoke", "quick", "paper")
    }
    assert sizes == {
        "smoke": {"legs": 16, "gru": 16, "small-gru": 8},
        "quick": {"legs": 64, "gru": 64, "small-gru": 16},
        "paper": {"legs": 512, "gru": 512, "small-gru": 64},
    }


@pytest.mark.parametrize("scale", ["smoke", "quick"])
def test_without_an_override_the_example_is_refused(tmp_path, scale):
    path = files("add_a_table.md", tmp_path)["sequential_mnist.yaml"]
    content = yaml.safe_load(path.read_text())
    del content["scales"][scale]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=f"scales.{scale} overrides nothing"):
        load_experiment(path, scale)


def test_a_value_chosen_by_the_sweep_of_the_guide_is_accepted_and_another_one_refused(tmp_path):
    path = files("add_a_table.md", tmp_path)["sequential_mnist.yaml"]
    content = yaml.safe_load(path.read_text())
    content["models"]["legs"] |= {"chosen_by": {"learning_rate": "sweep_rate"}}
    for rate, error in ((3e-3, None), (4e-3, "0.004 is not among")):
        content["models"]["legs"]["training"] = {"learning_rate": rate}
        path.write_text(yaml.safe_dump(content))
        if error is None:
            assert find_experiment(str(path), "quick").chosen_by("legs") == {"learning_rate": "sweep_rate"}
        else:
            with pytest.raises(ConfigError, match=error):
                find_experiment(str(path), "quick")
