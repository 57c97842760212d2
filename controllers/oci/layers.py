"""The writable layers of a machine's services: where they are, and when they come and go."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

from controllers.oci.overlay import Overlay, mounted_overlays, mounted_times
from controllers.paths import Paths
from resources.go_format import (
    os_error_text,
)

_log: Final = logging.getLogger("cosi.containers")


class Layers:
    """One overlay over the root filesystem of each service, by the service's own name."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def rootfs(self, name: str) -> Path:
        """As the runtime wants it and the list of mounts has it: `/usr/local` is a link on some
        machines.
        """
        rootfs = self._paths.rootfs(name)
        with contextlib.suppress(OSError):  # reported by mount, which is the first to need it
            return self._paths.beneath.real(rootfs.parent) / name
        return rootfs

    def mount(self, name: str, *, keep_changes: bool) -> str:
        """Mount the layer of a service; returns why that cannot be done here, or "".

        Raises:
            OSError: what is wrong with the root filesystem, or with the layer.
        """
        # An error here says which directory it is. A link is none: the runtime takes none either,
        # and two services with one target would mount over each other.
        with self._paths.beneath.directory(self._paths.rootfs(name)):
            overlay = self._overlay(name)
        # What lies there is made, moved and emptied by its path: by then only root may write
        # there, and nothing in it is a link.
        self._paths.beneath.make_private(self._paths.overlays)
        for layer in self._parts(name):
            self._paths.beneath.refuse_link(layer)
        return overlay.mount(keep_changes=keep_changes)

    def unmount(self, name: str) -> None:
        """Unmount the layer of a service; raises `OSError`."""
        self._overlay(name).unmount()

    def unmount_all_but(self, names: Collection[str]) -> None:
        """Unmount what a previous run has left of services that are not named."""
        kept = {self.rootfs(name) for name in names}
        ours = self.rootfs("x").parent
        for rootfs in dict.fromkeys(mounted_overlays()):
            if rootfs.parent == ours and rootfs not in kept:
                try:
                    self.unmount(rootfs.name)
                except OSError as error:
                    _log.warning("failed to unmount %s", os_error_text(error))

    def forget(self, name: str) -> None:
        """Remove what was written to the layer of a service, unless it is mounted."""
        try:
            if mounted_times(self.rootfs(name)) == 0:
                for layer in self._parts(name):
                    self._paths.beneath.remove(layer)
        except OSError as error:
            _log.warning("a layer of %s is left: %s", name, os_error_text(error))

    def _overlay(self, name: str) -> Overlay:
        upper, work = self._paths.overlay_upper(name), self._paths.overlay_work(name)
        return Overlay(self.rootfs(name), upper, work)

    def _parts(self, name: str) -> list[Path]:
        """The directories that there are of the layer of a service."""
        parts = self._paths.overlay_upper(name).name, self._paths.overlay_work(name).name
        known = (*parts, *(f"{part}.before" for part in parts))
        names = self._paths.beneath.names(self._paths.overlays)
        return [self._paths.overlays / each for each in names if each in known]
