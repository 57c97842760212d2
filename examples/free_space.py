"""A resource and a controller of your own: which directories still have room."""

import shutil

from cosi import Controller, Input, Output, Spec


class WatchedDirectory(Spec, type="WatchedDirectories.example.dev"):
    """A request: the id is the directory, the payload the number of bytes that should be free."""

    wanted_bytes: int


class FreeSpace(Spec, type="FreeSpaces.example.dev", columns={"Enough": "{.enough}"}):
    """The answer to the request of the same id."""

    free_bytes: int
    enough: bool


class FreeSpaceController(Controller):
    """Checks when a request changes, and every ten seconds."""

    directories = Input(WatchedDirectory)
    spaces = Output(FreeSpace)

    async def reconcile(self) -> None:
        async with self.spaces.track() as spaces:  # what is not applied inside is removed
            for directory in await self.directories.list():
                free = shutil.disk_usage(directory.id).free
                await spaces.apply(
                    directory.id,
                    FreeSpace(free_bytes=free, enough=free >= directory.spec.wanted_bytes),
                )
        self.wake_after(10)


def application() -> list[Controller]:
    """`cosi run free_space:application` runs it, from the directory of this file."""
    return [FreeSpaceController()]
