"""Decide what an answer of a backend, or the word of staff, makes of a payment, and what Snipcart is then owed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.utils import timezone

from snipcart_checkout.backends.base import (
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Paid,
    Pending,
    Redirect,
)
from snipcart_checkout.declines import LAPSED, decline_text
from snipcart_checkout.languages import page_language
from snipcart_checkout.models import Confirmation, Payment, session_key
from snipcart_checkout.money import UnpayableAmount, currency_code, minor_units
from snipcart_checkout.protocol import clean_text
from snipcart_checkout.services.asking import text_of
from snipcart_checkout.services.confirmations import is_given_up

__all__ = ["FORGOTTEN", "MAX_TRIES", "Decision", "clash_of", "decide", "decide_by_staff"]

MAX_TRIES: Final = 10
"""Declined tries of one session after which Snipcart is told that the payment failed."""

FORGOTTEN: Final[Mapping[str, Any]] = {"public_token": "", "form": {}, "redirect_url": ""}
"""The columns that are of no use once neither the backend nor the session is asked for a charge again."""

_State = Payment.State


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Where a payment goes, which columns change with it, and what Snipcart is then owed."""

    to: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    owes: str = ""


def decide(
    payment: Payment, result: ChargeResult | LookupResult | None, *, changed: bool, returned: bool
) -> Decision | None:
    """Return what a backend's answer leads to, or None when it changes nothing.

    ``result`` None is no answer. ``changed``: the cart is no longer the one that was paid. ``returned``: the shopper
    or the provider came back.
    """
    state = payment.state
    if state in {_State.PAID, _State.REVIEW}:
        return None
    if isinstance(result, Paid):
        return _decide_paid(payment, result, changed=changed)
    if state == _State.DECLINED:
        return None
    if isinstance(result, Declined):
        return _decide_declined(payment, result)
    if isinstance(result, Pending):
        return _decide_pending(payment, result, returned=returned)
    if state == _State.ABANDONED:
        return None
    if isinstance(result, Redirect):
        return _decide_redirect(result)
    if isinstance(result, NotFound):
        return _decide_not_found(payment, returned=returned)
    return Decision(to=_State.UNKNOWN) if state == _State.CHARGING else None


def _decide_paid(payment: Payment, paid: Paid, *, changed: bool) -> Decision:
    captured = {
        "transaction_id": paid.transaction_id,
        "transaction_key": _transaction_key(payment, paid.transaction_id),
        "captured_at": timezone.now(),
        "live_key": session_key(payment.store, payment.session_id),
        "instructions": _lines_of(paid.instructions) or payment.instructions,
        "decline_code": "",
        "decline_message": "",
    }
    if not _amounts_match(payment, paid):
        return Decision(to=_State.REVIEW, changes={**captured, "review_reason": "amount_differs"})
    if changed:
        return Decision(to=_State.REVIEW, changes={**captured, "review_reason": "order_changed"})
    return Decision(to=_State.PAID, changes=captured, owes=Confirmation.State.PROCESSED)


def _decide_declined(payment: Payment, declined: Declined) -> Decision:
    language = page_language(payment.language).code
    code = clean_text(declined.code, 100)
    message = text_of(declined.message)
    changes = {
        "live_key": None,
        "decline_code": code,
        "decline_message": message or decline_text(code, language),
    }
    return Decision(to=_State.DECLINED, changes=changes, owes=_owed_for_decline(payment, code))


def _owed_for_decline(payment: Payment, code: str) -> str:
    """Until Snipcart was told that a payment is processing, a declined one may be tried again in silence."""
    if code == LAPSED:
        return Confirmation.State.INVALIDATED
    if _was_owed(payment, Confirmation.State.PROCESSING):
        return Confirmation.State.FAILED
    return Confirmation.State.FAILED if _is_last_try(payment) and not is_given_up(payment) else ""


def _decide_pending(payment: Payment, pending: Pending, *, returned: bool) -> Decision | None:
    direct = payment.state != _State.WAITING
    if not direct and not (returned and payment.redirect_url):
        return None
    changes = {
        "transaction_id": pending.transaction_id,
        "provider_reference": payment.provider_reference or pending.transaction_id,
        "instructions": _lines_of(pending.instructions),
        "redirect_url": "",
        "live_key": session_key(payment.store, payment.session_id),
    }
    if direct:
        # Snipcart builds the order now, so there is nothing to compare later. After a detour there is.
        changes["public_token"] = ""
    return Decision(to=_State.WAITING, changes=changes, owes=Confirmation.State.PROCESSING)


def _decide_redirect(redirect: Redirect) -> Decision:
    changes = {"redirect_url": redirect.url, "provider_reference": redirect.provider_reference}
    return Decision(to=_State.WAITING, changes=changes)


def _decide_not_found(payment: Payment, *, returned: bool) -> Decision | None:
    if returned and payment.state == _State.CHARGING:
        # Another process is calling the provider this moment. Letting go of the live key now would let a second
        # charge begin beside it; settling asks once that process had its time.
        return None
    if _was_owed(payment, Confirmation.State.PROCESSING):
        return Decision(to=_State.REVIEW, changes={"review_reason": "lost_by_provider"})
    return Decision(to=_State.ABANDONED, changes={"live_key": None, **FORGOTTEN})


def decide_by_staff(payment: Payment, *, was_paid: bool) -> Decision:
    """Return what a person's word leads to, about a payment that no machine could settle."""
    now = timezone.now()
    if was_paid:
        changes = {
            "captured_at": payment.captured_at or now,
            "transaction_id": payment.transaction_id or str(payment.reference),
            "live_key": session_key(payment.store, payment.session_id),
            "resolved_at": now,
        }
        return Decision(to=_State.PAID, changes=changes, owes=Confirmation.State.PROCESSED)
    declined = _decide_declined(payment, Declined("declined"))
    return replace(declined, changes={**declined.changes, "resolved_at": now})


def clash_of(payment: Payment, decision: Decision) -> Decision:
    """Return what a decision becomes when the ledger's unique columns do not let it stand.

    The provider's transaction belongs to another payment already, or this money was taken beside another live
    payment of the session.
    """
    used = Payment.objects.filter(transaction_key=decision.changes.get("transaction_key")).exclude(
        pk=payment.pk
    )
    if decision.changes.get("transaction_key") and used.exists():
        clash = {
            "transaction_key": None,
            "captured_at": None,
            "live_key": payment.live_key,
            "review_reason": "transaction_used_before",
        }
    else:
        clash = {"live_key": None, "review_reason": "second_capture"}
    return Decision(to=_State.REVIEW, changes={**decision.changes, **clash})


def _lines_of(text: object) -> str:
    """Return a backend's instructions line by line, fit for a page and for Snipcart."""
    if not isinstance(text, str):
        return ""
    return "\n".join(clean_text(line) for line in text.strip().splitlines()[:40])


def _transaction_key(payment: Payment, transaction_id: str) -> str:
    text = f"{payment.store}\0{payment.method}\0{transaction_id}"
    return hashlib.sha256(text.encode()).hexdigest()


def _amounts_match(payment: Payment, paid: Paid) -> bool:
    try:
        currency = currency_code(paid.currency)
        return currency == payment.currency and minor_units(paid.amount, currency) == payment.minor_units
    except UnpayableAmount:
        return False


def _was_owed(payment: Payment, state: str) -> bool:
    return payment.confirmations.filter(state=state).exists()


def _is_last_try(payment: Payment) -> bool:
    declined = Payment.objects.of_session(payment.store, payment.session_id).filter(state=_State.DECLINED)
    return declined.count() >= MAX_TRIES - 1
