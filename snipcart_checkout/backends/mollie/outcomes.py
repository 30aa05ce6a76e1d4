"""What Mollie's answers mean: a payment or a refund in, a value of the backend interface out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.utils import translation

from snipcart_checkout.backends.base import Declined, Paid, Pending, RefundDeclined, Refunded
from snipcart_checkout.backends.mollie.api import MollieOutcomeUnknown
from snipcart_checkout.backends.mollie.declines import decline_code
from snipcart_checkout.backends.mollie.objects import MolliePayment, MollieRefund, TransferDetails
from snipcart_checkout.conf.translation import gettext as _

PAYMENT_STATUSES: Final[dict[str, type[Paid | Pending | Declined]]] = {
    "open": Pending,  # created; the shopper may still pay, or a transfer is on its way
    "pending": Pending,  # started, and not complete yet
    "authorized": Pending,  # a hold on the shopper's money that somebody has to capture
    "paid": Paid,
    "canceled": Declined,
    "expired": Declined,
    "failed": Declined,
}
"""Every status of a payment, https://docs.mollie.com/docs/handling-payment-status. Declined ones are definitive."""

REFUND_STATUSES: Final[dict[str, Refunded | RefundDeclined]] = {
    "queued": Refunded(pending=True),  # waits for enough balance
    "pending": Refunded(pending=True),  # is sent to the bank within two hours, and may be canceled until then
    "processing": Refunded(pending=True),
    "refunded": Refunded(),
    "failed": RefundDeclined("failed"),
    "canceled": RefundDeclined("canceled"),
}
"""Every status of a refund, https://docs.mollie.com/docs/refunds."""


def is_unfinished(payment: MolliePayment) -> bool:
    """Return whether the shopper could still pay, and has neither paid nor been given an account to transfer to."""
    return payment.status == "open" and payment.transfer is None


def to_outcome(payment: MolliePayment, language: str) -> Paid | Pending | Declined:
    """Return what came of a payment; raise MollieOutcomeUnknown for a status that Mollie does not document.

    ``language`` is that of the instructions, as Django spells it.
    """
    outcome = PAYMENT_STATUSES.get(payment.status)
    if outcome is Paid:
        return Paid(payment.id, payment.amount, payment.currency)
    if outcome is Pending:
        instructions = _instructions(payment, language)
        return Pending(payment.id, instructions, unfinished=is_unfinished(payment))
    if outcome is Declined:
        return Declined(decline_code(payment))
    raise MollieOutcomeUnknown("Mollie answered with a payment of unknown status")


def to_refund_outcome(refund: MollieRefund) -> Refunded | RefundDeclined:
    """Return what became of a refund; raise MollieOutcomeUnknown for a status that Mollie does not document."""
    outcome = REFUND_STATUSES.get(refund.status)
    if isinstance(outcome, Refunded):
        return Refunded(refund.id, pending=outcome.pending)
    if isinstance(outcome, RefundDeclined):
        return RefundDeclined(outcome.code, _refund_message(outcome.code))
    raise MollieOutcomeUnknown("Mollie answered with a refund of unknown status")


def _refund_message(code: str) -> str:
    if code == "failed":
        return _("The bank sent the refund back, so the money is in your balance at Mollie again.")
    return _("The refund was cancelled at Mollie.")


def _instructions(payment: MolliePayment, language: str) -> str:
    if payment.status != "open" or payment.transfer is None:
        return ""
    with translation.override(language):
        return "\n".join(_transfer_lines(payment.transfer))


def _transfer_lines(transfer: TransferDetails) -> Iterator[str]:
    fields = (
        (_("Bank"), transfer.bank),
        (_("IBAN"), transfer.account),
        (_("BIC"), transfer.bic),
        (_("Entity"), transfer.entity),
        (_("Payment reference"), transfer.reference),
    )
    for label, value in fields:
        if value:
            yield _("{label}: {value}").format(label=label, value=value)
