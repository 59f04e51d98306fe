"""Language and layout of the project's own text: CONTRIBUTING.md, sections "How we write" and "Words"."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = {".py", ".hpp", ".cpp", ".smk", ".j2", ".js", ".css"}
TEXT = {*CODE, ".md", ".yaml", ".yml", ".toml", ".rst", ".txt", ".cff", ".json", ""}
LONGEST_FILE = 400

# Words of CONTRIBUTING.md's table that have no other meaning in this project, as regular expressions.
WORDS = {
    r"\btwins?\b": "reference implementation",
    r"\bstand[- ]ins?\b": "synthetic substitute",
    r"\bretreat\w*": "backward",
    r"\bhoist\w*": "precompute input projections",
    r"\bstretch(es)?\b": "chunk, segment",
    r"\b(goes|going|went|go|gone) on (from|with|where|to|as|in)\b": "resume",
    r"\b(an)?other life\b|\bearlier (life|lives)\b": "attempt",
    r"\bunits? of memory\b": "coefficients, state dimension",
    r"\bwhat is not a number\b|\bnot-a-numbers?\b": "NaN, non-finite",
    r"\bg(ave|ives|ive|iven) up\b": "solver failure",
    r"\bgave_up\b": "solver failure",
    r"\bfor ever\b": "always",
    r"\bwithout a word\b": "without a message",
    r"\bredrawn\b|\bdrawn\b": "synthetic, plotted, sampled",
    r"\b(elapsed|step|time)_shares?\b|\bshare_stride\b|\bself\.shares?\b|\bshares\[": "step ratios",
    r"\btakes_times\b|\breads_missing\b": "nothing: the setting was removed",
    r"\bstands? by content\b|\boutcome stands\b": "is up to date",
}
BRITISH = r"(optimis|normalis|initialis|discretis|serialis|recognis|parametris|behaviour|colour|neighbour|labelled)"
# The tables that name the words, and one key of a file format that earlier versions wrote.
EXEMPT = {"CONTRIBUTING.md", "tests/test_style.py", "LICENSE"}


def tracked(*suffixes: str) -> list[Path]:
    """Files of the project that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    paths = [Path(name) for name in listed.stdout.splitlines() if not name.startswith("results/")]
    return [path for path in paths if (ROOT / path).is_file() and path.suffix in (suffixes or TEXT)]


def found(pattern: str, paths: list[Path]) -> list[str]:
    matcher = re.compile(pattern, re.IGNORECASE)
    lines = []
    for path in paths:
        if path.as_posix() in EXEMPT:
            continue
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), start=1):
            if matcher.search(line):
                lines.append(f"{path}:{number}: {line.strip()[:100]}")
    return lines


@pytest.mark.parametrize("word", WORDS, ids=list(WORDS.values()))
def test_words_of_the_glossary(word):
    lines = found(word, tracked())
    assert not lines, f"write {WORDS[word]!r} instead:\n" + "\n".join(lines[:40])


def test_spelling_is_american_as_in_the_libraries_in_use():
    lines = found(BRITISH, tracked())
    assert not lines, "\n".join(lines)


def test_no_file_has_more_than_400_lines():
    sizes = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in tracked(*CODE)}
    large = {str(path): lines for path, lines in sizes.items() if lines > LONGEST_FILE}
    assert not large


def test_text_names_no_path_of_one_machine():
    lines = found(r"(?<!\w)/(work|root|home/\w+)/|/tmp/bash", tracked())
    assert not lines, "\n".join(lines)
