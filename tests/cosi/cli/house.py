"""An application for `cosi run`: every lamp gets a shadow."""

from __future__ import annotations

from cosi import Resource, Spec, transform
from cosi.cli.application import Application
from tests.cosi.cli.things import Lamp


class Shadow(Spec, type="Shadows.house.example.dev", columns={"Of": "{.of}"}):
    """What a lamp that shines leaves behind."""

    of: str


@transform(Lamp, to=Shadow)
def cast(lamp: Resource[Lamp]) -> Shadow | None:
    """Lamps that shine have one."""
    return Shadow(of=lamp.id) if lamp.spec.on else None


def application() -> Application:
    return Application([cast])
