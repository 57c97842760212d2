"""JSONPath as people write it for Kubernetes: `{.spec.running}`, read by python-jsonpath."""

from __future__ import annotations

import json
import re
from typing import Any, Final, Protocol

from cosi.errors import InvalidResource

_ESCAPED_NAME: Final = re.compile(r"\.((?:[^.\[\]\\{}]|\\.)*\\.(?:[^.\[\]\\{}]|\\.)*)")


class _Compiled(Protocol):
    def findall(self, data: Any) -> list[Any]: ...


class JSONPath:
    """An expression; raises :class:`~cosi.errors.InvalidResource` if it is none."""

    def __init__(self, expression: str) -> None:
        import jsonpath  # 35 ms: only for those who ask for one

        try:
            self._query: _Compiled = jsonpath.compile(standard(expression))
        except jsonpath.JSONPathError as error:
            reason = str(error).partition("\n")[0]
            raise InvalidResource(f"error parsing jsonpath: {expression!r}: {reason}") from error
        self._sliced = "[:]" in expression

    def find(self, data: Any) -> list[Any]:
        """Everything in ``data`` that is meant; nothing, if a key is missing."""
        return self._query.findall(data)

    def cell(self, data: Any) -> str:
        """One cell of a table: what is missing is empty, a list is JSON unless it was sliced."""
        found = self.find(data)
        return " ".join(_word(value) for value in (found if self._sliced else found[:1]))


def standard(expression: str) -> str:
    """The expression as RFC 9535 writes it.

    ``{.spec.running}``, ``.spec.running`` and ``spec.running`` are ``$.spec.running``;
    ``.labels.a\\.b`` is ``.labels['a.b']`` (Kubernetes: "JSONPath Support").
    """
    text = expression.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    text = _ESCAPED_NAME.sub(lambda match: f"[{_quoted(match[1])}]", text)
    if text.startswith("$"):
        return text
    return f"${text}" if text.startswith((".", "[")) else f"$.{text}"


def _quoted(name: str) -> str:
    return json.dumps(re.sub(r"\\(.)", r"\1", name))


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _word(value: Any) -> str:
    if value is None:
        return ""
    # A line break would tear the table apart.
    return " ".join(value.split()) if isinstance(value, str) else _compact(value)
