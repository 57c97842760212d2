"""Applies JSONPath templates of kubectl and talosctl: ``{.spec.phase}{"\\n"}``, ``{range}{end}``.

``json_path_syntax.py`` parses them. ``client-go/util/jsonpath`` (0.37) is the reference, errors
included, with three differences. A template without braces is an expression (``.spec.phase``,
``spec.phase``). One template works for many resources (there a ``range`` breaks it for the second).
A ``range`` over nothing yields nothing (there it fails with a missing key). The times of resources
stay as they are written.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cosi.cli.go_json import go_float, go_json, is_list, is_mapping
from cosi.cli.json_path_syntax import (
    Constant,
    FieldStep,
    Filter,
    Keyword,
    Node,
    Path,
    Recursive,
    Slice,
    TextPart,
    Union,
    Wildcard,
    parse,
)
from cosi.errors import InvalidResource

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
}


class JSONPath:
    """A parsed template; raises :class:`~cosi.errors.InvalidResource` if it is invalid."""

    def __init__(self, template: str) -> None:
        try:
            self._parts = parse(with_braces(template))
        except InvalidResource as error:
            raise InvalidResource(f"error parsing jsonpath: {template!r}: {error}") from error

    def find(self, data: Any) -> list[Any]:
        """Every value in ``data`` that the template selects, and the text between.

        Raises :class:`~cosi.errors.InvalidResource` if a key is missing or an index out of bounds.
        """
        try:
            return [value for group in self._applied(data, missing=False) for value in group]
        except InvalidResource as error:
            raise InvalidResource(f"error finding result for jsonpath: {error}") from error

    def cell(self, data: Any) -> str:
        """One cell of a table: a missing key is empty, a list is JSON unless it was sliced.

        After any other error the cell is empty, too: the columns may be another server's.
        """
        try:
            groups = self._applied(data, missing=True)
        except InvalidResource:
            return ""
        return "".join(" ".join(map(_cell, group)) for group in groups)

    def _applied(self, data: Any, *, missing: bool) -> list[list[Any]]:
        return _Application(self._parts, missing).groups(0, data)


def with_braces(template: str) -> str:
    """A template with braces, also for ``.spec.running``, ``$.spec.running``, ``spec.running``."""
    expression = template.strip()
    if "{" in expression or not expression:
        return template
    return f"{{{expression}}}" if expression[0] in ".[$@" else f"{{.{expression}}}"


def as_text(value: Any) -> str:
    """A scalar as Go's ``fmt.Print`` shows it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return go_float(value, 6) if isinstance(value, float) else str(value)


def _cell(value: Any) -> str:
    if is_mapping(value) or is_list(value):
        return go_json(value)
    return "null" if value is None else as_text(value)


