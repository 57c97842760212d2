"""Label terms, id patterns and selectors mean what COSI means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi import Query, Resource, Spec, parse_selector
from cosi.errors import InvalidResource
from cosi.state import EVERYTHING, LabelOp, LabelTerm
from cosi.state._query import quantity


class Item(Spec, type="Items.query.example.org"):
    pass


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-3", -3),
        ("4GB", 4_000_000_000),
        ("5GiB", 5_368_709_120),
        (" 1 k", 1_000),
        ("-1 k", -1_000),
        ("10kg", 10_000),
        ("1Ki", 1024),
        ("1m", 10**6),
        ("2Mi", 2 * 2**20),
        ("1T", 10**12),
        ("1ti", 2**40),
        ("1P", 10**15),
        ("1pi", 2**50),
        ("3 potatoes", 3 * 10**15),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775807k", (2**63 - 1) * 1000),
    ],
)
def test_quantities_are_whole_numbers_with_units(text: str, number: int) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "-", "1-2", "+1", "1 1", "1.1 k", "1 i", "x", "k", "1E", "9223372036854775808", "--1"],
)
def test_what_is_no_quantity_is_not_comparable(text: str) -> None:
    assert quantity(text) is None


def test_a_term_of_very_many_digits_matches_nothing() -> None:
    """Python refuses to read them, which went up into whoever wrote what somebody's watch saw."""
    assert not LabelTerm("size", LabelOp.LT_NUMERIC, ("9" * 5_000,)).matches({"size": "1"})


@given(st.text())
def test_any_text_is_a_quantity_or_not(text: str) -> None:
    assert quantity(text) is None or isinstance(quantity(text), int)


MISSING = None


@pytest.mark.parametrize(
    ("op", "values", "label", "plain", "inverted"),
    [
        (LabelOp.EXISTS, (), "x", True, False),
        (LabelOp.EXISTS, (), "", True, False),
        (LabelOp.EXISTS, (), MISSING, False, True),
        (LabelOp.EQUAL, ("x",), "x", True, False),
        (LabelOp.EQUAL, ("x",), "y", False, True),
        (LabelOp.EQUAL, ("",), "", True, False),
        (LabelOp.EQUAL, ("",), MISSING, False, True),
        (LabelOp.IN, ("x", "y"), "y", True, False),
        (LabelOp.IN, ("x", "y"), MISSING, False, True),
        (LabelOp.IN, (), "x", False, True),
        (LabelOp.EQUAL, (), "x", False, True),
        (LabelOp.LT, ("b",), "a", True, False),
        (LabelOp.LT, ("b",), "b", False, True),
        (LabelOp.LT, ("b",), MISSING, False, False),
        (LabelOp.LT, (), "x", False, True),
        (LabelOp.LTE, ("b",), "b", True, False),
        (LabelOp.LT_NUMERIC, ("12000",), "10kg", True, False),
        (LabelOp.LT_NUMERIC, ("12000",), "12k", False, True),
        (LabelOp.LT_NUMERIC, ("12000",), "many", False, False),
        (LabelOp.LT_NUMERIC, ("many",), "1", False, False),
        (LabelOp.LTE_NUMERIC, ("12000",), "12k", True, False),
    ],
)
def test_a_term_matches_as_in_the_table(
    op: LabelOp, values: tuple[str, ...], label: str | None, plain: bool, inverted: bool
) -> None:
    """differences: COSI 6: inverted terms dropped what lacks the label; they match it."""
    labels = {} if label is None else {"key": label}
    assert LabelTerm("key", op, values).matches(labels) is plain
    assert LabelTerm("key", op, values, invert=True).matches(labels) is inverted


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(InvalidResource, match="'key': unsupported label term operator: 9"):
        LabelTerm("key", 9)  # type: ignore[arg-type]


def test_an_operator_may_be_given_as_its_number() -> None:
    assert LabelTerm("key", 1, ("x",)) == LabelTerm("key", LabelOp.EQUAL, ("x",))  # type: ignore[arg-type]


def test_id_patterns_are_searched_anywhere() -> None:
    item = Resource.new("some/where", Item())
    assert Query(id="me/w").matches(item)
    assert not Query(id="^where").matches(item)
    assert EVERYTHING.matches(item)


@pytest.mark.parametrize("pattern", ["[", "(?P<x", "*", "(" * 200 + ")" * 199])
def test_a_pattern_that_does_not_compile_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidResource, match="is not a regular expression"):
        Query(id=pattern)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("app", [LabelTerm("app", LabelOp.EXISTS)]),
        ("!app", [LabelTerm("app", LabelOp.EXISTS, invert=True)]),
        ("app=web", [LabelTerm("app", LabelOp.EQUAL, ("web",))]),
        ("app == web", [LabelTerm("app", LabelOp.EQUAL, ("web",))]),
        ("app=", [LabelTerm("app", LabelOp.EQUAL, ("",))]),
        ("tier!=db", [LabelTerm("tier", LabelOp.EQUAL, ("db",), invert=True)]),
        ("n<3", [LabelTerm("n", LabelOp.LT_NUMERIC, ("3",))]),
        ("n<=3k", [LabelTerm("n", LabelOp.LTE_NUMERIC, ("3k",))]),
        ("n>3", [LabelTerm("n", LabelOp.LTE_NUMERIC, ("3",), invert=True)]),
        ("n >= 2Gi", [LabelTerm("n", LabelOp.LT_NUMERIC, ("2Gi",), invert=True)]),
        ("v<b", [LabelTerm("v", LabelOp.LT, ("b",))]),
        ("v>=b", [LabelTerm("v", LabelOp.LT, ("b",), invert=True)]),
        ("app in (a, b)", [LabelTerm("app", LabelOp.IN, ("a", "b"))]),
        ("app in ()", [LabelTerm("app", LabelOp.IN, ())]),
        ("app notin (a)", [LabelTerm("app", LabelOp.IN, ("a",), invert=True)]),
        ("app not in(a)", [LabelTerm("app", LabelOp.IN, ("a",), invert=True)]),
        ('"a,b"="c \\"d\\""', [LabelTerm("a,b", LabelOp.EQUAL, ('c "d"',))]),
        ("in=out", [LabelTerm("in", LabelOp.EQUAL, ("out",))]),
        (
            "app=web,tier!=db,replicas<3,!legacy",
            [
                LabelTerm("app", LabelOp.EQUAL, ("web",)),
                LabelTerm("tier", LabelOp.EQUAL, ("db",), invert=True),
                LabelTerm("replicas", LabelOp.LT_NUMERIC, ("3",)),
                LabelTerm("legacy", LabelOp.EXISTS, invert=True),
            ],
        ),
    ],
)
def test_selectors_are_read(text: str, terms: list[LabelTerm]) -> None:
    assert parse_selector(text) == Query((tuple(terms),))


def test_an_empty_selector_selects_everything() -> None:
    assert parse_selector("") == parse_selector("  ") == EVERYTHING


@pytest.mark.parametrize(
    "text", ["=x", "a b", "a,,b", "a,", "a in b", "a in (b", "a<>b", '"a', ","]
)
def test_a_selector_that_cannot_be_read_says_where(text: str) -> None:
    with pytest.raises(InvalidResource, match=r"^selector .*: cannot read .*a term is key"):
        parse_selector(text)
