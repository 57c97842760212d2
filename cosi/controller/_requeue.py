"""``Requeue`` and ``Skip``: how a keyed pass asks for another one later, or ends without work."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from cosi.errors import CosiError


@dataclass(frozen=True, slots=True)
class Requeue:
    """Return it from ``reconcile`` to get another pass for this key ``after`` some seconds.

    With ``error`` the pass is counted and logged as failed, and the delay is ``after`` instead of
    the growing one. A change of the key before that is not delayed. 0 or less requests no pass. The
    constructor raises ``ValueError`` for NaN, ``TypeError`` if ``after`` is not a number.
    """

    after: float
    error: Exception | None = None

    def __post_init__(self) -> None:
        if isnan(self.after):
            raise ValueError(f"cannot requeue a key after {self.after} seconds: pass a number")


class Skip(CosiError):
    """Raise it, with the reason, if there is nothing to do *now*: no failure, and no retry."""
