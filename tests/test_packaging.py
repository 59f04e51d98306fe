import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def pins(lines) -> dict[str, str]:
    return dict(line.strip().split("==") for line in lines if line.strip())


# Packages of the extras `slurm` and `server`, which `all` does not include: pinned, and not in environment.yml.
EXTRAS = {
    *("snakemake-executor-plugin-slurm", "snakemake-executor-plugin-slurm-jobstep"),
    *("psycopg2-binary", "Flask-WTF", "WTForms"),
}


def test_conda_and_pip_users_get_the_same_versions():
    locked = pins((ROOT / "requirements.lock").read_text().splitlines())
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert pins(conda) == {name: version for name, version in locked.items() if name not in EXTRAS}
    assert locked["torch"] == "2.13.0"


def test_every_declared_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = {name.lower().replace("_", "-") for name in pins((ROOT / "requirements.lock").read_text().splitlines())}
    declared = [
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *project["build-system"]["requires"],
    ]
    for requirement in declared:
        if requirement.startswith("hippo-lab["):  # another extra
            continue
        assert re.match(r"[\w-]+", requirement)[0].replace("_", "-") in locked, requirement


@pytest.mark.parametrize("recipe", ["Dockerfile", "hippo-lab.def"])
def test_container_recipes_copy_what_a_build_needs(recipe):
    text = (ROOT / "container" / recipe).read_text()
    pattern = r"^COPY (.+) \S+$" if recipe == "Dockerfile" else r"^    (\S+) /opt/hippo-lab/\S+$"
    copied = {name for line in re.findall(pattern, text, re.MULTILINE) for name in line.split()}
    assert all((ROOT / name).exists() for name in copied)
    needed = {"pyproject.toml", "requirements.lock", "CMakeLists.txt", "README.md", "LICENSE", "csrc", "hippo"}
    assert needed | {"baselines"} <= copied and "[lab,slurm,server]" in text


def test_the_library_needs_numpy_and_scipy_alone_and_the_laboratory_all_of_its_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert [re.match(r"\w+", requirement)[0] for requirement in project["dependencies"]] == ["numpy", "scipy"]
    assert {"nn", "sklearn", "sktime", "river", "lab", "all", "dev", "slurm", "server"} <= extras.keys()
    assert "hippo-lab[all]" in extras["dev"] and "lab" in re.findall(r"\w+", extras["all"][0])


def test_only_tested_versions_of_python_are_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {c.rpartition(" ")[2] for c in project["classifiers"] if re.search(r"Python :: 3\.\d+$", c)}
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    (setup,) = (step for step in workflow["jobs"]["test"]["steps"] if "setup-python" in step.get("uses", ""))
    assert declared == {setup["with"]["python-version"]} == {project["requires-python"].removeprefix(">=")}


def test_no_package_has_a_name_that_others_use():
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["scikit-build"]["wheel"]["packages"]
    assert [Path(package).name for package in packages] == ["hippo", "hippo_baselines"]


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_schemas_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "-m", "hippo.cli", "schema", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_import_hippo_is_light():
    """The workflow imports hippo.lab.plan while it plans its jobs, so that `import hippo` must import nothing heavy."""
    code = "import sys, hippo; print(sorted({'numpy', 'torch', 'scipy', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_public_names_are_listed_and_imported_on_first_use():
    import hippo

    assert set(hippo.__all__) <= set(dir(hippo))
    assert all(callable(getattr(hippo, name)) for name in hippo.__all__)
    with pytest.raises(AttributeError, match="module 'hippo' has no attribute 'projekt'; it has OnlineMemory, project"):
        hippo.projekt  # noqa: B018


def test_type_checkers_see_the_public_names(tmp_path):
    """mypy of a user's file: the names exist, their types are known, and a wrong type is an error."""
    (tmp_path / "user.py").write_text(
        "from hippo import OnlineMemory, project, reconstruct, transition\n"
        "reveal_type(transition)\n"
        "OnlineMemory('legs', order='four')\n"
        "OnlineMemory('legs', 4).update([1.0]).samples\n"
        "project([1.0], 4, measure=reconstruct)\n",
        encoding="utf-8",
    )
    # Only the user's file is checked, with mypy's own settings.
    command = [sys.executable, "-m", "mypy", "--config-file=", "--follow-imports=silent", "user.py"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stdout
    assert "attr-defined" not in shown and "import" not in shown
    assert 'user.py:3: error: Argument "order" to "OnlineMemory" has incompatible type "str"; expected "int"' in shown
    assert re.search(r"user.py:2: note: Revealed type is .*measure: .*str.*order: .*int", shown)
    assert "user.py:4" not in shown and "user.py:5: error" in shown
    assert (ROOT / "hippo" / "py.typed").is_file()
