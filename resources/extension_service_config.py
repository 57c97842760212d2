"""Extra files and environment of a service, from the machine's configuration."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final, Self

from pydantic import model_validator

from cosi import FrozenMap, Spec, Value
from resources.go_format import (
    quote,
)

_LONGEST: Final = 255
"""The most bytes of a file name (Linux: ``NAME_MAX``)."""


class ConfigFile(Value, proto={"content": 1, "mountPath": 2}):
    """One file, bind-mounted read-only at ``mount_path`` in the container."""

    content: str
    mount_path: str

    @model_validator(mode="after")
    def _refuse_what_leaves(self) -> Self:
        if not stays_inside(self.mount_path):
            raise ValueError(f"mount path {quote(self.mount_path)} leaves its directory")
        return self


class ExtensionServiceConfig(
    Spec,
    type="ExtensionServiceConfigs.runtime.talos.dev",
    sensitive=True,
    proto={"files": 1, "environment": 2},
):
    """Extra files and environment of one service; the resource id is the service's name.

    It applies whenever it exists, not only to services with ``configuration: true`` (Talos 1.14).
    """

    files: tuple[ConfigFile, ...] = ()
    """The files in the order of the document; the last one of a mount path counts."""
    environment: tuple[str, ...] = ()
    """``KEY=VALUE`` items, added after the service's own."""

    @cached_property
    def file_names(self) -> FrozenMap[str, str]:
        """The file name of each mount path in the service's directory on the host."""
        return FrozenMap(file_names(file.mount_path for file in self.files))


def file_names(mount_paths: Iterable[str]) -> Mapping[str, str]:
    """Give each mount path its own file name.

    It is Talos's name: without a leading ``/``, and with ``-`` for every other ``/``. In Talos,
    ``/a/b`` and ``/a-b`` are one file, and the last one wins (differences: Talos 10). Here, paths
    that would share a name, and names that are too long, get a part of the path's hash.
    """
    flat = {path: flattened(path) for path in sorted(set(mount_paths))}
    users = Counter(flat.values())
    taken = {name for name, count in users.items() if count == 1}
    names: dict[str, str] = {}
    for path, name in flat.items():
        alone = users[name] == 1 and len(name.encode()) <= _LONGEST
        names[path] = name if alone else _another(name, path, taken)
    return names


def _another(name: str, path: str, taken: set[str]) -> str:
    short = name.encode()[: _LONGEST - 40].decode(errors="ignore")
    name = f"{short}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    while name in taken:
        name += "-"
    taken.add(name)
    return name


def flattened(mount_path: str) -> str:
    """The file name that Talos gives a mount path."""
    return mount_path.removeprefix("/").replace("/", "-")


def stays_inside(path: str) -> bool:
    """Whether ``path``, relative to a directory, stays below that directory."""
    pure = PurePosixPath(path)
    return ".." not in pure.parts and pure.name != "" and "\0" not in path
