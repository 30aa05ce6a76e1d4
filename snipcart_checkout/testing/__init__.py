"""For the tests of sites that take payments with this app, and of backends written for it.

    pytest_plugins = ["snipcart_checkout.testing"]      # in the conftest.py at the root of the tests

    @pytest.mark.django_db
    def test_the_page_shows_the_total(client, snipcart):
        session = snipcart.session(amount="12.30", currency="EUR", items=3, language="fr")
        page = client.get("/pay/", {"publicToken": session.public_token})
        assert "12,30" in page.content.decode()

The ``snipcart`` fixture is a stand-in that answers over real HTTP: the sandbox's Snipcart, without its pages. The
``checkout_settings`` fixture changes parts of SNIPCART_CHECKOUT for one test. Without pytest, ``with
StandIn() as snipcart`` is the same; put ``snipcart.settings`` over ``SNIPCART_CHECKOUT`` yourself.
``snipcart_checkout.testing.backends`` holds the tests that every payment backend has to pass.
"""

from __future__ import annotations

import contextlib

from snipcart_checkout.sandbox.core.invoices import Address, Line
from snipcart_checkout.testing.checkout_settings import CheckoutSettings
from snipcart_checkout.testing.sessions import StandInSession
from snipcart_checkout.testing.stand_in import Call, StandIn
from snipcart_checkout.testing.webhooks import ask_for_methods, ask_for_refund

with contextlib.suppress(ModuleNotFoundError):  # unittest needs no pytest
    from snipcart_checkout.testing.plugin import checkout_settings, snipcart

__all__ = [
    "Address",
    "Call",
    "CheckoutSettings",
    "Line",
    "StandIn",
    "StandInSession",
    "ask_for_methods",
    "ask_for_refund",
    "checkout_settings",
    "snipcart",
]
