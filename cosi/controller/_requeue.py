"""What a keyed pass may say besides "done": look again later, or nothing to do."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from cosi.errors import CosiError


@dataclass(frozen=True, slots=True)
class Requeue:
    """Look at this key again ``after`` so many seconds; return it from ``reconcile``.

    With ``error`` the pass is counted and logged as failed, and the delay is ``after`` instead of
    the growing one. A change of the key before that is not delayed. 0 or less is not at all. Making
    one is a ``ValueError`` for not a number, a ``TypeError`` for what is no number of seconds.
    """

    after: float
    error: Exception | None = None

    def __post_init__(self) -> None:
        if isnan(self.after):
            raise ValueError(f"a key cannot be looked at again after {self.after} seconds")


class Skip(CosiError):
    """Raise it where there is nothing to do *now*, saying why: no failure, nothing is retried."""
