"""The sandbox's side of the wire, compared with the documented payloads and with every mistake one can make."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from snipcart_checkout.sandbox.core.bodies import methods_webhook, payment_session, refund_webhook
from snipcart_checkout.sandbox.core.contract import (
    ITEM_TYPES,
    confirmation_problem,
    method_problem,
    methods_problem,
    refund_answer_problem,
    url_problem,
)
from snipcart_checkout.sandbox.core.invoices import Address, Invoice, Line, invoice_json

PAYLOADS = Path(__file__).parent / "payloads"

ADA = Address(
    name="Ada",
    surname="Byron",
    street="1 rue X",
    postal_code="75001",
    city="Paris",
    country="FR",
    region=None,
)
INVOICE = Invoice(
    amount=Decimal("61.25"),
    currency="EUR",
    email="ada@example.org",
    language="fr-CA",
    target_id="7d1f0c3e-2222-4444-8888-1234567890ab",
    billing=ADA,
    shipping=ADA,
    lines=(
        Line(name="Mug", unit_price=Decimal(20), quantity=2, discount=Decimal(4)),
        *(Line(name=kind, unit_price=Decimal("5.25"), type=kind) for kind in ITEM_TYPES[1:]),
    ),
)
CONFIRMATION: dict[str, Any] = {
    "paymentSessionId": "Qk3fZzA1-0f6a1a52-5d5e-4c1b-9d1e-6a0e5b6c7d80",
    "state": "processed",
    "transactionId": "tr_1",
    "instructions": "Within two days.",
    "links": {"refunds": "https://pay.shop.example/refunds/x/"},
}
METHOD = {"id": "acme_card", "name": "Card", "checkoutUrl": "https://pay.shop.example/checkout/"}


def payload(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def shape(value: Any) -> Any:
    """The keys and kinds of a JSON value; a list has the shapes that stand in it, null is a kind of its own."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(member), sort_keys=True) for member in value})
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


def session(invoice: Invoice, **options: Any) -> dict[str, Any]:
    return payment_session(invoice, id="Qk3fZzA1-0f6a", cart_url="https://shop.example/#/checkout", **options)


def test_a_session_has_exactly_the_fields_of_the_documented_one() -> None:
    assert shape(session(INVOICE, shape="documented")) == shape(payload("session-documented"))


def test_a_session_of_the_older_text_has_exactly_the_fields_of_that() -> None:
    assert shape(session(INVOICE, shape="capital_redirect")) == shape(payload("session-capital-redirect"))


def test_a_session_with_every_field_has_exactly_the_fields_seen_in_live_traffic() -> None:
    answer = session(
        replace(INVOICE, shipping=None),
        payment_method="acme_card",
        methods=[METHOD],
        checkout_url="https://pay.shop.example/checkout/",
    )
    assert shape(answer) == shape(payload("session-every-field-seen"))


@pytest.mark.parametrize(
    "place, name",
    [
        ("body", "methods-webhook-body-token"),
        ("capital", "methods-webhook-capital-token"),
        ("query", "methods-webhook-documented"),
    ],
)
def test_a_methods_webhook_has_exactly_the_fields_of_the_documented_ones(place: str, name: str) -> None:
    body = methods_webhook(INVOICE, mode=payload(name)["mode"].lower(), token="t", place=place)
    assert shape(body) == shape(payload(name))
    assert body["mode"] == payload(name)["mode"]


def test_a_refund_webhook_has_exactly_the_documented_fields() -> None:
    body = refund_webhook(payment_id="d3031d89-e428-4cb8-bf0e-74b883466736", amount=Decimal("20.75"))
    assert body == payload("refund-documented")


def test_amounts_are_written_as_the_shortest_number() -> None:
    whole = replace(INVOICE, amount=Decimal("40.00"))
    assert '"amount": 61.25,' in json.dumps(invoice_json(INVOICE))
    assert '"amount": 40,' in json.dumps(invoice_json(whole))


def test_float_noise_is_far_below_the_smallest_unit_but_there() -> None:
    amount = invoice_json(replace(INVOICE, float_noise=True))["amount"]
    assert amount != 61.25
    assert abs(amount - 61.25) < 1e-9


def test_a_line_whose_amount_is_given_need_not_add_up() -> None:
    line = Line(name="Mug", unit_price=Decimal(20), quantity=2, amount=Decimal(5))
    assert invoice_json(replace(INVOICE, lines=[line]))["items"][0]["amount"] == 5


@pytest.mark.parametrize("name", ["confirm-processed", "confirm-failed-documented"])
def test_the_documented_confirmations_are_accepted(name: str) -> None:
    assert confirmation_problem(payload(name)) is None


@pytest.mark.parametrize("state", ["processing", "processed", "failed", "invalidated"])
@pytest.mark.parametrize(
    "error", [None, {"code": "card_declined"}, {"code": "card_declined", "message": "Declined"}]
)
def test_every_state_is_accepted_with_and_without_an_error(state: str, error: Any) -> None:
    assert confirmation_problem({**CONFIRMATION, "state": state, "error": error}) is None


