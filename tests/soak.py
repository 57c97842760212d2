"""How much of what is a matter of quantity: a part in the suite, all of it in ``make soak``."""

import os

SOAK = bool(os.environ.get("COSI_SOAK"))


def quantity(suite: int, soak: int) -> int:
    """``soak`` where ``COSI_SOAK`` is set, as in CI, and ``suite`` otherwise."""
    return soak if SOAK else suite
