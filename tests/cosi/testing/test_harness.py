"""The harness: what a test of a controller may rely on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosi import Controller, CosiError, Input, Output, Resource, transform
from cosi.testing import ControllersFailed, Harness, load_fixtures, running
from tests.cosi.runtime.things import Number, Text


@transform(Number, to=Text)
def spell(number: Resource[Number]) -> Text:
    return Text(text=str(number.spec.value))


class Broken(Controller):
    numbers = Input(Number)
    texts = Output(Text)

    def __init__(self) -> None:
        self.complained_of: set[str] = set()

    async def reconcile(self) -> None:
        for number in await self.numbers.list():
            if number.spec.value < 0 and str(number) not in self.complained_of:
                self.complained_of.add(str(number))
                raise ValueError(f"{number} is negative")


async def test_given_settles_before_it_returns(cosi: Harness) -> None:
    cosi.start(spell)
    await cosi.given("a", Number(value=1))
    assert await cosi.get(Text, "a") == Text(text="1")
    assert await cosi.list(Text) == {"a": Text(text="1")}
    assert await cosi.find(Text, "b") is None
    assert (await cosi.resource(Text, "a")).owner == "spell"


async def test_gone_destroys_what_nobody_holds_any_more(cosi: Harness) -> None:
    cosi.start(spell)
    await cosi.given("a", Number(value=1))
    assert await cosi.gone(Number, "a")
    assert await cosi.list(Text) == {}
    assert await cosi.gone(Number, "a")


async def test_a_failing_controller_fails_the_test() -> None:
    with pytest.raises(ControllersFailed, match=r"Broken.*is negative"):  # noqa: PT012  # leaving it raises
        async with running() as cosi:
            cosi.start(Broken())
            await cosi.given("a", Number(value=-1))


async def test_a_failure_is_raised_once(cosi: Harness) -> None:
    cosi.start(Broken())
    with pytest.raises(ControllersFailed, match="Broken"):
        await cosi.given("a", Number(value=-1))
    await cosi.settled()


async def test_a_failure_after_the_last_look_fails_the_test() -> None:
    with pytest.raises(ControllersFailed, match="Broken"):  # noqa: PT012  # leaving it raises
        async with running() as cosi:
            cosi.start(Broken())
            await cosi.state.create(Resource.new("a", Number(value=-1)))
            await cosi.runtime.settled()


async def test_an_expected_failure_does_not(cosi: Harness) -> None:
    cosi.start(Broken())
    with cosi.failing() as failures:
        await cosi.given("a", Number(value=-1))
        assert "Broken" in str(failures[0])
    await cosi.given("a", Number(value=1))


async def test_an_expected_failure_that_does_not_come_is_one() -> None:
    async with running() as cosi:
        with pytest.raises(AssertionError, match="expected"), cosi.failing():
            await cosi.given("a", Number(value=1))


async def test_fixtures_come_from_a_file(cosi: Harness, tmp_path: Path) -> None:
    file = tmp_path / "numbers.yaml"
    file.write_text(
        "metadata: {type: Numbers.test.dev, id: a}\nspec: {value: 3}\n"
        "---\n"
        "metadata: {type: Numbers.test.dev, id: b, owner: somebody}\nspec: {value: 4}\n"
    )
    cosi.start(spell)
    await cosi.given_file(file)
    assert await cosi.list(Text) == {"a": Text(text="3"), "b": Text(text="4")}
    assert (await cosi.resource(Number, "b")).owner == "somebody"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "not UTF-8"),
        (b"metadata: {", ":1:"),
        (None, "No such file"),
        (b" " * (16 * 1024 * 1024 + 1), "larger than 16777216 bytes"),
    ],
)
def test_a_bad_fixture_names_its_file(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "bad.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CosiError, match=r"bad\.yaml.*" + message):
        load_fixtures(file)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_time_does_not_pass_where_it_is_real(cosi: Harness) -> None:
    with pytest.raises(CosiError, match="MockClock"):
        await cosi.advance(1)
