"""`cosi run --reload`: starts again, in the same process, when the source of what runs changes.

::

    running ──change──> can it be loaded? ──yes──> everything ends, what runs outside is left
       ^                      │ no: logged                          │
       └──────────────────────┘                                     v
                                  ┌────────────── executes itself (``_handover.py``)
                                  v
    running <──yes── can it be loaded and built? ──no──> waits for a change, or a signal

What runs is not ended for a source that cannot be loaded, so a slip costs nothing. That is tried in
another process. A signal ends everything in order, whichever of these it meets.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, NoReturn

import anyio
import click

from cosi.cli._handover import LateSignals, execute_again, received
from cosi.cli._sources import (
    LoadedSources,
    Stamp,
    any_later,
    beside,
    load_problem,
    reason,
    stamps_in,
    syntax_problem,
)
from cosi.cli.application import CannotStart
from cosi.cli.early_signals import STOPPING, early_signals
from cosi.cli.signals import OBEYED
from cosi.errors import CosiError

SETTLE_MILLISECONDS: Final = 50
"""The quiet time after a save, before the sources are checked."""
MOST_MILLISECONDS: Final = 1600
"""The longest wait for a quiet time."""
LOOK_MILLISECONDS: Final = 1000
"""The time between checks without a notification, in case one was missed."""
CAUGHT_SECONDS: Final = 0.05
"""The time for a caught signal to come through the event loop."""

_log = logging.getLogger(__name__)


class NotLoadedAgain(CosiError):
    """The run could not begin again; what it had started may go on. `cosi run` exits with 1."""


def check_watchfiles() -> None:
    """Raise :class:`~cosi.cli.application.CannotStart` if watchfiles is not installed."""
    try:
        import watchfiles
    except ImportError as error:
        text = f"--reload needs `pip install 'cosi[watch]'`: {error}"
        raise CannotStart(text) from error
    # It counts changes, of which most are of no interest.
    logging.getLogger(watchfiles.__name__).setLevel(logging.WARNING)


class Reloader:
    """Watches the source of a run, and starts the run again."""

    def __init__(self, applications: Sequence[str], end_output: Callable[[], None]) -> None:
        """``end_output`` writes all pending output."""
        self._applications = applications
        self._end_output = end_output
        self._sources = LoadedSources()
        self._refused: dict[Path, Stamp] = {}

    async def watch(self, restart: Callable[[], None]) -> None:
        """Call ``restart`` once, when the source has changed and can be loaded."""
        self._sources.changed()  # as of now
        if await each_change(self._sources.directories(), self._is_new):
            restart()

    async def _is_new(self) -> bool:
        changed = self._sources.changed()
        if not changed or changed == self._refused:
            return False
        if problem := await self._problem(changed):
            self._refused = changed
            text = "source changed, and cannot be loaded: %s; what runs goes on until it changes"
            _log.error(text, problem)
            return False
        _log.info("source changed, restarting: %s", ", ".join(sorted(map(str, changed))))
        return True

    async def _problem(self, changed: Iterable[Path]) -> str | None:
        problems = filter(None, map(syntax_problem, sorted(changed)))
        return next(problems, None) or await load_problem(self._applications)

    async def run_again(
        self, signals: AsyncIterator[signal.Signals], resources: Iterable[str]
    ) -> NoReturn:
        """Start the run again; ``signals`` are those that the event loop has received.

        Raises :class:`NotLoadedAgain` if the program cannot be executed any more.
        """
        await _execute(signals, resources, self._end_output)


async def _execute(
    signals: AsyncIterator[signal.Signals],
    resources: Iterable[str],
    end_output: Callable[[], None],
) -> NoReturn:
    late = LateSignals()
    with anyio.move_on_after(CAUGHT_SECONDS):
        async for number in signals:
            early_signals.note(number)
    if early_signals.first is not None:
        late.add(early_signals.first)
    end_output()
    try:
        execute_again(late, resources, OBEYED)
    except OSError as error:
        raise NotLoadedAgain(f"the program cannot be executed again: {error}") from error


def wait_for_change(error: Exception, end_output: Callable[[], None]) -> NoReturn:
    """Report why nothing can be loaded, wait until the source has changed, and start again.

    A signal ends the wait; raises :class:`~cosi.cli.application.CannotStart` then, and
    :class:`NotLoadedAgain` if there was a run before.
    """
    check_watchfiles()
    why = reason(error)
    click.echo(f"cosi: {why}", err=True)
    click.echo("cosi: waiting for the source to change; Ctrl-C ends it", err=True)
    anyio.run(_wait, error, end_output)
    if received().again:
        left = "what the previous run has started outside of this process goes on"
        raise NotLoadedAgain(f"{why}; {left}") from error
    raise CannotStart(why) from error


async def _wait(error: Exception, end_output: Callable[[], None]) -> None:
    """Return at a signal; at a change, execute the program again."""
    directories = beside(error)
    before = stamps_in(directories)

    async def is_new() -> bool:
        return any_later(before) or stamps_in(directories) != before

    changed = False
    with anyio.open_signal_receiver(*STOPPING) as signals:
        if early_signals.first is not None:
            return
        async with anyio.create_task_group() as tasks:

            async def end() -> None:
                early_signals.note(await anext(signals))
                tasks.cancel_scope.cancel()

            tasks.start_soon(end)
            changed = await each_change(directories, is_new)
            tasks.cancel_scope.cancel()
        if changed and early_signals.first is None:
            await _execute(signals, received().resources, end_output)


async def each_change(directories: Iterable[Path], enough: Callable[[], Awaitable[bool]]) -> bool:
    """Call ``enough`` after each change of a source file in these, until it returns true.

    It is called every second, too: a file may have changed before it was watched. Returns whether
    it was true: not if this is cancelled, which may show only after it has returned.
    """
    from watchfiles import awatch

    stop = anyio.Event()
    changes: Any = awatch(
        *directories,
        watch_filter=lambda _, path: path.endswith(".py"),
        debounce=MOST_MILLISECONDS,
        step=SETTLE_MILLISECONDS,
        rust_timeout=LOOK_MILLISECONDS,
        yield_on_timeout=True,
        stop_event=stop,
        recursive=False,
        ignore_permission_denied=True,
    )
    found = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_set_at_the_end, stop)
        async with aclosing(changes):
            async for _ in changes:
                if found := await enough():
                    break
        tasks.cancel_scope.cancel()
    return found


async def _set_at_the_end(stop: anyio.Event) -> None:
    """The thread of watchfiles is not cancelled with its task: it must be asked to stop."""
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()
