"""Converts label and id queries to messages and back.

A query is matched against every resource, in the event loop. So it has at most :data:`TERMS` terms,
:data:`VALUES` values and :data:`TEXT_LETTERS` of text. ``_search.py`` limits its time, and
``_id_patterns.py`` the id pattern.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from cosi.api._id_patterns import ReceivedQuery
from cosi.api._limits import check_size
from cosi.api.proto.resource_pb2 import IDQuery, LabelQuery
from cosi.api.proto.resource_pb2 import LabelTerm as LabelTermMessage
from cosi.errors import InvalidResource
from cosi.state._query import LabelOp, LabelTerm, Query

TERMS: Final = 256
"""Terms of all branches together; also the number of branches."""
VALUES: Final = 1_024
"""Values of all terms together: ``key in (a,b)`` has two."""
TEXT_LETTERS: Final = 16 * 1024
"""The length of all keys and values together."""

_OPERATIONS: dict[LabelOp, LabelTermMessage.Operation] = {
    LabelOp.EXISTS: LabelTermMessage.EXISTS,
    LabelOp.EQUAL: LabelTermMessage.EQUAL,
    LabelOp.IN: LabelTermMessage.IN,
    LabelOp.LT: LabelTermMessage.LT,
    LabelOp.LTE: LabelTermMessage.LTE,
    LabelOp.LT_NUMERIC: LabelTermMessage.LT_NUMERIC,
    LabelOp.LTE_NUMERIC: LabelTermMessage.LTE_NUMERIC,
}
_OPS = {number: op for op, number in _OPERATIONS.items()}


class UnknownOperator(InvalidResource):
    """A label term of a newer protocol."""


def query_from(labels: Sequence[LabelQuery], id: IDQuery) -> Query:
    """The query in a request. An empty pattern means no pattern, as does a missing message.

    Raises :class:`UnknownOperator`, :class:`InvalidResource` if the pattern does not compile, and
    :class:`~cosi.errors.LimitExceeded` for a query that is too large.
    """
    check_size("the label query", len(labels), TERMS, "branches")
    check_size("the label query", sum(len(query.terms) for query in labels), TERMS, "terms")
    _check_values([term for query in labels for term in query.terms])
    branches = tuple(tuple(_term(term) for term in query.terms) for query in labels)
    if () in branches:  # an empty branch matches everything, so the whole query does
        branches = ()
    return ReceivedQuery(branches, id.regexp) if id.regexp else Query(branches)


def _check_values(terms: Iterable[LabelTermMessage]) -> None:
    values = letters = 0
    for term in terms:
        values += len(term.value)
        check_size("the label query", values, VALUES, "values")
        letters += len(term.key) + sum(map(len, term.value))
    check_size("the label query", letters, TEXT_LETTERS, "letters")


def _term(term: LabelTermMessage) -> LabelTerm:
    if term.op == LabelTermMessage.NOT_EXISTS:
        return LabelTerm(term.key, LabelOp.EXISTS, invert=not term.invert)
    op = _OPS.get(term.op)
    if op is None:
        raise UnknownOperator(f"unsupported label query operator: {term.op}")
    return LabelTerm(term.key, op, tuple(term.value), term.invert)


def label_messages(query: Query) -> list[LabelQuery]:
    """The label part of a request for ``query``."""
    return [
        LabelQuery(
            terms=[
                LabelTermMessage(
                    key=term.key, op=_OPERATIONS[term.op], value=term.values, invert=term.invert
                )
                for term in branch
            ]
        )
        for branch in query.labels
    ]


def id_message(query: Query) -> IDQuery | None:
    """The id part of a request for ``query``."""
    return IDQuery(regexp=query.id) if query.id is not None else None
