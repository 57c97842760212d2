"""A resource and a controller of your own: which directories still have room."""

import shutil

from cosi import Controller, Input, Output, Spec


class WatchedDirectory(Spec, type="WatchedDirectories.example.dev"):
    """A wish: the id is the directory, the payload how much should be free."""

    wanted_bytes: int


class FreeSpace(Spec, type="FreeSpaces.example.dev", columns={"Enough": "{.enough}"}):
    """A fact: what became of the wish of the same id."""

    free_bytes: int
    enough: bool


class FreeSpaceController(Controller):
    """Looks when a wish changes, and every ten seconds."""

    wishes = Input(WatchedDirectory)
    spaces = Output(FreeSpace)

    async def reconcile(self) -> None:
        async with self.spaces.track() as spaces:  # what is not applied inside, goes
            for wish in await self.wishes.list():
                free = shutil.disk_usage(wish.id).free
                await spaces.apply(
                    wish.id, FreeSpace(free_bytes=free, enough=free >= wish.spec.wanted_bytes)
                )
        self.wake_after(10)


def application() -> list[Controller]:
    """`cosi run free_space:application` runs it, from the directory of this file."""
    return [FreeSpaceController()]
