"""What works without the packages of an extra, and what the message of a missing one says.

A package whose entry in `sys.modules` is None cannot be found or imported: as if it were not installed.
"""

import os
import subprocess
import sys

import pytest

HEAVY = (
    *("torch", "pydantic", "pydantic_core", "click", "yaml", "pandas", "sklearn", "sktime", "river", "mlflow"),
    *("snakemake", "numba", "matplotlib", "PIL", "jinja2", "tqdm", "pooch", "psutil", "platformdirs", "filelock"),
    *("requests", "sqlalchemy", "tabulate", "torchcde", "torchdiffeq"),
)


def run(code: str, *absent: str, folder=None, **environment):
    """Execute code in an interpreter that does not have the modules `absent`."""
    hidden = f"import sys\nsys.modules.update(dict.fromkeys({absent!r}))\n"
    settings = {**os.environ, "PYTHONWARNINGS": "error", **environment}
    return subprocess.run(
        [sys.executable, "-c", hidden + code], env=settings, cwd=folder, capture_output=True, text=True
    )


LIBRARY = """
import numpy as np
import hippo.kernels, hippo.memory, hippo.operators
from hippo import OnlineMemory, project, reconstruct, transition
signal = np.sin(np.linspace(0, 20, 500))
for measure in ("legs", "legt", "lagt", "fout"):
    A, B = transition(measure, 16)
    memory = OnlineMemory(measure, 16, theta=None if measure == "legs" else 500.0)
    reconstruct(memory.update(signal).coefficients, measure)
print(float(np.square(reconstruct(project(signal, 32), points=500) - signal).mean()))
"""


@pytest.mark.parametrize("kernels", ["", "numpy"])
def test_the_memory_needs_numpy_and_scipy_alone(kernels, tmp_path):
    done = run(LIBRARY, *HEAVY, folder=tmp_path, HIPPO_KERNELS=kernels)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(float(run(LIBRARY, folder=tmp_path).stdout), rel=1e-9)


@pytest.mark.parametrize(
    "code, absent, message",
    [
        ("import hippo.nn", "torch", "hippo.nn needs torch: pip install 'hippo-lab[nn]'"),
        ("from hippo.nn import build_model", "pydantic", "hippo.nn needs pydantic: pip install 'hippo-lab[nn]'"),
        ("import hippo.nn.sequence", "torch", "hippo.nn needs torch: pip install 'hippo-lab[nn]'"),
        ("import hippo.data.mnist", "pooch", "hippo.data needs pooch: pip install 'hippo-lab[lab]'"),
        ("import hippo.lab.plan.experiment", "yaml", "hippo.lab needs yaml: pip install 'hippo-lab[lab]'"),
        (
            "from hippo.nn import build_model; build_model('ncde', 1, 1)",
            "torchcde",
            "the model ncde needs torchcde: pip install 'hippo-lab[lab]'",
        ),
    ],
)
def test_a_missing_package_is_one_message(code, absent, message):
    done = run(code, absent)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"hippo.errors.MissingExtraError: {message}"


@pytest.mark.parametrize("absent", ["click", "pydantic"])
def test_the_command_without_its_packages_says_what_to_install(absent, tmp_path):
    code = "sys.argv = ['hippo', 'show', 'pmnist']; from hippo.cli import main; main()"
    done = run(code, absent, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"the command hippo needs {absent}: pip install 'hippo-lab[lab]'\n"


@pytest.mark.parametrize(
    "words",
    [
        ("show", "pmnist"),
        ("runs",),
        ("runs", "list"),
        ("table", "pmnist"),
        ("report",),
        ("schema",),
        ("schema", "--check"),
        ("prepare", "pmnist", "--variant", "bit-reversal"),
        ("train", "pmnist", "--variant", "bit-reversal", "--model", "legs", "--seed", "0"),
    ],
    ids=" ".join,
)
def test_a_command_outside_the_project_says_so_and_writes_nothing(words, tmp_path):
    done = subprocess.run([sys.executable, "-m", "hippo.cli", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f" in {tmp_path}: change to the project's folder" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words", [("--help",), ("figure", "basis_functions", "--out", "figure.png"), ("runs", "--help")]
)
def test_a_command_that_needs_no_project_works_in_any_folder(words, tmp_path):
    done = subprocess.run([sys.executable, "-m", "hippo.cli", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
