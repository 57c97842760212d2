"""Aligns tables as Go's text/tabwriter does, so that scripts made for talosctl work here too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PADDING = 3


def table(rows: Iterable[Sequence[str]]) -> str:
    """Lines with their cells in columns, three blanks apart; the last cell of a line is not padded.

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


class GrowingTable:
    """A table that is written line by line, each line aligned with those before it.

    (talosctl writes such lines through a new tabwriter, so that they are not aligned.)
    """

    def __init__(self, header: Sequence[str]) -> None:
        self._header = tuple(header)
        self._widest: Sequence[str] = self._header

    def begin(self, rows: Iterable[Sequence[str]] = ()) -> str:
        """The header, and the first rows."""
        known = [self._header, *rows]
        self._widest = [max(column, key=len) for column in zip(*known, strict=True)]
        return table(known)

    def line(self, row: Sequence[str]) -> str:
        """One more line; wider cells widen their columns for the lines after it."""
        pairs = zip(self._widest, row, strict=True)
        self._widest = [max(before, cell, key=len) for before, cell in pairs]
        return table([self._widest, row]).rpartition("\n")[2]
