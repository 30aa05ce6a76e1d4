"""The story of a payment: what happened, when and on whose word, and what now waits for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from snipcart_checkout.admin.words import EVENTS, REASONS, Reason, label, money, whose_word
from snipcart_checkout.models import Confirmation, Event, Payment
from snipcart_checkout.services import attention

__all__ = ["Line", "open_questions", "story_of"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One event, readable."""

    at: datetime
    what: str
    source: str
    details: tuple[str, ...]


def story_of(payment: Payment) -> list[Line]:
    """Return what happened to a payment, the oldest first, in the active language."""
    return [
        Line(
            at=event.at,
            what=str(EVENTS.get(event.name, event.name)),
            source=whose_word(event.source),
            details=tuple(_details(event, payment)),
        )
        for event in payment.events.all()
    ]


def _details(event: Event, payment: Payment) -> Iterator[str]:
    # Named one by one, so that nothing is shown of which nobody has thought whether it may be.
    data = event.data
    if "minor_units" in data:
        yield money(data["minor_units"], payment.currency)
    if "state" in data:
        yield label(Confirmation.State, data["state"])
    if data.get("tries", 0) > 1:
        yield ngettext("%(count)d try", "%(count)d tries", data["tries"]) % {"count": data["tries"]}
    if "reason" in data:
        reason = REASONS.get(data["reason"])
        yield str(reason.what) if reason else data["reason"]
    if "refund" in data:
        yield _("refund %(id)s") % {"id": data["refund"]}
    if "was" in data:
        yield _("before: %(state)s") % {"state": label(Payment.State, data["was"])}
    if "note" in data:
        yield _("“%(note)s”") % {"note": data["note"]}


def open_questions(payment: Payment) -> list[Reason]:
    """Return why a payment needs a person; empty once its review was resolved or closed."""
    open_ = {
        payment.review_reason: attention.payments_in_review().filter(pk=payment.pk),
        "unknown_too_long": attention.payments_unknown_too_long().filter(pk=payment.pk),
        "confirmation": attention.confirmations_in_review().filter(payment=payment),
        "untold_too_long": attention.confirmations_untold_too_long().filter(payment=payment),
        "refund": attention.refunds_in_review().filter(payment=payment),
        "refund_unknown_too_long": attention.refunds_unknown_too_long().filter(payment=payment),
    }
    codes = [code for code, found in open_.items() if found.exists()]
    return [REASONS.get(code, REASONS["outcome_unknown"]) for code in codes]
