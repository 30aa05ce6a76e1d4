"""Turn what a backend says into the ledger's next state, with the confirmation it makes us owe.

``record`` is the only place where a payment learns what came of it, whoever asked: the shopper's own request, a
return from the provider, a notification, ``snipcart_settle`` or staff.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import (
    Charge,
    Declined,
    NotFound,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
)
from snipcart_checkout.conf import get_store
from snipcart_checkout.declines import LAPSED, decline_text
from snipcart_checkout.exceptions import SnipcartError, UnpayableOrder
from snipcart_checkout.languages import page_language
from snipcart_checkout.links import public_url, safe_provider_url
from snipcart_checkout.models import Confirmation, Payment, session_key
from snipcart_checkout.money import UnpayableAmount, currency_code, minor_units
from snipcart_checkout.protocol import PaymentSession, clean_text
from snipcart_checkout.services.confirmations import deliver_session, is_given_up, owe
from snipcart_checkout.services.journal import alert, announce, commit, say, write_event
from snipcart_checkout.services.sessions import get_payment_session, order_hash
from snipcart_checkout.signals import payment_declined, payment_paid

__all__ = [
    "MAX_TRIES",
    "REPEAT_FOR",
    "ask_backend",
    "backend_of",
    "charge_of",
    "record",
    "record_staff_word",
    "run_charge",
    "set_aside",
    "text_of",
]

MAX_TRIES: Final = 10
"""Declined tries of one session after which Snipcart is told that the payment failed."""

REPEAT_FOR: Final = timedelta(hours=23)
"""How long a charge or refund is repeated under its own key: some providers forget their keys after a day."""

_State = Payment.State
_MAX_ID: Final = 255
_REDECISIONS: Final = 10
# States in which neither the backend nor the session is asked for a charge again, and what they have no use for.
_SETTLED: Final = frozenset({_State.PAID, _State.DECLINED, _State.REVIEW})
_FORGOTTEN: Final[Mapping[str, Any]] = {"public_token": "", "form": {}, "redirect_url": ""}


def backend_of(payment: Payment) -> PaymentBackend:
    """Build the backend of a payment; raise ImproperlyConfigured or KeyError when it is configured no more."""
    store = get_store(payment.store)
    return get_backend(store, store.methods[payment.method])


def charge_of(
    payment: Payment, session: PaymentSession | None = None, *, shopper_returned: bool = False
) -> Charge:
    """Return the payment as backends see it, the same on every repeat."""
    return Charge(
        reference=payment.reference,
        amount=payment.amount,
        currency=payment.currency,
        minor_units=payment.minor_units,
        session=session,
        form=payment.form,
        return_url=public_url("payment_return", reference=payment.reference),
        notification_url=public_url("notification", store=payment.store, method=payment.method),
        provider_reference=payment.provider_reference,
        language=page_language(payment.language).code,
        shopper_returned=shopper_returned,
    )


@sensitive_variables()
def run_charge(payment: Payment, session: PaymentSession | None, *, source: str) -> Payment:
    """Charge under the payment's reference and record what came of it; no transaction may be open."""
    result = _call(payment, lambda backend: backend.charge(charge_of(payment, session)))
    if isinstance(result, NotFound):
        result = None  # an answer to lookup only: whoever was just asked to charge cannot know nothing of it
    return record(payment, result, source=source, just_asked=session is not None)


@sensitive_variables()
def ask_backend(payment: Payment, *, source: str, returned: bool = False) -> bool:
    """Look a payment up at its provider and record the answer; False when the provider gave none.

    ``returned`` means that the shopper or the provider came back, so that a payment which is accepted but not
    paid yet is now told to Snipcart as processing.
    """
    back = source == "return"
    result = _call(payment, lambda backend: backend.lookup(charge_of(payment, shopper_returned=back)))
    if not isinstance(result, (Paid, Pending, Declined, NotFound)):
        return False
    record(payment, result, source=source, returned=returned)
    return True


def _call(payment: Payment, ask: Any) -> object:
    """Call the backend; whatever it raises means that the outcome is not known."""
    try:
        return ask(backend_of(payment))
    except Exception as error:  # the provider's library may raise anything, and its text may hold anything
        say(logging.WARNING, "payment %s: the backend raised %s", payment.reference, type(error).__name__)
        return None


@dataclass(frozen=True, kw_only=True)
class _Decision:
    """Where a payment goes, which columns change with it, and what Snipcart is then owed."""

    to: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    owes: str = ""


def record(
    payment: Payment, result: object, *, source: str, just_asked: bool = False, returned: bool = False
) -> Payment:
    """Commit what a backend said together with the confirmation it makes us owe, then tell Snipcart.

    Paid is never taken back, a declined or abandoned payment that turns out paid is paid if its session has no
    other live payment, and what cannot be decided goes to review. Returns the payment as it now is.
    """
    for _ in range(_REDECISIONS):
        changed = not just_asked and isinstance(result, Paid) and _order_changed(payment)
        decision = _decide(payment, result, changed=changed, returned=returned)
        if decision is None:
            return payment
        if _commit_decision(payment, decision, source=source):
            _after(payment, decision, source=source)
            return payment
        payment.refresh_from_db()
    raise RuntimeError(f"payment {payment.reference} keeps changing while its outcome is recorded")


