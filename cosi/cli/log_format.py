"""Configures the log of the program: lines for users, or JSON for collectors; always on stderr."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure(log_format: str, level: str, *, console: bool = False) -> None:
    """Send structlog's and the standard library's records to stderr in one form.

    ``log_format`` is ``console``, ``json`` or ``auto``: lines on a terminal or if ``console`` is
    true, else JSON. ``level`` is a name of the logging module, in upper or lower case.
    """
    readable = log_format == "console" or (
        log_format == "auto" and (console or sys.stderr.isatty())
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if readable else "iso", utc=not readable),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = _line if readable else structlog.processors.JSONRenderer(default=str)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


def _line(_logger: Any, _method: str, event: dict[str, Any]) -> str:
    """A line such as ``12:34:56 service[ext-hello-world](Waiting): Waiting for network``.

    The level comes before the text, unless it is info or debug.
    """
    time, level, text = event.pop("timestamp"), event.pop("level"), event.pop("event")
    trace = event.pop("exception", None)
    prefix = "" if level in {"info", "debug"} else f"{level}: "
    pairs = "".join(f" {name}={value}" for name, value in event.items() if not name.startswith("_"))
    return f"{time} {prefix}{text}{pairs}" + (f"\n{trace}" if trace else "")
