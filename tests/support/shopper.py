"""A shopper with a browser: opens pages, presses their buttons, and takes nothing else to the site."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client
from django.urls import reverse

from snipcart_checkout.models import Payment
from snipcart_checkout.testing import StandInSession

METHOD_PAGE = "/checkout/live/methods/acme_card/"


class Shopper:
    """One browser, with its cookies."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True)

    def open(self, session: StandInSession, path: str = METHOD_PAGE) -> Any:
        """Come from the cart."""
        return self.client.get(path, {"publicToken": session.public_token})

    def press(self, page: Any, path: str = METHOD_PAGE, **changed: str) -> Any:
        """Press the button of the page's form; ``changed`` replaces or adds fields."""
        return self.client.post(path, {**fields_of(page), **changed})

    def pay(self, session: StandInSession, **changed: str) -> Any:
        """Open the method's page and press its button."""
        return self.press(self.open(session), **changed)

    def look(self, payment: Payment) -> Any:
        """Open the page of a payment."""
        return self.client.get(address_of(payment))

    def come_back(self, payment: Payment) -> Any:
        """Return from the provider."""
        return self.client.get(address_of(payment, "payment_return"))


def address_of(payment: Payment, view: str = "payment") -> str:
    return reverse(f"snipcart_checkout:{view}", args=[payment.reference])


def fields_of(page: Any) -> dict[str, str]:
    """What a browser posts when the shopper presses the first button of a page's form."""
    fields = {}
    for tag in re.findall(r"<input\b[^>]*>", page.content.decode()):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in attributes:
            fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
    return fields


def words_of(page: Any) -> str:
    """What a page says, without its markup."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.content.decode())))
