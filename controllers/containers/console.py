"""Copies the output of services that ask for it (`logToConsole`) to the console, line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from anyio.abc import TaskGroup

from controllers.containers.logs import LogReader, ServiceLog

Show: TypeAlias = Callable[[str, str], None]
"""Shows one line: service id, text without its end. Called in the event loop."""

LINE_LIMIT: Final = 16 * 1024
"""Bytes of a line that are shown as one."""
_LINES_AT_ONCE: Final = 64


class Lines:
    """Cuts a stream into lines, and a line that is too long into pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from _pieces(line)
        whole = len(rest) - len(rest) % LINE_LIMIT
        if whole:
            yield from _pieces(rest[:whole])
        self._rest = rest[whole:]

    def flush(self) -> Iterator[str]:
        """What is left of a last line without an end."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from _pieces(rest)


def _pieces(line: bytes) -> Iterator[str]:
    for start in range(0, max(1, len(line)), LINE_LIMIT):
        yield line[start : start + LINE_LIMIT].decode(errors="replace")


async def copy_to_console(id: str, reader: LogReader, show: Show) -> None:
    """Show what `reader` brings until it ends; what it was too slow for is counted and said."""
    lines = Lines()
    missed = 0
    async for data in reader:
        if reader.missed > missed:
            show(id, f"... {reader.missed - missed} bytes of output are not shown here")
            missed = reader.missed
        for number, line in enumerate(lines.feed(data), start=1):
            show(id, line)
            if number % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
    for line in lines.flush():
        show(id, line)


class Console:
    """The copying tasks of services, one at a time for each."""

    def __init__(self, show: Show, tasks: TaskGroup) -> None:
        self._show = show
        self._tasks = tasks
        self._copying: dict[str, tuple[LogReader, asyncio.Event]] = {}

    def begin(self, id: str, log: ServiceLog) -> None:
        """Show everything that the service writes from now on."""
        reader = log.follow()
        done = asyncio.Event()
        self._copying[id] = reader, done
        self._tasks.start_soon(self._copy, id, log, reader, done)

    async def end(self, id: str) -> None:
        """Show the rest of what was written, and stop; idempotent."""
        if copying := self._copying.pop(id, None):
            reader, done = copying
            reader.finish()
            await done.wait()

    async def _copy(self, id: str, log: ServiceLog, reader: LogReader, done: asyncio.Event) -> None:
        try:
            await copy_to_console(id, reader, self._show)
        finally:
            log.leave(reader)
            done.set()
