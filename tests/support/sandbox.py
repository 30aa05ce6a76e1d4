"""A shopper in the sandbox, and the answers of a merchant's server that the sandbox calls."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import responses
from django.test import Client

METHODS_URL = "https://pay.shop.example/checkout/live/payment-methods/"
METHOD = {
    "id": "acme_card",
    "name": "Acme card",
    "checkoutUrl": "https://pay.shop.example/checkout/live/methods/acme_card/?kept=yes",
}
REFUNDS_URL = "https://pay.shop.example/checkout/live/refunds/c4p4b1l1ty-0f-th3-m3rch4nt/"
KEYS = {mode: [f"{mode}-first-key-1111", f"{mode}-second-key-2222"] for mode in ("live", "test")}
STORE_KEYS = {mode: f"{mode}-store-key-3333" for mode in ("live", "test")}
SETTING: dict[str, Any] = {
    "STORES": {
        mode: {
            "PAYMENT_METHODS_URL": METHODS_URL.replace("live", mode),
            "API_KEYS": KEYS[mode],
            "STORE_SECRET_KEY": STORE_KEYS[mode],
        }
        for mode in ("live", "test")
    },
    "SLOW_SECONDS": 0.2,
    "HANG_SECONDS": 0.4,
}
API = "/sandbox/api"
VALIDATE = f"{API}/public/custom-payment-gateway/validate"
SESSION = f"{API}/public/custom-payment-gateway/payment-session"
PAYMENT = f"{API}/private/custom-payment-gateway/payment"

CART = {
    "quantity_mug": "2",
    "currency": "EUR",
    "language": "en",
    "shipping": "post",
    "tax": "none",
    "coupon": "",
    "email": "ada@shop.example",
    "ship_to": "billing",
    "mode": "live",
    "webhook_style": "body",
    "shape": "every_field",
    "lines_add_up": "on",
    **{
        f"{prefix}_{name}": value
        for prefix in ("billing", "shipping")
        for name, value in {
            "name": "Ada",
            "surname": "Byron",
            "street": "12 rue des Écoles",
            "postal_code": "75005",
            "city": "Paris",
            "country": "FR",
        }.items()
    },
}


class Shopper:
    """Somebody with a browser. ``token`` is the one with which they arrived at the merchant's checkout page."""

    def __init__(self, client: Client | None = None) -> None:
        self.client = client or Client()
        self.token = ""

    def fill(self, **changes: str) -> Any:
        """Send the cart's form with some fields changed."""
        return self.client.post("/sandbox/", {**CART, **changes})

    def see_methods(self) -> str:
        return self.client.get("/sandbox/payment/").content.decode()

    def choose(self, method: str = "acme_card") -> str:
        """Choose a method and return the address to which Snipcart leads."""
        answer = self.client.post("/sandbox/payment/", {"method": method})
        assert answer.status_code == 303
        location: str = answer["Location"]
        (self.token,) = parse_qs(urlsplit(location).query)["publicToken"]
        return location

    def arrive(self, **changes: str) -> str:
        """Go all the way to the checkout page with two mugs; return the token."""
        with merchant_offers(METHOD):
            assert self.fill(do="pay", **changes)["Location"] == "/sandbox/payment/"
            self.see_methods()
        self.choose()
        return self.token

    def session(self) -> dict[str, Any]:
        """What the merchant reads with the token."""
        answer = self.client.get(SESSION, {"publicToken": self.token})
        assert answer.status_code == 200, answer.content
        session: dict[str, Any] = answer.json()
        return session

    def confirm(self, **changes: Any) -> Any:
        """Say what came of the payment, as the merchant's server does."""
        body = {
            "paymentSessionId": self.session()["id"],
            "state": "processed",
            "transactionId": "tr_1",
            "links": {"refunds": REFUNDS_URL},
        }
        return post_confirmation({**body, **changes})

    def order_path(self) -> str:
        """The dashboard's page of the latest order."""
        page = self.client.get("/sandbox/dashboard/").content.decode()
        found = re.search(r'href="(/sandbox/dashboard/orders/[^"]+)"', page)
        assert found
        return found[1]

    def open_checkout(self) -> str:
        """Open the checkout page of the latest order from the dashboard; return the new token."""
        answer = self.client.post(f"{self.order_path()}change/", {"do": "checkout"})
        assert answer.status_code == 303
        (self.token,) = parse_qs(urlsplit(answer["Location"]).query)["publicToken"]
        return self.token

    def see_order(self) -> str:
        return self.client.get(self.order_path()).content.decode()

    def see_activity(self) -> str:
        return self.client.get("/sandbox/dashboard/activity/").content.decode()

    def switch_on(self, fault: str, *, when: str = "1", session_id: str = "") -> None:
        answer = self.client.post(
            "/sandbox/dashboard/faults/",
            {"fault": fault, "when": when, "session_id": session_id},
        )
        assert answer.status_code == 302, answer.content


def post_confirmation(body: object, key: str = KEYS["live"][0], **extra: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return Client(enforce_csrf_checks=True).post(
        PAYMENT, data, **{"content_type": "application/json", "headers": headers, **extra}
    )


class merchant_offers(responses.RequestsMock):  # noqa: N801 - reads as a sentence
    """While it lasts, the merchant's payment-methods webhook answers these methods."""

    def __init__(self, *methods: Mapping[str, Any], mode: str = "live", **answer: Any) -> None:
        super().__init__(assert_all_requests_are_fired=False)
        kind = {"json": list(methods), **answer} if "body" not in answer else answer
        self.add(responses.POST, METHODS_URL.replace("live", mode), **kind)
