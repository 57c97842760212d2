"""A type of resource for these tests: fixed times, and a column of every sort."""

from datetime import UTC, datetime

from cosi import Metadata, Phase, Resource, Spec

TIME = datetime(2026, 8, 20, 10, tzinfo=UTC)


class Lamp(
    Spec,
    type="Lamps.house.example.dev",
    aliases=("lmp",),
    columns={"On": "{.on}", "Colors": "{.colors}", "Sliced": "{.colors[:]}", "Room": "{.room}"},
):
    """A lamp that somebody may see by.

    It shines in ``colors``, see :class:`~cosi.Spec`.
    """

    on: bool = False
    """Whether it shines."""
    colors: tuple[str, ...] = ()
    room: str | None = None


class LampPost(Spec, type="LampPosts.street.example.dev", aliases=("lmp",)):
    """The other thing that is called ``lmp``."""


def lamp(id: str, **fields: object) -> Resource[Lamp]:
    metadata = Metadata("house", "Lamps.house.example.dev", id, None, "", Phase.RUNNING, TIME, TIME)
    return Resource(metadata, Lamp.model_validate(fields))
