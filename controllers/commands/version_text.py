"""Renders versions as blocks of lines (talosctl: ``version``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cosi.cli.own_version import own_version


@dataclass(frozen=True, slots=True)
class Version:
    """The version facts of a program; ``node`` is empty for this program."""

    node: str
    tag: str
    sha: str
    built: str
    language: str
    platform: str
    rbac: bool = False


def client_version() -> Version:
    """The version of this program."""
    return version_from(own_version())


def version_from(about: Mapping[str, str], node: str = "") -> Version:
    """The facts that a ``cosi`` reports of itself (:mod:`cosi.cli.about`), in Talos's terms."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(about["machine"], about["machine"])
    language, system = f"python{about['python']}", f"{about['os']}/{machine}"
    return Version(node, f"v{about['cosi']}", "", "", language, system)


def version_block(found: Version) -> str:
    """One line for each fact, after a tab; the labels are talosctl's, even ``Go version``."""
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
