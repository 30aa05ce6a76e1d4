"""Answer Snipcart's refund webhook: verify the request, then refund the payment that the link belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.conf import Store, get_settings
from snipcart_checkout.exceptions import TokenRefused
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.services.audit_log import SNIPCART
from snipcart_checkout.services.refunds import refund_payment
from snipcart_checkout.snipcart import RefundCall, check_public_token
from snipcart_checkout.snipcart.client import SnipcartClient
from snipcart_checkout.snipcart.money import to_minor_units


@sensitive_variables()
def answer_refund_request(
    store: Store, payment: Payment, call: RefundCall, *, query_tokens: Sequence[str], request_token: str
) -> Refund:
    """Answer Snipcart's refund webhook for a payment that its link proved.

    Raises TokenRefused (a token or header is refused, or demanded and absent), UnpayableAmount,
    RefundNotPossible, RefundUnknown, and SnipcartUnavailable or BadAnswer when the proof could not be checked.
    """
    _check_proof(store, [*query_tokens, *call.tokens], request_token)
    units = to_minor_units(call.amount, payment.currency)
    return refund_payment(payment, units, actor=SNIPCART)


@sensitive_variables()
def _check_proof(store: Store, tokens: Sequence[object], request_token: str) -> None:
    """Verify token and header where they are given; without them the link is enough, unless the store
    requires a token.
    """
    client = SnipcartClient(get_settings())
    public_token = check_public_token(tokens) if any(token != "" for token in tokens) else ""
    checks_header = bool(request_token and store.store_secret_key)
    if checks_header:
        client.validate_request_token(request_token, store.store_secret_key)
    if public_token:
        client.validate_token(public_token)
    if store.require_refund_token and not (checks_header or public_token):
        raise TokenRefused(
            "the refund carries neither a public token nor a request token that can be checked"
        )
