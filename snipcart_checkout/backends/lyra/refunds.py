"""Refunds at Lyra: which service makes one, what its answer means, and how one is found again.

https://docs.lyra.com/en/rest/V4.0/api/reference.html. What is captured is refunded, and that is a transaction of its
own; what is not captured yet is cancelled, or its amount is lowered. Lyra lets a captured transaction be refunded
again and again up to its amount, has no idempotency keys, and keeps no reference of ours with a refund: one whose
answer was lost must not be repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.functional import Promise

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded
from snipcart_checkout.backends.lyra.api import LyraApi, LyraOutcomeUnknown, LyraRefused
from snipcart_checkout.backends.lyra.errors import CANCEL_IMPOSSIBLE, REFUND_NOT_YET
from snipcart_checkout.backends.lyra.outcomes import PAID, RUNNING, UNPAID, get_status, to_word
from snipcart_checkout.conf.translation import gettext_lazy as _

if TYPE_CHECKING:
    from snipcart_checkout.backends.base import RefundRequest
    from snipcart_checkout.backends.lyra.objects import Transaction

_NOT_YET: Final = _("A part of this payment can be refunded once it is captured, usually the next day.")
_CANCELLED: Final = _("This payment was cancelled at the payment provider, so there is nothing to refund.")
_REASONS: Final[dict[str, Promise]] = {
    **dict.fromkeys(REFUND_NOT_YET, _NOT_YET),
    "PSP_083": _("This payment cannot be refunded: it is unpaid, or the customer disputes it."),
    "PSP_104": _("This payment was refunded already, perhaps in the payment provider's Back Office."),
    "PSP_105": _CANCELLED,
    "PSP_510": _("More than is left of this payment cannot be refunded."),
    "PSP_511": _("More than is left of this payment cannot be refunded."),
    "PSP_638": _("This payment can be refunded as a whole only."),
    "PSP_678": _CANCELLED,
}


def make_refund(api: LyraApi, refund: RefundRequest, units: int) -> Refunded | RefundDeclined:
    """Refund ``units``, the amount in Lyra's smallest unit; never to be repeated.

    Two refunds of parts of a payment that is not captured yet must not be made in the same moment: Lyra gets what
    is left, and the second would not know of the first.
    """
    try:
        return _make(api, refund, units, api.transaction(refund.transaction_id))
    except LyraRefused as refusal:
        return RefundDeclined(refusal.code, str(_REASONS.get(refusal.code, "")))


def find_refund(
    api: LyraApi, refund: RefundRequest, units: int, paid: int
) -> Refunded | RefundDeclined | NotFound:
    """Return what came of a refund; ``units`` of ``paid`` were to be given back, both in Lyra's smallest unit.

    A refund of the whole payment, or one whose id is known, is found. Of a part it can be said that it was not made,
    as long as Lyra has no refund of this amount. Raises LyraOutcomeUnknown for one that may be another.
    """
    try:
        transactions = api.transactions(str(refund.charge.reference))
    except LyraRefused as refusal:
        raise LyraOutcomeUnknown(str(refusal)) from None
    debit = next((entry for entry in transactions if entry.uuid == refund.transaction_id), None)
    if debit is None:
        raise LyraOutcomeUnknown("Lyra does not know the transaction that was to be refunded")
    _check_is_ours(debit, refund)
    made = [
        entry for entry in transactions if entry.operation == "CREDIT" and entry.parent in {"", debit.uuid}
    ]
    named = next((entry for entry in made if entry.uuid == refund.refund_id), None)
    if named is not None:
        return _result(named)
    if debit.detailed_status == "CANCELLED" and (units == paid or debit.uuid == refund.refund_id):
        return Refunded(debit.uuid)
    found = _find_by_amount([entry for entry in made if entry.amount == units], is_whole=units == paid)
    if found is None and (debit.amount != paid or get_status(debit) != PAID):
        raise LyraOutcomeUnknown(
            "Lyra has cancelled or lowered this payment, and for which refund is unknown"
        )
    return found or NotFound()


def _find_by_amount(same: list[Transaction], *, is_whole: bool) -> Refunded | RefundDeclined | None:
    """Return what came of the refund that is among those of the same amount, None where there is none at all."""
    alive = [entry for entry in same if get_status(entry) != UNPAID]
    if not alive:
        return _result(same[-1]) if same else None
    if not is_whole:  # the whole can be refunded only once, a part more often
        raise LyraOutcomeUnknown("Lyra has refunds of this amount, and which of them is ours is unknown")
    return _result(alive[0])


def _make(api: LyraApi, refund: RefundRequest, units: int, debit: Transaction) -> Refunded | RefundDeclined:
    _check_is_ours(debit, refund)
    if get_status(debit) != PAID:
        return RefundDeclined(
            "not_refundable", str(_CANCELLED) if debit.detailed_status == "CANCELLED" else ""
        )
    if debit.amount is None or units > debit.amount:
        return RefundDeclined("more_than_is_left", str(_REASONS["PSP_511"]))
    if debit.detailed_status == "CAPTURED":
        return _refund(api, refund, units)
    if units < debit.amount:
        return _lower(api, refund, units, debit, debit.amount - units)
    return _cancel(api, refund, units)


def _refund(api: LyraApi, refund: RefundRequest, units: int) -> Refunded | RefundDeclined:
    made = api.refund(
        refund.transaction_id, amount=units, currency=refund.currency, comment=str(refund.reference)
    )
    is_ours = made.operation == "CREDIT" and made.parent in {"", refund.transaction_id} and made.uuid
    if not is_ours or (made.amount, made.currency) != (units, refund.currency):
        raise LyraOutcomeUnknown("Lyra answered with another refund than the one that was asked for")
    return _result(made)


def _cancel(api: LyraApi, refund: RefundRequest, units: int) -> Refunded | RefundDeclined:
    try:
        cancelled = api.cancel(refund.transaction_id, comment=str(refund.reference))
    except LyraRefused as refusal:
        if refusal.code in CANCEL_IMPOSSIBLE:  # captured in the meantime, and nothing was done
            return _refund(api, refund, units)
        raise
    if cancelled.uuid != refund.transaction_id or cancelled.detailed_status != "CANCELLED":
        raise LyraOutcomeUnknown("Lyra did not answer with the cancelled transaction")
    return Refunded(cancelled.uuid)


def _lower(
    api: LyraApi, refund: RefundRequest, units: int, debit: Transaction, left: int
) -> Refunded | RefundDeclined:
    if debit.method != "CARD":
        return RefundDeclined("not_captured_yet", str(_NOT_YET))
    lowered = api.set_amount(debit.uuid, amount=left, currency=debit.currency, comment=str(refund.reference))
    if lowered.uuid != debit.uuid or lowered.amount != left:
        raise LyraOutcomeUnknown("Lyra did not answer with the lowered transaction")
    return Refunded()


def _check_is_ours(debit: Transaction, refund: RefundRequest) -> None:
    expected = (refund.transaction_id, str(refund.charge.reference), refund.currency, "DEBIT")
    if (debit.uuid, debit.order_id, debit.currency, debit.operation) != expected:
        raise LyraOutcomeUnknown("Lyra answered with the transaction of another payment")


def _result(credit: Transaction) -> Refunded | RefundDeclined:
    status = get_status(credit)
    if status == UNPAID:
        return RefundDeclined(credit.error_code or to_word(credit.detailed_status).lower())
    return Refunded(credit.uuid, pending=status == RUNNING)
