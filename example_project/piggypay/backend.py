"""How the shop takes payments with PiggyPay: the class that SNIPCART_CHECKOUT names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
from django.core.checks import CheckMessage, Error
from django.utils.translation import gettext_lazy as _

from example_project.piggypay.signing import is_genuine
from snipcart_checkout.backends.base import (
    Charge,
    Declined,
    NotFound,
    Notification,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    RefundDeclined,
    Refunded,
    RefundRequest,
)
from snipcart_checkout.exceptions import NotificationRefused

TIMEOUT = (3.05, 10)
OPTIONS = ("URL", "API_KEY", "NOTIFICATION_SECRET")


class PiggyPayBackend(PaymentBackend):
    """Sends the shopper to PiggyPay's page and asks PiggyPay what came of it.

    Nothing here catches an exception of ``requests``: it means that we do not know, and so it says.
    """

    pay_label = _("Continue to PiggyPay")
    description = _("You approve the payment at PiggyPay and come back here.")
    processed_by = "PiggyPay"
    supports_refund = True
    supports_partial_refund = True
    can_lookup = True
    repeat_is_safe = True

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        parts = urlsplit(str(options.get("URL", "")))
        self.redirect_origins = (f"{parts.scheme}://{parts.netloc}",)

    def charge(self, charge: Charge) -> Redirect:
        """Open an order at PiggyPay; the same reference is the same order there."""
        answer = self._call(
            "POST",
            "orders/",
            {
                "reference": str(charge.reference),
                "amount": charge.minor_units,
                "currency": charge.currency,
                "return_url": charge.return_url,
                "notification_url": charge.notification_url,
            },
        )
        answer.raise_for_status()
        order = answer.json()
        return Redirect(order["pay_url"], order["id"])

    def lookup(self, charge: Charge) -> Paid | Pending | Declined | NotFound:
        """Ask for the order of our reference."""
        answer = self._call("GET", f"orders/{charge.reference}/")
        if answer.status_code == 404:
            return NotFound()
        answer.raise_for_status()
        order = answer.json()
        if order["state"] == "paid":
            # Amount and currency are PiggyPay's word: snipcart_checkout compares them with ours.
            amount = charge.amount * order["amount"] / charge.minor_units
            return Paid(order["id"], amount, order["currency"])
        return Declined("declined") if order["state"] == "declined" else Pending(order["id"])

    def refund(self, refund: RefundRequest) -> Refunded | RefundDeclined:
        """Give money back; the same reference happens once."""
        body = {"reference": str(refund.reference), "amount": refund.minor_units}
        answer = self._call("POST", f"orders/{refund.charge.reference}/returns/", body)
        if answer.status_code == 409:
            return RefundDeclined("too_much", "PiggyPay has less left of this order than that.")
        answer.raise_for_status()
        return Refunded(answer.json()["id"])

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        """Check the signature over the raw body before reading it."""
        if not is_genuine(self.options["NOTIFICATION_SECRET"], body, headers.get("PiggyPay-Signature", "")):
            raise NotificationRefused("the signature is wrong or old")
        return Notification(UUID(json.loads(body)["reference"]))

    def check(self) -> list[CheckMessage]:
        """Ask for the options that are missing."""
        return [
            Error(f"{self.store}/{self.method} has no {name}.", hint="Add it to OPTIONS.", id="piggypay.E001")
            for name in OPTIONS
            if not self.options.get(name)
        ]

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                f"{self.options['URL']}/api/{path}",
                json=body,
                headers={"Authorization": f"Bearer {self.options['API_KEY']}"},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
