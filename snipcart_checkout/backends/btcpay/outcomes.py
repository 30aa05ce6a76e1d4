"""What an invoice means: BTCPay Server's word in, a value of the backend interface out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum, auto
from typing import Final

from django.utils import translation

from snipcart_checkout.backends.base import Declined, Paid, Pending
from snipcart_checkout.backends.btcpay.api import BTCPayApi, BTCPayOutcomeUnknown
from snipcart_checkout.backends.btcpay.objects import Invoice, Payment, PaymentMethod
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.snipcart.money import UnpayableAmount, get_decimals


class _Meaning(Enum):
    OPEN = auto()  # the shopper can pay, or pay the rest
    ON_ITS_WAY = auto()  # paid in full, and not confirmed yet
    PAID = auto()
    CLOSED = auto()  # nobody is asked to pay any more; what arrived decides


_STATUSES: Final = {
    "New": _Meaning.OPEN,
    "Processing": _Meaning.ON_ITS_WAY,
    "Settled": _Meaning.PAID,
    "Expired": _Meaning.CLOSED,
    "Invalid": _Meaning.CLOSED,
}
"""InvoiceStatus of https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Invoices."""

_ADDITIONAL_STATUSES: Final = frozenset({"None", "PaidLate", "PaidPartial", "Marked", "Invalid", "PaidOver"})
"""InvoiceAdditionalStatus of the same page."""

_PAYMENT_STATUSES: Final = frozenset({"Invalid", "Processing", "Settled"})
"""PaymentStatus of the same page. What is Invalid was spent elsewhere and will not arrive."""


def with_paid_amount(api: BTCPayApi, invoice: Invoice) -> Invoice:
    """Return an invoice with what arrived for it; where the server does not say, it is summed up."""
    if invoice.paid_amount is not None:
        return invoice
    payments = _payments(api.payment_methods(invoice.id))
    arrived = sum(
        (_worth(payment, rate) for payment, rate in payments if payment.status != "Invalid"), Decimal(0)
    )
    return replace(invoice, paid_amount=_rounded(arrived, invoice.currency))


def is_open(invoice: Invoice) -> bool:
    """Return whether the shopper can pay the invoice, or the rest of it."""
    return _meaning(invoice) is _Meaning.OPEN


def is_unpaid(invoice: Invoice) -> bool:
    """Return whether the shopper can pay the invoice and has paid nothing, confirmed or not."""
    return is_open(invoice) and not _arrived(invoice)


def choose(invoices: Sequence[Invoice], known_id: str) -> Invoice:
    """Return the invoice that speaks for its reference.

    It is the one with money, else one that is open, else any; among equals the one that the shopper
    was sent to, then the oldest. Raises BTCPayOutcomeUnknown when several hold money: no single one
    of them is then the truth.
    """
    holding = [invoice for invoice in invoices if _holds_money(invoice)]
    if len(holding) > 1:
        raise BTCPayOutcomeUnknown(
            "several invoices of one reference hold money; look at them in BTCPay Server"
        )
    candidates = holding or [invoice for invoice in invoices if is_open(invoice)] or invoices
    return min(candidates, key=lambda invoice: (invoice.id != known_id, invoice.created, invoice.id))


def to_outcome(api: BTCPayApi, invoice: Invoice, language: str) -> Paid | Pending | Declined:
    """Return what came of an invoice.

    A closed one is asked for its payments: money that is confirmed is paid, whatever the amount,
    money that is not is pending. Raises what the API raises, also for an invoice that is not as
    documented.
    """
    meaning = _meaning(invoice)
    if meaning is _Meaning.PAID:
        return Paid(invoice.id, _settled_amount(invoice), invoice.currency)
    if meaning is _Meaning.CLOSED:
        return _closed(api, invoice, language)
    return Pending(invoice.id, unfinished=is_unpaid(invoice))


def _closed(api: BTCPayApi, invoice: Invoice, language: str) -> Paid | Pending | Declined:
    if not _arrived(invoice):
        return _nothing_came(invoice, language)
    money = _Money.of(api.payment_methods(invoice.id), invoice)
    if money.is_on_its_way:
        return Pending(invoice.id)
    if money.settled:
        return Paid(invoice.id, money.settled, invoice.currency)
    return _nothing_came(invoice, language)


def _nothing_came(invoice: Invoice, language: str) -> Declined:
    if invoice.status != "Expired":
        return Declined("cancelled")
    with translation.override(language):
        return Declined("cancelled", _("The time to pay ran out. No money was taken."))


def _settled_amount(invoice: Invoice) -> Decimal:
    """Return the amount to report for a settled invoice: what arrived, as BTCPay Server counts it.

    An address is paid in whole satoshis, which can be worth more than the smallest unit of a
    currency. What is too much for that reason alone is not called PaidOver, and is not reported
    either. One that the merchant marked as settled without any payment seen is worth its amount, as
    it is for BTCPay Server's own refunds.
    """
    arrived = _arrived(invoice)
    if invoice.additional_status == "Marked" and not arrived:
        return invoice.amount
    if invoice.additional_status == "None" and arrived >= invoice.amount:
        return invoice.amount
    if not arrived:
        raise BTCPayOutcomeUnknown("BTCPay Server calls an invoice settled that nothing was paid for")
    return arrived


@dataclass(frozen=True, kw_only=True)
class _Money:
    """What arrived for a closed invoice.

    ``settled`` is confirmed, in major units of the invoice's currency.
    """

    settled: Decimal
    is_on_its_way: bool

    @classmethod
    def of(cls, methods: Sequence[PaymentMethod], invoice: Invoice) -> _Money:
        payments = _payments(methods)
        confirmed = sum(
            (_worth(payment, rate) for payment, rate in payments if payment.status == "Settled"), Decimal(0)
        )
        settled = _rounded(confirmed, invoice.currency)
        # As for a settled invoice: BTCPay Server says by ``due`` that only satoshis were rounded up.
        # A method that the shopper did not choose has no rate, and nothing is due by it.
        is_exact = settled > invoice.amount and any(way.due >= 0 for way in methods if way.rate)
        return cls(
            settled=invoice.amount if is_exact else settled,
            is_on_its_way=any(payment.status == "Processing" for payment, _rate in payments),
        )


def _payments(methods: Sequence[PaymentMethod]) -> Sequence[tuple[Payment, Decimal]]:
    """Return what was paid by whichever method, each payment with the rate of its coin."""
    payments = [(payment, method.rate) for method in methods for payment in method.payments]
    if {payment.status for payment, _rate in payments} <= _PAYMENT_STATUSES:
        return payments
    raise BTCPayOutcomeUnknown("BTCPay Server answered with a payment of unknown status")


def _worth(payment: Payment, rate: Decimal) -> Decimal:
    return (payment.value - payment.fee) * rate


def _rounded(amount: Decimal, currency: str) -> Decimal:
    try:
        places = get_decimals(currency)
    except UnpayableAmount:
        raise BTCPayOutcomeUnknown("BTCPay Server answered with an unknown currency") from None
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _meaning(invoice: Invoice) -> _Meaning:
    meaning = _STATUSES.get(invoice.status)
    if meaning is None or invoice.additional_status not in _ADDITIONAL_STATUSES:
        raise BTCPayOutcomeUnknown("BTCPay Server answered with an invoice of unknown status")
    return meaning


def _holds_money(invoice: Invoice) -> bool:
    return _meaning(invoice) in {_Meaning.ON_ITS_WAY, _Meaning.PAID} or _arrived(invoice) > 0


def _arrived(invoice: Invoice) -> Decimal:
    if invoice.paid_amount is None:
        raise BTCPayOutcomeUnknown("BTCPay Server does not say what was paid")
    return invoice.paid_amount
