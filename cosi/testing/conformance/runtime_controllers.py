"""The controllers of the runtime suite: integers become texts, texts sentences, integers sums."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio
from anyio.lowlevel import checkpoint

from cosi.controller._controller import Controller, Wakeups
from cosi.controller._declarations import Input, Output, StrongInput
from cosi.controller._in_flight import idle
from cosi.controller._qcontroller import QController
from cosi.controller._requeue import Requeue
from cosi.resource._envelope import Resource
from cosi.resource._payload import Spec
from cosi.state._query import EVERYTHING, Query


class Int(Spec, type="Ints.test.cosi.dev", default_namespace="default"):
    """A number (COSI's suite: ``test/int``)."""

    value: int = 0


class Str(Spec, type="Strs.test.cosi.dev", default_namespace="default"):
    """A text (COSI's suite: ``test/str``)."""

    value: str = ""


class Sentence(Spec, type="Sentences.test.cosi.dev", default_namespace="default"):
    """A sentence (COSI's suite: ``test/sentence``)."""

    value: str = ""


class IntToStr(Controller):
    """Writes a text for each number; holds the number while its text exists."""

    ints = StrongInput(Int)
    strs = Output(Str)

    async def reconcile(self) -> None:
        for number in await self.ints.list():
            if not number.tearing_down:
                await self.ints.hold(number.id)
                await self.strs.apply(number.id, Str(value=str(number.spec.value)))
            elif await self.strs.remove(number.id):
                await self.ints.release(number.id)


class StrToSentence(Controller):
    """Makes a sentence of each text; sets the namespace of the texts only at run time."""

    strs = StrongInput(Str, namespace="unknown")
    sentences = Output(Sentence)

    async def run(self, wakeups: Wakeups, /) -> None:
        self.strs.retarget(namespace="default")
        async for _ in wakeups:
            for text in await self.strs.list():
                await self._follow(text)

    async def _follow(self, text: Resource[Str]) -> None:
        if not text.tearing_down:
            await self.strs.hold(text.id)
            sentence = Sentence(value=f"{text.spec.value} sentence")
            await self.sentences.apply(text.id, sentence, labels={"combined": "true"})
        elif await self.sentences.remove(text.id):
            await self.strs.release(text.id)


class Sum(Controller):
    """Adds up the numbers of one namespace into one number of another."""

    ints = Input(Int)
    sums = Output(Int, shared=True)

    def __init__(self, name: str, source: str, target: str, where: Query = EVERYTHING) -> None:
        self.name = name
        self.where = where
        self.ints.retarget(namespace=source)
        self.sums.retarget(namespace=target)

    async def reconcile(self) -> None:
        numbers = await self.ints.list(self.where)
        total = sum(number.spec.value for number in numbers)
        await self.sums.apply(self.name, Int(value=total))


class Failing(Controller):
    """Fails in its first run, and works in the second."""

    strs = Output(Str)

    def __init__(self, fail: Callable[[], object]) -> None:
        self.fail = fail
        self.lives = 0

    async def reconcile(self) -> None:
        self.lives += 1
        if self.lives == 1:
            self.fail()
        await self.strs.apply("alive", Str(value=str(self.lives)))


class Hopeless(Controller):
    """Fails in every pass."""

    ints = Input(Int)

    async def reconcile(self) -> None:
        raise ValueError("as always")


class IntDoubler(Controller):
    """Doubles numbers; output tracking removes the doubles of numbers that are gone."""

    ints = Input(Int)
    doubles = Output(Str)

    async def reconcile(self) -> None:
        async with self.doubles.track() as doubles:
            for number in await self.ints.list():
                if number.spec.value < 0:
                    raise ValueError(f"{number} is negative")
                await doubles.apply(number.id, Str(value=str(2 * number.spec.value)))


class ModifyWithResult(Controller):
    """Keeps the results of ``modify``."""

    ints = Input(Int)
    strs = Output(Str)

    def __init__(self) -> None:
        self.results: list[Resource[Str]] = []

    async def reconcile(self) -> None:
        for number in await self.ints.list():
            text = str(number.spec.value)
            result = await self.strs.modify(number.id, partial(_say, text), default=Str())
            self.results.append(result)


def _say(text: str, resource: Resource[Str]) -> Resource[Str]:
    return resource.evolve(spec=Str(value=text))


class CountedPasses(Controller):
    """Does a known number of reads and writes in each pass."""

    ints = Input(Int)
    strs = Output(Str)

    async def reconcile(self) -> None:
        numbers = await self.ints.list()
        if numbers:
            raise ValueError("a number")
        await self.strs.apply("one", Str(value="one"))
        await self.strs.remove("missing")


class QPlain(QController[Int]):
    """Writes a text for each number, one key at a time."""

    primary = StrongInput(Int)
    strs = Output(Str)

    async def reconcile(self, number: Resource[Int], /) -> Requeue | None:
        await self.strs.apply(number.id, Str(value=str(number.spec.value)))
        return None

    async def finalize(self, number: Resource[Int], /) -> Requeue | None:
        await self.strs.remove(number.id)
        return None


class QIntToStr(QPlain):
    """As :class:`QPlain`, four keys at a time, with both hooks."""

    concurrency = 4

    def __init__(self) -> None:
        self.hook_runs = 0
        self.is_shut_down = False

    async def background(self) -> None:
        self.hook_runs += 1
        if self.hook_runs == 1:
            raise RuntimeError("the hook fails first")
        await self.strs.within("hooks").apply("hook", Str(value=str(self.hook_runs)))
        with idle():
            await anyio.sleep_forever()

    async def shutdown(self) -> None:
        self.is_shut_down = True


class QWatchful(QPlain):
    """Detects whether two workers ever process one key, and counts concurrent workers."""

    concurrency = 4

    def __init__(self) -> None:
        self.in_work: list[str] = []
        self.twice = False
        self.together = 0

    async def reconcile(self, number: Resource[Int], /) -> Requeue | None:
        self.twice = self.twice or number.id in self.in_work
        self.in_work.append(number.id)
        self.together = max(self.together, len(self.in_work))
        await checkpoint()
        await super().reconcile(number)
        await checkpoint()
        self.in_work.remove(number.id)
        return None


class QFailing(QController[Str]):
    """Obeys the text: fails, has a bug, or requeues; else writes the length of the text."""

    primary = StrongInput(Str)
    lengths = Output(Int)

    async def reconcile(self, text: Resource[Str], /) -> Requeue | None:
        match text.spec.value:
            case "fail":
                raise ValueError("it says so")
            case "bug":
                return self.bug  # type: ignore[attr-defined,no-any-return]  # the bug
            case "requeue":
                return Requeue(after=3600)
            case "requeue with error":
                return Requeue(after=3600, error=ValueError("it says so"))
            case _:
                await self.lengths.apply(text.id, Int(value=len(text.spec.value)))
        return None

    async def finalize(self, text: Resource[Str], /) -> Requeue | None:
        await self.lengths.remove(text.id)
        return None


class QSleeping(QController[Int]):
    """Sleeps for as many seconds as each number says, until it is torn down."""

    primary = StrongInput(Int)
    strs = Output(Str)

    async def reconcile(self, number: Resource[Int], /) -> Requeue | None:
        async with self.primary.until_teardown(number.id):
            with idle():
                await anyio.sleep(number.spec.value)
            await self.strs.apply(number.id, Str(value=str(number.spec.value)))
        return None

    async def finalize(self, number: Resource[Int], /) -> Requeue | None:
        await self.strs.remove(number.id)
        return None


class Cancelled(Controller):
    """Lets a cancellation of its own scope escape, once."""

    strs = Output(Str)

    def __init__(self) -> None:
        self.lives = 0

    async def reconcile(self) -> None:
        self.lives += 1
        if self.lives == 1:
            await self._escape()
        await self.strs.apply("alive", Str(value="alive"))

    async def _escape(self) -> None:
        escaped: BaseException | None = None
        with anyio.CancelScope() as scope:
            scope.cancel()
            try:
                await anyio.sleep_forever()
            except BaseException as cancelled:
                escaped = cancelled
                raise
        if escaped is not None:
            raise escaped


class Bound(QController[Int]):
    """Reads only one number."""

    primary = StrongInput(Int, id="mine")
    strs = Output(Str)

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def reconcile(self, number: Resource[Int], /) -> Requeue | None:
        self.seen.append(number.id)
        return None
