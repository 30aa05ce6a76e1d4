"""Refunds are pull payments: the customer claims the money, and the merchant sends it.

https://docs.btcpayserver.org/API/Greenfield/v1/#operation/Invoices_Refund
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.utils import translation

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded, RefundRequest
from snipcart_checkout.backends.btcpay.api import BTCPayApi, BTCPayOutcomeUnknown, BTCPayRefused
from snipcart_checkout.backends.btcpay.objects import PullPayment
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.snipcart.money import to_amount

_NAME: Final = re.compile(r"Refund ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_PAYOUT_STATES: Final = frozenset(
    {"AwaitingApproval", "AwaitingPayment", "InProgress", "Completed", "Cancelled"}
)
"""PayoutState of https://docs.btcpayserver.org/API/Greenfield/v1/. Only what is Completed has been
sent.
"""


def make_refund(api: BTCPayApi, refund: RefundRequest) -> Refunded | RefundDeclined:
    """Offer the customer the money, unless a pull payment of this refund exists already.

    BTCPay Server has no idempotency key. The name of the pull payment holds our reference, and it
    is looked for first; a repeat while the first request is still on its way would make a second
    one.
    """
    found = _find(api, refund)
    if found is not None:
        return _outcome(api, found, refund)
    try:
        made = api.create_refund(refund.transaction_id, _body(refund))
    except BTCPayRefused as refusal:
        return RefundDeclined("refused", _reason(refusal))
    _verify(made, refund)
    return Refunded(made.id, pending=True)


def find_refund(api: BTCPayApi, refund: RefundRequest) -> Refunded | RefundDeclined | NotFound:
    """Return what came of a refund: Refunded once all of it was sent, pending until then."""
    found = _find(api, refund)
    return NotFound() if found is None else _outcome(api, found, refund)


def get_reference(pull_payment: PullPayment) -> UUID | None:
    """Return our reference of the refund that a pull payment was made for, if it was made here."""
    match = _NAME.fullmatch(pull_payment.name)
    return UUID(match[1]) if match else None


def _body(refund: RefundRequest) -> Mapping[str, Any]:
    with translation.override(refund.charge.language):
        # Shown to the customer on the page where the money is claimed.
        description = _("Refund of payment {reference}").format(reference=refund.charge.reference)
    return {
        "name": _name(refund),
        "description": description,
        "refundVariant": "Custom",
        "customAmount": f"{to_amount(refund.minor_units, refund.currency):f}",
        "customCurrency": refund.currency,
    }


def _name(refund: RefundRequest) -> str:
    return f"Refund {refund.reference}"


def _find(api: BTCPayApi, refund: RefundRequest) -> PullPayment | None:
    try:
        found = [made for made in api.pull_payments() if made.name == _name(refund)]
    except BTCPayRefused as refusal:
        # BTCPay Server did not say that there is none, so nothing is known yet.
        problem = str(refusal)
    else:
        return _only(found)
    raise BTCPayOutcomeUnknown(problem)


def _only(found: Sequence[PullPayment]) -> PullPayment | None:
    if len(found) > 1:
        raise BTCPayOutcomeUnknown("there are two pull payments of one refund; see to it in BTCPay Server")
    return found[0] if found else None


def _outcome(api: BTCPayApi, made: PullPayment, refund: RefundRequest) -> Refunded:
    _verify(made, refund)
    if made.is_archived:
        # Claims of an archived one are not listed, and it may be archived before or after the money was sent.
        raise BTCPayOutcomeUnknown("the refund's pull payment is archived in BTCPay Server")
    return Refunded(made.id, pending=_sent(api, made) < refund.amount)


def _sent(api: BTCPayApi, made: PullPayment) -> Decimal:
    try:
        payouts = api.payouts(made.id)
    except BTCPayRefused as refusal:
        problem = str(refusal)
    else:
        if {payout.state for payout in payouts} <= _PAYOUT_STATES:
            return sum((payout.amount for payout in payouts if payout.state == "Completed"), Decimal(0))
        problem = "BTCPay Server answered with a payout of unknown state"
    raise BTCPayOutcomeUnknown(problem)


def _verify(made: PullPayment, refund: RefundRequest) -> None:
    if (made.name, made.amount, made.currency) != (_name(refund), refund.amount, refund.currency):
        raise BTCPayOutcomeUnknown("BTCPay Server answered with a pull payment of another refund")


def _reason(refusal: BTCPayRefused) -> str:
    return _("BTCPay Server refused the refund: {reason}").format(reason=refusal)
