"""A controller that is a function."""

from __future__ import annotations

import pytest

from cosi import Resource, Skip, transform
from cosi.testing import Harness
from cosi.testing.clock import virtual_time
from tests.cosi.runtime.things import Number, Sentence, Text

__all__ = ["virtual_time"]


@transform(Number, to=Text)
def spell(number: Resource[Number]) -> Text | None:
    """Zero has no text, 13 is not spelt now, 99 is a mistake."""
    if number.spec.value == 13:
        raise Skip("13 is bad luck")
    if number.spec.value == 99:
        raise ValueError("99 is a mistake")
    return Text(text=str(number.spec.value)) if number.spec.value else None


@transform(Text, to=Sentence)
def phrase(text: Resource[Text]) -> Sentence:
    return Sentence(sentence=f"It is {text.spec.text}.")


def test_it_is_still_a_function() -> None:
    assert spell(Resource.new("a", Number(value=3))) == Text(text="3")
    assert spell.name == "spell"


def test_an_async_function_is_refused_where_it_is_written() -> None:
    """Each pass failed with "takes Text, not coroutine", and nobody awaited it."""

    async def whisper(number: Resource[Number]) -> Text:
        return Text(text=str(number.spec.value))

    with pytest.raises(TypeError, match="whisper is async, but a transform is a plain function"):
        transform(Number, to=Text)(whisper)  # type: ignore[arg-type]  # this is the mistake


async def test_a_payload_of_another_class_names_the_function(cosi: Harness) -> None:
    """It was ``TransformController.output``, whichever of them it was."""

    @transform(Number, to=Text)
    def misspell(number: Resource[Number]) -> Text:
        return Sentence()  # type: ignore[return-value]  # this is the mistake

    cosi.start(misspell)
    with cosi.failing() as failures:
        await cosi.given("a", Number())
    assert str(failures[0].error) == "misspell.output takes Text, not Sentence"


async def test_a_chain_follows_and_unwinds(cosi: Harness) -> None:
    cosi.start(spell, phrase)
    await cosi.given("a", Number(value=1))
    assert await cosi.get(Sentence, "a") == Sentence(sentence="It is 1.")
    await cosi.given("a", Number(value=2))
    assert await cosi.get(Sentence, "a") == Sentence(sentence="It is 2.")
    await cosi.state.add_finalizer(Sentence, "a", "reader")
    assert not await cosi.gone(Number, "a")
    assert (await cosi.resource(Text, "a")).tearing_down
    await cosi.state.remove_finalizer(Sentence, "a", "reader")
    assert await cosi.gone(Number, "a")
    assert await cosi.list(Text) == await cosi.list(Sentence) == {}


async def test_none_means_that_there_should_be_none_and_leaks_no_finalizer(cosi: Harness) -> None:
    """differences: COSI 11: in COSI the finalizer stays when the mapping has become none."""
    cosi.start(spell)
    await cosi.given("a", Number(value=1))
    await cosi.given("a", Number(value=0))
    assert await cosi.list(Text) == {}
    assert await cosi.gone(Number, "a")


async def test_one_that_fails_blocks_no_other_and_leaves_its_output(cosi: Harness) -> None:
    cosi.start(spell)
    await cosi.given("a", Number(value=1))
    with cosi.failing():
        await cosi.given("a", Number(value=99))
    await cosi.given("b", Number(value=2))
    assert await cosi.list(Text) == {"a": Text(text="1"), "b": Text(text="2")}
    await cosi.given("a", Number(value=3))
    assert await cosi.get(Text, "a") == Text(text="3")


async def test_a_skip_leaves_the_output_as_it_is(cosi: Harness) -> None:
    cosi.start(spell)
    await cosi.given("a", Number(value=1))
    await cosi.given("a", Number(value=13))
    assert await cosi.get(Text, "a") == Text(text="1")


async def test_an_input_that_returns_while_its_old_output_drains(cosi: Harness) -> None:
    """differences: COSI 4, differences: race PR#202: no failure, and it comes back."""
    cosi.start(spell)
    await cosi.given("a", Number(value=1))
    await cosi.state.add_finalizer(Text, "a", "reader")
    await cosi.given("a", Number(value=0))
    await cosi.given("a", Number(value=5))
    assert (await cosi.resource(Text, "a")).tearing_down
    await cosi.state.remove_finalizer(Text, "a", "reader")
    text = await cosi.resource(Text, "a")
    assert (text.spec, text.tearing_down) == (Text(text="5"), False)


async def test_an_output_of_somebody_else_is_an_error_of_that_key(cosi: Harness) -> None:
    await cosi.given("a", Text(text="theirs"), owner="somebody")
    cosi.start(spell)
    with cosi.failing() as failures:
        await cosi.given("a", Number(value=1))
    assert 'owned by "somebody"' in str(failures[0].error)
    assert await cosi.get(Text, "a") == Text(text="theirs")


async def test_functions_may_share_a_type(cosi: Harness) -> None:
    @transform(Number, to=Sentence, shared=True)
    def count(number: Resource[Number]) -> Sentence:
        return Sentence(sentence=f"{number.spec.value}")

    @transform(Text, to=Sentence, shared=True)
    def quote(text: Resource[Text]) -> Sentence:
        return Sentence(sentence=f'"{text.spec.text}"')

    cosi.start(count, quote)
    await cosi.given("n", Number(value=1))
    await cosi.given("t", Text(text="hm"))
    assert await cosi.list(Sentence) == {
        "n": Sentence(sentence="1"),
        "t": Sentence(sentence='"hm"'),
    }


@pytest.mark.parametrize("round", [1, 2])
async def test_a_description_carries_no_state_from_one_runtime_to_the_next(
    cosi: Harness, round: int
) -> None:
    cosi.start(spell)
    await cosi.given("a", Number(value=round))
    assert await cosi.list(Text) == {"a": Text(text=str(round))}
