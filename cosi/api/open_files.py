"""The limit of open files (RLIMIT_NOFILE): raised for this program, and not for what it starts.

The soft limit is 1,024 nearly everywhere, for programs that use select(2); the hard one, up to
which a program may raise it by itself, is some hundred times as much (systemd: 1024:524288). A
supervisor needs about four descriptors for each service, and three for each connection to its API.
"""

from __future__ import annotations

import resource
from typing import Final

from cosi.errors import CosiError

LEAST: Final = 128
"""Below this a program that supervises refuses to start: an idle one has about 40 files open."""
MOST: Final = 65_536
"""What the limit is raised to at most; where the hard one is "unlimited" it has to be something."""


class TooFewOpenFiles(CosiError):
    """The limit of open files does not allow what this program is there for."""


_inherited: list[tuple[int, int]] = []


def limit() -> int:
    """How many files this process may have open: the soft limit as it is now."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def raise_limit() -> None:
    """Raise the soft limit as far as it goes, at most to ``MOST``.

    Raises :class:`TooFewOpenFiles` if it goes no further than below ``LEAST``.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = raised(soft, hard)
    if wanted != soft:
        _inherited[:] = [(soft, hard)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def raised(soft: int, hard: int) -> int:
    """What the soft limit should be; raises as :func:`raise_limit`."""
    wanted = min(_number(hard), MOST)
    if soft == resource.RLIM_INFINITY or soft > wanted:
        wanted = soft
    if _number(wanted) < LEAST:
        raise TooFewOpenFiles(
            f"this process may have {wanted} files open, and needs {LEAST} or more: "
            "raise the limit with `ulimit -n 1024`, or LimitNOFILE= in the unit of systemd"
        )
    return wanted


def _number(limit: int) -> int:
    return MOST if limit == resource.RLIM_INFINITY else limit


def limit_before() -> tuple[int, int] | None:
    """Soft and hard limit before :func:`raise_limit`, for what we start; ``None`` if not raised.

    A service that was built for 1,024, as whatever uses select(2) is, must not get more unasked.
    """
    return _inherited[0] if _inherited else None
