"""The audit log: every change of state, in the payment's history and in the log, and who brought it about."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from snipcart_checkout.models import Event, Payment
from snipcart_checkout.services.transactions import log_when_committed


@dataclass(frozen=True)
class Actor:
    """Who brings about a change; ``name`` is the member of staff."""

    source: Event.Source
    name: str = ""

    def __str__(self) -> str:
        return f"{self.source} {self.name}".strip()


SHOPPER: Final = Actor(Event.Source.SHOPPER)
PROVIDER: Final = Actor(Event.Source.PROVIDER)
SETTLE: Final = Actor(Event.Source.SETTLE)
SNIPCART: Final = Actor(Event.Source.SNIPCART)


def staff(name: str) -> Actor:
    """Return a member of staff."""
    return Actor(Event.Source.STAFF, name)


def record_event(
    payment: Payment, name: Event.Name, *, actor: Actor, uid: UUID | None = None, **data: Any
) -> None:
    """Add a line to the payment's history and, once it is committed, to the log; call it inside ``commit``.

    ``uid`` makes the event recognisable to a ``recall``. ``data`` holds neither secrets nor personal data.
    """
    given = {key: value for key, value in data.items() if value not in ("", None)}
    Event.objects.create(
        uid=uid or uuid4(),
        payment=payment,
        name=name,
        source=actor.source,
        actor=actor.name[:150],
        data=given,
    )
    details = "".join(f" {key}={value}" for key, value in given.items() if key != "note")
    message = "payment %s: %s%s (%s)"
    log_when_committed(logging.INFO, message, payment.reference, name.value, details, actor)


def is_recorded(uid: UUID) -> bool | None:
    """Return True for an event that is committed, else None: the ``recall`` of a change of state."""
    return Event.objects.filter(uid=uid).exists() or None