def set_aside(payment: Payment, to: str, *, source: str, reason: str = "") -> None:
    """Move a payment about which nothing can be learnt now to ``unknown``, or to ``review`` with a reason."""
    decision = _Decision(to=to, changes={"review_reason": reason})
    if _commit_decision(payment, decision, source=source):
        _after(payment, decision, source=source)


def record_staff_word(payment: Payment, *, was_paid: bool, note: str, source: str) -> bool:
    """Settle a payment that no machine could settle, on a person's word; False when that is not possible."""
    if payment.state not in {_State.REVIEW, _State.UNKNOWN} or (payment.captured_at and not was_paid):
        return False
    now = timezone.now()
    if was_paid:
        changes = {
            "captured_at": payment.captured_at or now,
            "transaction_id": payment.transaction_id or str(payment.reference),
            "live_key": session_key(payment.store, payment.session_id),
        }
        decision = _Decision(to=_State.PAID, changes=changes, owes=Confirmation.State.PROCESSED)
    else:
        message = decline_text("declined", page_language(payment.language).code)
        changes = {"live_key": None, "decline_code": "declined", "decline_message": message}
        owes = _owed_for_decline(payment, "declined")
        decision = _Decision(to=_State.DECLINED, changes=changes, owes=owes)
    settled = {**decision.changes, "resolved_at": now}
    try:
        moved = _commit_move(payment, decision.to, settled, decision.owes, source, note=note)
    except IntegrityError:
        return False
    if moved:
        _after(payment, decision, source=source)
    return moved


def _decide(payment: Payment, result: object, *, changed: bool, returned: bool) -> _Decision | None:
    """Return the next state, or None when the answer changes nothing."""
    state = payment.state
    if state in {_State.PAID, _State.REVIEW}:
        return None
    if isinstance(result, Paid):
        return _decide_paid(payment, result, changed=changed)
    if state == _State.DECLINED:
        return None
    if isinstance(result, Declined):
        return _decide_declined(payment, result)
    if isinstance(result, Pending) and _is_id(result.transaction_id):
        return _decide_pending(payment, result, returned=returned)
    if state == _State.ABANDONED:
        return None
    if isinstance(result, Redirect):
        return _decide_redirect(payment, result)
    if isinstance(result, NotFound):
        return _decide_not_found(payment, returned=returned)
    return _Decision(to=_State.UNKNOWN) if state == _State.CHARGING else None


def _decide_paid(payment: Payment, paid: Paid, *, changed: bool) -> _Decision | None:
    if not _is_id(paid.transaction_id):
        return _Decision(to=_State.UNKNOWN) if payment.state == _State.CHARGING else None
    captured = {
        "transaction_id": paid.transaction_id,
        "transaction_key": _transaction_key(payment, paid.transaction_id),
        "captured_at": timezone.now(),
        "live_key": session_key(payment.store, payment.session_id),
        "instructions": clean_text_lines(paid.instructions) or payment.instructions,
        "decline_code": "",
        "decline_message": "",
    }
    if not _amounts_match(payment, paid):
        return _Decision(to=_State.REVIEW, changes={**captured, "review_reason": "amount_differs"})
    if changed:
        return _Decision(to=_State.REVIEW, changes={**captured, "review_reason": "order_changed"})
    return _Decision(to=_State.PAID, changes=captured, owes=Confirmation.State.PROCESSED)


def _decide_declined(payment: Payment, declined: Declined) -> _Decision | None:
    if not _is_id(declined.code):
        return _Decision(to=_State.UNKNOWN) if payment.state == _State.CHARGING else None
    language = page_language(payment.language).code
    code = clean_text(declined.code, 100)
    message = text_of(declined.message)
    changes = {
        "live_key": None,
        "decline_code": code,
        "decline_message": message or decline_text(code, language),
    }
    return _Decision(to=_State.DECLINED, changes=changes, owes=_owed_for_decline(payment, code))


def _owed_for_decline(payment: Payment, code: str) -> str:
    """Until Snipcart was told that a payment is processing, a declined one may be tried again in silence."""
    if code == LAPSED:
        return Confirmation.State.INVALIDATED
    if _was_owed(payment, Confirmation.State.PROCESSING):
        return Confirmation.State.FAILED
    return Confirmation.State.FAILED if _is_last_try(payment) and not is_given_up(payment) else ""


def _decide_pending(payment: Payment, pending: Pending, *, returned: bool) -> _Decision | None:
    direct = payment.state != _State.WAITING
    if not direct and not (returned and payment.redirect_url):
        return None
    changes = {
        "transaction_id": pending.transaction_id,
        "provider_reference": payment.provider_reference or pending.transaction_id,
        "instructions": clean_text_lines(pending.instructions),
        "redirect_url": "",
        "live_key": session_key(payment.store, payment.session_id),
    }
    if direct:
        # Snipcart builds the order now, so there is nothing to compare later. After a detour there is.
        changes["public_token"] = ""
    return _Decision(to=_State.WAITING, changes=changes, owes=Confirmation.State.PROCESSING)


