import pytest

from cosi import Query
from cosi.api.proto.resource_pb2 import IDQuery, LabelQuery, LabelTerm
from cosi.api.query import UnknownOperator, id_message, label_messages, query_from
from cosi.errors import InvalidResource
from cosi.state import EVERYTHING, LabelOp
from cosi.state import LabelTerm as Term

SELECTION = Query(
    labels=(
        (Term("app", LabelOp.EXISTS), Term("tier", LabelOp.EQUAL, ("web",), invert=True)),
        (Term("size", LabelOp.LTE_NUMERIC, ("5GiB",)), Term("zone", LabelOp.IN, ("a", "b"))),
    ),
    id="^a.*b$",
)


@pytest.mark.parametrize("query", [SELECTION, EVERYTHING, Query(id="x")])
def test_a_query_comes_back_as_it_was(query: Query) -> None:
    received = query_from(label_messages(query), id_message(query) or IDQuery())

    assert (received.labels, received.id) == (query.labels, query.id)


def test_an_empty_pattern_is_no_pattern() -> None:
    assert query_from([], IDQuery(regexp="")).id is None


def test_not_exists_is_exists_inverted() -> None:
    labels = [LabelQuery(terms=[LabelTerm(key="a", op=LabelTerm.NOT_EXISTS)])]

    assert query_from(labels, IDQuery()).labels == ((Term("a", LabelOp.EXISTS, invert=True),),)


def test_a_branch_without_terms_matches_everything() -> None:
    labels = [LabelQuery(), LabelQuery(terms=[LabelTerm(key="a")])]

    assert query_from(labels, IDQuery()) == EVERYTHING


def test_an_operator_of_tomorrow_is_named() -> None:
    term = LabelTerm.FromString(LabelTerm(key="a").SerializeToString() + bytes([2 << 3, 42]))

    with pytest.raises(UnknownOperator, match="unsupported label query operator: 42"):
        query_from([LabelQuery(terms=[term])], IDQuery())


def test_a_pattern_that_does_not_compile_is_refused() -> None:
    with pytest.raises(InvalidResource, match=r"failed to compile regexp: missing \)"):
        query_from([], IDQuery(regexp="("))
