"""Text for the terminal and for Markdown pages, at most 100 columns wide."""

from textwrap import fill

WIDTH = 100


def bullet(note: str) -> str:
    """Return a note as one item of a Markdown list."""
    return fill(note, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def paragraph(text: str) -> str:
    """Return a paragraph in lines."""
    return fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def wrap(note: str) -> str:
    """Return a note whose further lines are indented."""
    return fill(note, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def indent(note: str) -> str:
    """Return a note that stands below a line that it belongs to."""
    return fill(note, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def markdown_table(headers: list[str], lines: list[list[str]], alignment: list[str]) -> str:
    """Return a Markdown table whose columns are as narrow as their content.

    Parameters
    ----------
    headers : list of str
        Header of each column.
    lines : list of list of str
        Cells of each line.
    alignment : list of str
        "left" or "right" for each column.
    """
    widths = [max(map(len, column)) for column in zip(headers, *lines, strict=True)]
    sides = [str.ljust if side == "left" else str.rjust for side in alignment]

    def format_line(cells: list[str]) -> str:
        padded = (side(cell, width) for side, cell, width in zip(sides, cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([format_line(headers), rule, *map(format_line, lines)])
