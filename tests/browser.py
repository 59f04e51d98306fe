"""Headless Chromium, without a network, for the tests of pages."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")
NEEDS_BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: install Debian's package of that name")
QUIET = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --dump-dom".split()
QUIET += "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=5000".split()
QUIET += ["--force-prefers-reduced-motion", "--host-resolver-rules=MAP * ~NOTFOUND"]
# Under a budget of virtual time, timers are punctual, but frames come only when the machine has time for them.
FRAMES_BY_TIMER = "<script>requestAnimationFrame = call => setTimeout(() => call(performance.now()), 16)</script>"


def run_page(page: str, script: str, folder: Path, width: int = 1280) -> tuple:
    """Show a page in a frame of `width` with a script at its end.

    Parameters
    ----------
    page : str
        HTML of the page.
    script : str
        JavaScript that ends with ``parent.postMessage(JSON.stringify(...), "*")``.
    folder : Path
        For the files of the browser.
    width : int, default 1280
        In CSS pixels.

    Returns
    -------
    message : object
        What the script sent.
    console : str
        What the browser wrote to its console: errors of scripts and refused requests.
    """
    (folder / "page.html").write_text(add_script(page, script), encoding="utf-8")
    return run_frame("page.html", folder, width)


def add_script(page: str, script: str) -> str:
    """Return a page with a script at its end, in which the frames of animations are timers."""
    assert page.count("<head>") == page.count("</body>") == 1
    page = page.replace("<head>", f"<head>{FRAMES_BY_TIMER}")
    return page.replace("</body>", f"<script>{script}</script></body>")


def run_frame(address: str, folder: Path, width: int) -> tuple:
    """Show the page at an address, relative to `folder`, in a frame; return the message that it sends, and the console.

    The message is kept in the title of the outer page, which Chromium prints with the rest of it.
    """
    (folder / "frame.html").write_text(
        "<!doctype html><script>onmessage = message => document.title = message.data</script>"
        f'<iframe src="{address}" width="{width}" height="800" style="border:0"></iframe>',
        encoding="utf-8",
    )
    where = [f"--user-data-dir={folder / 'user'}", "--window-size=1400,900", f"file://{folder}/frame.html"]
    done = subprocess.run([CHROMIUM, *QUIET, *where], capture_output=True, text=True, timeout=120)
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, f"the page sent no message: {console}"
    return json.loads(unescape(title[1])), console
