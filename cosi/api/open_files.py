"""The limit of open files (RLIMIT_NOFILE): raised for this program, and not for its children.

The soft limit is 1,024 nearly everywhere, for programs that use select(2). The hard limit, up to
which a program may raise it, is some hundred times as much (systemd: 1024:524288). A supervisor
needs about four descriptors for each service, and three for each connection to its API.
"""

from __future__ import annotations

import resource
from typing import Final

from cosi.errors import CosiError

LEAST: Final = 128
"""A supervisor refuses to start below this limit: an idle one has about 40 files open."""
MOST: Final = 65_536
"""The highest limit to which it is raised, even if the hard limit is "unlimited"."""


class TooFewOpenFiles(CosiError):
    """The limit of open files is too low for this program."""


_inherited: list[tuple[int, int]] = []


def limit() -> int:
    """How many files this process may have open: the current soft limit."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def raise_limit() -> None:
    """Raise the soft limit as far as possible, at most to ``MOST``.

    Raises :class:`TooFewOpenFiles` if the result is below ``LEAST``.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = raised(soft, hard)
    if wanted != soft:
        _inherited[:] = [(soft, hard)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def restore_limit() -> None:
    """Have the limit again that there was before :func:`raise_limit`."""
    if (before := limit_before()) is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def raised(soft: int, hard: int) -> int:
    """The new soft limit; raises as :func:`raise_limit`."""
    wanted = min(_number(hard), MOST)
    if soft == resource.RLIM_INFINITY or soft > wanted:
        wanted = soft
    if _number(wanted) < LEAST:
        raise TooFewOpenFiles(
            f"this process may have {wanted} files open, but needs {LEAST} or more: "
            "raise the limit with `ulimit -n 1024`, or LimitNOFILE= in the unit of systemd"
        )
    return wanted


def _number(limit: int) -> int:
    return MOST if limit == resource.RLIM_INFINITY else limit


def limit_before() -> tuple[int, int] | None:
    """Soft and hard limit before :func:`raise_limit`, for child processes; ``None`` if not raised.

    A service that was built for 1,024, as every program with select(2) is, must not get more by
    default.
    """
    return _inherited[0] if _inherited else None
