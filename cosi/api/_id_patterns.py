"""Id patterns of clients: RE2's language, as COSI's are, and not that of Python's ``re``.

``re`` would let anybody who may read keep the server busy for ever: ``(a+)+$`` takes 2**40 steps
against forty letters and another one. RE2 takes a number of steps that is at most the product of
the lengths of the id and of the compiled pattern; :data:`PATTERN_BYTES` bounds the second, and with
it the worst that a pattern can cost: 2 ms for an id of 64 letters, where usual ones need 2 us.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Final, Protocol, cast

from typing_extensions import override

from cosi.errors import InvalidResource, LimitExceeded
from cosi.state._query import Query

PATTERN_LETTERS: Final = 1_024
"""What is longer is refused unread: RE2 needs 0.05 s for so many letters of ``\\pL\\pL...``, and
86 s for a million, only to find that they do not fit.
"""
PATTERN_BYTES: Final = 64 * 1024
"""Memory of one pattern: its program of at most some 4,000 steps, and what a search remembers.

Enough for two of ``\\pL``, of 1,200 steps each; a letter is one.
"""


class _Pattern(Protocol):
    @property
    def programsize(self) -> int: ...

    def search(self, text: bytes, /) -> object | None: ...


@dataclass(frozen=True, slots=True)
class ReceivedQuery(Query):
    """A query whose pattern is RE2's. Equal ones are equal, but none is equal to one of Python's.

    Raises :class:`~cosi.errors.InvalidResource` in the words of RE2 if it refuses the pattern.
    """

    def __post_init__(self) -> None:
        if self.id is not None:
            _compile(self.id)

    @override
    def matches_id(self, id: str) -> bool:
        """Whether the pattern is found in ``id``."""
        if self.id is None:
            return True
        # As bytes: RE2's, and what is no text in them is no error, it only matches nothing.
        return _compile(self.id).search(id.encode(errors="surrogatepass")) is not None


def pattern_steps(pattern: str) -> int:
    """How many steps of RE2 there are for each letter of an id, at most; one takes 8 ns.

    Raises as :class:`ReceivedQuery`.
    """
    return _compile(pattern).programsize


@lru_cache(maxsize=256)
def _compile(pattern: str) -> _Pattern:
    if len(pattern) > PATTERN_LETTERS:
        raise LimitExceeded(
            f"failed to compile regexp: pattern too large: {len(pattern)} letters, of at most "
            f"{PATTERN_LETTERS}"
        )
    re2 = import_module("re2")  # has no types; and 20 ms that most servers never need
    options = re2.Options()
    options.max_mem = PATTERN_BYTES
    options.never_capture = True  # groups only group: remembering them would cost, for nothing
    options.log_errors = False  # a client's mistake is told to the client
    try:
        return cast("_Pattern", re2.compile(pattern, options))
    except re2.error as error:
        reason = error.args[0]
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise InvalidResource(f"failed to compile regexp: {words} in {pattern!r}") from None
