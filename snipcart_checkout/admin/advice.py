"""What staff read of a case: why it needs review, and what they can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise

from snipcart_checkout.admin.formatting import label
from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models import Payment


@dataclass(frozen=True, kw_only=True)
class Case:
    """Why something needs review, and what staff can do."""

    what: Promise | str
    advice: Promise


_Reason = Payment.ReviewReason
_LOOK_UP: Final = _("Look the reference up at the provider, then resolve the payment as paid or as declined.")
_REFUND: Final = _("Refund it and close the case.")
_ADVICE: Final[Mapping[str, Promise]] = {
    _Reason.OUTCOME_UNKNOWN: _LOOK_UP,
    _Reason.UNANSWERED: _LOOK_UP,
    _Reason.LOST_BY_PROVIDER: _LOOK_UP,
    _Reason.AMOUNT_DIFFERS: _(
        "Compare with the provider. Refund it and close the case, or resolve the payment as paid."
    ),
    _Reason.ORDER_CHANGED: _(
        "Snipcart would build an order from the changed cart. Resolve the payment as paid if that order "
        "may stand; otherwise refund it and close the case."
    ),
    _Reason.ORDER_UNVERIFIED: _(
        "Look the order up on Snipcart's dashboard. Resolve the payment as paid to have Snipcart notified; "
        "otherwise refund it and close the case."
    ),
    _Reason.ALL_REFUNDED: _("Cancel the order in Snipcart's dashboard if there is one, and close the case."),
    _Reason.SECOND_CAPTURE: _REFUND,
    _Reason.ANOTHER_CAPTURE: _(
        "Compare with the provider, refund there what was taken in excess, and close the case."
    ),
    _Reason.CAPTURED_AFTER_CLOSING: _REFUND,
    _Reason.TRANSACTION_USED_BEFORE: _(
        "Check with the provider what was taken, then resolve the payment as paid or as declined."
    ),
    _Reason.CART_PAID_TWICE: _(
        "Compare both orders. Refund one of the payments if both mean the same, and close the case."
    ),
    _Reason.REFUND_FAILED: _("Refund the amount again or another way, and close the case."),
    _Reason.DISPUTED: _("Answer the dispute at the provider, and close the case."),
}
_TOO_LONG: Final[Mapping[str, Case]] = {
    "payment": Case(
        what=_("The outcome of the payment has been unknown for more than an hour."),
        advice=_LOOK_UP,
    ),
    "confirmation_review": Case(
        what=_("Snipcart was not notified of the outcome of the payment."),
        advice=_(
            "Look the order up on Snipcart's dashboard. Resend the confirmation, or correct the order "
            "there and close the case."
        ),
    ),
    "confirmation": Case(
        what=_("Snipcart has not recorded the outcome of the payment, or refused every API key."),
        advice=_(
            "Compare the API keys in the settings with those on Snipcart's dashboard. If Snipcart is down, "
            "nothing has to be done: delivery is repeated for three days."
        ),
    ),
    "refund": Case(
        what=_("For more than an hour the provider has not said whether a refund was made."),
        advice=_(
            "It is looked up, or repeated under the same id where that is safe. If you know the result, "
            "record it on the refund's own page."
        ),
    ),
    "refund_review": Case(
        what=_("Nobody knows whether a refund was made."),
        advice=_("Look the refund up at the provider, then record the result on the refund's own page."),
    ),
}


def describe_case(code: str) -> Case:
    """Return a reason for review, or another thing that staff have to decide, in words."""
    if code in _TOO_LONG:
        return _TOO_LONG[code]
    return Case(what=label(_Reason, code), advice=_ADVICE.get(code, _LOOK_UP))
