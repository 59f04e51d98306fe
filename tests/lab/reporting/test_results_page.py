import json
from pathlib import Path

import pytest

from hippo.config import ConfigError
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.reporting.results_page import write_results_page
from hippo.lab.results.results import collect_results
from tests.lab.outcomes import finish_all, write_experiment
from tests.lab.swept import SWEEP, write
from tests.lab.swept import finish_all as finish_sweep

COST = {"seconds": 3600, "threads": 2}


def test_the_page_has_every_table_once_in_lines_that_a_reader_can_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trials, found = tmp_path / "trials", []
    for name, accuracy, position in (("antelope", 0.8, None), ("zebra", 0.8, 2), ("pmnist", 0.9, 1)):
        experiment = write_experiment(tmp_path, name=name, title=f"Title of {name}", position=position)
        finish_all(experiment, trials, legs=accuracy)
        for path in trials.rglob("metrics.json"):
            metrics = json.loads(path.read_text())
            path.write_text(json.dumps({**metrics, **COST, "machine": {"processor": "Some CPU"}, "kernels": "avx2"}))
        found.append(collect_results(experiment, trials))
    found.append(collect_results(write_experiment(tmp_path, name="untrained"), trials))
    write_results_page(found, Path("page.md"))
    page = (tmp_path / "page.md").read_text()
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert titles == ["## Title of pmnist", "## Title of zebra", "## Title of antelope"]
    assert "| 90.1 ± 0.1 |" in page.replace("  ", " ") and "80.1 ± 0.1" in page
    joined = page.replace("\n", " ")
    assert "on Some CPU (avx2)." in joined and "`hippo results --scale quick --out page.md`" in joined
    per_table = len(list(trials.rglob("metrics.json"))) // 3
    assert page.count(f"The trials took {2 * per_table:.1f} core-hours.") == 3
    assert f" {3 * per_table} of {4 * per_table} trials are finished. They took {6 * per_table:.1f} core-h" in joined
    assert "No trial is finished of untrained." in joined
    assert f"- [Title of zebra](#title-of-zebra): `zebra`, {2 * per_table:.1f} core-hours\n" in page
    assert max(map(len, page.splitlines())) <= 120


def test_a_page_without_a_trained_table_is_not_written(tmp_path):
    trials, page = tmp_path / "trials", tmp_path / "page.md"
    sweep = load_experiment(write(tmp_path, "window", SWEEP), "quick")
    finish_sweep(sweep, trials)
    untrained = write_experiment(tmp_path, name="untrained")
    for experiments, names in (([sweep], "window"), ([untrained, sweep], "untrained, window")):
        with pytest.raises(ConfigError, match=f"no table with a finished trial is among the experiments {names}; name"):
            write_results_page([collect_results(experiment, trials) for experiment in experiments], page)
    assert not page.exists()
