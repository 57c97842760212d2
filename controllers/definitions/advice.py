"""What loads, and will hardly be meant: the warnings about a good definition."""

from __future__ import annotations

from collections.abc import Iterator

from resources.extension_service import Container, ExtensionServiceSpec, Mistake
from resources.go_text import quote


def advice(spec: ExtensionServiceSpec) -> Iterator[Mistake]:
    """Yield what may surprise the writer of ``spec``, with the place in it."""
    container = spec.container
    has_path = any(item.startswith("PATH=") for item in container.environment)
    if "/" not in container.entrypoint and not has_path:
        text = "without a slash the entrypoint is looked for in PATH, which the environment lacks"
        yield ("container", "entrypoint"), text
    if container.environment_file:
        text = "environmentFile is deprecated; use an ExtensionServiceConfig document"
        yield ("container", "environment_file"), text
    for where, text in _mounts(container):
        yield ("container", "mounts", *where), text


def _mounts(container: Container) -> Iterator[Mistake]:
    for index, mount in enumerate(container.mounts):
        if not mount.destination.startswith("/"):
            # Not an error: runc takes it as if it began with a slash, and so it runs on Talos.
            yield (index, "destination"), f"destination is not absolute: {quote(mount.destination)}"
        if not mount.source:
            # Talos makes a directory of every source that is not there, and fails on an empty one.
            yield (index, "source"), "on Talos, a mount needs a source whatever its type"
