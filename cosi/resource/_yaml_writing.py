"""Writes data as YAML text; no other module writes YAML.

Users get the layout of Go's ``yaml.v4`` as talosctl 1.14 uses it: four spaces, two inside an item
of a list, long text folded at 80 columns. Payloads are written often, so libyaml (C) writes them if
available. Either way Go reads back the same data: text is quoted if any version of Go's YAML, YAML
1.1 or YAML 1.2 would read it as another type.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

import yaml
from yaml.emitter import ScalarAnalysis
from yaml.events import ScalarEvent
from yaml.nodes import Node, ScalarNode

from cosi.resource._yaml_loading import is_text

_STR: Final = "tag:yaml.org,2002:str"
_WIDTH: Final = 80
_SIMPLE_KEY_BYTES: Final = 128

# Readers turn some of these into plain line breaks, and Go escapes the rest.
_ESCAPED: Final = re.compile("[\r\x85\u2028\u2029\ufeff\U00010000-\U0010ffff]")
_OTHER_BREAKS: Final = re.compile("[\r\x85\u2028\u2029\ufeff]")
_RAW: Final = re.compile("[ !#-\\[\\]-~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_TAB_FIRST: Final = re.compile(r"\n*\t")

# The rules of `resolve` in Go's yaml.v3 and v4, which remove underscores first.
_GO_NUMBER: Final = re.compile(
    r"""[-+]?(?:
        0[xX][0-9a-fA-F]+ | 0[bB][-+]?[01]+ | 0[oO][-+]?[0-7]+
      | (?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?
    )""",
    re.VERBOSE,
)
_CLOCK: Final = r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:[.,][0-9]+)?"
_GO_TIME: Final = re.compile(
    rf"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}"
    rf"(?:[Tt]{_CLOCK}(?:Z|[-+][0-9]{{2}}:[0-9]{{2}})|\ *{_CLOCK})?"
)
# Go quotes these because of YAML 1.1: sexagesimal numbers, and the words for true and false.
_OLD: Final = re.compile(
    r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
)


class YamlText(str):
    """A scalar that is written without quotes wherever possible, even if it looks like a number."""

    __slots__ = ()


def for_people(value: Any) -> str:
    """``value`` in Go's layout; a node of ``yaml.compose`` inside keeps its style."""
    return _dumped(value, Dumper=_Dumper, indent=4, width=_WIDTH)


def compact(value: Any) -> str:
    """``value`` in the stored and sent layout: two spaces, lists at the column of their key."""
    return _dumped(value, Dumper=_CDumper)


def _dumped(value: Any, **options: Any) -> str:
    dump = cast("Any", yaml).dump  # its stub leaves the type of the stream open
    return str(dump(value, sort_keys=False, allow_unicode=True, **options))


def is_safe(text: str) -> bool:
    """Whether every reader reads ``text``, without quotes, as the same text."""
    number = text[:1] + text[1:].replace("_", "")
    return is_text(text) and not (
        _GO_NUMBER.fullmatch(number) or _GO_TIME.fullmatch(text) or _OLD.fullmatch(text)
    )


class _Dumper(yaml.SafeDumper):
    """Writes like the emitter of ``yaml.v4``, except where a reader would read something else."""

    _step = 4

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent by 2 inside an item of a list, else to the next multiple of 4."""
        outer = self.indent
        super().increase_indent(flow, indentless=False)
        if outer is not None:
            in_item = self.states[-1] == self.expect_block_sequence_item
            self._step = 2 if in_item else 4 - outer % 4
            self.indent = outer + self._step

    def ignore_aliases(self, data: Any) -> bool:
        return not isinstance(data, Node)

    def expect_document_start(self, first: bool = False) -> None:
        """Omit the ``...`` that PyYAML writes after text with kept trailing line breaks."""
        self.open_ended = False
        super().expect_document_start(first)

    def check_simple_key(self) -> bool:
        """Ignore the tag, which is not written, and accept the empty text as a key."""
        if not isinstance(self.event, ScalarEvent):
            return bool(super().check_simple_key())
        if self.analysis is None:
            self.analysis = self.analyze_scalar(self.event.value)
        short = len(self.event.value.encode()) <= _SIMPLE_KEY_BYTES
        return short and not self.analysis.multiline

    def analyze_scalar(self, scalar: str) -> ScalarAnalysis:
        """As PyYAML, except for tabs, line breaks other than ``\\n``, and beyond U+FFFF."""
        analysis = super().analyze_scalar(scalar.replace("\t", "x"))
        analysis.scalar = scalar
        escaped = _ESCAPED.search(scalar) is not None
        if escaped or "\t" in scalar:
            analysis.allow_flow_plain = analysis.allow_block_plain = False
            analysis.allow_single_quoted = False
        if escaped or _TAB_FIRST.match(scalar):
            analysis.allow_block = False
        return analysis

    def determine_block_hints(self, text: str) -> str:
        """Write the real indentation for a text that begins with a blank: Go writes 4 even if 2."""
        step = str(self._step) if text.lstrip("\n").startswith(" ") else ""
        if not text.endswith("\n"):
            return f"{step}-"
        return step if text[-2:] not in {"\n", "\n\n"} else f"{step}+"

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """Break lines at a blank, as Go does; PyYAML breaks them anywhere."""
        self.write_indicator('"', True)
        after_blank = False
        for place, char in enumerate(text):
            blank = char == " "
            inside = 0 < place < len(text) - 1
            if blank and not after_blank and split and inside and self.column > self.best_width:
                self.write_indent()
                self._put("\\" if text[place + 1] == " " else "")
            else:
                self._put(self._escape(char))
            after_blank = blank
        self.write_indicator('"', False)

    def _escape(self, char: str) -> str:
        return char if _RAW.match(char) else self._named(char)

    def _named(self, char: str) -> str:
        name = self.ESCAPE_REPLACEMENTS.get(char)
        if name is not None:
            return f"\\{name}"
        kind, digits = ("x", 2) if char <= "\xff" else ("u", 4) if char <= "\uffff" else ("U", 8)
        return f"\\{kind}{ord(char):0{digits}X}"

    def _put(self, text: str) -> None:
        self.column += len(text)
        self.stream.write(text)


_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _CDumper(_SafeDumper):  # type: ignore[misc]  # in C if available
    """Writes payloads only."""


def _represent_text(dumper: Any, text: YamlText) -> Node:
    if text == "<<":  # Go reads it as a merge, even as a value, and drops it
        return ScalarNode(_STR, text, style="'")
    if "\n" in text:  # PyYAML's patterns match "no\n", too, and its tag would be written
        return ScalarNode(_STR, str(text), style=None if text.isspace() else "|")
    # PyYAML quotes a scalar whose tag differs from the tag that its plain form resolves to.
    return ScalarNode(dumper.resolve(ScalarNode, text, (True, False)), str(text))


def _represent_str(dumper: Any, text: str) -> Node:
    """Write text with line breaks as a block, as Go does: PyYAML's quotes would not be valid YAML
    after Go has moved them.

    Text that begins with a blank is excepted: the emitters do not agree on its indentation.
    """
    style = None
    if _OTHER_BREAKS.search(text):
        style = '"'  # which escapes them
    elif "\n" in text and not text[0].isspace():
        style = "|"
    elif not is_safe(text):
        style = "'"  # PyYAML itself considers YAML 1.1 only
    node: Node = dumper.represent_scalar(_STR, text, style=style)
    return node


def _as_it_is(dumper: Any, node: Node) -> Node:
    return node


_Dumper.add_representer(YamlText, _represent_text)
_Dumper.add_representer(str, _represent_str)
_Dumper.add_multi_representer(Node, _as_it_is)
cast("Any", _CDumper).add_representer(str, _represent_str)
