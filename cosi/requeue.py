"""What a keyed pass may say besides "done": look again later, or nothing to do."""

from __future__ import annotations

from dataclasses import dataclass

from cosi.errors import CosiError


@dataclass(frozen=True, slots=True)
class Requeue:
    """Look at this key again ``after`` so many seconds; return it from ``reconcile``.

    With ``error`` the pass is counted and logged as failed, and the delay is ``after`` instead of
    the growing one. A change of the key before that is not delayed.
    """

    after: float
    error: Exception | None = None


class Skip(CosiError):
    """Raise it where there is nothing to do *now*, saying why: no failure, nothing is retried."""
