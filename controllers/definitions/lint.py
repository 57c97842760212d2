"""Warnings about valid definitions that are probably not meant as they are written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from controllers.definitions.hints import expects_expansion, unexpanded
from resources.extension_service import (
    Container,
    ExtensionServiceSpec,
)
from resources.go_format import (
    quote,
)
from resources.problem import (
    Mistake,
)

_SHELLS: Final = frozenset({"sh", "ash", "bash", "dash", "ksh", "mksh", "zsh", "fish", "rc"})


def advice(spec: ExtensionServiceSpec) -> Iterator[Mistake]:
    """Yield the warnings about ``spec``, each with its place."""
    container = spec.container
    has_path = any(item.startswith("PATH=") for item in container.environment)
    if "/" not in container.entrypoint and not has_path:
        text = "an entrypoint without a slash is looked up in PATH, which the environment lacks"
        yield ("container", "entrypoint"), text
    if container.environment_file:
        text = "environmentFile is deprecated; use an ExtensionServiceConfig document"
        yield ("container", "environment_file"), text
    for where, text in (*_expansions(container), *_mounts(container)):
        yield ("container", *where), text


def _expansions(container: Container) -> Iterator[Mistake]:
    """Shells, Compose and Kubernetes expand ``$NAME`` in such places; Talos never does."""
    for index, item in enumerate(container.environment):
        if text := unexpanded(item):
            yield ("environment", index), text
    if _is_shell(container):
        return
    for index, argument in enumerate(container.args):
        if expects_expansion(argument):
            text = f"variables are not expanded: the argument is literally {quote(argument)}"
            yield ("args", index), text


def _is_shell(container: Container) -> bool:
    """Whether a shell reads the arguments; it expands variables itself."""
    called = [container.entrypoint, *container.args[:2]]  # busybox sh, env sh
    return any(PurePosixPath(word).name in _SHELLS for word in called)


def _mounts(container: Container) -> Iterator[Mistake]:
    for index, mount in enumerate(container.mounts):
        at = ("mounts", index)
        for field in ("source", "destination"):
            if expects_expansion(path := getattr(mount, field)):
                text = f"variables are not expanded: {field} is literally {quote(path)}"
                yield (*at, field), text
        if not mount.destination.startswith("/"):
            # Not an error: runc reads it as if it began with a slash, so it runs on Talos.
            yield (*at, "destination"), f"destination is not absolute: {quote(mount.destination)}"
        if not mount.source:
            # Talos creates a directory for every missing source, and fails on an empty one.
            yield (*at, "source"), "on Talos, every mount needs a source"
