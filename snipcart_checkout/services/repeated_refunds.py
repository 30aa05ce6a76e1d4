"""A refund that is requested again: which earlier one is meant, and what is answered then."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from django.db.models import F, Q
from django.utils import timezone

from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.exceptions import RefundNotPossible, RefundUnknown
from snipcart_checkout.models import Event, Payment, Refund
from snipcart_checkout.services.audit_log import SNIPCART, Actor, record_event
from snipcart_checkout.services.transactions import commit

_State = Refund.State
UNANSWERED: Final = (_State.REQUESTED, _State.UNKNOWN)
"""The provider has not said what came of it."""
UNSETTLED: Final = (*UNANSWERED, _State.REVIEW)
"""Nobody knows what came of it."""
_REPEAT_WITHIN: Final = timedelta(minutes=10)
_PATIENCE: Final = 2.0  # seconds that a repeat waits for the answer to the first
_POLL: Final = 0.1  # seconds


def find_earlier(payment: Payment, units: int, actor: Actor) -> Refund | None:
    """Return the earlier refund that a request repeats or matches; None without one."""
    recent = timezone.now() - _REPEAT_WITHIN
    unsettled = Q(state__in=UNSETTLED)
    # Counted from the answer: a repeat must not become a new refund because the provider was slow.
    just_made = Q(state=_State.REFUNDED, updated_at__gt=recent)
    of_amount = payment.refunds.filter(minor_units=units)
    if repeated := of_amount.filter(unsettled | just_made).order_by("-created_at").first():
        return repeated
    if actor != SNIPCART:
        return None
    just_answered = Q(matched_at__gt=recent)
    unanswered = Q(matched_at__isnull=True)
    made = of_amount.filter(just_answered | unanswered, state=_State.REFUNDED)
    # First the one that this request may be a repeat of, whatever the database thinks of NULL.
    return made.order_by(F("matched_at").asc(nulls_last=True), "created_at").first()


def record_match(refund: Refund) -> bool:
    """Record that Snipcart's request is answered with this refund, which staff may have requested first; False where
    they undid it meanwhile.
    """
    is_undone = Q(is_by_hand=True, state=_State.DECLINED)
    unanswered = Refund.objects.filter(~is_undone, pk=refund.pk, matched_at__isnull=True)

    def work() -> bool:
        if unanswered.update(matched_at=timezone.now()):
            if refund.requested_by:
                record_event(refund.payment, Event.Name.REFUND_MATCHED, actor=SNIPCART, refund=str(refund.pk))
            return True
        return Refund.objects.filter(pk=refund.pk, matched_at__isnull=False).exists()

    return commit(work)


def answer_again(refund: Refund) -> Refund:
    """Answer a repeated request as the first one, after a short wait while that one is under way."""
    deadline = time.monotonic() + _PATIENCE
    while refund.state == _State.REQUESTED and time.monotonic() < deadline:
        time.sleep(_POLL)
        refund.refresh_from_db()
    if refund.state == _State.REFUNDED:
        return refund
    if refund.state == _State.DECLINED:
        raise RefundNotPossible(_("The provider declined the refund."))
    raise RefundUnknown(_("It is not known yet whether this amount was refunded."))
