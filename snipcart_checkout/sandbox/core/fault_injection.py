"""Which fault happens at which call: faults are planned, and the calls of a place meet them in turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from snipcart_checkout.sandbox.core.faults import Fault, get_fault
from snipcart_checkout.sandbox.core.memory import Memory

_PLANNED: Final = "planned_faults"


@dataclass(kw_only=True)
class PlannedFault:
    """A fault that is to happen.

    ``place`` and ``name`` are of the list of faults. An empty ``session_id`` means every session. ``skip`` calls go
    well before it happens ``times`` times; None means until it is taken back. ``seconds`` is how long it waits or
    drips, where it does; None leaves that to whoever delivers it. ``key`` is the API key that counts as revoked.
    """

    id: str = field(default_factory=lambda: uuid4().hex)
    place: str
    name: str
    session_id: str = ""
    skip: int = 0
    times: int | None = 1
    seconds: float | None = None
    key: str = ""

    @property
    def fault(self) -> Fault:
        """What happens."""
        return get_fault(self.name, self.place)

    def concerns(self, place: str, session_id: str, *, key: str, is_repeat: bool) -> bool:
        """Whether a call has to do with it. A switch about repeats or keys does not go off on another call."""
        if place != self.place or self.session_id not in {"", session_id}:
            return False
        if self.name == "repeat-refused":
            return is_repeat
        return self.name != "key-revoked" or self.key in {"", key}


class FaultInjection:
    """The faults that are planned, in order."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @property
    def planned(self) -> tuple[PlannedFault, ...]:
        """The faults that can still happen, in the order in which they were planned."""
        planned: tuple[PlannedFault, ...] = self._memory.load(_PLANNED, ())
        return planned

    def plan(
        self,
        place: str,
        name: str | int,
        *,
        session_id: str = "",
        nth: int = 1,
        times: int | None = 1,
        seconds: float | None = None,
    ) -> None:
        """Let the ``nth`` call from now on fail, and the next ``times``. Raises ValueError for an unknown fault."""
        get_fault(name, place)
        planned = PlannedFault(
            place=place, name=str(name), session_id=session_id, skip=nth - 1, times=times, seconds=seconds
        )
        with self._memory.lock:
            self._memory.save(_PLANNED, (*self.planned, planned))

    def cancel(self, identifier: str = "") -> None:
        """Take one planned fault back, or all of them."""
        with self._memory.lock:
            kept = (one for one in self.planned if identifier and one.id != identifier)
            self._memory.save(_PLANNED, tuple(kept))

    def take(
        self, place: str, session_id: str = "", *, key: str = "", is_repeat: bool = False
    ) -> PlannedFault | None:
        """Return the fault that happens to a call; None when all goes well."""
        with self._memory.lock:
            planned = self.planned
            fault = next(
                (one for one in planned if one.concerns(place, session_id, key=key, is_repeat=is_repeat)),
                None,
            )
            if fault is None:
                return None
            happens = fault.skip == 0
            _count(fault, key)
            self._memory.save(_PLANNED, tuple(one for one in planned if one.times != 0))
            return fault if happens else None


def _count(planned: PlannedFault, key: str) -> None:
    if planned.skip:
        planned.skip -= 1
        return
    if planned.name == "key-revoked":
        planned.key = key
    if planned.times is not None:
        planned.times -= 1
