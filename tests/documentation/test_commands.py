"""Every command in a `sh` block is executed; trainings as dry runs, long ones up to their argument checks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation.snippets import PAGES, ROOT, blocks, commands, inline_commands


def unique(found):
    """Each command once, with the page where it is found first."""
    return list({tuple(words): place for words, place in reversed(found)}.items())[::-1]


IN_BLOCKS = unique(
    [
        (words, block.name)
        for page in PAGES
        for block in blocks(page)
        if block.language == "sh"
        for words in commands(block)
    ]
)
IN_TEXT = unique([(words, str(page.relative_to(ROOT))) for page in PAGES for words in inline_commands(page)])
IN_TEXT = [(words, place) for words, place in IN_TEXT if words not in dict(IN_BLOCKS)]
# Commands that change the user's environment, with the reason why no test executes them.
NOT_EXECUTED = {
    "source": "changes the calling shell",
    "export": "changes the calling shell",
    "git": "concerns the user's clone",
    "pip": "installs packages",
    "apt-get": "installs packages",
    "mv": "moves the user's files",
    "rm": "removes the user's files",
    "createuser": "needs a database server; tests/cluster starts one",
    "createdb": "needs a database server; tests/cluster starts one",
    "pg_dump": "needs a database server",
    "pg_restore": "needs a database server",
    "docker": "needs a container engine",
    "apptainer": "needs a container engine",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the workflow whose quick scale has one finished table, beside an empty smoke scale."""
    from tests.documentation.workspace import documented_workspace

    return documented_workspace(tmp_path_factory.mktemp("documentation") / "workspace")


@pytest.mark.parametrize("words, place", IN_BLOCKS, ids=[f"{place} {' '.join(words)}" for words, place in IN_BLOCKS])
def test_command_in_a_block(words, place, finished):
    execute(list(words), finished)


@pytest.mark.parametrize("words, place", IN_TEXT, ids=[f"{place} {' '.join(words)}" for words, place in IN_TEXT])
def test_command_in_the_text(words, place, finished):
    """The text may name a command without its arguments: its name and options are checked."""
    execute([*words, "--help"] if words[0] == "hippo" else list(words), finished)


def execute(words, finished):
    """Execute a command; fail unless it succeeds."""
    while re.fullmatch(r"[A-Z_]+=\S*", words[0]):  # environment variables before a command
        words = words[1:]
    program, *arguments = words
    if program in NOT_EXECUTED:
        pytest.skip(NOT_EXECUTED[program])
    if program == "make":
        done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True)
    elif program == "snakemake":
        if "profiles/slurm" in arguments:
            pytest.importorskip("snakemake_executor_plugin_slurm", reason="an extra; tests/cluster runs the profile")
        done = finished.run("snakemake", *arguments, "--dry-run", "--quiet", "all")
    elif program == "hippo":
        done = finished.run("hippo", *arguments)
    elif program == "mlflow":
        done = finished.run("mlflow", *arguments, "--help")
    elif program == "pytest":
        # To collect all tests takes half a minute; these folders have some of every mark.
        folders = () if any(word.startswith("tests") for word in arguments) else ("tests/cluster", "tests/reliability")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments, *folders],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
    elif program in ("python", "python3") and arguments[:1] == ["-m"]:
        module = arguments[1]
        if module.startswith("bench."):  # minutes long: its options are parsed, nothing is measured
            assert (ROOT / Path(*module.split("."))).with_suffix(".py").exists()
            return
        if module == "mlflow.server.auth":
            pytest.importorskip("flask_wtf", reason="an extra; tests/cluster starts a server with it")
            arguments = [*arguments, "--help"]
        done = finished.run(sys.executable, *arguments)
    else:
        pytest.fail(f"no rule says how to execute {' '.join(words)!r}; add one here")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
