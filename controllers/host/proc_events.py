"""Files of /proc that announce their changes: ``sys/kernel/hostname``, ``self/mountinfo``.

They are always readable; a change is an *exceptional condition* (POLLPRI, proc(5)), for which the
event loops cannot wait. They can wait for an epoll descriptor that holds such a file.

The kernel clears the condition as soon as the file is polled, and adding a descriptor to the event
loop polls it. So a change just before that would be lost: the caller therefore reads the file
*after* the wait has begun, once for each wait.
"""

from __future__ import annotations

import os
import select
from collections.abc import Awaitable, Callable
from typing import NoReturn

import anyio

MOUNTS = "/proc/self/mountinfo"
HOSTNAME = "/proc/sys/kernel/hostname"


async def each_change(path: str, look: Callable[[], Awaitable[None]]) -> NoReturn:
    """Call ``look`` now, and again after each change of the file; no change is missed.

    Changes during a call of ``look`` cause one more. Raises ``OSError`` if the file is missing.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with select.epoll() as conditions:
            conditions.register(fd, select.EPOLLPRI)
            while True:
                await _look_and_wait(conditions, look)
    finally:
        os.close(fd)


async def _look_and_wait(conditions: select.epoll, look: Callable[[], Awaitable[None]]) -> None:
    armed = anyio.Event()

    async def wait() -> None:
        armed.set()  # The next line registers before it suspends, on either backend.
        await anyio.wait_readable(conditions.fileno())
        conditions.poll(0)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await armed.wait()
        await look()
