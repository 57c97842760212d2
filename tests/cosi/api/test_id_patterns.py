"""Id patterns are RE2's, as COSI's are: they take no time, and are written as in Go."""

import pytest

from cosi import InMemoryState, Query, Resource
from cosi.api._id_patterns import ReceivedQuery
from cosi.api.client import RemoteState
from cosi.api.proto.resource_pb2 import IDQuery
from cosi.api.query import id_message, query_from
from cosi.errors import InvalidResource
from cosi.state import Start
from tests.cosi.api.things import Thing

CATASTROPHE = Query(id=r"^(a+)+$")
VICTIM = "a" * 60 + "b"  # Python's re would try 2**60 ways to match it


async def ids(state: RemoteState, where: Query) -> list[str]:
    return [resource.id for resource in await state.list(Thing, where)]


async def test_a_reader_cannot_keep_the_server_busy_with_a_pattern(
    state: InMemoryState, remote: RemoteState
) -> None:
    await state.create(Resource.new(VICTIM, Thing()))
    await state.create(Resource.new("aaa", Thing()))

    assert await ids(remote, CATASTROPHE) == ["aaa"]

    async with remote.watch(Thing, where=CATASTROPHE, start=Start(contents=True)) as watch:
        assert [event.resource.id for event in await watch.batch()][:1] == ["aaa"]
        await state.create(Resource.new(VICTIM + "b", Thing()))
        await state.create(Resource.new("aaaa", Thing()))
        assert [event.resource.id for event in await watch.batch()] == ["aaaa"]


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        (r"^b\z", ["b"]),
        (r"^[[:alpha:]]$", ["a", "b"]),
        (r"^\pL$", ["a", "b", "é"]),
        (r"^(?P<digit>\d)$", ["1"]),
        (r"^\w$", ["1", "a", "b"]),
        (r"\Qa.\E", ["a.c"]),
        (r"^.$", ["1", "a", "b", "é"]),
    ],
)
def test_a_pattern_means_what_it_means_in_go(pattern: str, matching: list[str]) -> None:
    query = query_from([], IDQuery(regexp=pattern))

    assert [id for id in ("1", "a", "a.c", "b", "é") if query.matches_id(id)] == matching


def test_an_id_that_is_no_text_matches_what_it_can() -> None:
    """A state in this process may hold a file name; a watch with a pattern stays in its place."""
    assert ReceivedQuery(id="^a").matches_id("a\udcff")
    assert not ReceivedQuery(id="b").matches_id("a\udcff")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a(?=b)", r"invalid perl operator: (?= in 'a(?=b)'"),
        ("(?<!a)b", r"invalid perl operator: (?<! in '(?<!a)b'"),
        (r"(a)\1", r"invalid escape sequence: \1 in '(a)\\1'"),
        ("(?:a{1000}){1000}", "invalid repetition size: "),
    ],
)
async def test_what_only_python_knows_is_refused_in_the_words_of_re2(
    remote: RemoteState, pattern: str, words: str
) -> None:
    where = Query(id=pattern)

    with pytest.raises(InvalidResource) as listing:
        await remote.list(Thing, where)
    with pytest.raises(InvalidResource) as watching:
        async with remote.watch(Thing, where=where):
            pass

    assert str(listing.value).startswith(f"failed to compile regexp: {words}")
    assert str(watching.value) == str(listing.value)


def test_a_pattern_has_so_much_memory_and_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidResource, match="pattern too large - compile failed"):
        query_from([], IDQuery(regexp=r"\pL{100}"))
    # RE2 would take minutes to say the same.
    with pytest.raises(InvalidResource, match="pattern too large: 3000000 letters"):
        query_from([], IDQuery(regexp=r"\pL" * 1_000_000))

    assert capfd.readouterr() == ("", "")


def test_a_received_query_goes_on_as_it_came() -> None:
    assert id_message(query_from([], IDQuery(regexp=r"a\z"))) == IDQuery(regexp=r"a\z")


def test_the_same_pattern_received_twice_is_the_same_query() -> None:
    """Watches with equal queries share what they see."""
    one, other = (query_from([], IDQuery(regexp="^a")) for _ in range(2))

    assert (one, hash(one)) == (other, hash(other))
    assert one != Query(id="^a")  # another language
    assert one != query_from([], IDQuery())
