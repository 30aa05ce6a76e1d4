"""The payment-methods webhook: what Snipcart's cart is offered."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils.translation import gettext_lazy as _

from snipcart_checkout.testing import CheckoutSettings, StandIn, ask_for_methods
from tests.support.backends import PROVIDER_ORIGIN  # noqa: F401 - the strangers' backends must be importable

PAYLOADS = Path(__file__).parent / "payloads"
URL = "/checkout/live/payment-methods/"


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize("place", ["body", "query", "capital"])
def test_the_token_is_read_wherever_snipcart_puts_it(snipcart: StandIn, place: str) -> None:
    answer = ask_for_methods(snipcart.session(), store="live", place=place)

    assert answer.status_code == 200
    assert answer.json() == [
        {
            "id": "acme_card",
            "name": "Credit card",
            "checkoutUrl": "https://pay.shop.example/checkout/live/methods/acme_card/",
        }
    ]


def test_one_call_is_made_to_snipcart(snipcart: StandIn) -> None:
    ask_for_methods(snipcart.session(), store="live")

    assert [call.endpoint for call in snipcart.calls] == ["validate"]


@pytest.mark.parametrize("name", ["methods-webhook-body-token", "methods-webhook-capital-token"])
def test_the_bodies_that_snipcart_documents_are_understood(
    client: Client, snipcart: StandIn, name: str, checkout_settings: CheckoutSettings
) -> None:
    session = snipcart.session()
    text = (PAYLOADS / f"{name}.json").read_text().replace("<JWT>", session.public_token)
    if "test" in json.loads(text)["mode"].lower():
        checkout_settings.store(MODE="test")

    answer = client.post(URL, text, content_type="application/json; charset=utf-8")

    assert [method["id"] for method in answer.json()] == ["acme_card"]


def test_the_address_answers_without_its_trailing_slash(client: Client, snipcart: StandIn) -> None:
    body = json.loads((PAYLOADS / "methods-webhook-documented.json").read_text())
    url = f"{URL.rstrip('/')}?PUBLICTOKEN={snipcart.session().public_token}"

    assert client.post(url, body, content_type="application/json").status_code == 200


def test_two_different_tokens_are_refused_before_anybody_is_asked(client: Client, snipcart: StandIn) -> None:
    body = json.loads((PAYLOADS / "methods-webhook-documented.json").read_text())
    body |= {"publicToken": snipcart.session().public_token, "PublicToken": "another"}

    assert client.post(URL, body, content_type="application/json").status_code == 400
    assert snipcart.calls == []


@pytest.mark.parametrize("token", ["", " padded", "a b", "é", "x" * 4097, None, 5, ["x"], {"a": 1}])
def test_a_malformed_token_is_refused_before_anybody_is_asked(
    client: Client, snipcart: StandIn, token: object
) -> None:
    body = json.loads((PAYLOADS / "methods-webhook-documented.json").read_text()) | {"publicToken": token}

    assert client.post(URL, body, content_type="application/json").status_code == 400
    assert snipcart.calls == []


def test_a_token_that_snipcart_refuses_is_not_served_and_the_log_says_why(
    snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "snipcart_checkout")
    session = snipcart.session()
    snipcart.expire(session)

    answer = ask_for_methods(session, store="live")

    assert answer.status_code == 401
    line = "payment methods for store live not answered: validate: Snipcart answered 410"
    assert line in caplog.messages
    assert session.public_token not in answer.content.decode() + caplog.text


@pytest.mark.parametrize("fault", [500, 429, "hang", "cut-before", "redirect"])
def test_snipcart_out_of_order_is_said_so_that_it_asks_again(
    snipcart: StandIn, checkout_settings: CheckoutSettings, fault: str | int
) -> None:
    checkout_settings(READ_TIMEOUT=0.2, TOTAL_TIMEOUT=0.3)
    snipcart.fail("validate", fault)

    answer = ask_for_methods(snipcart.session(), store="live")

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0


def test_it_passes_on_when_snipcart_wants_to_be_asked_again(snipcart: StandIn) -> None:
    snipcart.fail("validate", 429)

    assert ask_for_methods(snipcart.session(), store="live")["Retry-After"] == "7"


def test_the_other_mode_is_offered_nothing(snipcart: StandIn) -> None:
    assert ask_for_methods(snipcart.session(), store="live", mode="test").json() == []


@pytest.mark.parametrize("mode", ["Live", "LIVE", "sandbox", "", None])
def test_any_mode_but_test_is_live(client: Client, snipcart: StandIn, mode: object) -> None:
    body = json.loads((PAYLOADS / "methods-webhook-body-token.json").read_text())
    body |= {"mode": mode, "publicToken": snipcart.session().public_token}

    assert len(client.post(URL, body, content_type="application/json").json()) == 1


@pytest.mark.parametrize(
    "limits, offered",
    [
        ({"CURRENCIES": ["EUR"]}, True),
        ({"CURRENCIES": ["eur", "USD"]}, True),
        ({"CURRENCIES": ["USD"]}, False),
        ({"COUNTRIES": ["FR"]}, True),
        ({"COUNTRIES": ["BE"]}, False),
        ({"MIN_AMOUNT": "12.30", "MAX_AMOUNT": "12.30"}, True),
        ({"MIN_AMOUNT": "12.31"}, False),
        ({"MAX_AMOUNT": "12.29"}, False),
        ({"MAX_AMOUNT": "a lot"}, False),
    ],
)
def test_a_method_is_offered_within_its_limits(
    snipcart: StandIn, checkout_settings: CheckoutSettings, limits: dict[str, Any], offered: bool
) -> None:
    checkout_settings.method("acme_card", **limits)
    session = snipcart.session(amount="12.30", currency="EUR")

    assert bool(ask_for_methods(session, store="live").json()) is offered


def without_acme(methods: list[Any], invoice: Any, store: Any) -> list[Any]:
    """A METHOD_FILTER as a site would write it."""
    return [method for method in methods if method.id != "acme_card" or invoice.amount > 100]


def broken_hook(*_arguments: object) -> None:
    raise ZeroDivisionError


def nonsense(*_arguments: object) -> object:
    return ["acme_card", None, 5]


def nothing(methods: list[Any], *_arguments: object) -> None:
    methods.clear()


@pytest.mark.parametrize("hook", ["without_acme", "broken_hook", "nonsense", "nothing"])
def test_the_hook_may_take_methods_away_and_takes_all_when_it_breaks(
    snipcart: StandIn, checkout_settings: CheckoutSettings, hook: str
) -> None:
    checkout_settings(METHOD_FILTER=f"tests.test_methods_webhook.{hook}")

    answer = ask_for_methods(snipcart.session(), store="live")

    assert (answer.status_code, answer.json()) == (200, [])


def everything_twice(_methods: list[Any], _invoice: Any, store: Any) -> list[Any]:
    """A METHOD_FILTER that offers what the settings rule out for this order."""
    return [*reversed(store.methods.values()), *store.methods.values()]


def test_the_hook_may_reorder_but_neither_bring_in_nor_double(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings(METHOD_FILTER="tests.test_methods_webhook.everything_twice")
    checkout_settings.method("acme_dollar", like="acme_card", CURRENCIES=["USD"])
    checkout_settings.method("acme_euro", like="acme_card")

    answer = ask_for_methods(snipcart.session(currency="EUR"), store="live")

    assert [method["id"] for method in answer.json()] == ["acme_euro", "acme_card"]


def test_names_are_in_the_language_of_the_cart(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    # Django's own catalogue has this word, so no catalogue of ours can hide a mistake.
    checkout_settings.method("acme_card", NAME=_("Yes"))

    names = [
        ask_for_methods(snipcart.session(language=language), store="live").json()[0]["name"]
        for language in ("fr-CA", "en", "zz")
    ]

    assert names == ["Oui", "Yes", "Yes"]


def test_icons_are_absolute_and_https(snipcart: StandIn, checkout_settings: CheckoutSettings) -> None:
    icons = {
        "shop/card.svg": "https://pay.shop.example/static/shop/card.svg",
        "https://cdn.example/card.svg": "https://cdn.example/card.svg",
        "http://cdn.example/card.svg": None,
        "javascript:alert(1)": "https://pay.shop.example/static/javascript%3Aalert(1)",
    }
    for icon, url in icons.items():
        checkout_settings.method("acme_card", ICON=icon)
        assert ask_for_methods(snipcart.session(), store="live").json()[0].get("iconUrl") == url


@pytest.mark.parametrize(
    "path, value",
    [
        ("STORES.live.API_KEYS", []),
        ("STORES.live.SHOP_HOSTS", []),
        ("STORES.live.METHODS", {}),
        ("STORES.live.MODE", "maybe"),
        ("PUBLIC_URL", "http://pay.shop.example"),
        ("STORES.live.METHODS.acme_card.BACKEND", "nowhere.Backend"),
        ("STORES.live.METHODS.acme_card.BACKEND", "tests.support.backends.Provider"),
    ],
)
def test_an_incomplete_store_offers_nothing_and_does_not_crash(
    snipcart: StandIn, checkout_settings: CheckoutSettings, path: str, value: object
) -> None:
    checkout_settings.set(path, value)

    answer = ask_for_methods(snipcart.session(), store="live")

    assert (answer.status_code, answer.json()) == (200, [])


def test_an_order_that_cannot_be_paid_is_offered_nothing(client: Client, snipcart: StandIn) -> None:
    body = json.loads((PAYLOADS / "methods-webhook-body-token.json").read_text())
    body |= {"mode": "live", "publicToken": snipcart.session().public_token}
    for broken in ({"amount": 0}, {"amount": -1}, {"amount": 1.005}, {"currency": "doge"}, {"amount": 1e30}):
        payload = {**body, "invoice": {**body["invoice"], **broken}}
        assert client.post(URL, payload, content_type="application/json").json() == []


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b"[]",
        b'"text"',
        b"{}",
        b'{"mode": "live", "publicToken": "t"}',
        b'{"publicToken": "t", "invoice": {"amount": NaN, "currency": "eur"}}',
        b'{"publicToken": "t", "invoice": {"amount": "5", "currency": "eur"}}',
        b'{"publicToken": "t", "publicToken": "t", "invoice": {"amount": 5, "currency": "eur"}}',
        b"\xff\xfe",
        b"[" * 5000,
        b'{"a":' * 100 + b"1" + b"}" * 100,
    ],
)
def test_an_unreadable_body_is_refused_before_anybody_is_asked(
    client: Client, snipcart: StandIn, body: bytes
) -> None:
    answer = client.generic("POST", URL, body, content_type="application/json")

    assert answer.status_code == 400
    assert "error" in answer.json()
    assert snipcart.calls == []


@pytest.mark.parametrize("length", [{}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "0"}])
def test_a_request_of_neither_type_nor_body_is_unreadable_however_its_server_says_that_nothing_came(
    client: Client, snipcart: StandIn, length: dict[str, Any]
) -> None:
    assert client.generic("POST", URL, b"", content_type="", **length).status_code == 400
    assert client.generic("POST", URL, b"{}", content_type="").status_code == 415
    assert snipcart.calls == []


def test_only_small_json_posts_to_known_stores_are_taken(client: Client, snipcart: StandIn) -> None:
    json_type = "application/json"
    assert client.get(URL).status_code == 405
    assert client.get(URL)["Allow"] == "POST"
    assert client.post(URL, {"a": 1}).status_code == 415
    assert client.post(URL, b"x", content_type="text/json").status_code == 415
    assert client.post(URL, b" " * (1024 * 1024 + 1), content_type=json_type).status_code == 413
    assert client.post("/checkout/nowhere/payment-methods/", b"{}", content_type=json_type).status_code == 404
    assert snipcart.calls == []


def test_no_cookie_is_set_and_nothing_may_be_cached(snipcart: StandIn) -> None:
    answer = ask_for_methods(snipcart.session(), store="live")

    assert not answer.cookies
    assert answer["Cache-Control"] == "no-store, private"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Robots-Tag"] == "noindex"
    assert answer["Content-Type"] == "application/json"
    policy = "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    assert answer["Content-Security-Policy"] == policy


@pytest.mark.django_db
def test_it_works_under_atomic_requests(snipcart: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(django_settings.DATABASES["default"], "ATOMIC_REQUESTS", True)

    assert ask_for_methods(snipcart.session(), store="live").status_code == 200
