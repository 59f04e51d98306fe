"""The command that makes the interactive page on memories."""

import os
import sys
from pathlib import Path

import click

from hippo.cli.options import FILE


@click.command()
@click.option("--out", type=FILE, default=Path("hippo-demo.html"), show_default=True, help="The page to write.")
@click.option("--no-open", is_flag=True, help="Do not open the page in a browser.")
def demo(out, no_open):
    """Show what each memory keeps of a signal, on a page where you draw your own.

    The command reads a signal one sample at a time with every memory, prints how well each recalls its past, and writes
    one HTML page, which needs no network. If there is a display, a browser opens the page.
    """
    from hippo.lab.reporting.demo.page import FIRST, ORDER, WINDOW, write_demo
    from hippo.lab.reporting.demo.summary import summarize_memories

    click.echo(summarize_memories(FIRST, ORDER, WINDOW))
    write_demo(out)
    click.echo(f"\n{out}: draw your own signal there")
    if not no_open and _has_display():
        click.launch(out.resolve().as_uri())


def _has_display() -> bool:
    """Whether a window can open; without one, a browser of text would take the terminal."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
