"""What commands import, and when Python searches for cyclic garbage: both decide how long a command takes to start."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from hippo.cli import collector

SLOW = {"torch", "mlflow", "matplotlib", "sklearn", "sktime", "scipy.stats"}


def imported(code: str, tmp_path) -> set[str]:
    """Those of the slow modules that a program has imported at its end."""
    program = f"import sys\n{code}\nprint('loaded', *set({sorted(SLOW)!r}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


READ_RESULTS = """
from pathlib import Path
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.reporting.listing import list_trials
from hippo.lab.results.results import collect_results
import hippo.lab.reporting.tables
list_trials([collect_results(load_experiment({file!r}, "smoke"), Path("trials"))])
"""


def test_reading_results_imports_no_slow_module(tmp_path, pytestconfig):
    file = str(pytestconfig.rootpath / "config/experiments/timescale.yaml")
    assert imported(READ_RESULTS.format(file=file), tmp_path) == set()


def test_a_trial_without_a_figure_does_not_import_matplotlib(tmp_path):
    code = """
import pandas as pd
from pathlib import Path
from hippo.lab.reporting.figures.trial import plot_trial
plot_trial(pd.DataFrame([{"epoch": 1, "train_loss": 1.0}]), None, Path("figure"))
"""
    assert imported(code, tmp_path) == set()


@pytest.fixture
def thresholds():
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)
    gc.unfreeze()


def test_imports_are_not_searched_and_training_is_searched_as_usual(thresholds):
    collector.relax()
    assert gc.get_threshold() > thresholds
    with pytest.raises(ImportError), collector.paused():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() and gc.get_threshold() == thresholds and gc.get_freeze_count() > 0


FLAGS_OF_A_TENSOR = """
from hippo.cli.allocator import use_huge_pages
use_huge_pages()
import torch
tensor = torch.ones(2**24)
inside = False
for line in open("/proc/self/smaps"):
    first, *others = line.split()
    if "-" in first:
        start, end = (int(address, 16) for address in first.split("-"))
        inside = start <= tensor.data_ptr() < end
    elif inside and first == "VmFlags:":
        print(*others)
"""
SMAPS = Path("/proc/self/smaps")


@pytest.mark.skipif(not Path("/sys/kernel/mm/transparent_hugepage").is_dir(), reason="the system has no huge pages")
@pytest.mark.skipif(not SMAPS.is_file() or "VmFlags:" not in SMAPS.read_text(), reason="the system shows no flags")
def test_tensors_ask_for_huge_pages():
    """Whether the tensor gets them depends on the free memory of the machine."""
    run = subprocess.run([sys.executable, "-c", FLAGS_OF_A_TENSOR], capture_output=True, text=True, check=True)
    assert "hg" in run.stdout.split()
