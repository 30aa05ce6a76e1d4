"""The refund webhook and the refunds behind it: who may ask, what can be given back, and what a repeat gets."""

from __future__ import annotations

import base64
import json
import logging
import re
import uuid
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import DatabaseError, connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.backends.base import RefundRequest, RefundResult
from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import RefundNotPossible, RefundUnknown
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.services.pruning import prune
from snipcart_checkout.signals import payment_refunded
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Provider, ScriptedBackend
from tests.support.ledger import before, history, pay, provider, unknown_refund
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

SECRET = "store-secret-key-for-tests"


def link(snipcart: StandIn) -> str:
    """The path of the refund link that was sent to Snipcart last."""
    sent = next(body for body in reversed(snipcart.confirmations) if "links" in body)
    address = urlsplit(sent["links"]["refunds"])
    assert f"{address.scheme}://{address.netloc}" == "https://pay.shop.example"
    return str(address.path)


def ask(path: str, amount: object = "5.00", *, header: str = "", query: str = "", **body: Any) -> Any:
    """Post the refund webhook; an amount that is a text goes into the JSON as it is."""
    number = amount if isinstance(amount, str) else json.dumps(amount)
    fields = {"paymentId": "d3031d89-e428-4cb8-bf0e-74b883466736", **body}
    content = f'{json.dumps(fields)[:-1]}, "amount": {number}}}'
    return post(path + query, content, header=header)


def post(path: str, content: str | bytes, *, header: str = "", content_type: str = "application/json") -> Any:
    headers = {"X-Snipcart-RequestToken": header} if header else {}
    return Client(enforce_csrf_checks=True).post(path, content, content_type=content_type, headers=headers)


def age(**delta: Any) -> None:
    """Let time pass for every refund."""
    for refund in Refund.objects.all():
        moved = {
            name: getattr(refund, name) - timedelta(**delta)
            for name in ("created_at", "updated_at", "matched_at", "lease_until")
            if getattr(refund, name)
        }
        Refund.objects.filter(pk=refund.pk).update(**moved)


# What is answered.


def test_a_refund_is_made_and_answered_with_its_id(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)

    answer = ask(link(snipcart))

    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    refund = Refund.objects.get()
    assert answer.json() == {"refundId": str(refund.pk)}
    assert (refund.state, refund.amount, refund.requested_by) == ("refunded", Decimal("5.00"), "")
    assert provider.refunds == [
        {
            "reference": str(refund.pk),
            "charge": str(payment.reference),
            "transaction_id": payment.transaction_id,
            "minor_units": 500,
            "currency": "EUR",
        }
    ]


