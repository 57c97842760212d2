"""The two looks of a log, both on stderr."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from cosi.cli.log_format import configure


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Logging is one for the process: put back what was there."""
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before
    structlog.reset_defaults()


def test_for_people_it_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console", "info")
    structlog.get_logger("a").info("started", service="x")
    logging.getLogger("b").warning("refused %s", "me")

    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d started service=x", first)
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning: refused me", second)


def test_for_collectors_it_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure("auto", "info")
    structlog.get_logger("a").info("started", service="x")
    structlog.get_logger("a").debug("unseen")

    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert (found["event"], found["service"], found["level"]) == ("started", "x", "info")


def test_an_exception_is_shown_below_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console", "info")
    try:
        int("no")
    except ValueError:
        logging.getLogger("b").exception("failed")

    err = capsys.readouterr().err
    assert "error: failed\nTraceback" in err
    assert "ValueError: invalid literal" in err
