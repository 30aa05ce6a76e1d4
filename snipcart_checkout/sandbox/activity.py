"""The activity log: what happened, in order and in sentences, with every request and answer between Snipcart and shop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final
from uuid import uuid4

from django.utils import timezone
from django.utils.functional import Promise

from snipcart_checkout.sandbox.core.sessions import Session
from snipcart_checkout.sandbox.memory import MEMORY
from snipcart_checkout.sandbox.money import format_money
from snipcart_checkout.sandbox.translation import gettext_lazy as _

_MAX_ENTRIES: Final = 300

_SENTENCES: Final[Mapping[str, str | Promise]] = {
    "methods_offered": _("Snipcart asked the shop how this order can be paid. It offered %(offered)s."),
    "methods_none": _("Snipcart asked the shop how this order can be paid. It offered nothing."),
    "methods_failed": _("Snipcart asked the shop how this order can be paid, and could not use the answer."),
    "shopper_left": _("The shopper chose %(method)s and went to the shop's checkout page with a new token."),
    "order_seen": _("The shopper saw the result of the payment."),
    "validate_ok": _("The shop asked whether a token is genuine. It is."),
    "validate_refused": _("The shop asked whether a token is genuine. It is not."),
    "payment-session_ok": _("The shop read the payment session: %(amount)s."),
    "payment-session_refused": _("The shop asked for a payment session, and Snipcart refused it."),
    "payment_ok": _("The shop sent a confirmation: “%(state)s”."),
    "payment_refused": _("The shop sent a confirmation, and Snipcart refused it."),
    "requestvalidation_ok": _("The shop asked whether a request really came from Snipcart. It did."),
    "requestvalidation_refused": _("The shop asked whether a request really came from Snipcart. It did not."),
    "validate_failed": _("The shop validated a token, and a fault kept Snipcart from answering."),
    "payment-session_failed": _(
        "The shop asked for a payment session, and a fault kept Snipcart from answering."
    ),
    "payment_failed": _("The shop sent a confirmation, and a fault kept Snipcart from recording it."),
    "requestvalidation_failed": _("The shop checked a request, and a fault kept Snipcart from answering."),
    "_refused": _("The shop called an address that Snipcart does not have."),
    "refund_done": _("The merchant refunded %(amount)s on the dashboard, and the shop did it."),
    "refund_failed": _("The merchant requested a refund of %(amount)s, and it failed."),
    "cart_changed": _("One more thing was put into the cart, as if in another tab."),
    "session_expired": _("The payment session was made to expire."),
    "session_revived": _("The payment session was brought back to life."),
    "session_opened": _("A second payment session was opened for the cart of another order."),
    "key_regenerated": _("A key was regenerated; the old one is refused from now on."),
}


@dataclass(frozen=True, kw_only=True)
class Message:
    """A request or an answer, with its secrets already taken out. ``line`` is the first line of it."""

    line: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event. ``fault`` is the name of the fault that happened, ``remark`` a technical sentence in English."""

    id: str
    time: datetime
    kind: str
    session_id: str
    params: Mapping[str, str]
    exchange: tuple[Message, ...]
    milliseconds: int
    fault: str
    remark: str

    @property
    def sentence(self) -> str:
        """The event in the language that is active."""
        params = dict(self.params)
        if "currency" in params:
            params["amount"] = format_money(Decimal(params["amount"]), params["currency"])
        return str(_SENTENCES[self.kind]) % params

    @property
    def has_failed(self) -> bool:
        """Whether something did not work."""
        return self.kind.endswith(("_failed", "_refused")) or bool(self.fault)


def log_activity(
    kind: str,
    session: Session | None = None,
    *,
    exchange: Iterable[Message] = (),
    milliseconds: int = 0,
    fault: str = "",
    remark: str = "",
    **params: Any,
) -> None:
    """Add an event; ``params`` fill its sentence, ``milliseconds`` are how long it took until now."""
    entry = Entry(
        id=uuid4().hex,
        time=timezone.now() - timedelta(milliseconds=milliseconds),
        kind=kind,
        session_id=session.id if session else "",
        params={name: str(value) for name, value in params.items()},
        exchange=tuple(exchange),
        milliseconds=milliseconds,
        fault=fault,
        remark=remark,
    )
    with MEMORY.lock:
        MEMORY.save("activity", (*MEMORY.load("activity", ()), entry)[-_MAX_ENTRIES:])


def read_log(session_id: str | None = None) -> list[Entry]:
    """Return the events, the first one first: of one session or, without an id, of all."""
    entries: tuple[Entry, ...] = MEMORY.load("activity", ())
    wanted = (entry for entry in entries if session_id in {None, entry.session_id})
    # A call during which the shop calls back is logged after that, but began before it.
    return sorted(wanted, key=attrgetter("time"))


def read_log_by_order() -> dict[str, list[Entry]]:
    """Return the events by the id of their session, the session with the latest event first.

    What concerns no session stands under an empty id.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in reversed(read_log()):
        groups.setdefault(entry.session_id, []).insert(0, entry)
    return groups


def clear_log() -> None:
    """Forget what happened."""
    MEMORY.save("activity", ())
