"""Hook of MkDocs: each script in docs/tutorials/ is executed and becomes a page with its text, code and output."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
SECONDS = 300  # after which a tutorial is stopped; it should take less than ten


def on_files(files: Files, config) -> None:
    """Add the page of each tutorial, and its figures. The script stays in the site, to be downloaded."""
    for script in sorted(Path(config.docs_dir, "tutorials").glob("*.py")):
        docstring, blocks = run(script)
        pictures = [figure for block in blocks for figure in block["figures"]]
        for number, picture in enumerate(pictures, start=1):
            files.append(File.generated(config, f"tutorials/{script.stem}_{number}.svg", content=picture))
        page = format_page(script, docstring, blocks)
        files.append(File.generated(config, f"tutorials/{script.stem}.md", content=page))


def run(script: Path) -> tuple[str, list[dict]]:
    """Execute a tutorial in a process of its own, in the folder of the project (`execute.execute`).

    Raises
    ------
    PluginError
        If the script fails or does not end. The build ends with this error.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.json")
        command = [sys.executable, str(Path(__file__).with_name("execute.py")), str(script), str(out)]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise PluginError(f"{script}: the tutorial did not end within {SECONDS} seconds") from None
        if done.returncode:
            raise PluginError(f"{script}: the tutorial failed\n{done.stderr[-3000:]}")
        docstring, blocks = json.loads(out.read_text(encoding="utf-8"))
    return docstring, blocks


def format_page(script: Path, docstring: str, blocks: list[dict]) -> str:
    """Return the page of a tutorial as Markdown.

    Parameters
    ----------
    script : Path
    docstring : str
        Title, and after an empty line the introduction.
    blocks : list of dict
        As `execute.execute` returns them.
    """
    title, _, introduction = docstring.partition("\n")
    parts = ["---\nhide: [toc]\n---", f"# {title.rstrip('.')}", introduction.strip()]  # room for lines of code
    parts.append(f"[Download the script]({script.name}){{ .script }}")
    number = 0
    for block in blocks:
        parts.append(block["text"])
        if block["code"]:
            parts.append(f"```python\n{block['code']}\n```")
        if block["output"]:
            parts.append(f"```{{ .text .output }}\n{block['output']}\n```")
        for _ in block["figures"]:
            number += 1
            parts.append(f"![Figure {number} of this tutorial]({script.stem}_{number}.svg){{ .plot }}")
    return "\n\n".join(part for part in parts if part) + "\n"
