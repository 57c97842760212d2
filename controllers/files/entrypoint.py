"""Looks up the program of a container before the container is started."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from controllers.files.inside import (
    ContainerView,
    Mounted,
)
from resources.container_spec import DEFAULT_MOUNTS
from resources.extension_service import Mount


def container_view(
    rootfs: Path, mounts: Iterable[Mount], files: Iterable[Mounted] = ()
) -> ContainerView:
    """The view of a container with these mounts; ``files`` are the service's config files."""
    return ContainerView(rootfs, [*map(_mounted, (*DEFAULT_MOUNTS, *mounts)), *files])


def look_for(entrypoint: str, view: ContainerView) -> Path | None:
    """The path of the entrypoint on the host; ``None`` if it is not certain.

    It is not certain if the entrypoint is searched in PATH, or is in a mount that the host cannot
    see yet. Raises :class:`Missing` if it certainly does not exist.
    """
    return view.find(entrypoint) if "/" in entrypoint else None


def without_dots(path: str) -> Path:
    """The path of a definition relative to its root filesystem; links are not followed."""
    return Path(PurePosixPath("/", path).relative_to("/"))


def _mounted(mount: Mount) -> Mounted:
    source = Path(mount.source) if mount.is_bind and mount.source.startswith("/") else None
    return Mounted(mount.destination, source)
