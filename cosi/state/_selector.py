"""Parses the selectors that users write: ``app=web,tier!=db,replicas<3,!legacy``.

Terms are separated by commas and must all hold. A term is one of::

    key            !key                 the label exists, or does not
    key=value      key!=value           (== is = too)
    key in (a,b)   key notin (a,b)
    key<value      key<=value   key>value   key>=value

The last four compare as numbers if the value is a number, with or without a unit (``memory>=2Gi``),
and as text otherwise. Values with commas, spaces or parentheses need double quotes.
"""

from __future__ import annotations

import re
from typing import Final

from cosi.errors import InvalidResource
from cosi.state._query import EVERYTHING, LabelOp, LabelTerm, Query, quantity

_WORD: Final = r'"(?:[^"\\]|\\.)*"|[^\s,()<>=!"]+'
_TERM: Final = re.compile(
    rf"""\s*(?:
        !\s*(?P<missing>{_WORD})
      | (?P<key>{_WORD})\s*
        (?:
            (?P<op>==|!=|<=|>=|=|<|>)\s*(?P<value>{_WORD})?
          | (?P<set>in|notin|not\s+in)\s*\(\s*(?P<values>(?:{_WORD})?(?:\s*,\s*(?:{_WORD}))*)\s*\)
        )?
    )\s*""",
    re.VERBOSE,
)
_WORDS: Final = re.compile(_WORD)


def parse_selector(text: str) -> Query:
    """Read a selector; the empty one selects everything.

    Raises :class:`~cosi.errors.InvalidResource`, whose message shows where parsing stopped.
    """
    if not text.strip():
        return EVERYTHING
    terms: list[LabelTerm] = []
    position = 0
    while position <= len(text):
        match = _TERM.match(text, position)
        if match is None or text[match.end() : match.end() + 1] not in {"", ","}:
            rest = text[match.end() if match else position :].strip()
            raise InvalidResource(
                f"selector {text!r}: cannot read {rest or 'its end'!r}; a term is key, !key, "
                "key=value, key!=value, key<3, key>=2Gi, key in (a,b) or key notin (a,b)"
            )
        terms.append(_term(match))
        position = match.end() + 1
    return Query(labels=(tuple(terms),))


def _term(match: re.Match[str]) -> LabelTerm:
    if match["missing"]:
        return LabelTerm(_word(match["missing"]), LabelOp.EXISTS, invert=True)
    key = _word(match["key"])
    if match["set"]:
        values = tuple(_word(word) for word in _WORDS.findall(match["values"]))
        return LabelTerm(key, LabelOp.IN, values, invert=match["set"] != "in")
    if not match["op"]:
        return LabelTerm(key, LabelOp.EXISTS)
    return _comparison(key, match["op"], _word(match["value"] or ""))


def _comparison(key: str, op: str, value: str) -> LabelTerm:
    if op in {"=", "==", "!="}:
        return LabelTerm(key, LabelOp.EQUAL, (value,), invert=op == "!=")
    numeric = quantity(value) is not None
    less = LabelOp.LT_NUMERIC if numeric else LabelOp.LT
    less_or_equal = LabelOp.LTE_NUMERIC if numeric else LabelOp.LTE
    # There is no "greater": it is "less or equal", inverted.
    return {
        "<": LabelTerm(key, less, (value,)),
        "<=": LabelTerm(key, less_or_equal, (value,)),
        ">": LabelTerm(key, less_or_equal, (value,), invert=True),
        ">=": LabelTerm(key, less, (value,), invert=True),
    }[op]


def _word(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
