"""The links of a controller: each connects one of its inputs or outputs with an informer."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from itertools import count
from typing import Any, Protocol

import anyio

from cosi.controller._in_flight import WorkToken
from cosi.controller._runtime_side import Handle
from cosi.errors import AccessDenied, CosiError, Unsupported
from cosi.resource._envelope import Kind
from cosi.resource._pointer import Pointer
from cosi.runtime._engine import Engine
from cosi.runtime._informer import Informer, Listener, Refusal, Refused, Relisted
from cosi.runtime._live_only import live_changes
from cosi.runtime._own_outputs import OwnOutputs


class LinkHost(Protocol):
    """The part of the adapter that the links use."""

    name: str
    log: logging.Logger
    engine: Engine
    token: WorkToken
    own_outputs: OwnOutputs
    closed: bool

    def listener(self, handle: Handle, number: int) -> Listener:
        """The function to call when a resource of an input changes; ``number`` names the link."""
        ...

    def retargeted(self, handle: Handle) -> None:
        """An input has a new target."""
        ...

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count and keep a failure."""
        ...


class InformerLink:
    """One link: the kind and ids that it follows, its informer, and the function to call."""

    __slots__ = (
        *("ids", "informer", "kind", "name", "notify"),
        *("refused", "relisted", "times_refused"),
    )

    def __init__(self, handle: Handle, ids: frozenset[str] | None, notify: Listener) -> None:
        self.name = f"{'output' if handle.writes else 'input'} {handle.name}"
        self.kind = handle.kind
        self.ids = ids
        self.notify = notify
        self.informer: Informer | None = None
        self.refused: Refused | None = None
        self.relisted: Relisted | None = None
        self.times_refused = 0  # in a row

    @property
    def open(self) -> bool:
        """Whether every later change reaches the controller."""
        return self.informer is None or self.informer.opened.is_set()

    def refusal(self, error: CosiError) -> CosiError:
        """The error for users: what was refused, the state's reason, and the remedy."""
        unsupported = isinstance(error, Unsupported)
        way_out = "use a state that offers it" if unsupported else "allow this runtime to watch it"
        refusal = (Unsupported if unsupported else AccessDenied)(
            f"{self.name} cannot follow {self.kind}: {error}; {way_out}, or retarget it",
            error.pointer or self.kind.pointer(""),
        )
        refusal.__cause__ = error
        return refusal


class Links:
    """The links of one controller, from its start to its end.

    Each input has one, for its current target. Each kind of an output has one, also after the
    output was retargeted.
    """

    def __init__(self, host: LinkHost) -> None:
        self._host = host
        self._inputs: dict[Handle, InformerLink] = {}
        self._outputs: dict[Kind[Any], InformerLink] = {}
        self._numbers = count()
        self._ready = anyio.Event()  # every link is open

    def connect(self, handles: Iterable[Handle]) -> None:
        """Follow the targets of the handles."""
        for handle in handles:
            if handle.writes:
                self.follow_output(handle)
            else:
                self._follow_input(handle)

    def disconnect(self) -> None:
        """Stop following every target."""
        for link in (*self._inputs.values(), *self._outputs.values()):
            self._leave(link)
        self._inputs.clear()
        self._outputs.clear()

    async def opened(self) -> None:
        """Wait until every link is open."""
        self._look()
        await self._ready.wait()

    def follow_output(self, handle: Handle) -> None:
        """Follow the outputs in the handle's kind, and go on following those of earlier kinds."""
        if handle.kind not in self._outputs:
            link = self._outputs[handle.kind] = InformerLink(
                handle, None, self._host.own_outputs.changed
            )
            self._follow(link)
            link.relisted = partial(self._host.own_outputs.relisted, link.kind)
            if link.informer is not None:
                link.informer.when_relisted(link.relisted)

    def retarget(self, handle: Handle) -> None:
        """Follow an input's new target instead of the old; call ``retargeted`` once it is open."""
        self._leave(self._inputs.pop(handle))
        link = self._follow_input(handle)
        self._look()  # the old link may have been the last one to wait for
        if link.open or link.informer is None:
            self._host.retargeted(handle)
        else:
            link.informer.when_open(lambda: self._host.retargeted(handle))

    def _follow_input(self, handle: Handle) -> InformerLink:
        listener = self._host.listener(handle, next(self._numbers))
        notify = live_changes(listener) if handle.live_only else listener
        link = self._inputs[handle] = InformerLink(handle, handle.ids, notify)
        self._follow(link)
        return link

    def _follow(self, link: InformerLink) -> None:
        informers = self._host.engine.informers
        informer = link.informer = informers.listen(link.kind, link.notify, link.ids)
        if not informer.opened.is_set():
            informer.when_open(self._look)
        link.refused = partial(self._refused, link)
        informer.when_refused(link.refused)

    def _leave(self, link: InformerLink) -> None:
        if link.informer is not None and link.refused is not None:
            link.informer.forget(link.refused, link.relisted)
            self._host.engine.informers.leave(link.informer, link.notify, link.ids)

    def _look(self) -> None:
        """Begin if every link is open; until then count as busy, unless one is refused."""
        host = self._host
        if self._ready.is_set() or host.closed:
            return
        links = (*self._inputs.values(), *self._outputs.values())
        if any(link.informer is not None and link.informer.refusal is not None for link in links):
            host.token.park()
            return
        host.token.resume()
        if all(link.open for link in links):
            self._ready.set()

    def _refused(self, link: InformerLink, refusal: Refusal | None) -> None:
        """Report a refusal as a failure; the informer tries again, and calls this each time."""
        host = self._host
        if refusal is None:
            link.times_refused = 0
        else:
            link.times_refused += 1
            error = link.refusal(refusal.error)
            delay = max(0.0, refusal.at_seconds - host.engine.clock())
            host.failed(error, link.times_refused, delay)
            # An error once: the rest repeat it until the state is reconfigured.
            level = logging.ERROR if link.times_refused == 1 else logging.DEBUG
            about = {"controller": host.name, "interval": delay, "attempt": link.times_refused}
            host.log.log(level, "%s", error, extra=about)
        self._look()
