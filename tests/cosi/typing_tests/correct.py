"""How controllers are written; both type checkers accept all of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_type

from cosi import (
    Controller,
    Inbox,
    Input,
    Mapped,
    Output,
    QController,
    Reader,
    Requeue,
    Resource,
    Spec,
    StrongInput,
    StrongReader,
    TaskSet,
    Wakeups,
    Writer,
    transform,
)
from cosi.testing import Harness


class Number(Spec, type="Numbers.test.dev"):
    value: int = 0


class Text(Spec, type="Texts.test.dev"):
    text: str = ""


@transform(Number, to=Text)
def spell(number: Resource[Number]) -> Text | None:
    return Text(text=str(number.spec.value)) if number.spec.value else None


class Loop(Controller):
    numbers = Input(Number)
    one = StrongInput(Number, id="one", namespace="other")
    texts = Output(Text, defer=True)

    async def reconcile(self) -> None:
        assert_type(self.numbers, Reader[Number])
        assert_type(self.one, StrongReader[Number])
        assert_type(self.texts, Writer[Text])
        assert_type(await self.numbers.get("a"), Resource[Number])
        assert_type(await self.one.find(), Resource[Number] | None)
        assert_type((await self.numbers.list())[0].spec.value, int)
        async with self.texts.track() as texts:
            assert_type(await texts.apply("a", Text(), labels={"a": "b"}), Resource[Text])
        assert_type(await self.texts.remove("a"), bool)
        await self.one.hold()
        self.wake_after(1.5)


class Live(Controller):
    numbers = Input(Number, live_only=True)

    def __init__(self) -> None:
        self.inbox: Inbox[str] = Inbox()

    async def run(self, wakeups: Wakeups, /) -> None:
        async with TaskSet(self._work) as tasks:
            async for causes in wakeups:
                assert_type(causes[0].resource is None, bool)
                await tasks.reconcile({n.id: n.spec for n in await self.numbers.list()})

    async def _work(self, id: str, spec: Number) -> None:
        assert_type(await self.inbox.take(), str)


class Queue(QController[Number]):
    primary = StrongInput(Number)
    texts = Mapped(Text, to=lambda text: text.spec.text.split())

    def _readers(self, text: Resource[Text]) -> Iterable[str]:
        return [text.id]

    others = Mapped(Text, by=_readers, namespace="other", live_only=True)

    async def reconcile(self, number: Resource[Number]) -> Requeue | None:
        return Requeue(after=1)

    async def finalize(self, number: Resource[Number]) -> None:
        await self.primary.release(number.id)


async def test(cosi: Harness) -> None:
    cosi.start(Loop(), Queue(), spell)
    assert_type(await cosi.get(Text, "a"), Text)
    assert_type(await cosi.find(Text, "a"), Text | None)
    assert_type(await cosi.list(Text), dict[str, Text])
    assert_type(spell(await cosi.given("a", Number())), Text | None)