def _decide_redirect(payment: Payment, redirect: Redirect) -> _Decision | None:
    backend = backend_of(payment)
    url = text_of(redirect.url, 4096)
    usable = backend.can_lookup and _is_id(redirect.provider_reference) and url == redirect.url
    if not usable or not safe_provider_url(url, backend.redirect_origins):
        say(logging.ERROR, "payment %s: the backend's redirect is not usable", payment.reference)
        return _Decision(to=_State.UNKNOWN) if payment.state == _State.CHARGING else None
    changes = {"redirect_url": url, "provider_reference": redirect.provider_reference}
    return _Decision(to=_State.WAITING, changes=changes)


def _decide_not_found(payment: Payment, *, returned: bool) -> _Decision | None:
    if returned and payment.state == _State.CHARGING:
        # Another process is calling the provider this moment. Letting go of the live key now would let a second
        # charge begin beside it; settling asks once that process had its time.
        return None
    if _was_owed(payment, Confirmation.State.PROCESSING):
        return _Decision(to=_State.REVIEW, changes={"review_reason": "lost_by_provider"})
    return _Decision(to=_State.ABANDONED, changes={"live_key": None, **_FORGOTTEN})


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID and clean_text(value) == value


def text_of(value: object, limit: int = 500) -> str:
    """Return a text that a backend named, made fit for use; empty for whatever is none, for types do not bind."""
    return clean_text(value, limit) if isinstance(value, str) else ""


def clean_text_lines(text: object) -> str:
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


@sensitive_variables()
def _order_changed(payment: Payment) -> bool:
    """Ask Snipcart whether the cart is still the one that was paid.

    Snipcart builds the order from the cart as it is now. A session that can no longer be read is no difference.
    """
    if not payment.public_token:
        return False
    try:
        session = get_payment_session(payment.public_token, payment.store)
    except UnpayableOrder:
        return True  # it was read: an emptied cart, say
    except (SnipcartError, ImproperlyConfigured):
        return False
    return order_hash(session) != payment.order_hash


def _commit_decision(payment: Payment, decision: _Decision, *, source: str) -> bool:
    """Commit state, event and owed confirmation together; False when another process was faster."""
    try:
        return _commit_move(payment, decision.to, dict(decision.changes), decision.owes, source)
    except IntegrityError:
        # The unique columns speak: this money was taken beside another live payment of the session, or this
        # transaction of the provider belongs to another payment already.
        if payment.state in {_State.PAID, _State.REVIEW}:
            return False
        clash = _clash(payment, decision)
    changes = {**decision.changes, **clash}
    return _commit_move(payment, _State.REVIEW, changes, "", source)


def _clash(payment: Payment, decision: _Decision) -> dict[str, Any]:
    used = Payment.objects.filter(transaction_key=decision.changes.get("transaction_key")).exclude(
        pk=payment.pk
    )
    if decision.changes.get("transaction_key") and used.exists():
        return {
            "transaction_key": None,
            "captured_at": None,
            "live_key": payment.live_key,
            "review_reason": "transaction_used_before",
        }
    return {"live_key": None, "review_reason": "second_capture"}


def _commit_move(
    payment: Payment, to: str, changes: dict[str, Any], owes: str, source: str, *, note: str = ""
) -> bool:
    previous = payment.state

    if to in _SETTLED:
        changes = {**_FORGOTTEN, **changes}
    if to == _State.REVIEW:
        # A person may have closed the case before this came up.
        changes = {**changes, "resolved_at": None}

    def work() -> bool:
        payment.state = previous  # an earlier run of this may have been rolled back
        if not Payment.objects.move(payment, to, **changes):
            return False
        for column, value in {"state": to, **changes}.items():
            setattr(payment, column, value)
        reason = changes.get("review_reason") or (changes.get("decline_code") if to == "declined" else None)
        details = {"reason": reason, "note": note}
        given = {name: detail for name, detail in details.items() if detail}
        write_event(payment, to, source=source, was=previous, **given)
        if owes:
            owe(payment, owes)
        return True

    try:
        moved = commit(work)
    except BaseException:
        payment.refresh_from_db()
        raise
    if moved:
        say(logging.INFO, "payment %s: %s -> %s (%s)", payment.reference, previous, to, source)
    return moved


def _after(payment: Payment, decision: _Decision, *, source: str) -> None:
    """Say what was committed: to the site, to staff, to Snipcart."""
    if payment.state == _State.PAID:
        announce(payment_paid, payment=payment)
    elif payment.state == _State.DECLINED:
        announce(payment_declined, payment=payment)
    elif payment.state == _State.REVIEW:
        alert("payment %s needs a person: %s", payment.reference, payment.review_reason)
    if decision.owes:
        deliver_session(payment.session_key, at_once=True)
