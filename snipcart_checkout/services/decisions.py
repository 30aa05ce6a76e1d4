"""Decide which state a payment goes to after a backend's answer or a decision of staff, and which
outcome Snipcart gets.

Nothing is written here. A decision is made from the payment as it was read, and applied only if the
payment has not changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.utils import timezone
from django.utils.encoding import iri_to_uri

from snipcart_checkout.backends.base import (
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Paid,
    Pending,
    Redirect,
)
from snipcart_checkout.models import Confirmation, Event, Payment, session_key, transaction_key
from snipcart_checkout.presentation.declines import EXPIRED, decline_text
from snipcart_checkout.presentation.languages import page_language
from snipcart_checkout.services.announcements import CASE_OPENED
from snipcart_checkout.services.attempts import count_attempts_left, has_given_up
from snipcart_checkout.services.backend_calls import to_ascii, to_text
from snipcart_checkout.snipcart import clean_text
from snipcart_checkout.snipcart.money import UnpayableAmount, to_currency_code, to_minor_units

CHARGE_EMPTIED: Final[Mapping[str, Any]] = {"form": {}, "redirect_url": ""}
"""Without what only a charge that goes on or is repeated needs."""

TOKEN_EMPTIED: Final[Mapping[str, Any]] = {"public_token": ""}
"""Without what compares the order before a delivery."""

_State = Payment.State
_Reason = Payment.ReviewReason

UNINFORMED: Final = frozenset({_Reason.OUTCOME_UNKNOWN, _Reason.UNANSWERED, _Reason.LOST_BY_PROVIDER})
"""Reviews that were opened because the outcome was unknown; a later answer of the provider may end them."""

_Outcome = Confirmation.Outcome
_DROPPED: Final = frozenset({"instructions", "decline_message"})
_ESCAPED: Final[Mapping[str, int]] = {
    "transaction_id": 255,
    "provider_reference": 255,
    "decline_code": 100,
    "captured_currency": 3,
}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The state that a payment goes to, the columns that change with it, and the outcome that Snipcart
    gets.

    ``event`` names the event in the history where it is not the state; ``data`` holds its details.
    ``reason`` is the reason for review, if there is one.
    """

    to: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    event: Event.Name | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """The reason for review that this decision gives, or empty."""
        return str(self.changes.get("review_reason", ""))


def decide(
    payment: Payment,
    result: ChargeResult | LookupResult | None,
    *,
    returned: bool = False,
    may_be_under_way: bool = False,
) -> Decision | None:
    """Return the decision that follows from a backend's answer, or None when it changes nothing.

    ``result`` is None without an answer. ``returned``: the shopper came back, or the provider sent
    a notification. ``may_be_under_way``: the charge may still reach the provider, so NotFound
    proves nothing yet.
    """
    if isinstance(result, Paid):
        return _decide_paid(payment, result)
    state = payment.state
    if state in {_State.PAID, _State.DECLINED} or (state == _State.REVIEW and not _is_uninformed(payment)):
        return None
    if isinstance(result, Declined):
        return _decide_declined(payment, result)
    if state == _State.REVIEW:
        return None
    if isinstance(result, Pending):
        return _decide_pending(payment, result, returned=returned)
    if state == _State.ABANDONED:
        return None
    if isinstance(result, Redirect):
        return _decide_redirect(result)
    if isinstance(result, NotFound):
        return _decide_not_found(payment, returned=returned, may_be_under_way=may_be_under_way)
    return Decision(to=_State.UNKNOWN) if state == _State.CHARGING else None


def _is_uninformed(payment: Payment) -> bool:
    return payment.review_reason in UNINFORMED and payment.captured_at is None and payment.resolved_at is None


def _decide_paid(payment: Payment, paid: Paid) -> Decision | None:
    if payment.captured_at is not None:
        return _decide_another_capture(payment, paid)
    captured = _captured_columns(payment, paid)
    if payment.state == _State.REVIEW and not _is_uninformed(payment):
        closed = payment.resolved_at is not None
        reason = _Reason.CAPTURED_AFTER_CLOSING if closed else payment.review_reason
        return _review({**captured, "live_key": payment.live_key}, reason)
    if not _amounts_match(payment, paid):
        return _review(captured, _Reason.AMOUNT_DIFFERS)
    return Decision(to=_State.PAID, changes={**captured, **_end_review(payment)}, outcome=_Outcome.PROCESSED)


