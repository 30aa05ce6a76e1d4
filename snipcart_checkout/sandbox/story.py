"""What happened, in order and in sentences, with every request and answer between Snipcart and the shop."""

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
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.sandbox import storage
from snipcart_checkout.sandbox.money import format_money

__all__ = ["Entry", "Message", "clear_story", "read_story", "tell"]

_MAX_ENTRIES: Final = 300

_SENTENCES: Final[Mapping[str, str | Promise]] = {
    "methods_offered": _("Snipcart asked the shop how this order can be paid. It offered %(offered)s."),
    "methods_none": _("Snipcart asked the shop how this order can be paid. It offered nothing."),
    "methods_failed": _("Snipcart asked the shop how this order can be paid, and could not use the answer."),
    "shopper_left": _("The shopper chose %(method)s and went to the shop's checkout page with a new token."),
    "shopper_returned": _("The shopper came back to the cart."),
    "shopper_confirmed": _("The shopper saw what came of the payment."),
    "validate_ok": _("The shop asked whether a token is genuine. It is."),
    "validate_refused": _("The shop asked whether a token is genuine. It is not."),
    "session_ok": _("The shop read the payment session: %(amount)s."),
    "session_refused": _("The shop asked for a payment session with a token that is not good."),
    "payment_ok": _("The shop said what came of the payment: “%(state)s”."),
    "payment_refused": _("The shop said what came of a payment, and Snipcart refused to hear it."),
    "requestvalidation_ok": _("The shop asked whether a request really came from Snipcart. It did."),
    "requestvalidation_refused": _("The shop asked whether a request really came from Snipcart. It did not."),
    "refund_done": _("The merchant refunded %(amount)s on the dashboard, and the shop did it."),
    "refund_failed": _("The merchant wanted to refund %(amount)s, and it did not work."),
    "cart_changed": _("One more thing was put into the cart, as if in another tab."),
    "session_expired": _("The payment session was made to expire."),
    "key_regenerated": _("A key was regenerated; the old one is refused from now on."),
    "answer_spoiled": _("A switch spoiled this answer of Snipcart's."),
}


@dataclass(frozen=True, kw_only=True)
class Message:
    """A request or an answer, with its secrets already taken out. ``line`` is the first line of it."""

    line: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event. ``fault`` is the kind of fault that was in play, ``remark`` a technical sentence in English."""

    id: str
    time: datetime
    kind: str
    session_id: str
    number: int
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
        return self.kind.endswith(("_failed", "_refused", "_spoiled")) or bool(self.fault)


def tell(
    kind: str,
    *,
    session_id: str = "",
    number: int = 0,
    exchange: Iterable[Message] = (),
    milliseconds: int = 0,
    fault: str = "",
    remark: str = "",
    **params: Any,
) -> None:
    """Add an event to the story; ``params`` fill its sentence, ``milliseconds`` are how long it took until now."""
    entry = Entry(
        id=uuid4().hex,
        time=timezone.now() - timedelta(milliseconds=milliseconds),
        kind=kind,
        session_id=session_id,
        number=number,
        params={name: str(value) for name, value in params.items()},
        exchange=tuple(exchange),
        milliseconds=milliseconds,
        fault=fault,
        remark=remark,
    )
    with storage.lock:
        storage.save("story", (*storage.load("story", ()), entry)[-_MAX_ENTRIES:])


def read_story(session_id: str = "") -> list[Entry]:
    """Return the events, the first one first; of one session or, without an id, of all."""
    entries: tuple[Entry, ...] = storage.load("story", ())
    wanted = (entry for entry in entries if session_id in {"", entry.session_id})
    # A call during which the shop calls back is told after that, but began before it.
    return sorted(wanted, key=attrgetter("time"))


def clear_story() -> None:
    """Forget what happened."""
    storage.save("story", ())
