"""No byte of another machine moves this terminal's cursor."""

from cosi.cli.terminal import cell, for_terminal


def test_what_a_terminal_would_act_on_is_shown_instead() -> None:
    """talosctl 1.14 escapes the same (`safeout`)."""
    hostile = "cpu\x1b]52;c;RjM=\x07\x1b[2J\u202e\u2066\ufeff\x9b\U000e0001 é\U0001f600"
    shown = r"cpu\x1b]52;c;RjM=\x07\x1b[2J\u202e\u2066\ufeff\x9b\U000e0001" + " é\U0001f600"

    assert for_terminal(hostile) == cell(hostile) == shown


def test_lines_and_tabs_are_kept_but_in_cells() -> None:
    assert for_terminal("a\tb\n\r") == "a\tb\n\\x0d"
    assert cell("a\tb\n\r") == r"a\x09b\x0a\x0d"
