"""Matches the id patterns of clients with RE2, as COSI does, instead of Python's ``re``.

With ``re`` any client that may read could block the server indefinitely: ``(a+)+$`` takes 2**40
steps for forty letters ``a`` and another one. RE2 needs at most as many steps as the product of the
lengths of the id and of the compiled pattern. :data:`PATTERN_BYTES` bounds the latter, and so the
cost of a pattern: at most 2 ms for an id of 64 letters; usual patterns need 2 us.
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
"""The longest pattern that is compiled. To find out that ``\\pL\\pL...`` is too large, RE2 needs
0.05 s for this many letters, and 86 s for a million.
"""
PATTERN_BYTES: Final = 64 * 1024
"""The memory of one pattern: its program of at most some 4,000 steps, and the cache of a search.

Enough for two ``\\pL`` of 1,200 steps each; a letter is one step.
"""


class _Pattern(Protocol):
    @property
    def programsize(self) -> int: ...

    def search(self, text: bytes, /) -> object | None: ...


@dataclass(frozen=True, slots=True)
class ReceivedQuery(Query):
    """A query whose pattern is matched by RE2; it never equals a plain :class:`Query`.

    Raises :class:`~cosi.errors.InvalidResource` with RE2's message if RE2 refuses the pattern.
    """

    def __post_init__(self) -> None:
        if self.id is not None:
            _compile(self.id)

    @override
    def matches_id(self, id: str) -> bool:
        """Whether the pattern is found in ``id``."""
        if self.id is None:
            return True
        # As bytes, which RE2 uses; parts that are not valid UTF-8 match nothing, without an error.
        return _compile(self.id).search(id.encode(errors="surrogatepass")) is not None


def pattern_steps(pattern: str) -> int:
    """The maximum number of RE2's steps for each letter of an id; a step takes 8 ns.

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
    re2 = import_module("re2")  # without types; the import takes 20 ms, and is rarely needed
    options = re2.Options()
    options.max_mem = PATTERN_BYTES
    options.never_capture = True  # the matches of groups are not used, and would cost time
    options.log_errors = False  # the error goes to the client
    try:
        return cast("_Pattern", re2.compile(pattern, options))
    except re2.error as error:
        reason = error.args[0]
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise InvalidResource(f"failed to compile regexp: {words} in {pattern!r}") from None
