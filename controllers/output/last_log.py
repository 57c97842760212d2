"""The end of a run's output, as it is quoted when the run has failed."""

from __future__ import annotations

from typing import Final

LAST_LOG: Final = 512
"""Bytes (Talos 1.14)."""


def last_log(tail: bytes) -> str:
    """The last whole lines of `tail` that fit into 512 bytes, without the last line's end.

    Give one byte more than that, if there is one: it tells whether a line begins right after it.
    A line that does not fit is cut at its beginning, rather than shown as nothing. Bytes that are
    no UTF-8 are kept as surrogates, for Go's way of quoting them.
    """
    kept = tail[-LAST_LOG:]
    if len(tail) > LAST_LOG and tail[-LAST_LOG - 1 : -LAST_LOG] != b"\n":
        whole_lines = kept.partition(b"\n")[2]
        kept = whole_lines if whole_lines.strip(b"\n") else kept
    return kept.strip(b"\n").decode(errors="surrogateescape")
