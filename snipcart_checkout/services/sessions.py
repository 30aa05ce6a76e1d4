"""Read payment sessions from Snipcart."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace

from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.conf import Store, get_settings, get_store
from snipcart_checkout.conf.links import to_cart_url
from snipcart_checkout.exceptions import TokenRefused
from snipcart_checkout.services.logger import log
from snipcart_checkout.snipcart import PaymentSession, check_public_token
from snipcart_checkout.snipcart.client import SnipcartClient


@sensitive_variables()
def get_payment_session(public_token: str, store: str | Store | None = None) -> PaymentSession:
    """Return the payment session that a public token stands for.

    ``store`` may be left out when there is exactly one; otherwise ImproperlyConfigured. The session's
    ``return_url`` is checked: it leads to one of the store's SHOP_HOSTS.

    Raises TokenRefused (malformed, unknown, expired, or of another shop), SnipcartUnavailable (try
    again), BadAnswer, or its subclass UnpayableOrder. One call to Snipcart ("Payment session" of
    its reference).
    """
    configured = store if isinstance(store, Store) else get_store(store)
    if not configured.shop_hosts:
        raise ImproperlyConfigured(f"SNIPCART_CHECKOUT['STORES'][{configured.name!r}] has no SHOP_HOSTS.")
    token = check_public_token([public_token])
    session = SnipcartClient(get_settings()).fetch_session(token)
    return_url = to_cart_url(session.return_url, configured.shop_hosts)
    if not return_url:
        problem = f"the session's way back leads to {_describe(session.return_url, configured.shop_hosts)}"
        log(logging.WARNING, "store %s: %s", configured.name, problem)
        raise TokenRefused(problem)
    _note_odd_sum(session)
    return replace(session, return_url=return_url)


def _describe(url: str, hosts: Sequence[str]) -> str:
    scheme, _, rest = url.partition("//")
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    host = ascii(authority.rpartition("@")[2][:100])
    if scheme.lower() == "http:" and to_cart_url(f"https://{rest}", hosts):
        return f"{host} over http, and has to be https"
    return f"{host}, which is not among SHOP_HOSTS"


def _note_odd_sum(session: PaymentSession) -> None:
    if not session.invoice.adds_up:
        log(logging.INFO, "session %s: the lines do not add up to the total", session.id)
