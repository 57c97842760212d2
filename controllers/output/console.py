"""Copies the output of services with ``logToConsole`` to the console, line by line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Final, Self, TypeAlias

from controllers.output.logs import LogReader, ServiceLog

Show: TypeAlias = Callable[[str, str], None]
"""Shows one line: service id, text without the line end. Called in the event loop."""

_log: Final = logging.getLogger("cosi.containers")

LINE_LIMIT: Final = 16 * 1024
"""The longest line in bytes; a longer one is shown in pieces."""
_LINES_AT_ONCE: Final = 64


class ConsoleLines:
    """Splits a stream into lines, and long lines into pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that ``data`` completes, and the full pieces of a long line, as text."""
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from _pieces(line)
        whole = len(rest) - len(rest) % LINE_LIMIT
        if whole:
            yield from _pieces(rest[:whole])
        self._rest = rest[whole:]

    def flush(self) -> Iterator[str]:
        """The rest of a last line without a line end."""
        rest, self._rest = self._rest, b""
        if rest:
            yield from _pieces(rest)


def _pieces(line: bytes) -> Iterator[str]:
    for start in range(0, max(1, len(line)), LINE_LIMIT):
        yield line[start : start + LINE_LIMIT].decode(errors="replace")


async def copy_to_console(id: str, reader: LogReader, show: Show) -> None:
    """Show the output from ``reader`` until it ends; skipped bytes are counted and reported."""
    lines = ConsoleLines()
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
    """The copying tasks of services, one at a time for each, within ``async with``.

    They do not use a task group, which would wrap the exceptions of the block in a group.
    """

    def __init__(self, show: Show | None) -> None:
        self._show = show
        self._copying: dict[str, tuple[LogReader, asyncio.Task[None]]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [task for _, task in self._copying.values()]
        self._copying.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self, id: str, log: ServiceLog) -> None:
        """Show all further output of the service, if there is a console."""
        if not self._show:
            return
        reader = log.follow()
        self._copying[id] = reader, asyncio.create_task(self._copy(id, log, reader, self._show))

    async def end(self, id: str) -> None:
        """Show the rest of the output, and stop; idempotent."""
        if copying := self._copying.pop(id, None):
            reader, task = copying
            reader.finish()
            await task

    async def _copy(self, id: str, log: ServiceLog, reader: LogReader, show: Show) -> None:
        try:
            await copy_to_console(id, reader, show)
        except Exception:  # an error of ``show``: the service continues, and its log is kept
            _log.exception("output of %s is not shown any more", id)
        finally:
            log.leave(reader)