def _end_review(payment: Payment) -> dict[str, Any]:
    """Return the columns that end a review; a case that is none, such as a dispute, stays one."""
    return {"review_reason": ""} if payment.state == _State.REVIEW else {}


def _captured_columns(payment: Payment, paid: Paid) -> dict[str, Any]:
    units, currency = _captured(paid)
    return {
        "transaction_id": paid.transaction_id,
        "transaction_key": transaction_key(payment.store, payment.method, paid.transaction_id),
        "captured_minor_units": units,
        "captured_currency": currency,
        "captured_at": timezone.now(),
        "order_check": Payment.OrderCheck.NONE,
        "live_key": session_key(payment.store, payment.session_id),
        "instructions": _to_lines(paid.instructions) or payment.instructions,
        "decline_code": "",
        "decline_message": "",
    }


def _decide_another_capture(payment: Payment, paid: Paid) -> Decision | None:
    """Ignore a capture that is already stored; another one is stored and needs review."""
    units, currency = _captured(paid)
    stored = (payment.transaction_id, payment.captured_minor_units, payment.captured_currency)
    if (paid.transaction_id, units, currency) == stored:
        return None
    amount = to_text(str(paid.amount), 40)
    data = {"transaction": paid.transaction_id, "amount": amount, "currency": currency or "unknown"}
    noted = payment.events.filter(name=Event.Name.ANOTHER_CAPTURE).values_list("data", flat=True)
    if any(data.items() <= earlier.items() for earlier in noted):
        return None
    reason = payment.review_reason or _Reason.ANOTHER_CAPTURE
    changes = {"review_reason": reason, **CASE_OPENED}
    return Decision(to=payment.state, changes=changes, event=Event.Name.ANOTHER_CAPTURE, data=data)


def _decide_declined(payment: Payment, declined: Declined) -> Decision:
    language = page_language(payment.language).code
    code = clean_text(declined.code, 100)
    message = to_text(declined.message)
    changes = {
        "live_key": None,
        **_end_review(payment),
        "decline_code": code,
        "decline_message": message or decline_text(code, language),
    }
    return Decision(to=_State.DECLINED, changes=changes, outcome=_decide_outcome(payment, code))


def _decide_outcome(payment: Payment, code: str) -> str:
    """Until Snipcart was notified of ``processing``, the shopper may try again after a decline without
    Snipcart knowing of it.
    """
    if code == EXPIRED:
        return _Outcome.INVALIDATED
    if _was_enqueued(payment, _Outcome.PROCESSING):
        return _Outcome.FAILED
    is_last = count_attempts_left(payment.session_key) <= 1
    return _Outcome.FAILED if is_last and not has_given_up(payment) else ""


def _decide_pending(payment: Payment, pending: Pending, *, returned: bool) -> Decision | None:
    direct = payment.state != _State.PENDING
    if pending.unfinished or (not direct and not (returned and payment.redirect_url)):
        return None
    changes = {
        "transaction_id": pending.transaction_id,
        "provider_reference": payment.provider_reference or pending.transaction_id,
        "instructions": _to_lines(pending.instructions),
        "redirect_url": "",
        "live_key": session_key(payment.store, payment.session_id),
    }
    return Decision(to=_State.PENDING, changes=changes, outcome=_Outcome.PROCESSING)


def _decide_redirect(redirect: Redirect) -> Decision:
    changes = {
        "redirect_url": redirect.url,
        "redirect_ended": False,
        "provider_reference": redirect.provider_reference,
    }
    return Decision(to=_State.PENDING, changes=changes)


def _decide_not_found(payment: Payment, *, returned: bool, may_be_under_way: bool) -> Decision | None:
    under_way = payment.state in {_State.CHARGING, _State.UNKNOWN} and may_be_under_way
    if under_way or (returned and payment.state == _State.CHARGING):
        # A process may be calling the provider at this moment. Without the live key a second charge
        # could begin meanwhile.
        return None
    if _was_enqueued(payment, _Outcome.PROCESSING):
        return _review({}, _Reason.LOST_BY_PROVIDER)
    return Decision(to=_State.ABANDONED, changes={"live_key": None, **CHARGE_EMPTIED})


