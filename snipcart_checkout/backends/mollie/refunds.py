"""Refunds at Mollie, and why it declines one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snipcart_checkout.backends.base import NotFound, RefundDeclined, Refunded
from snipcart_checkout.backends.mollie.api import (
    MollieApi,
    MollieDuplicateRefund,
    MollieOutcomeUnknown,
    MollieRefused,
)
from snipcart_checkout.backends.mollie.outcomes import to_refund_outcome
from snipcart_checkout.conf.translation import gettext as _

if TYPE_CHECKING:
    from snipcart_checkout.backends.base import RefundRequest
    from snipcart_checkout.backends.mollie.objects import MollieRefund


def make_refund(
    api: MollieApi, refund: RefundRequest, value: str, description: str
) -> Refunded | RefundDeclined:
    """Refund under our reference, at most once however often and late it is repeated.

    ``value`` is the amount with exactly the currency's decimals. Mollie forgets idempotency keys after an hour, so a
    refund that exists already is looked for first.
    """
    if found := _find(api, refund):
        return to_refund_outcome(found)
    body = {
        "amount": {"currency": refund.currency, "value": value},
        "description": description,
        "metadata": {"reference": str(refund.reference)},
    }
    try:
        made = api.create_refund(refund.transaction_id, body, key=str(refund.reference))
    except MollieDuplicateRefund:
        return _after_a_duplicate(api, refund)
    except MollieRefused as refused:
        return _declined(refused)
    return to_refund_outcome(made)


def look_up_refund(api: MollieApi, refund: RefundRequest) -> Refunded | RefundDeclined | NotFound:
    """Return what became of the refund under our reference."""
    found = _find(api, refund)
    return to_refund_outcome(found) if found else NotFound()


def _find(api: MollieApi, refund: RefundRequest) -> MollieRefund | None:
    try:
        return api.find_refund(refund.transaction_id, str(refund.reference))
    except MollieRefused as refused:
        problem = str(refused)
    # Mollie did not say that there is none, so nothing is known yet.
    raise MollieOutcomeUnknown(problem)


def _after_a_duplicate(api: MollieApi, refund: RefundRequest) -> Refunded | RefundDeclined:
    """The other refund is perhaps this one, made a moment ago by a call whose answer was lost."""
    if found := _find(api, refund):
        return to_refund_outcome(found)
    return RefundDeclined(
        "duplicate_refund",
        _(
            "Mollie refunds the same amount of a payment only once an hour. Try again later, or refund another amount."
        ),
    )


def _declined(refused: MollieRefused) -> RefundDeclined:
    if refused.field.startswith("amount"):
        return RefundDeclined(
            "amount", _("Mollie does not refund this amount: perhaps less is left of the payment.")
        )
    code = f"refused_{refused.status}"
    if refused.status in {401, 403}:
        return RefundDeclined(code, _("Mollie does not accept the API key."))
    return RefundDeclined(
        code, _("Mollie does not refund this payment; see Mollie's dashboard for the reason.")
    )
