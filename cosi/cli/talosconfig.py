"""Reads a talosconfig, the client configuration of talosctl: its contexts and their endpoints."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from cosi.cli.server import ClientTLS
from cosi.errors import CosiError
from cosi.resource._yaml_loading import texts_of


class TalosconfigError(CosiError):
    """A talosconfig that cannot be read, or lacks the context or its endpoints."""


_NULL: Final = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class Found:
    """One context; its ``endpoints`` are equivalent, and any one may be used."""

    endpoints: tuple[str, ...]
    security: ClientTLS
    nodes: tuple[str, ...] = ()
    """The selected machines behind the endpoints."""


def read(path: Path, context: str | None = None, *, endpoints_needed: bool = True) -> Found:
    """Read ``context``, or else the current one of the file (Talos 1.14: "talosconfig").

    Raises :class:`TalosconfigError`, whose text begins with the path; also for a context without
    endpoints if ``endpoints_needed``.
    """
    try:
        # Every scalar is text, as for talosctl: a context may be called ``no``, a node ``1e3``.
        document = texts_of(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise TalosconfigError(f"{path}: {error}") from error
    if not document:
        raise TalosconfigError(f"{path}: talos config file is empty")
    found = _context(path, _mapping(document), context)
    # Old files have a single `target` instead of endpoints.
    endpoints = _texts(path, found, "endpoints") or tuple(filter(None, [found.get("target")]))
    if endpoints_needed and not endpoints:
        raise TalosconfigError(f"{path}: failed to determine endpoints")
    parts = (_pem(path, found, key) for key in ("ca", "crt", "key"))
    return Found(endpoints, ClientTLS(*parts), _texts(path, found, "nodes"))


def _context(path: Path, config: dict[str, Any], context: str | None) -> dict[str, Any]:
    name = context or str(config.get("context") or "")
    found = _mapping(_mapping(config.get("contexts")).get(name))
    if not found:
        which = "context" if context else "default context"
        raise TalosconfigError(f'{path}: {which} "{name}" not found in config')
    return found


def _texts(path: Path, context: dict[str, Any], key: str) -> tuple[str, ...]:
    """A list of names, without the empty ones; raises :class:`TalosconfigError`."""
    value: Any = context.get(key, [])
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(item, str) for item in items):
        raise TalosconfigError(f"{path}: {key} is not a list of names; write {key}: [NAME]")
    return tuple(str(item) for item in items if item not in _NULL)


def _mapping(value: Any) -> dict[str, Any]:
    entries = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return {key: value for key, value in entries.items() if value not in _NULL}


def _pem(path: Path, context: dict[str, Any], key: str) -> bytes | None:
    if not context.get(key):
        return None
    try:
        return base64.b64decode(str(context[key]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise TalosconfigError(f"{path}: {key} is not base64: {error}") from error