@pytest.mark.parametrize(
    "change, said",
    [
        ({"state": "Processed"}, "'Processed' is not a state"),
        ({"state": "pending"}, "in lower case"),
        ({"state": 1}, "'state' has to be a text, not the number 1"),
        ({"paymentSessionId": ""}, "'paymentSessionId' is empty"),
        ({"paymentSessionId": 7}, "'paymentSessionId' has to be a text"),
        ({"transactionId": None}, "'transactionId' has to be a text, not null"),
        ({"transactionId": " "}, "'transactionId' is empty"),
        ({"transactionID": "x"}, "Did you mean 'transactionId'?"),
        ({"suppressOrderConfirmationEmail": True}, "is not a field of the body"),
        ({"instructions": ["x"]}, "'instructions' has to be a text, not an array"),
        ({"error": ""}, "'error' has to be an object"),
        ({"error": {}}, "'error.code' is missing"),
        ({"error": {"code": ""}}, "'error.code' is empty"),
        ({"error": {"code": "x", "message": 4}}, "'error.message' has to be a text"),
        ({"error": {"code": "x", "reason": "y"}}, "'reason' is not a field of 'error'"),
        ({"links": None}, "'links' has to be an object"),
        ({"links": {}}, "'links.refunds' is missing"),
        ({"links": {"refund": "https://x.example/"}}, "Did you mean 'refunds'?"),
        ({"links": {"refunds": "/refunds/x/"}}, "'links.refunds' is not an absolute https URL"),
        ({"links": {"refunds": "http://pay.shop.example/x/"}}, "'links.refunds' is not https"),
    ],
)
def test_a_wrong_confirmation_is_refused_with_the_reason(change: dict[str, Any], said: str) -> None:
    assert said in (confirmation_problem({**CONFIRMATION, **change}) or "")


@pytest.mark.parametrize("missing", ["paymentSessionId", "state", "transactionId"])
def test_a_confirmation_without_a_required_field_is_refused(missing: str) -> None:
    body = {key: value for key, value in CONFIRMATION.items() if key != missing}
    assert confirmation_problem(body) == f"'{missing}' is missing."


@pytest.mark.parametrize("body", [[], "processed", None, 3, True])
def test_a_confirmation_that_is_no_object_is_refused(body: object) -> None:
    assert "has to be a JSON object" in (confirmation_problem(body) or "")


@pytest.mark.parametrize(
    "url", ["https://a.example", "https://a.example:8443/x?y=z", "http://127.0.0.1:8000/", "http://[::1]/"]
)
def test_a_url_that_snipcart_could_call_is_right(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize(
    "url",
    ["", "a.example", "//a.example", "ftp://a.example/", "https://", "http://a.example/", "https://a.example/a b",
     "https://u:p@a.example/", "https://a.example:port/", "http://127.0.0.1.evil.example@x/", "https://[::1/"],
)  # fmt: skip
def test_a_url_that_snipcart_could_not_call_is_wrong(url: str) -> None:
    assert url_problem(url)


def test_good_methods_are_right_and_so_is_an_empty_list() -> None:
    icon = {**METHOD, "id": "acme_transfer", "iconUrl": "http://127.0.0.1:8000/static/icon.svg"}
    assert methods_problem([METHOD, icon]) is None
    assert methods_problem([]) is None


@pytest.mark.parametrize("answer", [{"methods": [METHOD]}, "[]", None, 5])
def test_an_answer_that_is_no_array_is_wrong(answer: object) -> None:
    assert "bare JSON array" in (methods_problem(answer) or "")


def test_an_id_must_not_stand_twice() -> None:
    assert "stands twice" in (methods_problem([METHOD, METHOD]) or "")


@pytest.mark.parametrize(
    "change, said",
    [
        ({"id": "paypal"}, "one of Snipcart's own"),
        ({"id": 4}, "'id' has to be a text"),
        ({"name": ""}, "'name' is empty"),
        ({"checkoutUrl": "http://pay.shop.example/"}, "the cart drops the method"),
        ({"checkoutUrl": "/checkout/"}, "the cart drops the method"),
        ({"checkoutURL": "https://x.example"}, "Did you mean 'checkoutUrl'?"),
        ({"iconUrl": ""}, "'iconUrl' is empty"),
        ({"iconUrl": "http://cdn.example/i.svg"}, "'iconUrl' is not https"),
    ],
)
def test_a_wrong_method_is_explained(change: dict[str, Any], said: str) -> None:
    assert said in (method_problem({**METHOD, **change}) or "")
    assert said in (methods_problem([METHOD, {**METHOD, **change}]) or "")


@pytest.mark.parametrize("missing", ["id", "name", "checkoutUrl"])
def test_a_method_without_a_required_field_is_explained(missing: str) -> None:
    assert method_problem({k: v for k, v in METHOD.items() if k != missing}) == f"'{missing}' is missing."


def test_a_refund_answer_needs_a_refund_id() -> None:
    assert refund_answer_problem(payload("refund-answer-documented")) is None
    wrong: list[object] = [{}, {"refundId": ""}, {"refundId": 7}, [], None]
    for answer in wrong:
        assert refund_answer_problem(answer)
