"""The versions of this program and its interpreter, and the machine's operating system."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def own_version() -> dict[str, str]:
    """``cosi``, ``python``, ``os`` and ``machine``; ``cosi`` is empty if it is not installed."""
    try:
        own = version("cosi")
    except PackageNotFoundError:
        own = ""
    return {
        "cosi": own,
        "python": platform.python_version(),
        "os": platform.system().lower(),
        "machine": platform.machine(),
    }