@dataclass
class _Application:
    """One template applied to one object.

    After a ``range``, the parts up to its ``end`` are applied to each value that it found;
    ``last_end`` is the place of the latest ``end``.
    """

    parts: tuple[TextPart | Path, ...]
    missing: bool
    beginning: int = 0
    inside: int = 0
    ending: int = 0
    last_end: int = -1

    def groups(self, start: int, data: Any) -> list[list[Any]]:
        """The values that each part from ``start`` on finds in ``data``."""
        found: list[list[Any]] = []
        place = start
        while place < len(self.parts):
            results = self._found(self.parts[place], [data])
            if 0 < self.ending <= self.inside:
                self.ending -= 1
                self.last_end = place
                break
            if self.beginning > 0:
                found += self._repeated(place + 1, results)
                place = self.last_end if self.last_end > place else place
            else:
                found.append(results)
            place += 1
        return found

    def _repeated(self, start: int, values: list[Any]) -> list[list[Any]]:
        self.beginning -= 1
        self.inside += 1
        found: list[list[Any]] = []
        for value in values:
            found += self.groups(start, value)
        if not values:
            self.last_end = self._end_after(start)
        self.inside -= 1
        return found

    def _end_after(self, start: int) -> int:
        """The place of the ``end`` of the range whose first inner part is at ``start``."""
        open_ranges = 1
        for place in range(start, len(self.parts)):
            part = self.parts[place]
            if not isinstance(part, TextPart):
                open_ranges += (Keyword("range") in part) - (Keyword("end") in part)
            if open_ranges == 0:
                return place
        return -1

    def _found(self, part: TextPart | Path, values: list[Any]) -> list[Any]:
        if isinstance(part, TextPart):
            return [part.text]
        return self._path(part, values)

    def _path(self, path: Path, values: list[Any]) -> list[Any]:
        for node in path:
            values = self._step(node, values)
        return values

    def _step(self, node: Node, values: list[Any]) -> list[Any]:
        found: list[Any]
        match node:
            case TextPart(text):
                found = [text]
            case Constant(value):
                found = [value] * len(values)
            case FieldStep(name):
                found = self._field(name, values)
            case Keyword(name):
                found = self._keyword(name, values)
            case Union(paths):
                found = [item for path in paths for item in self._path(path, values)]
            case Filter():
                found = self._filtered(node, values)
            case _:
                found = [item for value in values for item in _below(node, value)]
        return found

    def _keyword(self, name: str, values: list[Any]) -> list[Any]:
        if name == "range":
            self.beginning += 1
            return values
        if name != "end":
            raise InvalidResource(f"unrecognized identifier {name}")
        if self.inside == 0:
            raise InvalidResource("not in range, nothing to end")
        self.ending += 1
        return []

    def _field(self, name: str, values: list[Any]) -> list[Any]:
        found = [value[name] for value in values if is_mapping(value) and name in value]
        if not found and not self.missing and values:
            raise InvalidResource(f"{name} is not found")
        return found

    def _filtered(self, node: Filter, values: list[Any]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            if not is_list(value):
                raise InvalidResource(f"{_go_type(value)} is not array or slice, and not filtered")
            found += [item for item in value if self._passes(node, item)]
        return found

    def _passes(self, node: Filter, item: Any) -> bool:
        if node.operator == "exists":
            try:
                return bool(self._path(node.left, [item]))
            except InvalidResource:
                return False
        sides = [self._path(node.left, [item])]
        if sides[0]:
            sides.append(self._path(node.right, [item]))
        if any(len(side) > 1 for side in sides):
            raise InvalidResource("can only compare one element at a time")
        if any(not side for side in sides):
            return False
        return _compared(node.operator, sides[0][0], sides[1][0])


def _below(node: Wildcard | Recursive | Slice, value: Any) -> list[Any]:
    if isinstance(node, Slice):
        return _sliced(node, value)
    return _recursive(value) if isinstance(node, Recursive) else _children(value)


def _children(value: Any) -> list[Any]:
    if is_mapping(value):
        return list(value.values())
    if isinstance(value, str):
        return list(value.encode())  # Go's texts are bytes
    return list(value) if is_list(value) else []


def _recursive(value: Any) -> list[Any]:
    """``value`` and every value below it, without those that have no children."""
    children = _children(value)
    if not children:
        return []
    return [value, *(inner for child in children for inner in _recursive(child))]


def _sliced(node: Slice, value: Any) -> list[Any]:
    if value is None:
        return []
    if not is_list(value):
        raise InvalidResource(f"{_go_type(value)} is not array or slice")
    start, end = _bounds(node, len(value))
    if start == end:
        return []
    if not 0 <= start < len(value):
        raise _out_of_bounds(start, len(value))
    if not 0 <= end <= len(value):
        raise _out_of_bounds(end - 1, len(value))
    if start > end:
        raise InvalidResource(f"starting index {start} is greater than ending index {end}")
    if node.step is not None and node.step <= 0:
        raise InvalidResource("step must be > 0")
    return value[start : end : node.step or 1]


def _bounds(node: Slice, length: int) -> tuple[int, int]:
    start = node.start or 0
    end = start + 1 if node.single else length if node.end is None else node.end
    if end < 0 or (end == 0 and node.single):
        end += length
    return start + length if start < 0 else start, end


def _out_of_bounds(index: int, length: int) -> InvalidResource:
    return InvalidResource(f"array index out of bounds: index {index}, length {length}")


def _compared(sign: str, left: Any, right: Any) -> bool:
    """Compare two values of one type, as Go does; other pairs are errors."""
    if sign not in _COMPARISONS:
        raise InvalidResource(f"unrecognized filter operator {sign}")
    if _basic(left) != _basic(right):
        raise InvalidResource("incompatible types for comparison")
    if isinstance(left, bool) and sign not in {"==", "!="}:
        raise InvalidResource("invalid type for comparison")
    return _COMPARISONS[sign](left, right)


def _basic(value: Any) -> type:
    if isinstance(value, bool | int | float | str):
        return type(value)
    raise InvalidResource("invalid type for comparison")


def _go_type(value: object) -> str:
    if is_mapping(value):
        return "map[string]interface {}"
    if isinstance(value, bool):
        return "bool"
    return "int" if isinstance(value, int) else "float64" if isinstance(value, float) else "string"
