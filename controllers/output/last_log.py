"""The end of a run's output, as quoted in the message of a failed run."""

from __future__ import annotations

from typing import Final

LAST_LOG: Final = 512
"""The most bytes that are quoted (Talos 1.14)."""


def last_log(tail: bytes) -> str:
    """The last whole lines of ``tail`` that fit into 512 bytes, without the last line end.

    ``tail`` should have one byte more, if available: it shows whether a line begins right after
    it. A single line that does not fit is cut at its beginning. Invalid UTF-8 is kept as
    surrogates, which are quoted as in Go.
    """
    kept = tail[-LAST_LOG:]
    if len(tail) > LAST_LOG and tail[-LAST_LOG - 1 : -LAST_LOG] != b"\n":
        whole_lines = kept.partition(b"\n")[2]
        kept = whole_lines if whole_lines.strip(b"\n") else kept
    return kept.strip(b"\n").decode(errors="surrogateescape")
