"""Tables as Go draws them; the expected texts are Talos's own."""

from cosi.cli.tabwriter import GrowingTable, table


def test_columns_are_three_blanks_apart_and_the_last_cell_is_not_padded() -> None:
    assert table([("NODE", "SERVICE", "LAST"), ("172.20.0.5", "cri", "x")]) == (
        "NODE         SERVICE   LAST\n172.20.0.5   cri       x"
    )


def test_an_empty_cell_still_takes_its_padding() -> None:
    assert table([("EVENTS", "[Running]: a"), ("", "[Waiting]: b")]) == (
        "EVENTS   [Running]: a\n         [Waiting]: b"
    )


def test_a_column_is_as_wide_as_the_lines_next_to_each_other_need() -> None:
    assert table([("a", "b"), ("c",), ("longer", "d")]) == "a   b\nc\nlonger   d"


def test_no_rows_are_no_text() -> None:
    assert table([]) == ""


def test_lines_that_come_later_stay_below_the_columns() -> None:
    growing = GrowingTable(("A", "B", "C"))
    assert growing.begin([("1", "two", "3")]) == "A   B     C\n1   two   3"
    assert growing.line(("1", "2", "3")) == "1   2     3"
    assert growing.line(("1", "three", "3")) == "1   three   3"
    assert growing.line(("1", "2", "3")) == "1   2       3"
