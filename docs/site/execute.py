"""Execute a tutorial block by block and record what it prints and plots: `python docs/site/execute.py SCRIPT OUT`.

A tutorial is a Python script. Its docstring is the title and the introduction. A line `# %%` begins a block: the
comment lines that follow are text in Markdown, and the rest is code. Editors with cells read such scripts, too.
"""

import ast
import contextlib
import io
import json
import re
import sys
from pathlib import Path


def split_script(source: str) -> tuple[str, list[dict]]:
    """Return the docstring of a script, and its blocks.

    Parameters
    ----------
    source : str
        Text of the script.

    Returns
    -------
    docstring : str
    blocks : list of dict
        Each with its `text`, its `code`, and the number of the first `line` of the code, from 1.
    """
    blocks: list[dict] = []
    lines = source.splitlines()
    starts = [number for number, line in enumerate(lines) if line.strip() == "# %%"]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        code = start + 1
        while code < end and lines[code].startswith("#"):
            code += 1
        text = "\n".join(re.sub(r"^# ?", "", line) for line in lines[start + 1 : code])
        while code < end and not lines[code].strip():
            code += 1
        blocks.append({"text": text, "code": "\n".join(lines[code:end]).rstrip(), "line": code + 1})
    return ast.get_docstring(ast.parse(source)) or "", blocks


def execute(script: Path) -> tuple[str, list[dict]]:
    """Execute a script as `python SCRIPT` would, and record the output of each block.

    Parameters
    ----------
    script : Path

    Returns
    -------
    docstring : str
    blocks : list of dict
        As in `split_script`, each also with `output`, what it printed, and `figures`, SVG pictures of what it plotted.

    Raises
    ------
    Exception
        Whatever the script raises.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"svg.hashsalt": script.name, "axes.spines.top": False, "axes.spines.right": False}
    docstring, blocks = split_script(script.read_text(encoding="utf-8"))
    names = {"__name__": "__main__", "__file__": str(script)}
    for block in blocks:
        printed = io.StringIO()
        code = "\n" * (block["line"] - 1) + block["code"]  # so that a traceback names the line of the script
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(script), "exec"), names)
        block["output"], block["figures"] = printed.getvalue().rstrip(), []
        for number in plt.get_fignums():
            picture = io.StringIO()
            plt.figure(number).savefig(picture, format="svg", metadata={"Date": None})
            block["figures"].append(picture.getvalue())
        plt.close("all")
    return docstring, blocks


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(execute(Path(sys.argv[1]))), encoding="utf-8")
