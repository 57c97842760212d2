"""Reads the file that names clusters for talosctl: endpoints and certificates by context."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from cosi.cli.connection import Security
from cosi.errors import CosiError


class TalosconfigError(CosiError):
    """A talosconfig that does not say where to connect."""


@dataclass(frozen=True)
class Found:
    """What one context says; ``endpoint`` is its first."""

    endpoint: str
    security: Security
    nodes: tuple[str, ...] = ()
    """The machines that are meant, behind the endpoint."""


def read(path: Path, context: str | None = None) -> Found:
    """The context of that name, else the file's current one (Talos 1.14: "talosconfig").

    Raises :class:`TalosconfigError`, which begins with the file.
    """
    try:
        document: Any = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise TalosconfigError(f"{path}: {error}") from error
    if not document:
        raise TalosconfigError(f"{path}: talos config file is empty")
    config, contexts = _mapping(document), _mapping(_mapping(document).get("contexts"))
    name = context or str(config.get("context") or "")
    found = _mapping(contexts.get(name))
    if not found:
        which = "context" if context else "default context"
        raise TalosconfigError(f'{path}: {which} "{name}" not found in config')
    # `target` is how the file said it before there could be several.
    endpoints = found.get("endpoints") or [found.get("target")]
    if not endpoints[0]:
        raise TalosconfigError(f"{path}: failed to determine endpoints")
    parts = (_pem(path, found, key) for key in ("ca", "crt", "key"))
    nodes = tuple(str(node) for node in found.get("nodes") or ())
    return Found(str(endpoints[0]), Security(*parts), nodes)


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _pem(path: Path, context: dict[str, Any], key: str) -> bytes | None:
    if not context.get(key):
        return None
    try:
        return base64.b64decode(str(context[key]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise TalosconfigError(f"{path}: {key} is not base64: {error}") from error