def test_the_id_of_a_refund_is_a_uuid(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    answer = ask(link(snipcart)).json()["refundId"]
    assert str(uuid.UUID(answer)) == answer


def test_the_address_answers_without_its_trailing_slash(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    assert ask(link(snipcart).rstrip("/")).status_code == 200


def test_a_refund_is_part_of_the_payments_history(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    ask(link(snipcart))
    assert history(payment) == [
        "charging",
        "paid",
        "confirmation_delivered",
        "refund_requested",
        "refund_refunded",
    ]
    requested = payment.events.get(name="refund_requested")
    assert requested.data == {"refund": str(Refund.objects.get().pk), "minor_units": 500}
    refunded = payment.events.get(name="refund_refunded")
    assert refunded.data == {"refund": str(Refund.objects.get().pk)}
    payment.refresh_from_db()
    assert payment.review_reason == ""


def test_payment_refunded_is_sent_once(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    heard: list[tuple[Payment, Refund]] = []

    def listen(payment: Payment, refund: Refund, **_: Any) -> None:
        heard.append((payment, refund))

    payment_refunded.connect(listen)
    try:
        ask(link(snipcart))
        ask(link(snipcart))
    finally:
        payment_refunded.disconnect(listen)

    assert heard == [(payment, Refund.objects.get())]


def test_a_receiver_learns_how_much_is_refunded_by_now(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    heard: list[int] = []

    def listen(payment: Payment, **_: Any) -> None:
        heard.append(payment.refunded_minor_units)

    payment_refunded.connect(listen)
    try:
        ask(link(snipcart), "5.00")
        ask(link(snipcart), "2.00")
    finally:
        payment_refunded.disconnect(listen)

    assert heard == [500, 700]


def test_a_receiver_that_fails_does_not_fail_the_refund(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)

    def fail(**_: Any) -> None:
        raise ValueError

    payment_refunded.connect(fail)
    try:
        assert ask(link(snipcart)).status_code == 200
    finally:
        payment_refunded.disconnect(fail)


def test_an_answer_holds_nothing_secret(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    checkout_settings.store(STORE_SECRET_KEY=SECRET)
    session = snipcart.session()
    pay(snipcart)
    path = link(snipcart)
    capability = path.rstrip("/").rpartition("/")[2]
    header = snipcart.new_request_token()

    answers = [
        ask(path, publicToken=session.public_token, header=header),
        ask(path, "0", publicToken=session.public_token, header=header),
        ask(path, "99", publicToken=session.public_token, header=header),
        ask(path, publicToken="refused-by-snipcart", header=header),
        ask(path, publicToken=session.public_token, header="refused-by-snipcart"),
    ]

    assert [answer.status_code for answer in answers] == [200, 400, 409, 401, 401]
    said = "".join(answer.content.decode() + str(answer.headers) for answer in answers) + caplog.text
    for secret in (capability, session.public_token, header, "refused-by-snipcart", SECRET):
        assert secret not in said


def test_an_answer_is_kept_by_nobody(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    for answer in (ask(link(snipcart)), ask("/checkout/live/refunds/unknown/")):
        assert answer["Cache-Control"] == "no-store, private"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Robots-Tag"] == "noindex"


# Who may ask.


def test_an_unknown_link_is_no_payment(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    for capability in (
        "0" * 64,
        str(payment.reference),
        payment.capability_hash,
        "%00",
        "%F0%9F%90%B7",
        "a b",
    ):
        assert ask(f"/checkout/live/refunds/{capability}/").status_code == 404


def test_each_link_refunds_its_own_payment(provider: Provider, snipcart: StandIn) -> None:
    links = [(pay(snipcart), link(snipcart)) for _ in range(3)]

    for payment, path in links:
        assert re.fullmatch("[0-9a-f]{64}", path.rstrip("/").rpartition("/")[2])
        assert ask(path).status_code == 200
        assert payment.refunds.count() == 1


def test_a_link_that_is_no_text_is_no_payment(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    assert services.get_payment_of_link(get_settings().stores["live"], "\ud800") is None


def test_a_link_in_another_case_is_no_payment(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    before, capability = link(snipcart).rstrip("/").rsplit("/", 1)
    assert ask(f"{before}/{capability.upper()}/").status_code == 404


def test_a_link_of_one_store_is_no_payment_at_another(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    pay(snipcart)
    checkout_settings.store("other", like="live")
    checkout_settings.store("LIVE", like="live")

    for store in ("other", "LIVE", "unknown"):
        assert ask(link(snipcart).replace("/live/", f"/{store}/")).status_code == 404
    assert provider.refunds == []


def test_an_unknown_link_is_refused_before_anything_else_is_looked_at(
    provider: Provider, snipcart: StandIn
) -> None:
    answer = post(f"/checkout/live/refunds/{'0' * 64}/?publicToken=a&publicToken=b", "nonsense")
    assert answer.status_code == 404
    assert snipcart.calls == []


def test_the_link_survives_a_new_secret_key(provider: Provider, snipcart: StandIn, settings: Any) -> None:
    pay(snipcart)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a-new-one", [settings.SECRET_KEY]
    assert ask(link(snipcart)).status_code == 200


@pytest.mark.parametrize("name", ["publicToken", "PublicToken", "PUBLICTOKEN"])
@pytest.mark.parametrize("place", ["body", "query"])
def test_a_token_is_checked_wherever_it_stands(
    provider: Provider, snipcart: StandIn, name: str, place: str
) -> None:
    session = snipcart.session()
    pay(snipcart)
    snipcart.calls.clear()

    def answer(token: str) -> Any:
        if place == "query":
            return ask(link(snipcart), query=f"?{name}={token}")
        return ask(link(snipcart), **{name: token})

    assert answer("unknown-token").status_code == 401
    assert answer(session.public_token).status_code == 200
    assert [call.endpoint for call in snipcart.calls] == ["validate", "validate"]


def test_equal_tokens_are_one(provider: Provider, snipcart: StandIn) -> None:
    token = snipcart.session().public_token
    pay(snipcart)
    snipcart.calls.clear()

    answer = ask(
        link(snipcart), query=f"?publicToken={token}&publicToken=", publicToken=token, PublicToken=token
    )

    assert answer.status_code == 200
    assert [call.endpoint for call in snipcart.calls] == ["validate"]


def test_two_different_tokens_are_refused_before_anybody_is_asked(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store(STORE_SECRET_KEY=SECRET)
    pay(snipcart)
    snipcart.calls.clear()

    answer = ask(link(snipcart), query="?publicToken=one", publicToken="another", header="unknown")

    assert answer.status_code == 400
    assert snipcart.calls == []


@pytest.mark.parametrize("token", [" padded", "a b", "é", "x" * 4097, 5, True, ["x"], {"a": 1}])
def test_a_malformed_token_is_refused_before_anybody_is_asked_and_the_log_says_why(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture, token: object
) -> None:
    caplog.set_level(logging.INFO, "snipcart_checkout")
    payment = pay(snipcart)
    snipcart.calls.clear()

    assert ask(link(snipcart), publicToken=token).status_code == 401
    assert snipcart.calls == []
    assert (
        f"payment {payment.reference}: refund not answered: the public token is malformed" in caplog.messages
    )


@pytest.mark.parametrize("token", ["", None])
def test_an_empty_token_is_none(provider: Provider, snipcart: StandIn, token: object) -> None:
    pay(snipcart)
    assert ask(link(snipcart), publicToken=token).status_code == 200


def test_the_header_is_checked_with_the_stores_secret_key(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store(STORE_SECRET_KEY=SECRET)
    pay(snipcart)
    header = snipcart.new_request_token()

    assert ask(link(snipcart), header="unknown").status_code == 401
    assert ask(link(snipcart), header=header).status_code == 200

    calls = snipcart.calls_to("requestvalidation")
    assert [call.path.rpartition("/")[2] for call in calls] == ["unknown", header]
    basic = base64.b64encode(f"{SECRET}:".encode()).decode()
    assert {call.headers["authorization"] for call in calls} == {f"Basic {basic}"}


@pytest.mark.parametrize("header", ["../validate", "a/../b", "..", "é", "x" * 4097, "a?b=c#d"])
def test_a_hostile_header_leads_to_no_other_endpoint(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, header: str
) -> None:
    checkout_settings.store(STORE_SECRET_KEY=SECRET)
    pay(snipcart)
    snipcart.calls.clear()

    assert ask(link(snipcart), header=header).status_code == 401
    assert {call.endpoint for call in snipcart.calls} <= {"requestvalidation"}


def test_a_header_that_cannot_be_checked_is_passed_over(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    assert ask(link(snipcart), header="unknown").status_code == 200
    assert snipcart.calls_to("requestvalidation") == []


def test_token_and_header_are_both_checked(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store(STORE_SECRET_KEY=SECRET)
    token = snipcart.session().public_token
    pay(snipcart)
    header = snipcart.new_request_token()

    assert ask(link(snipcart), header=header, publicToken="unknown").status_code == 401
    assert ask(link(snipcart), header="unknown", publicToken=token).status_code == 401
    assert ask(link(snipcart), header=header, publicToken=token).status_code == 200


def test_a_demanded_proof_may_be_either(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store(STORE_SECRET_KEY=SECRET, REQUIRE_REFUND_TOKEN=True)
    token = snipcart.session().public_token
    pay(snipcart)

    assert ask(link(snipcart)).status_code == 401
    assert ask(link(snipcart), "1", publicToken=token).status_code == 200
    assert ask(link(snipcart), "2", header=snipcart.new_request_token()).status_code == 200


def test_a_header_that_cannot_be_checked_is_no_demanded_proof(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store(REQUIRE_REFUND_TOKEN=True)
    pay(snipcart)
    assert ask(link(snipcart), header=snipcart.new_request_token()).status_code == 401


@pytest.mark.parametrize(
    "content", [" ", "nonsense", "[]", "{}", '{"amount": 0}', '{"amount": 1, "Amount": 2}']
)
def test_who_asks_is_checked_before_what_is_asked(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, content: str
) -> None:
    checkout_settings.store(REQUIRE_REFUND_TOKEN=True)
    pay(snipcart)
    path = link(snipcart)

    assert post(path, content).status_code == 401
    assert post(f"{path}?publicToken=unknown", content).status_code == 401
    assert post(f"{path}?publicToken={snipcart.session().public_token}", content).status_code == 400


@pytest.mark.parametrize("endpoint", ["validate", "requestvalidation"])
@pytest.mark.parametrize("fault", [500, 429, "cut-before", "redirect"])
def test_a_proof_that_cannot_be_checked_now_is_to_be_sent_again(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    endpoint: str,
    fault: str | int,
) -> None:
    checkout_settings.store(STORE_SECRET_KEY=SECRET)
    pay(snipcart)
    proof: dict[str, Any] = {"publicToken": snipcart.session().public_token}
    if endpoint == "requestvalidation":
        proof = {"header": snipcart.new_request_token()}
    snipcart.fail(endpoint, fault)

    answer = ask(link(snipcart), **proof)

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert provider.refunds == []


def test_a_token_alone_is_no_proof(provider: Provider, snipcart: StandIn) -> None:
    session = snipcart.session()
    payment = pay(snipcart)
    path = f"/checkout/live/refunds/{payment.reference}/"
    assert ask(path, publicToken=session.public_token).status_code == 404


# What can be given back.


@pytest.mark.parametrize(
    "amount",
    [
        '"5.00"',
        "0",
        "0.0",
        "-1",
        "-0",
        "5.001",
        "0.004",
        "1e-400",
        "1e400",
        "1e20",
        "99999999999999999999",
        "NaN",
        "Infinity",
        "-Infinity",
        "true",
        "null",
        "[5]",
        '{"amount": 5}',
    ],
)
def test_what_is_no_payable_amount_is_refused(provider: Provider, snipcart: StandIn, amount: str) -> None:
    payment = pay(snipcart)

    assert ask(link(snipcart), amount).status_code == 400

    payment.refresh_from_db()
    assert (payment.refunded_minor_units, provider.calls[1:]) == (0, [])


@pytest.mark.parametrize(
    "content",
    [" ", "nonsense", "null", "[]", "5", "{}", '{"paymentId": "x"}', '{"amount": 5, "Amount": 6}', b"\xff"],
)
def test_a_body_without_an_amount_is_refused(
    provider: Provider, snipcart: StandIn, content: str | bytes
) -> None:
    pay(snipcart)
    assert post(link(snipcart), content).status_code == 400
    assert provider.refunds == []


@pytest.mark.parametrize(
    "amount, currency, units",
    [
        ("0.30000000000000004", "EUR", 30),
        ("8.120000000000001", "EUR", 812),
        ("4.999999999999", "EUR", 500),
        ("5", "EUR", 500),
        ("5.0", "EUR", 500),
        ("5e0", "EUR", 500),
        ("0.01", "EUR", 1),
        ("5", "JPY", 5),
        ("1.234", "KWD", 1234),
    ],
)
def test_the_noise_of_floats_is_no_fraction(
    provider: Provider, snipcart: StandIn, amount: str, currency: str, units: int
) -> None:
    pay(snipcart, amount="1000", currency=currency)
    assert ask(link(snipcart), amount).status_code == 200
    assert Refund.objects.get().minor_units == units


def test_the_whole_payment_can_be_refunded_in_parts_but_no_more(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart, amount="12.30")

    statuses = [ask(link(snipcart), amount).status_code for amount in ("5.00", "7.31", "7.30", "0.01")]

    assert statuses == [200, 409, 200, 409]
    assert sorted(refund["minor_units"] for refund in provider.refunds) == [500, 730]
    payment.refresh_from_db()
    assert (payment.state, payment.refunded_minor_units) == (Payment.State.PAID, 1230)


def test_too_large_an_amount_is_more_than_is_left_and_an_absurd_one_no_amount(
    provider: Provider, snipcart: StandIn
) -> None:
    pay(snipcart)
    assert ask(link(snipcart), "99999999999.99").status_code == 409
    assert ask(link(snipcart), "100000000000").status_code == 400


@pytest.mark.parametrize("state", [state for state in Payment.State if state != Payment.State.PAID])
def test_only_a_paid_payment_is_refunded(provider: Provider, snipcart: StandIn, state: str) -> None:
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(state=state, review_reason="unanswered")

    assert ask(link(snipcart)).status_code == 409
    assert ask(link(snipcart), "0").status_code == 400
    assert provider.refunds == []


def test_a_processing_payment_is_refunded_through_the_same_link_once_it_is_paid(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    path = link(snipcart)
    assert ask(path).status_code == 409

    services.mark_received(payment, by="ada")

    assert link(snipcart) == path
    assert ask(path).status_code == 200


def test_the_manual_method_says_why_it_cannot_refund(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", BACKEND="snipcart_checkout.backends.manual.ManualBackend")
    services.mark_received(pay(snipcart), by="ada")

    answer = ask(link(snipcart))

    assert answer.status_code == 409
    assert "cannot refund" in answer.json()["error"]


def test_a_method_without_partial_refunds_refunds_the_whole_only(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"supports_partial_refund": False})
    pay(snipcart, amount="12.30")

    assert ask(link(snipcart), "5.00").status_code == 409
    assert ask(link(snipcart), "12.30").status_code == 200


def test_the_whole_of_a_payment_is_what_was_captured(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"supports_partial_refund": False})
    provider.script(amount="10.00")
    payment = pay(snipcart, amount="12.30")
    with pytest.raises(RefundNotPossible, match="the whole payment only"):
        services.refund_by_staff(payment, 999, by="ada")

    assert services.refund_by_staff(payment, 1000, by="ada").state == Refund.State.REFUNDED


def test_of_a_payment_that_took_no_money_nothing_is_refunded(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)

    with pytest.raises(RefundNotPossible, match="No money was taken"):
        services.refund_by_staff(payment, 500, by="ada")

    assert provider.refunds == []


@pytest.mark.parametrize(
    "methods", [{}, {"acme_card": {"BACKEND": "tests.support.backends.Missing", "NAME": "Credit card"}}]
)
def test_a_method_that_is_configured_no_more_cannot_refund(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings, methods: dict[str, Any]
) -> None:
    payment = pay(snipcart)
    checkout_settings.set("STORES.live.METHODS", methods)

    assert ask(link(snipcart)).status_code == 409
    assert ask(link(snipcart), "0").status_code == 400

    payment.refresh_from_db()
    assert payment.refunded_minor_units == 0


def test_a_store_that_offers_nothing_any_more_still_refunds(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    pay(snipcart)
    checkout_settings.store(API_KEYS=[])
    assert ask(link(snipcart)).status_code == 200


def test_a_declined_refund_gives_its_reservation_back(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart, amount="12.30")
    provider.script(refund="declined", message="The balance is too low.")

    answer = ask(link(snipcart), "12.30")

    assert (answer.status_code, answer.json()) == (409, {"error": "The balance is too low."})
    payment.refresh_from_db()
    assert payment.refunded_minor_units == 0
    assert Refund.objects.get().decline_code == "refused"
    provider.script()
    assert ask(link(snipcart), "12.30").status_code == 200


@pytest.mark.parametrize("said", [{"code": 7}, {"code": "\x00\ud800"}, {"message": 5}, {"code": "x" * 1000}])
def test_a_declined_refund_may_be_worded_in_any_way(
    provider: Provider, snipcart: StandIn, said: dict[str, Any]
) -> None:
    pay(snipcart)
    provider.script(refund="declined", **said)
    answer = ask(link(snipcart))
    assert (answer.status_code, bool(answer.json()["error"])) == (409, True)


@pytest.mark.parametrize(
    "column, letters, said",
    [("provider_refund_id", 255, "refunded"), ("decline_code", 100, "declined")],
)
def test_what_the_provider_says_at_length_is_cut_to_its_column(
    provider: Provider, snipcart: StandIn, column: str, letters: int, said: str
) -> None:
    pay(snipcart)
    provider.script(refund=said, refund_id="x" * 300, code="x" * 300)
    ask(link(snipcart))
    assert getattr(Refund.objects.get(), column) == "x" * (letters - 1) + "…"


def test_the_name_of_who_requested_it_is_cut_to_its_column(provider: Provider, snipcart: StandIn) -> None:
    refund = services.refund_by_staff(pay(snipcart), 500, by="a" * 200)
    assert refund.requested_by == "a" * 150


# Repeats.


def test_a_repeat_gets_the_same_answer(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)

    answers = [ask(link(snipcart)).json() for _ in range(3)]

    assert len(provider.refunds) == 1
    assert answers == [{"refundId": provider.refunds[0]["reference"]}] * 3
    payment.refresh_from_db()
    assert payment.refunded_minor_units == 500


def test_a_repeat_of_the_whole_is_not_more_than_is_left(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart, amount="12.30")
    assert ask(link(snipcart), "12.30").json() == ask(link(snipcart), "12.3").json()


def test_the_same_amount_within_ten_minutes_is_a_repeat(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    first = ask(link(snipcart)).json()["refundId"]
    age(minutes=9)

    assert ask(link(snipcart)).json()["refundId"] == first
    assert len(provider.refunds) == 1


def test_the_same_amount_after_ten_minutes_is_a_new_refund(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    first = ask(link(snipcart)).json()["refundId"]
    age(minutes=11)

    second = ask(link(snipcart)).json()["refundId"]

    assert {refund["reference"] for refund in provider.refunds} == {first, second}
    assert first != second


def test_another_amount_is_a_new_refund_at_once(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    assert ask(link(snipcart), "5.00").json() != ask(link(snipcart), "5.01").json()


@pytest.mark.parametrize("knobs", [{"after": "raise"}, {"before": "raise"}, {"refund": "nonsense"}])
def test_an_unknown_outcome_keeps_the_reservation(
    provider: Provider, snipcart: StandIn, knobs: dict[str, str]
) -> None:
    payment = pay(snipcart, amount="12.30")
    provider.script(**knobs)

    assert ask(link(snipcart), "10.00").status_code == 502

    provider.script()
    assert ask(link(snipcart), "2.31").status_code == 409
    payment.refresh_from_db()
    assert payment.refunded_minor_units == 1000


def test_a_repeat_while_the_first_is_unknown_asks_nobody(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart, amount="12.30")
    provider.script(refund="nonsense")
    ask(link(snipcart))
    age(hours=2)
    asked = len(provider.calls)

    assert ask(link(snipcart)).status_code == 502
    assert len(provider.calls) == asked
    assert Refund.objects.count() == 1


def test_a_repeat_while_the_first_is_unknown_needs_no_method(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    pay(snipcart)
    provider.script(refund="nonsense")
    ask(link(snipcart))
    checkout_settings.remove("STORES.live.METHODS.acme_card")
    assert ask(link(snipcart)).status_code == 502


def test_a_repeat_gets_the_id_once_the_first_is_settled(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    provider.script(after="raise")
    ask(link(snipcart))
    provider.script()
    age(minutes=6)
    services.settle()

    answer = ask(link(snipcart))

    assert (answer.status_code, len(provider.refunds)) == (200, 1)
    assert answer.json() == {"refundId": provider.refunds[0]["reference"]}


# Others do the same at this moment.


RESERVES = r"UPDATE .snipcart_checkout_payment. SET .*.refunds_requested. = "
POLLS = r"SELECT .* FROM .snipcart_checkout_refund. WHERE .snipcart_checkout_refund.\..id. = "


def test_a_request_that_loses_its_place_to_another_refund_is_made_after_it(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart, amount="12.30")
    others = Payment.objects.filter(pk=payment.pk)

    def reserve() -> None:
        others.update(
            refunds_requested=F("refunds_requested") + 1, refunded_minor_units=F("refunded_minor_units") + 10
        )

    with before(RESERVES, reserve, times=19):
        assert ask(link(snipcart)).status_code == 200

    payment.refresh_from_db()
    assert (len(provider.refunds), payment.refunded_minor_units) == (1, 690)


def test_what_others_refund_meanwhile_is_not_refunded_twice(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart, amount="12.30")
    others = Payment.objects.filter(pk=payment.pk)

    with before(RESERVES, lambda: others.update(refunds_requested=1, refunded_minor_units=731)):
        assert ask(link(snipcart)).status_code == 409

    assert provider.refunds == []


def test_a_request_among_too_many_refunds_is_to_be_sent_again(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    others = Payment.objects.filter(pk=payment.pk)

    with before(RESERVES, lambda: others.update(refunds_requested=F("refunds_requested") + 1), times=20):
        answer = ask(link(snipcart))

    assert answer.status_code == 502
    assert "try again" in answer.json()["error"]
    payment.refresh_from_db()
    assert (provider.refunds, payment.refunded_minor_units) == ([], 0)


def test_a_request_finds_the_refund_that_an_equal_one_makes_meanwhile(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)

    def make() -> None:
        Payment.objects.filter(pk=payment.pk).update(refunds_requested=1, refunded_minor_units=500)
        payment.refunds.create(minor_units=500, state=Refund.State.REFUNDED)

    with before(RESERVES, make):
        answer = ask(link(snipcart))

    assert answer.json() == {"refundId": str(payment.refunds.get().pk)}
    assert provider.refunds == []


@pytest.mark.parametrize("state, status", [("refunded", 200), ("declined", 409), ("unknown", 502)])
def test_a_repeat_waits_for_the_answer_to_the_first(
    provider: Provider, snipcart: StandIn, state: str, status: int
) -> None:
    payment = pay(snipcart)
    first = payment.refunds.create(minor_units=500)

    with before(POLLS, lambda: Refund.objects.filter(pk=first.pk).update(state=state)):
        assert ask(link(snipcart)).status_code == status

    assert provider.refunds == []


class ContradictedBackend(ScriptedBackend):
    """Takes so long that meanwhile staff say it refunded nothing."""

    was_made = False

    def refund(self, refund: RefundRequest) -> RefundResult:
        row = Refund.objects.get(pk=refund.reference)
        Refund.objects.filter(pk=row.pk).update(state="review", lease_until=None)
        services.resolve_refund(row, was_made=self.was_made, note="as the provider says", by="ada")
        return super().refund(refund)


class AnticipatedBackend(ContradictedBackend):
    """Takes so long that meanwhile staff see at the provider that it refunded."""

    was_made = True


def test_a_refund_that_staff_knew_of_before_its_answer_came_alerts_nobody(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pay(snipcart)
    checkout_settings.method("acme_card", BACKEND="tests.test_refunds.AnticipatedBackend")

    assert ask(link(snipcart)).status_code == 200

    assert Refund.objects.get().state == Refund.State.REFUNDED
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_refund_that_was_made_although_staff_said_otherwise_alerts(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pay(snipcart)
    checkout_settings.method("acme_card", BACKEND="tests.test_refunds.ContradictedBackend")

    answer = ask(link(snipcart))

    assert answer.status_code == 200
    refund = Refund.objects.get()
    assert f"refund {refund.pk} was made, but the ledger has it as declined" in caplog.text


# Settling.


def unknown(provider: Provider, snipcart: StandIn) -> Refund:
    """A refund of which the provider made something without saying so."""
    pay(snipcart)
    provider.script(after="raise")
    assert ask(link(snipcart)).status_code == 502
    provider.script()
    refund: Refund = Refund.objects.get()
    return refund


def test_an_unknown_refund_is_repeated_with_its_key(provider: Provider, snipcart: StandIn) -> None:
    refund = unknown(provider, snipcart)

    report = services.settle()

    refund.refresh_from_db()
    assert (refund.state, report.refunds_settled, report.needs_attention) == ("refunded", 1, False)
    assert provider.calls[-2:] == [f"refund {refund.pk}"] * 2
    assert len(provider.refunds) == 1


def test_an_unknown_refund_that_was_not_made_is_freed(provider: Provider, snipcart: StandIn) -> None:
    refund = unknown(provider, snipcart)
    provider.script(refund="declined")

    report = services.settle()

    refund.refresh_from_db()
    refund.payment.refresh_from_db()
    assert (refund.state, report.refunds_settled) == ("declined", 1)
    assert refund.payment.refunded_minor_units == 0


def test_the_same_amount_is_a_repeat_for_ten_minutes_after_the_answer_however_late_it_came(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown(provider, snipcart)
    age(minutes=20)
    assert services.settle().refunds_settled == 1

    assert services.refund_by_staff(refund.payment, refund.minor_units, by="ada") == refund

    assert len(provider.refunds) == 1


def test_a_refund_whose_process_died_is_repeated_once_its_lease_is_over(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown(provider, snipcart)
    Refund.objects.update(state="requested", lease_until=timezone.now() + timedelta(minutes=5))
    assert services.settle().refunds_settled == 0

    age(minutes=6)

    assert services.settle().refunds_settled == 1
    assert provider.calls[-1] == f"refund {refund.pk}"


@pytest.mark.parametrize("flags", [{"repeat_is_safe": False}, {"supports_refund": False}])
def test_a_refund_that_cannot_be_repeated_is_left_to_a_person(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
    flags: dict[str, bool],
) -> None:
    refund = unknown(provider, snipcart)
    checkout_settings.method("acme_card", OPTIONS=flags)
    asked = len(provider.calls)

    reports = [services.settle() for _ in range(2)]

    refund.refresh_from_db()
    assert refund.state == "review"
    # A case is reported once, and counted as long as it is open.
    found = [(open_refunds(report), report.needs_attention) for report in reports]
    assert found == [(1, True), (1, False)]
    assert len(provider.calls) == asked
    assert caplog.text.count("the outcome of a refund is unknown; it needs review") == 1


@pytest.mark.parametrize(
    "of_charges, of_refunds, state",
    [(True, None, "refunded"), (False, None, "review"), (True, False, "review"), (False, True, "refunded")],
)
def test_what_a_backend_says_of_refunds_goes_before_what_it_says_of_charges(
    provider: Provider,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    of_charges: bool,
    of_refunds: bool | None,
    state: str,
) -> None:
    refund = unknown(provider, snipcart)
    flags = {"repeat_is_safe": of_charges, "refund_repeat_is_safe": of_refunds}
    checkout_settings.method("acme_card", OPTIONS=flags)

    services.settle()

    refund.refresh_from_db()
    assert refund.state == state


def open_refunds(report: services.SettlementReport) -> int:
    assert report.open_cases is not None
    return report.open_cases.refunds_in_review


def test_a_refund_that_is_left_to_staff_while_it_is_repeated_stays_theirs(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown(provider, snipcart)
    provider.script(refund="nonsense", before=[])
    provider.meanwhile(lambda: Refund.objects.update(state="review"))

    services.settle()

    refund.refresh_from_db()
    assert refund.state == "review"
    assert history(refund.payment).count("refund_unknown") == 1


def test_a_refund_is_repeated_with_its_key_for_three_days(provider: Provider, snipcart: StandIn) -> None:
    refund = unknown(provider, snipcart)
    age(hours=71, minutes=59)

    services.settle()

    refund.refresh_from_db()
    assert refund.state == "refunded"
    assert len(provider.refunds) == 1


def test_a_refund_that_is_unknown_for_three_days_is_left_to_a_person(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown(provider, snipcart)
    age(hours=72, seconds=1)
    asked = len(provider.calls)

    report = services.settle()

    refund.refresh_from_db()
    assert (refund.state, open_refunds(report), len(provider.calls)) == ("review", 1, asked)
    refund.payment.refresh_from_db()
    assert refund.payment.refunded_minor_units == refund.minor_units


def test_a_refund_that_is_unknown_for_an_hour_alerts_and_is_still_repeated(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    refund = unknown(provider, snipcart)
    provider.script(before="raise")
    age(hours=2)

    report = services.settle()

    refund.refresh_from_db()
    assert refund.state == "unknown"
    assert history(refund.payment).count("refund_unknown") == 1
    assert report.open_cases is not None
    assert (report.open_cases.refunds_unknown_too_long, report.new_cases, report.failed) == (1, 1, 0)
    assert "for an hour nobody could tell whether refunds of these payments were made" in caplog.text


def test_a_case_that_was_closed_is_opened_by_a_refund_that_is_unknown(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    Payment.objects.filter(pk=pay(snipcart).pk).update(resolved_at=timezone.now())
    provider.script(after="raise")
    assert ask(link(snipcart)).status_code == 502
    checkout_settings.method("acme_card", OPTIONS={"repeat_is_safe": False})

    assert services.settle().needs_attention

    assert Payment.objects.get().resolved_at is None


def test_a_refund_whose_case_was_closed_is_not_repeated(provider: Provider, snipcart: StandIn) -> None:
    refund = unknown(provider, snipcart)
    Payment.objects.update(resolved_at=timezone.now())
    asked = len(provider.calls)

    report = services.settle()

    refund.refresh_from_db()
    assert (refund.state, len(provider.calls), report.needs_attention) == ("unknown", asked, False)


# A refund that staff made first.


def test_a_request_for_what_staff_refunded_is_that_refund_and_moves_no_money(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    refund = services.refund_by_staff(payment, 500, by="ada")
    age(hours=1)

    answer = ask(link(snipcart))

    assert (answer.status_code, answer.json()) == (200, {"refundId": str(refund.pk)})
    assert len(provider.refunds) == 1
    refund.refresh_from_db()
    payment.refresh_from_db()
    assert (refund.requested_by, refund.matched_at is not None) == ("ada", True)
    assert payment.refunded_minor_units == 500
    assert history(payment)[-1] == "refund_matched"
    event = payment.events.get(name="refund_matched")
    assert (event.source, event.data) == ("snipcart", {"refund": str(refund.pk)})


def test_a_repeat_of_a_matched_request_is_the_same_refund(provider: Provider, snipcart: StandIn) -> None:
    """Snipcart sends a request again whose answer was lost."""
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")
    age(hours=1)

    answers = [ask(link(snipcart)).json() for _ in range(2)]

    assert answers == [{"refundId": str(refund.pk)}] * 2
    assert len(provider.refunds) == 1


def test_a_refund_of_staff_is_matched_once(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    services.refund_by_staff(payment, 500, by="ada")
    age(hours=1)
    ask(link(snipcart))
    age(minutes=11)

    answer = ask(link(snipcart))

    assert answer.status_code == 200
    assert answer.json()["refundId"] == str(payment.refunds.get(requested_by="").pk)
    assert len(provider.refunds) == 2
    assert history(payment).count("refund_matched") == 1


def test_as_many_requests_are_matched_as_staff_made_refunds_the_oldest_first(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    made = []
    for _ in range(2):
        made.append(str(services.refund_by_staff(payment, 500, by="ada").pk))
        age(minutes=11)

    answers = []
    for _ in range(2):
        answers.append(ask(link(snipcart)).json()["refundId"])
        age(minutes=11)

    assert answers == made
    assert len(provider.refunds) == 2


def test_a_request_is_matched_with_the_oldest_refund_whichever_was_stored_first(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    for _ in range(4):
        services.refund_by_staff(payment, 100, by="ada")
        age(minutes=11)
    oldest = payment.refunds.earliest("created_at")
    Refund.objects.filter(pk=oldest.pk).update(created_at=timezone.now())
    oldest = payment.refunds.earliest("created_at")

    assert ask(link(snipcart), "1.00").json() == {"refundId": str(oldest.pk)}


def test_a_request_for_another_amount_than_staff_refunded_is_a_new_refund(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    services.refund_by_staff(payment, 500, by="ada")

    assert ask(link(snipcart), "4.99").status_code == 200
    assert len(provider.refunds) == 2
    assert "refund_matched" not in history(payment)


def test_a_request_for_what_staff_refunded_in_full_is_not_more_than_is_left(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart, amount="12.30")
    refund = services.refund_by_staff(payment, 1230, by="ada")
    age(days=20)

    assert ask(link(snipcart), "12.30").json() == {"refundId": str(refund.pk)}


def test_a_declined_refund_of_staff_is_not_matched(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    provider.script(refund="declined")
    with pytest.raises(RefundNotPossible):
        services.refund_by_staff(payment, 500, by="ada")
    provider.script()

    refund = ask(link(snipcart)).json()["refundId"]

    assert refund == str(payment.refunds.get(requested_by="").pk)


def test_an_unknown_refund_of_staff_is_what_a_request_for_its_amount_means(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    refund = unknown_refund(provider, payment)
    assert ask(link(snipcart)).status_code == 502
    services.resolve_refund(refund, was_made=True, note="seen at the provider", by="ada")

    assert ask(link(snipcart)).json() == {"refundId": str(refund.pk)}
    assert history(payment).count("refund_matched") == 1


def test_a_refund_that_snipcart_requested_is_not_matched_by_staff(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    first = ask(link(snipcart)).json()["refundId"]
    age(hours=1)

    assert str(services.refund_by_staff(payment, 500, by="ada").pk) != first
    assert len(provider.refunds) == 2


# In which order it is refused.


def test_what_can_never_be_refunded_is_said_before_what_is_unknown(
    provider: Provider, snipcart: StandIn
) -> None:
    pay(snipcart, amount="12.30")
    provider.script(refund="nonsense")

    statuses = [ask(link(snipcart), amount).status_code for amount in ("10.00", "0", "2.31", "10.00")]
    assert statuses == [502, 400, 409, 502]

    Payment.objects.update(state=Payment.State.REVIEW, review_reason="order_changed")
    assert ask(link(snipcart), "10.00").status_code == 409


def test_a_refund_of_what_was_captured_in_another_currency_is_left_to_staff(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(captured_currency="USD")

    assert ask(link(snipcart), "1.00").status_code == 409
    assert provider.refunds == []


def test_a_repeat_of_a_refund_in_review_is_still_unknown(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    unknown(provider, snipcart)
    checkout_settings.method("acme_card", OPTIONS={"repeat_is_safe": False})
    services.settle()
    with pytest.raises(RefundUnknown):
        services.refund_by_staff(Payment.objects.get(), 500, by="ada")


# The form of the request.


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_other_methods_are_not_taken(provider: Provider, snipcart: StandIn, method: str) -> None:
    pay(snipcart)
    answer = getattr(Client(), method)(link(snipcart))
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "text/json"])
def test_only_json_is_taken(provider: Provider, snipcart: StandIn, content_type: str) -> None:
    pay(snipcart)
    assert post(link(snipcart), '{"amount": 5}', content_type=content_type).status_code == 415


def test_json_may_name_its_charset(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    kind = "Application/JSON; charset=utf-8"
    assert post(link(snipcart), '{"amount": 5}', content_type=kind).status_code == 200


class Unread:
    """A body of which nobody may read a byte."""

    def read(self, *_: Any) -> bytes:
        pytest.fail("the body was read")

    readline = read


@pytest.mark.parametrize("length, status", [("65537", 413), ("9" * 30, 413), ("-1", 413), ("1e3", 413)])
def test_of_a_body_whose_length_is_wrong_not_a_byte_is_read(
    provider: Provider, snipcart: StandIn, length: str, status: int
) -> None:
    pay(snipcart)
    sent: dict[str, Any] = {
        "wsgi.input": Unread(),
        "CONTENT_LENGTH": length,
        "CONTENT_TYPE": "application/json",
    }
    assert Client().generic("POST", link(snipcart), **sent).status_code == status


def test_a_body_as_large_as_may_be_is_read(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    content = b'{"amount": 5.00}'.ljust(64 * 1024)
    assert post(link(snipcart), content).status_code == 200
    assert post(link(snipcart), content + b" ").status_code == 413


def test_a_body_that_is_too_large_for_the_site_is_too_large(
    provider: Provider, snipcart: StandIn, settings: Any
) -> None:
    pay(snipcart)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert ask(link(snipcart)).status_code == 413
    assert provider.refunds == []


def test_a_body_whose_sender_hangs_up_is_no_body(provider: Provider, snipcart: StandIn) -> None:
    class HungUp:
        def read(self, *_: Any) -> bytes:
            raise OSError

        readline = read

    pay(snipcart)
    sent: dict[str, Any] = {
        "wsgi.input": HungUp(),
        "CONTENT_LENGTH": "10",
        "CONTENT_TYPE": "application/json",
    }
    answer = Client().generic("POST", link(snipcart), **sent)
    assert (answer.status_code, provider.refunds) == (400, [])


@pytest.mark.parametrize("token, status, query", [("", 200, "a=b"), ("x", 401, "")])
def test_what_the_address_of_a_refused_request_held_is_kept_from_the_middleware_after_us(
    provider: Provider, snipcart: StandIn, token: str, status: int, query: str
) -> None:
    """Django mails the addresses of what it takes for broken links."""
    pay(snipcart)
    snipcart.fail("validate", 404)

    answer = ask(link(snipcart), query=f"?a=b&publicToken={token}" if token else "?a=b")

    assert (answer.status_code, answer.wsgi_request.META["QUERY_STRING"]) == (status, query)


def test_a_body_that_is_too_large_is_refused(provider: Provider, snipcart: StandIn) -> None:
    pay(snipcart)
    assert ask(link(snipcart), note="x" * 70_000).status_code == 413


def test_inside_a_transaction_of_the_sites_nothing_is_refunded_and_it_is_to_be_sent_again(
    provider: Provider, snipcart: StandIn, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    payment = pay(snipcart)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_paying.OpenTransaction"]

    answer = ask(link(snipcart))

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "store live: a transaction is open around the request" in caplog.text
    payment.refresh_from_db()
    assert (provider.refunds, payment.refunded_minor_units) == ([], 0)


def test_what_nobody_foresaw_is_answered_in_json_with_a_reference_that_stands_in_the_log(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    pay(snipcart)
    path = link(snipcart)

    def fail(*_: Any) -> None:
        raise RuntimeError(path)

    with connection.execute_wrapper(fail):
        answer = ask(path)

    assert answer.status_code == 500
    said = answer.json()
    assert set(said) == {"error", "reference"}
    assert said["error"]
    (line,) = [line for line in caplog.messages if line.startswith("unexpected RuntimeError at ")]
    assert line.endswith(f"[{said['reference']}]")
    assert path.split("/")[-2] not in caplog.text + answer.content.decode()


def test_a_ledger_that_cannot_be_reached_is_said_and_logged_so_that_it_is_sent_again(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    pay(snipcart)
    path = link(snipcart)

    def fail(*_: Any) -> None:
        raise DatabaseError(path)

    with connection.execute_wrapper(fail):
        answer = ask(path)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert provider.refunds == []
    line = (logging.ERROR, "store live: the ledger could not be reached: DatabaseError")
    assert line in [(record.levelno, record.getMessage()) for record in caplog.records]
    assert path.split("/")[-2] not in caplog.text


def test_a_payment_that_is_deleted_while_its_refund_is_requested_is_no_payment(
    provider: Provider, snipcart: StandIn
) -> None:
    pay(snipcart)
    let_time_pass(timedelta(days=400))
    path = link(snipcart)

    with before("SELECT .*snipcart_checkout_refund", partial(prune, older_than=timedelta(days=365))):
        answer = ask(path)

    assert (answer.status_code, provider.refunds) == (404, [])


def test_a_repeat_gets_the_same_answer_when_the_payment_is_in_review_meanwhile(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    first = ask(link(snipcart))
    Payment.objects.filter(pk=payment.pk).update(state=Payment.State.REVIEW, review_reason="disputed")

    assert ask(link(snipcart)).json() == first.json()
    assert ask(link(snipcart), "1.00").status_code == 409
    assert len(provider.refunds) == 1
