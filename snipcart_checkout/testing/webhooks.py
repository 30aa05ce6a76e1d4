"""Calls the app under test as Snipcart does: for the payment methods, and for a refund."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from django.test import Client

from snipcart_checkout.conf.links import public_path
from snipcart_checkout.sandbox.core.bodies import methods_webhook, refund_webhook
from snipcart_checkout.testing.sessions import StandInSession

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

__all__ = ["ask_for_methods", "ask_for_refund"]


def ask_for_methods(
    session: StandInSession,
    *,
    store: str,
    mode: str = "live",
    place: str = "body",
    client: Client | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Post the payment-methods webhook of a store and return the app's response.

    ``place`` says where the token stands: one of the sandbox's TOKEN_PLACES. Without a ``client`` a fresh
    one is used, which enforces CSRF as a server does.
    """
    path = public_path("payment_methods", store=store)
    body = methods_webhook(session.invoice, mode=mode, token=session.public_token, place=place)
    query = f"?{urlencode({'publicToken': session.public_token})}" if place == "query" else ""
    return _post(client, path + query, body, headers)


def ask_for_refund(
    session: StandInSession,
    amount: Decimal | str | int,
    *,
    client: Client | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Post a refund to the address that the session's last confirmation gave, in major units.

    Raises LookupError when no confirmation gave one.
    """
    confirmation = next((body for body in reversed(session.confirmations) if "links" in body), None)
    if confirmation is None:
        raise LookupError("no confirmation of this session said where refunds go")
    address = urlsplit(confirmation["links"]["refunds"])
    path = address._replace(scheme="", netloc="").geturl()
    body = refund_webhook(payment_id=confirmation["transactionId"], amount=Decimal(amount))
    return _post(client, path, body, headers)


def _post(
    client: Client | None, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None
) -> Response:
    caller = client or Client(enforce_csrf_checks=True)
    return caller.post(path, json.dumps(body), content_type="application/json", headers=dict(headers or {}))
