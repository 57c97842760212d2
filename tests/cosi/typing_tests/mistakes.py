"""What cannot be written: each marked line is an error to both type checkers."""

from __future__ import annotations

from cosi import Controller, Input, Output, QController, Resource, Spec, StrongInput, transform


class Number(Spec, type="Numbers.test.dev"):
    value: int = 0


class Text(Spec, type="Texts.test.dev"):
    text: str = ""


class Wrong(Controller):
    numbers = Input(Number)
    held = StrongInput(Number)
    never_released = StrongInput(Number, live_only=True)  # error
    texts = Output(Text)

    async def reconcile(self) -> None:
        await self.numbers.apply("a", Number())  # error
        await self.numbers.hold("a")  # error
        await self.texts.hold("a")  # error
        await self.held.apply("a", Number())  # error
        await self.texts.apply("a", Number())  # error
        await self.undeclared.get("a")  # error
        print((await self.numbers.get("a")).spec.text)  # error
        print((await self.texts.find("a")).spec)  # error
        self.wake_after("soon")  # error


class WrongQueue(QController[Number]):
    primary = StrongInput(Number)

    async def reconcile(self, number: Resource[Text]) -> None:  # error
        ...


@transform(Number, to=Text)  # error
def wrong_in(text: Resource[Text]) -> Text:
    return text.spec


@transform(Number, to=Text)  # error
def wrong_out(number: Resource[Number]) -> Number:
    return number.spec
