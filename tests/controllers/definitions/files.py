"""Watchers for tests: one that is told, and one that asks the kernel; and texts of definitions."""

from collections.abc import Callable, Iterable, Set
from pathlib import Path

from anyio import sleep_forever

HELLO = """\
name: hello-world
container:
  entrypoint: ./hello
restart: always
"""


def definition(name: str, entrypoint: str = "./run", restart: str = "always") -> str:
    """The text of a small definition."""
    return f"name: {name}\ncontainer:\n  entrypoint: {entrypoint}\nrestart: {restart}\n"


class ToldFiles:
    """A ``FileWatcher`` that reports what a test tells it."""

    def __init__(self) -> None:
        self.paths: frozenset[Path] = frozenset()
        self._report: Callable[[Set[Path]], None] | None = None

    def aim(self, paths: Iterable[Path]) -> None:
        self.paths = frozenset(paths)

    async def follow(self, report: Callable[[Set[Path]], None]) -> None:
        self._report = report
        await sleep_forever()

    def changed(self, *paths: Path) -> None:
        """Say that these may have changed."""
        assert self._report, "nobody follows"
        self._report(frozenset(paths))
