"""Hosts that say what the test says, behind the readers' protocols."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import anyio

from controllers.host.probing import ProbeFailed
from controllers.host.reader import HostReadError
from controllers.host.walk import Presence
from resources.probe_spec import ProbeSpec

Fact = TypeVar("Fact")


class FakeReader(Generic[Fact]):
    """Tells one fact, then what the test tells it to; ``failure`` makes the next try fail."""

    def __init__(self, fact: Fact, failure: str = "") -> None:
        self.fact = fact
        self.failure = failure
        self._report: Callable[[Fact], None] | None = None

    async def follow(self, report: Callable[[Fact], None]) -> None:
        if self.failure:
            raise HostReadError(self.failure)
        self._report = report
        report(self.fact)
        await anyio.sleep_forever()

    def tell(self, fact: Fact) -> None:
        assert self._report, "nobody follows"
        self.fact = fact
        self._report(fact)


class FakePaths:
    """A file system; ``asked`` is what somebody wants to know of it."""

    def __init__(self, *there: str) -> None:
        self.there = set(there)
        self.errors: dict[str, str] = {}
        self.asked: set[str] = set()
        self.failure = ""
        self._report: Callable[[Mapping[str, Presence]], None] | None = None

    async def follow(self, report: Callable[[Mapping[str, Presence]], None]) -> None:
        if self.failure:
            raise HostReadError(self.failure)
        self._report = report
        if self.asked:
            report({path: self.look(path) for path in self.asked})
        await anyio.sleep_forever()

    def look(self, path: str) -> Presence:
        return Presence(path in self.there, self.errors.get(path, ""))

    def want(self, path: str) -> None:
        self.asked.add(path)
        self._tell(path)

    def forget(self, path: str) -> None:
        self.asked.discard(path)

    def create(self, path: str) -> None:
        self.there.add(path)
        self._tell(path)

    def delete(self, path: str) -> None:
        self.there.discard(path)
        self._tell(path)

    def _tell(self, path: str) -> None:
        if self._report and path in self.asked:
            self._report({path: self.look(path)})


class FakeProber:
    """Succeeds, but where ``failures`` says why not; remembers when it tried what."""

    def __init__(self) -> None:
        self.failures: dict[str, str] = {}
        self.attempts: list[tuple[float, str]] = []
        self.seconds = 0.0

    async def attempt(self, probe: ProbeSpec) -> None:
        target = probe.tcp.endpoint if probe.tcp else probe.http.url if probe.http else ""
        self.attempts.append((anyio.current_time(), target))
        await anyio.sleep(self.seconds)
        if target in self.failures:
            raise ProbeFailed(self.failures[target])
