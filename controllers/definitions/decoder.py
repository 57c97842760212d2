"""Decodes YAML nodes into a payload, or into all problems with their places.

It accepts the same documents as Talos 1.14's reader (go-yaml v4): ``tests/controllers/definitions``
has every leniency. It differs on purpose in two points: unknown keys give a warning instead of
being swallowed (differences: Talos 2), and the rules of a payload are applied even if a value has a
wrong type, so that all problems are reported at once.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeVar, cast, runtime_checkable

from pydantic import ValidationError

from controllers.definitions.hints import key_hint, printable, word_hint, words
from controllers.definitions.schema import (
    Choice,
    Flag,
    ListOf,
    MapOf,
    Number,
    Parsed,
    RecordSchema,
    Shape,
    TextSchema,
    record,
)
from controllers.definitions.yaml_tree import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    UnreadableYAML,
    error_at,
    warning_at,
)
from cosi import FrozenMap, Value
from resources.problem import (
    Location,
    Mistake,
    Problem,
    Severity,
)

MAX_STEPS: Final = 50_000
"""How many values a document may have, with aliases expanded."""

MAX_PROBLEMS: Final = 100
"""How many problems of a document are reported; the others are counted."""

V = TypeVar("V", bound=Value)


class _Nothing(Enum):
    """The marker for no value: null, or a wrong value that was reported."""

    NOTHING = 0


NOTHING: Final = _Nothing.NOTHING


@runtime_checkable
class Ruled(Protocol):
    """A payload whose rules can be checked before it is constructed."""

    def mistakes(self) -> Iterator[Mistake]:
        """Every broken rule, with the place in the payload."""
        ...


@dataclass(frozen=True, slots=True)
class Decoded(Generic[V]):
    """A decoded document.

    ``value`` is set only if there is no error. ``type_errors`` are the messages about values of a
    wrong type, with lines; ``broken_rules`` those about wrong values. ``problems`` has both, and
    warnings, in the order of their places.
    """

    value: V | None
    type_errors: tuple[str, ...]
    broken_rules: tuple[str, ...]
    problems: tuple[Problem, ...]
    places: dict[Location, Node]

    def place(self, where: Location) -> Node:
        """The node at ``where``, or the nearest one around it."""
        return place(self.places, where)


def decode(node: Node, payload: type[V], *, strict: bool = False) -> Decoded[V]:
    """Read ``payload`` from ``node``; if ``strict``, unknown keys are errors.

    Raises :class:`UnreadableYAML` if ``node``, with aliases expanded, has more than ``MAX_STEPS``
    values.
    """
    return _Decoder(strict).run(node, payload)


@dataclass(slots=True)
class _Decoder:
    strict: bool
    root: RecordSchema = field(default_factory=lambda: record(Value))
    steps: int = 0
    problems: dict[Problem, None] = field(default_factory=dict[Problem, None])  # an ordered set
    unsaid: list[Severity] = field(default_factory=list[Severity])
    type_errors: list[str] = field(default_factory=list[str])
    wrong: list[Location] = field(default_factory=list[Location])
    places: dict[Location, Node] = field(default_factory=dict[Location, Node])

    def run(self, node: Node, payload: type[V]) -> Decoded[V]:
        self.places[()] = node
        shape = self.root = record(payload)
        fields = self._decode(node, shape, ())
        if fields is NOTHING:
            fields = _construct(shape, {})
        value, rules = self._judge(cast("V", fields))
        return Decoded(
            value=value if not self.type_errors else None,
            type_errors=tuple(self.type_errors),
            broken_rules=tuple(text for _, text in rules),
            problems=self._in_order(),
            places=self.places,
        )

    # -- values -------------------------------------------------------------------------------

    def _decode(self, node: Node, shape: Shape, where: Location) -> Any:
        self._step(1, node)
        self.places[where] = node
        if node.tag == "!!null":
            return NOTHING
        match shape, node:
            case RecordSchema(), MappingNode():
                return self._record(node, shape, where)
            case ListOf(), SequenceNode():
                return self._list(node, shape, where)
            case MapOf(), MappingNode():
                return self._map(node, shape, where)
            case (RecordSchema() | ListOf() | MapOf(), _) | (_, SequenceNode() | MappingNode()):
                return self._wrong_type(node, shape, where)
            case _, ScalarNode():
                return self._scalar(node, shape, where)

    def _record(self, node: MappingNode, shape: RecordSchema, where: Location) -> Any:
        values: dict[str, Any] = {}
        for key, key_node, value_node in self._pairs(node, where):
            known = shape.keys.get(key)
            if known is None:
                self._unknown(key, key_node, shape)
                continue
            value = self._decode(value_node, known.shape, (*where, known.attribute))
            if value is not NOTHING:
                values[known.attribute] = value
        return _construct(shape, values)

    def _pairs(self, node: MappingNode, where: Location) -> Iterator[tuple[str, ScalarNode, Node]]:
        """The pairs of a mapping, then the merged ones that it does not override."""
        seen: dict[str, int] = {}
        merged: list[Node] = []
        for key, value in node.pairs:
            if not isinstance(key, ScalarNode):
                self._wrong_type(key, TextSchema(), where)
            elif key.tag == "!!merge":
                merged.append(value)
            elif key.text in seen:
                text = f'mapping key "{printable(key.text)}" already defined at line '
                self._error(key, (*where, key.text), f"{text}{seen[key.text]}")
            elif key.tag != "!!null":
                seen[key.text] = key.line
                yield key.text, key, value
        for source in merged:
            for key, value in self._merged(source, where):
                if isinstance(key, ScalarNode) and key.text not in seen:
                    seen[key.text] = key.line
                    yield key.text, key, value

    def _merged(self, source: Node, where: Location) -> Iterator[tuple[Node, Node]]:
        parts = source.items if isinstance(source, SequenceNode) else [source]
        for part in parts:
            if isinstance(part, MappingNode):
                self._step(len(part.pairs) + 1, part)
                yield from part.pairs
            else:
                text = "map merge requires map or sequence of maps as the value"
                self._error(part, (*where, "<<"), text)

    def _list(self, node: SequenceNode, shape: ListOf, where: Location) -> tuple[Any, ...]:
        items: list[Any] = []
        for item in node.items:
            wrong = len(self.wrong)
            value = self._decode(item, shape.item, (*where, len(items)))
            if value is not NOTHING:
                items.append(value)
            elif len(self.wrong) > wrong:
                self.wrong[-1] = where  # the next item takes this one's index
        return tuple(items)

    def _map(self, node: MappingNode, shape: MapOf, where: Location) -> FrozenMap[str, Any]:
        """A null becomes the empty value, as in a map of Go."""
        found = {
            key: self._decode(value, shape.item, (*where, key))
            for key, _, value in self._pairs(node, where)
        }
        return FrozenMap({k: "" if value is NOTHING else value for k, value in found.items()})

    def _scalar(self, node: ScalarNode, shape: Shape, where: Location) -> Any:
        match shape:
            case TextSchema() if (text := _text(node)) is not None:
                return text
            case Flag() if (flag := _flag(node)) is not None:
                return flag
            case Choice(words):
                word = words.get(node.text.casefold())
                return self._no_such_word(node, shape, where) if word is None else word
            case Number(check) if (number := _number(node)) is not None:
                return self._checked(node, check, number, where)
            case Parsed(check):
                return self._checked(node, check, node.text, where)
            case _:
                return self._wrong_type(node, shape, where)

    def _checked(self, node: Node, check: Any, value: Any, where: Location) -> Any:
        try:
            return check.validate_python(value)
        except ValidationError as error:
            return self._error(node, where, _reason(error.errors()[0]))

    def _step(self, count: int, node: Node) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise UnreadableYAML("document contains excessive aliasing", node.line, node.column)

    # -- problems -----------------------------------------------------------------------------

    def _wrong_type(self, node: Node, shape: Shape, where: Location) -> _Nothing:
        name = f"{shape.name} (TextUnmarshaler)" if isinstance(shape, Choice) else shape.name
        shown = ""
        if isinstance(node, ScalarNode):
            cut = f"{node.text[:7]}..." if len(node.text) > 10 else node.text
            shown = f" `{printable(cut)}`"
        hint = "; write true or false" if isinstance(shape, Flag) else ""
        return self._error(node, where, f"cannot construct {node.tag}{shown} into {name}", hint)

    def _no_such_word(self, node: ScalarNode, shape: Choice, where: Location) -> _Nothing:
        text = f"{printable(node.text)} does not belong to {shape.title} values"
        return self._error(node, where, text, word_hint(node.text, shape))

    def _unknown(self, key: str, node: ScalarNode, here: RecordSchema) -> None:
        hint = key_hint(key, here, self.root) if len(self.problems) < MAX_PROBLEMS else ""
        text = f'unknown key "{printable(key)}"'
        if self.strict:
            self._error(node, None, text, hint)
        else:
            self._report(warning_at(node, f"{text} is ignored{hint}"))

    def _error(self, node: Node, where: Location | None, text: str, hint: str = "") -> _Nothing:
        if len(self.type_errors) < MAX_PROBLEMS:
            self.type_errors.append(f"line {node.line}: {text}")
        if where is not None:
            self.wrong.append(where)
        self._report(error_at(node, text + hint))
        return NOTHING

    def _report(self, problem: Problem) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems[problem] = None
        elif problem not in self.problems:
            self.unsaid.append(problem.severity)

    def _in_order(self) -> tuple[Problem, ...]:
        """Problems sorted by place, plus a line counting those left out."""
        problems = in_order(self.problems)
        if not self.unsaid:
            return problems
        worst = min(self.unsaid)  # "error" comes before "warning"
        last = problems[-1]
        text = f"and {len(self.unsaid)} more problems"
        return (*problems, Problem(line=last.line, column=last.column, severity=worst, text=text))

    # -- rules --------------------------------------------------------------------------------

    def _judge(self, draft: V) -> tuple[V | None, list[Mistake]]:
        """Check the rules; mistakes that follow from a wrong type are not reported twice."""
        value, found = _made(draft)
        rules = [mistake for mistake in found if not self._already_wrong(mistake[0])]
        for where, text in rules:
            self._report(error_at(place(self.places, where), text + self._allowed(where)))
        return value, rules

    def _allowed(self, where: Location) -> str:
        """The allowed words at ``where``, if it is an enum at the top level."""
        for key, known in self.root.keys.items():
            if where == (known.attribute,) and isinstance(known.shape, Choice):
                return f"; {key} is one of {words(known.shape)}"
        return ""

    def _already_wrong(self, where: Location) -> bool:
        return any(where[: len(bad)] == bad or bad[: len(where)] == where for bad in self.wrong)


def place(places: dict[Location, Node], where: Location) -> Node:
    """The node at ``where``, or the nearest one around it."""
    while where not in places:
        where = where[:-1]
    return places[where]


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort by place; problems at one place keep their order."""
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _construct(shape: RecordSchema, values: dict[str, Any]) -> Value:
    blanks = {field.attribute: field.blank for field in shape.keys.values()}
    return shape.payload.model_construct(**(blanks | values))