def decide_review(reason: str) -> Decision:
    """Return the decision that puts a payment in review."""
    return _review({}, reason)


def decide_by_staff(payment: Payment, *, was_paid: bool) -> Decision:
    """Return the decision of staff about a payment that could not be settled automatically.

    Marking it paid accepts the order as Snipcart creates it now, where it cannot be compared any more.
    """
    now = timezone.now()
    if not was_paid:
        declined = _decide_declined(payment, Declined("declined"))
        return replace(declined, changes={**declined.changes, "resolved_at": now})
    captured = payment.captured_minor_units is not None
    changes = {
        "captured_at": payment.captured_at or now,
        "captured_minor_units": payment.captured_minor_units if captured else payment.minor_units,
        "captured_currency": payment.captured_currency if captured else payment.currency,
        "transaction_id": payment.transaction_id or str(payment.reference),
        "live_key": session_key(payment.store, payment.session_id),
        # With the token the order can still be compared, and staff may not know that it changed.
        "order_check": Payment.OrderCheck.NONE if payment.public_token else Payment.OrderCheck.WAIVED,
        "review_reason": "",
        "resolved_at": now,
    }
    return Decision(to=_State.PAID, changes=changes, outcome=_Outcome.PROCESSED)


def resolve_clash(payment: Payment, decision: Decision) -> Decision:
    """Return what a decision becomes when it violates a unique constraint of the ledger.

    The provider's transaction belongs to another payment already, or this money was taken beside another live
    payment of the session.
    """
    key = decision.changes.get("transaction_key")
    # Its own row is no clash, whatever else it was that the database refused.
    used = Payment.objects.filter(transaction_key=key).exclude(pk=payment.pk)
    if key and used.exists():
        clash: dict[str, Any] = {
            "transaction_key": None,
            "captured_at": None,
            "captured_minor_units": None,
            "captured_currency": "",
            "live_key": payment.live_key,
        }
        return _review({**decision.changes, **clash}, _Reason.TRANSACTION_USED_BEFORE)
    return _review({**decision.changes, "live_key": None}, _Reason.SECOND_CAPTURE)


def without_texts(decision: Decision) -> Decision:
    """Return a decision whose texts any database takes: the backend's words are left out, ids are made ASCII."""
    changes = {name: _to_plain(name, value) for name, value in decision.changes.items()}
    data = {
        name: to_ascii(value, 255) if isinstance(value, str) else value
        for name, value in decision.data.items()
    }
    return replace(decision, changes=changes, data={**data, "texts": "dropped"})


def _to_plain(name: str, value: Any) -> Any:
    if name in _DROPPED:
        return ""
    if name == "redirect_url":
        return iri_to_uri(value)
    # What is ASCII stays as it is: an id that was cut or changed would be one that the provider does not know.
    limit = _ESCAPED.get(name)
    return to_ascii(value, limit) if limit and value else value


def _review(changes: Mapping[str, Any], reason: str) -> Decision:
    # Staff may have closed a case of the payment before.
    return Decision(to=_State.REVIEW, changes={**changes, "review_reason": reason, **CASE_OPENED})


def _to_lines(text: object) -> str:
    """Return a backend's instructions with each line cleaned, for the page and for Snipcart."""
    if not isinstance(text, str):
        return ""
    return "\n".join(clean_text(line) for line in text.strip().splitlines()[:40])


def _captured(paid: Paid) -> tuple[int | None, str]:
    """Return the captured amount in minor units and its currency, as far as they can be stored exactly."""
    try:
        currency = to_currency_code(paid.currency)
        return to_minor_units(paid.amount, currency), currency
    except UnpayableAmount:
        return None, to_text(paid.currency, 3)


def _amounts_match(payment: Payment, paid: Paid) -> bool:
    return _captured(paid) == (payment.minor_units, payment.currency)


def _was_enqueued(payment: Payment, outcome: str) -> bool:
    return payment.confirmations.filter(outcome=outcome).exists()
