"""The page of `hippo demo`: one HTML file that needs no other file and no network."""

import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from hippo.files import write_text
from hippo.lab.reporting.demo.memories import MEMORIES
from hippo.lab.reporting.demo.signals import example_signals

ORDER, WINDOW = 16, 160  # with which the page begins
FIRST = "waves"  # its first signal
MOST_COEFFICIENTS = 64
SHORTEST_WINDOW = 32


def write_demo(out: Path) -> None:
    """Write the page to an HTML file."""
    write_text(out, render_demo())


def render_demo() -> str:
    """Return the page as HTML.

    The scripts of the page are an implementation of the memories of their own. The page compares its coefficients of
    the first signal with those of this library, and shows the difference.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hippo.lab.reporting.demo", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    signals = example_signals()
    data = {
        "signals": {name: signal.tolist() for name, signal in signals.items()},
        "first": FIRST,
        "memories": [
            {"key": m.key, "label": m.label, "measure": m.measure, "scaleInvariant": m.scale_invariant}
            for m in MEMORIES
        ],
        "python": _coefficients(signals[FIRST]),
    }
    return environment.get_template("demo.html.j2").render(
        memories=MEMORIES,
        signals=list(signals),
        first=FIRST,
        order=ORDER,
        window=WINDOW,
        most=MOST_COEFFICIENTS,
        shortest=SHORTEST_WINDOW,
        length=len(signals[FIRST]),
        style=_file("demo.css"),
        scripts=[_file("memory.js"), _file("plots.js"), _file("page.js")],
        data=Markup(json.dumps(data).replace("<", "\\u003c")),
        version=version("hippo-lab"),
    )


def _coefficients(signal: np.ndarray) -> dict[str, list[float]]:
    """Coefficients of a signal by memory, as this library computes them."""
    return {memory.key: memory.read(signal, ORDER, WINDOW).coefficients.tolist() for memory in MEMORIES}


def _file(name: str) -> Markup:
    """Text of a file of this package, to be part of the page as it is."""
    return Markup(files(__package__).joinpath(name).read_text(encoding="utf-8"))
