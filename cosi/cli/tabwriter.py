"""Tables as Go's text/tabwriter draws them, so that scripts made for talosctl work here too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PADDING = 3


def table(rows: Iterable[Sequence[str]]) -> str:
    """Lines with their cells in columns, three blanks apart; the last cell of a line is as it is.

    A column is as wide as its widest cell over the *contiguous* lines that have it; the last cell
    of a line belongs to no column (Go: text/tabwriter, "tab-terminated cells").
    """
    lines = [list(row) for row in rows]
    widths: list[list[int]] = [[0] * (len(line) - 1) for line in lines]
    columns = max((len(line) for line in lines), default=1) - 1
    for column in range(columns):
        start = 0
        while start < len(lines):
            end = start
            while end < len(lines) and column < len(lines[end]) - 1:
                end += 1
            width = max((len(line[column]) for line in lines[start:end]), default=0) + PADDING
            for number in range(start, end):
                widths[number][column] = width
            start = max(end, start + 1)
    return "\n".join(
        "".join(cell.ljust(width) for cell, width in zip(line, [*width_of, 0], strict=True))
        for line, width_of in zip(lines, widths, strict=True)
    )
