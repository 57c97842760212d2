"""The loaders of YAML: the only module of the framework that has PyYAML parse a text.

Definitions and configuration of services are parsed in ``controllers/definitions/yaml_tree.py``, by
the rules of go-yaml and from events.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

import yaml
from yaml.nodes import Node, ScalarNode

_BaseLoader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_SafeLoader):  # type: ignore[misc]  # in C if available
    """The safe loader with YAML 1.2's rules for scalars that are not text."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


def _integer(loader: Any, node: ScalarNode) -> int:
    text = str(node.value)
    return int(text, 0 if text[:2] in {"0o", "0x"} else 10)  # 010 is ten


Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_SCALARS: Final = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("merge", r"<<", "<"),
)
_not_text: Final = re.compile("|".join(pattern for _, pattern, _ in _SCALARS)).fullmatch
for _tag, _pattern, _first in _SCALARS:
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def is_text(scalar: str) -> bool:
    """Whether ``scalar``, without quotes, is read as text."""
    return _not_text(scalar) is None


def root_of(text: str) -> Node | None:
    """The root of the only document of ``text``; ``None`` if it is empty or not valid YAML.

    The tags are those of YAML 1.1, by whose rules PyYAML writes.
    """
    try:
        node: Node | None = yaml.compose(text, Loader=_SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    return node


def value_of(text: str) -> Any:
    """The value of ``text``, by the rules of YAML 1.1; raises ``yaml.YAMLError``."""
    return yaml.load(text, _SafeLoader)  # noqa: S506  # a safe loader, in C if available


def texts_of(data: bytes) -> Any:
    """The value of ``data`` with every scalar as text; raises ``yaml.YAMLError``."""
    return yaml.load(data, _BaseLoader)  # noqa: S506  # makes only text
