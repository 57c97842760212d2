"""A dear query takes its time in pieces, and no more of it than there is."""

from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

from cosi import InMemoryState, Query, Resource
from cosi.api._id_patterns import ReceivedQuery
from cosi.api._search import LIST_SECONDS, PIECE_SECONDS, WATCH_STEPS, Searches, steps
from cosi.api.client import RemoteState
from cosi.errors import LimitExceeded
from cosi.resource._envelope import kind_of
from cosi.state import EVERYTHING, LabelOp, LabelTerm, Start
from tests.cosi.api.things import Thing

COUNT = 1_000
THINGS = kind_of(Thing)


def query(count: int, op: LabelOp = LabelOp.LT) -> Query:
    return Query(labels=(tuple(LabelTerm("n", op, (f"5{n}",)) for n in range(count)),))


DEAR = query(100)


@pytest.fixture
async def many(state: InMemoryState) -> InMemoryState:
    for number in range(COUNT):
        new = Resource.new(f"{number:04}", Thing(), labels={"n": f"{number:03}"})
        await state.create(new)
    return state


def ticking(seconds: float) -> Callable[[], float]:
    """A clock by which each look at a resource takes ``seconds``."""
    now = 0.0

    def tick() -> float:
        nonlocal now
        now += seconds
        return now

    return tick


@pytest.mark.parametrize(
    ("where", "work"),
    [
        (EVERYTHING, 0),
        (query(1), 1),
        (query(100), 100),
        (query(2, LabelOp.LTE_NUMERIC), 16),
        (Query(labels=((LabelTerm("n", LabelOp.IN, ("x",) * 160),),)), 11),
    ],
)
def test_what_a_query_costs_is_known_before_it_is_asked(where: Query, work: int) -> None:
    assert steps(where) == work


def test_a_pattern_costs_what_its_program_is_long() -> None:
    assert steps(ReceivedQuery(id="^ext-")) < 10
    assert steps(ReceivedQuery(id=r"\pL")) > 1_000


@pytest.mark.parametrize("where", [query(1), DEAR], ids=["cheap", "dear"])
async def test_a_search_finds_what_a_list_does(many: InMemoryState, where: Query) -> None:
    found = await Searches(many).list(THINGS, where)

    assert found == await many.list(THINGS, where) != ()


async def test_others_have_their_turn_while_a_query_is_matched(many: InMemoryState) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        await Searches(many, ticking(PIECE_SECONDS / 10)).list(THINGS, DEAR)
        tasks.cancel_scope.cancel()

    assert turns >= COUNT / 20


async def test_a_thousand_dear_queries_at_once_are_matched_one_after_the_other(
    many: InMemoryState,
) -> None:
    """Else each turn of the loop would be as long as all of their pieces."""
    searches = Searches(many, ticking(PIECE_SECONDS / 10))
    order: list[int] = []

    async def search(number: int) -> None:
        await searches.list(THINGS, DEAR)
        order.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(search, number)
        tasks.start_soon(anyio.lowlevel.checkpoint)

    assert order == sorted(order)


async def test_a_query_that_takes_too_long_is_given_up(many: InMemoryState) -> None:
    slow = Searches(many, ticking(LIST_SECONDS / COUNT * 3))

    with pytest.raises(LimitExceeded, match=f"more than 2 seconds for {COUNT} resources"):
        await slow.list(THINGS, DEAR)
    with pytest.raises(LimitExceeded, match=r"more than 0.25 seconds"):
        await slow.check_contents(THINGS, DEAR)
    await slow.check_contents(THINGS, query(1))


async def test_what_all_watches_compare_at_each_change_is_bounded(
    many: InMemoryState, remote: RemoteState
) -> None:
    """A thousand watches with a hundred terms each: every write would take as long as a List."""
    searches = Searches(many)
    with searches.watching(query(WATCH_STEPS - 10)):
        with pytest.raises(LimitExceeded, match="this watch needs 11 comparisons at each change"):
            searches.watching(query(11)).__enter__()
        with searches.watching(query(10)), searches.watching(EVERYTHING):
            pass
    with searches.watching(query(WATCH_STEPS)):
        pass

    async with remote.watch(Thing, where=DEAR, start=Start(contents=True)) as watch:
        assert len(await watch.batch()) > 1
