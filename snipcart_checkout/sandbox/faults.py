"""What is to go wrong, and for which call: switches that a developer sets on the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.sandbox import storage

__all__ = ["CALLS", "KINDS", "Fault", "active_faults", "kinds_of", "switch_off", "switch_on", "take_fault"]

CALLS: Final[Mapping[str, str | Promise]] = {
    "methods": _("Snipcart asks the shop for payment methods"),
    "validate": _("The shop validates a token"),
    "session": _("The shop reads the payment session"),
    "payment": _("The shop says what came of a payment"),
    "refund": _("Snipcart asks the shop for a refund"),
    "requestvalidation": _("The shop checks a request token"),
}

KINDS: Final[Mapping[str, str | Promise]] = {
    "slow": _("slow answer"),
    "timeout": _("no answer, nothing is done"),
    "timeout_after": _("no answer, but it is done"),
    "cut": _("connection cut, nothing is done"),
    "cut_after": _("connection cut, but it is done"),
    "401": _("401, whatever the key"),
    "404": _("404"),
    "500": _("500"),
    "503": _("503"),
    "redirect": _("redirect to another address"),
    "truncated": _("half of the JSON"),
    "wrong_json": _("JSON of another kind"),
    "expired": _("the session has expired"),
    "cart_changed": _("the cart changes right after the answer"),
    "key_revoked": _("the first key has been revoked, the second works"),
    "repeat_refused": _("a repeat is refused"),
    "repeated": _("the request is sent twice"),
    "no_token": _("without request token"),
    "forged_token": _("with a forged request token"),
}

_ANSWERS: Final = (
    "slow",
    "timeout",
    "cut",
    "401",
    "404",
    "500",
    "503",
    "redirect",
    "truncated",
    "wrong_json",
)
_KINDS_OF: Final[Mapping[str, Sequence[str]]] = {
    "methods": ("repeated", "no_token", "forged_token"),
    "validate": (*_ANSWERS, "expired"),
    "session": (*_ANSWERS, "expired", "cart_changed"),
    "payment": (*_ANSWERS, "timeout_after", "cut_after", "key_revoked", "repeat_refused"),
    "refund": ("repeated", "no_token", "forged_token"),
    "requestvalidation": _ANSWERS,
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One switch that is on. An empty ``session_id`` means every order; ``once`` the next call only."""

    id: str
    call: str
    kind: str
    session_id: str = ""
    once: bool = True


def kinds_of(call: str) -> Sequence[str]:
    """Return what can go wrong with a call."""
    return _KINDS_OF[call]


def active_faults() -> tuple[Fault, ...]:
    """Return the switches that are on, the latest last."""
    faults: tuple[Fault, ...] = storage.load("faults", ())
    return faults


def switch_on(call: str, kind: str, *, session_id: str = "", once: bool = True) -> None:
    """Let something go wrong from the next call on."""
    fault = Fault(id=uuid4().hex, call=call, kind=kind, session_id=session_id, once=once)
    with storage.lock:
        storage.save("faults", (*active_faults(), fault))


def switch_off(identifier: str = "") -> None:
    """Switch one fault off, or all of them."""
    _keep(lambda fault: bool(identifier) and fault.id != identifier)


def take_fault(call: str, session_id: str, kinds: Sequence[str]) -> str:
    """Return what is to go wrong with this call among some kinds, else an empty text; the switch may go off by it."""
    with storage.lock:
        for fault in active_faults():
            if fault.call == call and fault.kind in kinds and fault.session_id in {"", session_id}:
                if fault.once:
                    switch_off(fault.id)
                return fault.kind
    return ""


def _keep(wanted: Callable[[Fault], bool]) -> None:
    with storage.lock:
        storage.save("faults", tuple(filter(wanted, active_faults())))