def _made(draft: V) -> tuple[V | None, list[Mistake]]:
    """The validated payload for this draft, or its mistakes."""
    if isinstance(draft, Ruled) and (mistakes := list(draft.mistakes())):
        return None, mistakes
    fields = {name: getattr(draft, name) for name in type(draft).model_fields}
    try:
        return type(draft)(**fields), []
    except ValidationError as error:
        return None, [(tuple(e["loc"]), _reason(e)) for e in error.errors()]


def _reason(error: Any) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


def _text(node: ScalarNode) -> str | None:
    if node.tag == "!!binary":
        try:
            return base64.b64decode(node.text, validate=False).decode()
        except ValueError:
            return None
    return None if node.tag == "!!timestamp" else node.text


_FLAGS: Final = {"true": True, "false": False}
_FLAG_WORDS: Final = {
    spelt: meaning
    for words, meaning in ((("y", "yes", "on"), True), (("n", "no", "off"), False))
    for word in words
    for spelt in (word, word.title(), word.upper())
}


def _flag(node: ScalarNode) -> bool | None:
    if node.tag == "!!bool":
        return _FLAGS.get(node.text.lower(), _FLAG_WORDS.get(node.text))
    return _FLAG_WORDS.get(node.text) if node.tag == "!!str" else None


def _number(node: ScalarNode) -> int | None:
    if node.tag != "!!int":
        return None
    digits = node.text.replace("_", "")
    unsigned = digits.lstrip("+-")
    if len(unsigned) > 1 and unsigned[0] == "0" and unsigned[1].isdecimal():
        digits = digits.replace("0", "0o", 1)  # YAML 1.1's octal numbers
    try:
        return int(digits, 0)
    except ValueError:
        return None
