"""Text of `hippo demo` for a terminal: how well each memory recalls its past of one signal."""

from tabulate import tabulate

from hippo.lab.reporting.demo.memories import MEMORIES, relative_error
from hippo.lab.reporting.demo.signals import example_signals


def summarize_memories(signal_name: str, order: int, window: float) -> str:
    """Return a table of all memories after they have read a signal of the page, one sample at a time.

    Parameters
    ----------
    signal_name : str
        Name of the signal, as in `example_signals`.
    order : int
        Number of coefficients.
    window : float
        Window or time constant in samples.
    """
    signal = example_signals()[signal_name]
    lines = []
    for memory in MEMORIES:
        recalled = memory.recall(memory.read(signal, order, window))
        error = relative_error(recalled, signal)
        lines.append((memory.label, memory.remembers, f"{len(recalled)} samples", f"{100 * error:.2g} %"))
    headers = ["memory", "remembers", "that is", "error"]
    table = tabulate(lines, headers, disable_numparse=True, colalign=("left", "left", "right", "right"))
    return f"{len(signal)} samples of the signal {signal_name!r}, each memory keeps {order} numbers:\n\n{table}"
