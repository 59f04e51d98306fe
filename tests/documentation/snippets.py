"""Code blocks of Markdown pages, and the commands in them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config/README.md", *(ROOT / "docs").glob("*.md")])
PROGRAMS = ("snakemake", "hippo", "make", "pytest", "mlflow", "python -m", "HIPPO_KERNELS=")
LANGUAGES = {"python", "sh", "yaml", "toml", "cpp", "text"}


@dataclass(frozen=True)
class Block:
    """One fenced code block: its page, first line number, language and text."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The path in a first line `# path/to/file.py`: such a block is the content of that file."""
        match = re.fullmatch(r"(?:#|//) ([\w./-]+\.(?:py|yaml|toml|cpp|hpp))", self.text.splitlines()[0].strip())
        return match[1] if match else None


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, also of indented ones inside lists."""
    found, opened = [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = re.match(r"^(\s*)```(\w*)\s*$", line)
        if fence and opened is None:
            opened = (number, fence[2], len(fence[1]), [])
        elif fence:
            start, language, _, lines = opened
            found.append(Block(page, start, language, "\n".join(lines)))
            opened = None
        elif opened:
            opened[3].append(line[opened[2] :] if line[: opened[2]].isspace() or not opened[2] else line)
    assert opened is None, f"{page}: the code block that begins in line {opened[0]} has no end"
    return found


def commands(block: Block) -> list[list[str]]:
    """The commands of a `sh` block as words, without comments; a line that ends in a backslash continues."""
    text = block.text.replace("\\\n", " ").replace(" && ", "\n")
    return [words for line in text.splitlines() if (words := shlex.split(line, comments=True))]


def inline_commands(page: Path) -> list[list[str]]:
    """Commands in code spans of the running text; a span with a placeholder such as <table> is none."""
    outside = re.sub(r"^\s*```.*?^\s*```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", outside)]
    spans = [s for s in spans if s.startswith(PROGRAMS) and " " in s and not re.search(r"[<>…|$*]|\.\.\.", s)]
    return [shlex.split(span, comments=True) for span in dict.fromkeys(spans)]
