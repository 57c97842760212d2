"""Versions as blocks of lines (talosctl: `version`)."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True, slots=True)
class Version:
    """What a program says that it is; ``node`` is empty for the one that asks."""

    node: str
    tag: str
    sha: str
    built: str
    language: str
    platform: str
    rbac: bool = False


def client_version() -> Version:
    """Of this program."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    system = platform.system().lower()
    return Version(
        "",
        f"v{version('cosi')}",
        "",
        "",
        f"python{platform.python_version()}",
        f"{system}/{machine}",
    )


def version_block(found: Version) -> str:
    """One line for each fact, behind a tab; the labels are talosctl's, Go or not."""
    rows = [
        ("NODE", found.node),
        ("Tag", found.tag),
        ("SHA", found.sha),
        ("Built", found.built),
        ("Go version", found.language),
        ("OS/Arch", found.platform),
        ("Enabled", "RBAC" if found.rbac else ""),
    ]
    optional = {"NODE", "Enabled"}
    return "\n".join(
        f"\t{label + ':':<13}{value}".rstrip()
        for label, value in rows
        if value or label not in optional
    )
