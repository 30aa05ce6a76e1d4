"""Refunds at PayPal, and why it declines one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.functional import Promise

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded
from snipcart_checkout.backends.paypal.api import PayPalApi, PayPalOutcomeUnknown, PayPalRefused
from snipcart_checkout.conf.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from snipcart_checkout.backends.base import RefundLookupResult, RefundRequest, RefundResult
    from snipcart_checkout.backends.paypal.objects import Refund

REFUND_VALUES: Final[dict[str, Refunded | RefundDeclined]] = {
    "COMPLETED": Refunded(),
    "PENDING": Refunded(pending=True),
    "CANCELLED": RefundDeclined("cancelled"),
    "FAILED": RefundDeclined("failed"),
}
"""``refund_status`` of Payments v2."""

_DISPUTED: Final = _(
    "The customer disputes this payment, so PayPal does not refund it. See its Resolution Centre."
)
_CLOSED: Final = _("PayPal does not refund this payment, because an account is closed, locked or restricted.")
_REASONS: Final[dict[str, Promise]] = {
    "CAPTURE_FULLY_REFUNDED": _("PayPal has refunded this payment already, perhaps from its own website."),
    "MAX_NUMBER_OF_REFUNDS_EXCEEDED": _("PayPal accepts no further refund of this payment."),
    "PARTIAL_REFUND_NOT_ALLOWED": _("PayPal refunds this payment only as a whole."),
    "PAYEE_ACCOUNT_LOCKED_OR_CLOSED": _CLOSED,
    "PAYEE_ACCOUNT_RESTRICTED": _CLOSED,
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": _CLOSED,
    "PENDING_CAPTURE": _("The payment has not arrived yet, so PayPal cannot refund it."),
    "PERMISSION_DENIED": _("The PayPal app is not allowed to refund this payment."),
    "REFUND_AMOUNT_EXCEEDED": _(
        "This is more than PayPal has left of the payment, perhaps because of earlier refunds."
    ),
    "REFUND_FAILED_INSUFFICIENT_FUNDS": _("The PayPal balance is too small for this refund."),
    "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK": _DISPUTED,
    "REFUND_TIME_LIMIT_EXCEEDED": _("The payment is too old for a refund by PayPal (180 days)."),
    "TRANSACTION_DISPUTED": _DISPUTED,
}
"""The errors of ``captures.refund`` that a merchant can do something about."""


def make_refund(api: PayPalApi, refund: RefundRequest, money: Mapping[str, str]) -> RefundResult:
    """Refund under our reference, at most once however often and late it is repeated.

    PayPal stores the keys of refunds for 45 days, so a refund that exists already is looked for first.
    """
    earlier = find_refund(api, refund)
    if not isinstance(earlier, NotFound):
        return earlier
    reference = str(refund.reference)
    body = {"amount": dict(money), "custom_id": reference}
    try:
        return _result(api.refund(refund.transaction_id, body, key=reference))
    except PayPalRefused as refused:
        code = refused.code
    return RefundDeclined(code.lower(), str(_REASONS.get(code, "")))


def find_refund(api: PayPalApi, refund: RefundRequest) -> RefundLookupResult:
    """Return what came of the refund that the payment's order holds under our reference."""
    if not refund.charge.provider_reference:
        return NotFound()
    try:
        order = api.order(refund.charge.provider_reference)
    except PayPalRefused as refused:
        problem = str(refused)
    else:
        reference = str(refund.reference)
        made = next((made for made in order.refunds if made.reference == reference), None)
        return NotFound() if made is None else _result(made)
    # PayPal did not say that there is none.
    raise PayPalOutcomeUnknown(problem)


def _result(made: Refund) -> RefundResult:
    value = REFUND_VALUES.get(made.status)
    if value is None:
        raise PayPalOutcomeUnknown(f"PayPal answered with a refund of unknown status {made.status}")
    return Refunded(made.id, pending=value.pending) if isinstance(value, Refunded) else value
