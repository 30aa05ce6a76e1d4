"""Telling Snipcart: what is said, with which key, how often it is repeated, and when a person has to look."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from snipcart_checkout import services
from snipcart_checkout.models import Confirmation, Payment
from snipcart_checkout.services import due_deliveries
from snipcart_checkout.services.delivery import deliver_session
from snipcart_checkout.services.settlement import settle
from snipcart_checkout.signals import confirmation_unresolved, payment_needs_review
from snipcart_checkout.testing import CheckoutSettings, StandIn, ask_for_refund
from tests.support.backends import Provider
from tests.support.ledger import before, pay, provider, story
from tests.support.shopper import Shopper

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_Status = Confirmation.Status
SCHEDULE = [
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=12),
]


@pytest.fixture
def alerts(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    def read() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]

    return read


@pytest.fixture
def unresolved() -> Any:
    """The payments for which confirmation_unresolved was sent."""
    heard: list[Payment] = []

    def listen(payment: Payment, **_arguments: Any) -> None:
        heard.append(payment)

    confirmation_unresolved.connect(listen)
    yield heard
    confirmation_unresolved.disconnect(listen)


def latest(payment: Payment) -> Confirmation:
    return payment.confirmations.order_by("pk").last()  # type: ignore[return-value]


def try_again(payment: Payment) -> Confirmation:
    """Its time has come, and whoever delivers what is due delivers it."""
    Confirmation.objects.pending().update(due_at=timezone.now())
    settle()
    return latest(payment)


def undelivered(snipcart: StandIn, *faults: str | int, **session: Any) -> Payment:
    """A paid payment of which Snipcart has not heard, because of the faults."""
    for fault in faults:
        snipcart.fail("payment", fault)
    return pay(snipcart, **session)


# What is said


def test_a_paid_payment_is_confirmed_with_the_providers_transaction_and_a_refund_link(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)

    (body,) = snipcart.confirmations
    link = body.pop("links")["refunds"]
    assert body == {
        "paymentSessionId": payment.session_id,
        "state": "processed",
        "transactionId": f"tr-{payment.reference}",
    }
    assert re.fullmatch(r"https://pay\.shop\.example/checkout/live/refunds/[0-9a-f]{64}/", link)


def test_a_pending_payment_is_confirmed_as_processing_with_its_instructions(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="pending", instructions="Transfer to\nFR76")

    pay(snipcart)

    assert snipcart.confirmations[0]["state"] == "processing"
    assert snipcart.confirmations[0]["instructions"] == "Transfer to\nFR76"
    assert "links" in snipcart.confirmations[0]


@pytest.mark.parametrize("code, state", [("card_declined", "failed"), ("payment_expired", "invalidated")])
def test_a_failure_is_confirmed_with_code_and_message_and_without_a_refund_link(
    snipcart: StandIn, provider: Provider, code: str, state: str
) -> None:
    provider.script(charge="pending", lookup="declined", code=code)
    payment = pay(snipcart, language="fr")

    services.handle_return(payment)

    body = snipcart.confirmations[-1]
    assert (body["state"], body["error"]["code"]) == (state, code)
    assert body["error"]["message"] == Payment.objects.get().decline_message
    assert "links" not in body
    assert "instructions" not in body


def test_a_failure_is_confirmed_without_reading_the_order_for_which_there_will_be_none(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    payment = pay(snipcart)
    snipcart.fail("payment-session", 503, times=None)

    services.give_up(payment)

    assert [sent["state"] for sent in snipcart.confirmations] == ["failed"]


def test_our_reference_stands_in_for_the_transaction_of_a_payment_that_had_none(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    payment = pay(snipcart)

    services.give_up(payment)

    assert snipcart.confirmations[0]["transactionId"] == str(payment.reference)


def test_the_request_is_what_the_reference_asks_for(snipcart: StandIn, provider: Provider) -> None:
    pay(snipcart)

    (call,) = snipcart.calls_to("payment")
    assert call.headers["authorization"] == "Bearer primary-key-for-tests"
    assert call.headers["content-type"] == "application/json"


def test_letters_of_any_script_arrive_as_they_are(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="pending", instructions="Überweisung 請付款 ↔ “now”")

    pay(snipcart)

    assert snipcart.confirmations[0]["instructions"] == "Überweisung 請付款 ↔ “now”"


# The refund link


def test_only_a_hash_of_the_capability_is_stored(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    capability = urlsplit(snipcart.confirmations[0]["links"]["refunds"]).path.split("/")[-2]
    stored = json.dumps([*Payment.objects.values(), *Confirmation.objects.values()], default=str)
    assert capability not in stored
    assert payment.capability_hash == hashlib.sha256(capability.encode()).hexdigest()


def test_the_link_that_was_sent_refunds(snipcart: StandIn, provider: Provider) -> None:
    session = snipcart.session()
    Shopper().pay(session)

    assert ask_for_refund(session, "1.00").status_code == 200


def test_a_message_that_was_stored_before_an_upgrade_is_sent_with_the_link_that_it_was_stored_for(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = undelivered(snipcart, "cut-before")
    link = json.loads(snipcart.calls_to("payment")[0].body)["links"]["refunds"]
    capability = salted_hmac(
        "snipcart_checkout.refund_link", str(payment.reference), algorithm="sha256"
    ).hexdigest()
    stored = payment.confirmations.get().body

    assert link.endswith(f"/refunds/{capability}/")
    assert stored.count("/refunds/0capability0/") == 1


def test_instructions_that_quote_the_placeholder_do_not_get_the_capability(
    snipcart: StandIn, provider: Provider
) -> None:
    quoted = 'x","links":{"refunds":"/refunds/0capability0/"} 0capability0'
    provider.script(instructions=quoted)

    pay(snipcart)

    body = snipcart.confirmations[0]
    assert body["instructions"] == quoted
    assert "0capability0" not in body["links"]["refunds"]


def test_a_failure_that_quotes_the_placeholder_does_not_get_the_capability(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined", message="0capability0")

    services.give_up(pay(snipcart))

    assert snipcart.confirmations[0]["error"]["message"] == "0capability0"


def test_the_link_stays_the_same_when_the_secret_key_is_rotated(
    snipcart: StandIn, provider: Provider, settings: Any
) -> None:
    payment = undelivered(snipcart, "cut-after")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the-next-secret-key"

    try_again(payment)

    first, second = snipcart.calls_to("payment")
    assert first.body == second.body


def test_without_the_secret_key_of_its_time_it_is_confirmed_without_a_link_and_somebody_is_alerted(
    snipcart: StandIn,
    provider: Provider,
    settings: Any,
    alerts: Callable[[], list[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    payment = undelivered(snipcart, "cut-before")
    settings.SECRET_KEY = "the-next-secret-key"

    assert try_again(payment).status == _Status.DELIVERED

    first, second = (call.body.decode() for call in snipcart.calls_to("payment"))
    assert second == re.sub(r',"links":{[^}]*}', "", first) != first
    (alert,) = alerts()
    assert alert.startswith(f"payment {payment.reference}: ")
    assert "SECRET_KEY_FALLBACKS" in alert
    assert f"payment {payment.reference}: notified without a refund link" in caplog.text


# Repeats


def test_a_repeat_is_the_same_byte_for_byte(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="pending", instructions="é\n請")
    payment = undelivered(snipcart, 500, "cut-after", 429)
    provider.script()

    for _ in range(3):
        try_again(payment)

    assert len({call.body for call in snipcart.calls_to("payment")}) == 1
    assert len(snipcart.calls_to("payment")) == 4


@pytest.mark.parametrize(
    "fault",
    [408, 425, 429, 500, 502, 503, 504, 301, 304, "redirect", "cut-before", "cut-after", "hang-after"],
)
def test_what_is_neither_delivered_nor_refused_stays_on_the_schedule(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings, fault: str | int
) -> None:
    checkout_settings(READ_TIMEOUT=1)
    payment = undelivered(snipcart, fault)

    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    assert latest(payment).status == _Status.PENDING
    assert try_again(payment).status == _Status.DELIVERED


def test_a_port_that_nobody_listens_on_leaves_it_on_the_schedule(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = undelivered(snipcart, 500)
    snipcart.stop()
    assert try_again(payment).status == _Status.PENDING
    snipcart.start()

    assert try_again(payment).status == _Status.DELIVERED


def test_the_schedule_grows_from_half_a_minute_to_half_a_day(snipcart: StandIn, provider: Provider) -> None:
    snipcart.fail("payment", 500, times=None)
    before = timezone.now()
    payment = pay(snipcart)

    for step in SCHEDULE:
        after = timezone.now()
        assert before + step * 0.95 <= latest(payment).due_at <= after + step
        before = timezone.now()
        try_again(payment)


def test_the_schedule_is_spread_so_that_an_outage_does_not_end_with_everybody_at_once(
    snipcart: StandIn, provider: Provider
) -> None:
    snipcart.fail("payment", 500, times=None)
    payments = [pay(snipcart) for _ in range(5)]
    Confirmation.objects.update(attempts=9)
    try_again(payments[0])

    moments = sorted(latest(payment).due_at for payment in payments)

    # A twentieth of half a day is 36 minutes.
    assert moments[-1] - moments[0] > timedelta(minutes=1)


def test_nothing_is_sent_before_its_time(snipcart: StandIn, provider: Provider) -> None:
    undelivered(snipcart, 500)

    assert settle().delivered == 0
    assert len(snipcart.calls_to("payment")) == 1


def aged(payment: Payment, age: timedelta) -> None:
    payment.confirmations.update(created_at=timezone.now() - age)


def test_the_last_try_is_at_72_hours(snipcart: StandIn, provider: Provider) -> None:
    snipcart.fail("payment", 500, times=None)
    payment = pay(snipcart)
    aged(payment, timedelta(hours=71, minutes=50))
    Confirmation.objects.update(attempts=12)

    confirmation = try_again(payment)

    assert confirmation.status == _Status.PENDING
    assert confirmation.due_at == confirmation.created_at + timedelta(hours=72)


def test_after_72_hours_it_is_left_to_a_person_with_an_alert(
    snipcart: StandIn,
    provider: Provider,
    alerts: Any,
    unresolved: list[Payment],
    caplog: pytest.LogCaptureFixture,
) -> None:
    snipcart.fail("payment", 500, times=None)
    payment = pay(snipcart)
    aged(payment, timedelta(hours=72))
    caplog.clear()

    assert try_again(payment).status == _Status.REVIEW
    assert "next attempt" not in caplog.text
    assert Payment.objects.get().state == Payment.State.PAID
    assert unresolved == [payment]
    assert [alert for alert in alerts() if str(payment.reference) in alert]
    assert story(payment)[-1] == "confirmation_gave_up"


# Refused


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 413, 415, 422, 451])
def test_a_definite_refusal_on_the_first_clear_try_goes_to_review_with_an_alert(
    snipcart: StandIn, provider: Provider, alerts: Any, unresolved: list[Payment], status: int
) -> None:
    payment = undelivered(snipcart, status)

    assert latest(payment).status == _Status.REVIEW
    assert Payment.objects.get().state == Payment.State.PAID
    assert unresolved == [payment]
    assert len(alerts()) == 1
    assert story(payment)[-1] == "confirmation_refused"


def test_a_refusal_opens_the_case_of_its_payment_anew(
    snipcart: StandIn, provider: Provider, unresolved: list[Payment]
) -> None:
    payment, other = undelivered(snipcart, 429), pay(snipcart)
    Payment.objects.update(resolved_at=timezone.now(), reported_at=timezone.now())
    snipcart.fail("payment", 400)

    try_again(payment)

    payment.refresh_from_db()
    other.refresh_from_db()
    assert (payment.resolved_at, other.resolved_at is None) == (None, False)
    assert [(told.pk, told.resolved_at) for told in unresolved] == [(payment.pk, None)]


@pytest.mark.parametrize("unclear", ["cut-after", "hang-after", 500, 502, 504, 408, "cut-before"])
def test_a_refusal_after_an_unclear_try_counts_as_delivered(
    snipcart: StandIn,
    provider: Provider,
    checkout_settings: CheckoutSettings,
    alerts: Callable[[], list[str]],
    unresolved: list[Payment],
    unclear: str | int,
) -> None:
    checkout_settings(READ_TIMEOUT=1)
    for answer in (400, 409):
        payment = undelivered(snipcart, unclear)
        snipcart.fail("payment", answer)

        confirmation = try_again(payment)

        assert (confirmation.status, confirmation.last_http_status) == (_Status.DELIVERED, answer)
        assert story(payment)[-1] == "confirmation_recorded_before"
        payment.refresh_from_db()
        assert payment.order_url == ""
        (alert,) = (alert for alert in alerts() if str(payment.reference) in alert)
        assert f"answered {answer} to a repeated confirmation" in alert

    assert unresolved == []


def test_nobody_is_alerted_of_a_failure_that_counts_as_delivered_though_it_was_refused(
    snipcart: StandIn, provider: Provider, alerts: Callable[[], list[str]]
) -> None:
    provider.script(charge="declined")
    payment = pay(snipcart)
    snipcart.fail("payment", "cut-after")
    services.give_up(payment)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.DELIVERED
    assert alerts() == []


def test_a_refusal_counts_as_delivered_however_many_clear_tries_came_after_the_unclear_one(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = undelivered(snipcart, "cut-after")
    snipcart.fail("payment", 429)
    try_again(payment)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.DELIVERED


@pytest.mark.parametrize("status", [404, 410, 422])
def test_a_refusal_after_an_unclear_try_goes_to_review_where_it_does_not_mean_a_repeat(
    snipcart: StandIn, provider: Provider, status: int
) -> None:
    payment = undelivered(snipcart, "cut-after")
    snipcart.fail("payment", status)

    assert try_again(payment).status == _Status.REVIEW


@pytest.mark.parametrize("failure", [400, "cut-after"], ids=["refused", "unclear"])
def test_a_refusal_after_an_unclear_try_goes_to_review_when_a_failure_may_have_been_recorded_before(
    snipcart: StandIn, provider: Provider, failure: str | int
) -> None:
    provider.script(charge="declined", lookup="paid")
    payment = pay(snipcart)
    snipcart.fail("payment", failure)
    services.give_up(payment)
    snipcart.fail("payment", 500)
    services.handle_return(payment)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.REVIEW


def test_a_refusal_after_an_unclear_try_goes_to_review_when_the_session_had_failed_before(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    provider.script(charge="declined")
    services.give_up(pay(snipcart, session=session))
    provider.script()
    snipcart.fail("payment", "cut-after")
    payment = pay(snipcart, session=session)

    confirmation = try_again(payment)

    assert [body["state"] for body in session.confirmations] == ["failed"]
    assert confirmation.status == _Status.REVIEW


def test_a_failure_of_which_snipcart_never_got_a_byte_does_not_make_a_refusal_the_first(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined", lookup="paid")
    payment = pay(snipcart)
    snipcart.fail("payment", 429)
    services.give_up(payment)
    snipcart.fail("payment", 500)
    services.handle_return(payment)
    assert list(payment.confirmations.values_list("outcome", "status")) == [
        ("failed", _Status.SUPERSEDED),
        ("processed", _Status.PENDING),
    ]
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.DELIVERED


@pytest.mark.parametrize("clear", [425, 429, "redirect", 301])
def test_a_refusal_after_a_try_that_cannot_have_been_recorded_goes_to_review(
    snipcart: StandIn, provider: Provider, clear: str | int
) -> None:
    payment = undelivered(snipcart, clear)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.REVIEW


def test_a_refusal_after_snipcart_could_not_be_reached_goes_to_review(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = undelivered(snipcart, 429)
    snipcart.stop()
    try_again(payment)
    snipcart.start()
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.REVIEW


def test_a_refusal_after_a_failure_could_not_be_sent_goes_to_review(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    payment = pay(snipcart)
    snipcart.fail("payment", 429)
    services.give_up(payment)
    snipcart.stop()
    assert try_again(payment).attempts == 2
    snipcart.start()
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.REVIEW


def test_a_refusal_after_every_key_was_refused_goes_to_review(snipcart: StandIn, provider: Provider) -> None:
    payment = undelivered(snipcart, 401, 403)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.REVIEW


def test_a_refusal_after_the_store_was_not_configured_goes_to_review(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    payment = undelivered(snipcart, 429)
    live = checkout_settings()["STORES"]["live"]
    checkout_settings.remove("STORES.live")
    try_again(payment)
    checkout_settings.store("live", **live)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.REVIEW


@pytest.mark.django_db(transaction=True)
def test_an_attempt_is_unclear_while_it_is_made(snipcart: StandIn, provider: Provider) -> None:
    seen: list[bool] = []

    def look() -> None:
        seen.append(Confirmation.objects.get().unclear)
        connection.close()

    snipcart.before("payment", look)

    pay(snipcart)

    assert seen == [True]


@pytest.mark.parametrize("was_sending, status", [(True, _Status.DELIVERED), (False, _Status.REVIEW)])
def test_a_process_that_died_makes_the_attempt_unclear_only_once_it_was_sending(
    snipcart: StandIn, provider: Provider, was_sending: bool, status: str
) -> None:
    payment = undelivered(snipcart, 429)
    Confirmation.objects.update(
        lease_until=timezone.now() - timedelta(seconds=1), attempts=2, unclear=was_sending
    )
    snipcart.fail("payment", 400)

    assert try_again(payment).status == status


def test_a_real_repeat_that_snipcart_refuses_counts_as_delivered(
    provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    with StandIn(accepts_repeats=False) as strict:
        checkout_settings(**strict.settings)
        payment = undelivered(strict, "cut-after")

        assert try_again(payment).status == _Status.DELIVERED
        assert [body["state"] for body in strict.confirmations] == ["processed"]


# Keys


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_followed_by_the_next_in_the_same_try(
    snipcart: StandIn, provider: Provider, status: int
) -> None:
    snipcart.fail("payment", status)

    payment = pay(snipcart)

    keys = [call.headers["authorization"] for call in snipcart.calls_to("payment")]
    assert keys == ["Bearer primary-key-for-tests", "Bearer secondary-key-for-tests"]
    assert (latest(payment).status, latest(payment).attempts) == (_Status.DELIVERED, 1)


def test_the_log_names_the_position_of_a_refused_key(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    snipcart.revoke("primary-key-for-tests")

    pay(snipcart)

    assert "refused API key 1 of store live" in caplog.text
    assert "primary-key-for-tests" not in caplog.text


def test_when_every_key_is_refused_staff_are_alerted_at_once_and_once(
    snipcart: StandIn, provider: Provider, alerts: Any, unresolved: list[Payment]
) -> None:
    snipcart.fail("payment", 401, times=None)

    payment = pay(snipcart)
    assert len(alerts()) == 1
    try_again(payment)

    assert len(alerts()) == 1
    assert unresolved == [payment]
    assert latest(payment).status == _Status.PENDING


def test_new_keys_deliver_what_the_old_ones_could_not(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    snipcart.revoke("primary-key-for-tests")
    snipcart.revoke("secondary-key-for-tests")
    payment = pay(snipcart)
    checkout_settings.store(API_KEYS=["key-3"])

    assert try_again(payment).status == _Status.DELIVERED


def test_a_refusal_with_the_second_key_is_definite(snipcart: StandIn, provider: Provider) -> None:
    payment = undelivered(snipcart, 401, 400)

    assert latest(payment).status == _Status.REVIEW


def test_a_store_that_is_configured_no_more_does_not_lose_the_confirmation(
    snipcart: StandIn,
    provider: Provider,
    checkout_settings: CheckoutSettings,
    alerts: Callable[[], list[str]],
) -> None:
    payment = undelivered(snipcart, 500)
    live = checkout_settings()["STORES"]["live"]
    checkout_settings.remove("STORES.live")
    try_again(payment)
    checkout_settings.store("live", **live)
    assert [alert for alert in alerts() if "store live" in alert] == [
        "store live: Snipcart refused every API key; replace them"
    ]

    assert try_again(payment).status == _Status.DELIVERED


# The way on


def test_the_shopper_is_led_to_where_snipcart_says(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    page = Shopper().look(payment)

    address = f"https://shop.example/#/order/{payment.session_id}"
    assert page["Refresh"].endswith(f"; url={address}")
    assert f'href="{address}"' in page.content.decode()


@pytest.mark.parametrize(
    "fault", ["not-json", "wrong-json", "truncated-json", "cut-body", "huge", "gzip-bomb"]
)
def test_a_2xx_that_cannot_be_read_is_delivered_with_a_warning_and_the_page_says_paid(
    snipcart: StandIn, provider: Provider, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    payment = undelivered(snipcart, fault)

    assert latest(payment).status == _Status.DELIVERED
    assert "no usable returnUrl" in caplog.text
    page = Shopper().look(payment)
    assert 'data-sc-state="paid"' in page.content.decode()


@pytest.mark.parametrize(
    "shop_url",
    [
        "https://evil.example",
        "http://shop.example",
        "https://shop.example@evil.example",
        "javascript:alert(1)//",
    ],
)
def test_a_way_on_that_is_not_a_link_to_the_shop_is_not_shown(
    provider: Provider, checkout_settings: CheckoutSettings, shop_url: str
) -> None:
    with StandIn(shop_url=shop_url) as odd:
        checkout_settings(**odd.settings)

        payment = pay(odd, cart_url="https://shop.example/#/cart")

        assert latest(payment).status == _Status.DELIVERED
        page = Shopper().look(payment)
        assert page.status_code == 200
        assert shop_url not in page.content.decode() + str(page.headers)
        assert "https://shop.example/#/cart" in page.content.decode()


# Order


def pending(snipcart: StandIn, provider: Provider, *faults: str | int, **session: Any) -> Payment:
    """A pending payment of which Snipcart has not heard, because of the faults."""
    provider.script(charge="pending")
    return undelivered(snipcart, *faults, **session)


@pytest.mark.parametrize("lookup, final", [("paid", "processed"), ("declined", "failed")])
def test_an_undelivered_processing_is_superseded_when_the_final_outcome_is_enqueued(
    snipcart: StandIn, provider: Provider, lookup: str, final: str
) -> None:
    payment = pending(snipcart, provider, 429)
    provider.script(lookup=lookup)

    services.handle_return(payment)

    assert [body["state"] for body in snipcart.confirmations] == [final]
    superseded = payment.confirmations.get(outcome="processing")
    assert superseded.status == _Status.SUPERSEDED
    assert superseded.finished_at is not None
    event = payment.events.get(name="confirmation_superseded")
    assert (event.source, event.data) == ("shopper", {"outcome": "processing"})


def test_the_final_word_about_one_payment_drops_nothing_of_another(
    snipcart: StandIn, provider: Provider
) -> None:
    payment, other = pending(snipcart, provider, 429), pending(snipcart, provider, 429)
    provider.complete(payment.reference)

    services.handle_return(payment)

    assert other.confirmations.get().status == _Status.PENDING


def test_the_final_outcome_waits_for_a_processing_that_is_being_sent_and_then_supersedes_it(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pending(snipcart, provider, 429)
    Confirmation.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    provider.complete(payment.reference)
    services.handle_return(payment)
    assert len(snipcart.calls_to("payment")) == 1

    Confirmation.objects.update(lease_until=None)
    read = len(snipcart.calls_to("payment-session"))
    deliver_session(payment.session_key, at_once=True)

    assert [body["state"] for body in snipcart.confirmations] == ["processed"]
    assert len(snipcart.calls_to("payment-session")) == read + 1  # not for what is not sent
    event = payment.events.get(name="confirmation_superseded")
    assert (event.source, event.data) == ("snipcart", {"outcome": "processing", "attempts": 2})


def test_the_second_confirmation_waits_for_the_first(snipcart: StandIn, provider: Provider) -> None:
    payment = pending(snipcart, provider, 429)
    Confirmation.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    provider.complete(payment.reference)
    services.handle_return(payment)
    Confirmation.objects.filter(outcome="processing").update(
        lease_until=None, due_at=timezone.now() + timedelta(hours=1)
    )

    settle()

    assert snipcart.confirmations == []


def test_a_processing_that_was_delivered_is_followed_by_the_final_outcome(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pending(snipcart, provider)
    provider.complete(payment.reference)

    services.handle_return(payment)

    assert [body["state"] for body in snipcart.confirmations] == ["processing", "processed"]


def test_sessions_do_not_wait_for_each_other(snipcart: StandIn, provider: Provider) -> None:
    undelivered(snipcart, 500)

    assert latest(pay(snipcart)).status == _Status.DELIVERED


# Many hosts


def test_what_another_process_is_sending_is_left_to_it(snipcart: StandIn, provider: Provider) -> None:
    payment = undelivered(snipcart, 500)
    Confirmation.objects.update(lease_until=timezone.now() + timedelta(minutes=1))

    assert try_again(payment).status == _Status.PENDING
    assert len(snipcart.calls_to("payment")) == 1


class TenantsConnection(type(connections["default"])):  # type: ignore[misc]
    """A connection of another package than Django, which may know what another one would not."""


@pytest.mark.parametrize(
    "apart, changed",
    [
        (True, {}),
        (True, {"is_in_memory_db": None}),
        (False, {"execute_wrappers": [lambda execute, *query: execute(*query)]}),
        (False, {"is_in_memory_db": lambda: True}),
        (False, {"__class__": TenantsConnection}),
    ],
    ids=["plain", "of a server", "watched", "in memory", "of a tenant"],
)
@pytest.mark.django_db(transaction=True)
def test_threads_deliver_where_another_connection_is_as_good(
    snipcart: StandIn,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    apart: bool,
    changed: dict[str, Any],
) -> None:
    due_after_an_outage(snipcart, 3)

    assert delivering_threads(caplog, many=3, **changed) == {"snipcart_settle" if apart else "MainThread"}


def test_one_thread_delivers_in_a_tests_transaction(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    due_after_an_outage(snipcart, 3)

    assert delivering_threads(caplog, many=3) == {"MainThread"}


@pytest.mark.django_db(transaction=True)
def test_threads_deliver_where_two_calls_are_allowed_at_a_time(
    snipcart: StandIn,
    provider: Provider,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    checkout_settings(MAX_CALLS_IN_FLIGHT=2)
    due_after_an_outage(snipcart, 3)

    assert delivering_threads(caplog, many=3) == {"snipcart_settle"}


@pytest.mark.django_db(transaction=True)
def test_threads_that_delivered_leave_no_connection_behind(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    due_after_an_outage(snipcart, 3)
    opened: list[Any] = []

    def note(connection: Any, **_arguments: Any) -> None:
        opened.append(connection)

    connection_created.connect(note)
    try:
        delivering_threads(caplog, many=3)
    finally:
        connection_created.disconnect(note)

    assert opened
    assert [one for one in opened if one.connection is not None] == []


@pytest.mark.django_db(transaction=True)
def test_threads_begin_nothing_more_when_the_run_is_interrupted(
    snipcart: StandIn, provider: Provider
) -> None:
    due_after_an_outage(snipcart, 12)
    snipcart.before("payment", lambda: time.sleep(0.1), times=None)
    threads: list[str] = []

    def interrupt_the_first() -> bool:
        threads.append(threading.current_thread().name)
        if threads[-1] == "snipcart_settle_0" and threads.count("snipcart_settle_0") > 1:
            raise KeyboardInterrupt
        return False

    with pytest.MonkeyPatch.context() as patch:
        share_connection(patch, many=3)
        with pytest.raises(KeyboardInterrupt):
            due_deliveries.deliver_due(interrupt_the_first)

    assert 0 < len(snipcart.confirmations) < 12
    assert set(threads) == {"MainThread", *(f"snipcart_settle_{number}" for number in range(4))}


def test_as_many_batches_are_delivered_as_are_due(
    snipcart: StandIn, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_deliveries, "_BATCH", 1)
    due_after_an_outage(snipcart, 5)

    assert due_deliveries.deliver_due(lambda: False) == 5


def test_a_run_does_not_go_on_trying_what_cannot_be_delivered(
    snipcart: StandIn, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_deliveries, "_BATCH", 1)
    due_after_an_outage(snipcart, 2)
    snipcart.fail("payment", 500, times=None)
    rounds = iter(range(20))

    assert due_deliveries.deliver_due(lambda: next(rounds) == 19) == 0
    assert next(rounds) < 19


@pytest.mark.parametrize("many, cap", [(4, 8), (3, 1)])
@pytest.mark.django_db(transaction=True)
def test_one_thread_delivers_few_sessions_and_where_one_call_is_allowed_at_a_time(
    snipcart: StandIn,
    provider: Provider,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
    many: int,
    cap: int,
) -> None:
    checkout_settings(MAX_CALLS_IN_FLIGHT=cap)
    due_after_an_outage(snipcart, 3)

    assert delivering_threads(caplog, many=many) == {"MainThread"}


def due_after_an_outage(snipcart: StandIn, sessions: int) -> None:
    for _ in range(sessions):
        undelivered(snipcart, 500)
    Confirmation.objects.update(due_at=timezone.now() - timedelta(minutes=1))


def delivering_threads(caplog: pytest.LogCaptureFixture, *, many: int, **changed: Any) -> set[str]:
    """The threads that deliver all that is due over a changed connection, without their numbers."""
    caplog.clear()
    with caplog.at_level("INFO"), pytest.MonkeyPatch.context() as patch:
        share_connection(patch, many=many, **changed)
        assert due_deliveries.deliver_due(lambda: False) == 3
    return {
        str(record.threadName).rpartition("_")[0] or str(record.threadName)
        for record in caplog.records
        if "confirmation_delivered" in record.getMessage()
    }


def share_connection(patch: pytest.MonkeyPatch, *, many: int, **changed: Any) -> None:
    """Make so many sessions enough for threads, over a connection like a site's own, but for what is changed."""
    # The tests' own connection is watched, and in memory where it shares nothing with other processes.
    plain = {"execute_wrappers": [], "is_in_memory_db": lambda: False}
    patch.setattr(due_deliveries, "_MANY", many)
    for name, value in {**plain, **changed}.items():
        patch.setattr(connections["default"], name, value, raising=False)


def test_what_another_process_has_just_tried_is_not_tried_again(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = undelivered(snipcart, 500)
    others = Confirmation.objects.filter(payment=payment)
    takes_lease = r"UPDATE .snipcart_checkout_confirmation. SET .attempts. = "

    with before(takes_lease, lambda: others.update(attempts=F("attempts") + 1)):
        deliver_session(payment.session_key, at_once=True)

    assert len(snipcart.calls_to("payment")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other, status", [(None, _Status.DELIVERED), ("cut-after", _Status.PENDING)])
def test_a_refusal_that_comes_after_another_process_took_over_changes_nothing(
    provider: Provider,
    checkout_settings: CheckoutSettings,
    unresolved: list[Payment],
    other: str | None,
    status: str,
) -> None:
    with StandIn(accepts_repeats=False) as strict:
        checkout_settings(**strict.settings)
        # The first waits so long for its answer that its lease runs out; the second is recorded first.
        strict.before("payment", _take_over)
        if other:
            strict.fail("payment", other)

        payment = pay(strict)

        assert len(strict.calls_to("payment")) == 2
        assert latest(payment).status == status
        assert unresolved == []


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_comes_after_another_process_failed_is_taken(
    snipcart: StandIn, provider: Provider
) -> None:
    snipcart.before("payment", _take_over)
    snipcart.fail("payment", 500)

    payment = pay(snipcart)

    assert latest(payment).status == _Status.DELIVERED
    assert Payment.objects.get().order_url


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_comes_after_it_was_left_to_a_person_is_taken(
    snipcart: StandIn, provider: Provider
) -> None:
    def leave_to_review() -> None:
        Confirmation.objects.update(status=_Status.REVIEW, lease_until=None)
        connection.close()

    snipcart.before("payment", leave_to_review)

    assert latest(pay(snipcart)).status == _Status.DELIVERED


@pytest.mark.django_db(transaction=True)
def test_a_refused_repeat_of_two_processes_counts_as_delivered_once(
    snipcart: StandIn, provider: Provider, alerts: Callable[[], list[str]]
) -> None:
    payment = undelivered(snipcart, "cut-after")
    snipcart.fail("payment", 400, times=2)
    snipcart.before("payment", _take_over)

    assert try_again(payment).status == _Status.DELIVERED
    assert story(payment).count("confirmation_recorded_before") == 1
    assert len(alerts()) == 1


def _take_over() -> None:
    # Called in the stand-in's thread, which has a connection of its own.
    try:
        Confirmation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        settle()
    finally:
        connection.close()


def test_deliveries_count_only_what_snipcart_recorded(snipcart: StandIn, provider: Provider) -> None:
    undelivered(snipcart, 429)
    undelivered(snipcart, 429)
    Confirmation.objects.update(due_at=timezone.now())
    snipcart.fail("payment", 400)

    assert settle().delivered == 1


def test_a_run_whose_time_is_over_begins_no_delivery(snipcart: StandIn, provider: Provider) -> None:
    undelivered(snipcart, 429)
    Confirmation.objects.update(due_at=timezone.now())

    report = settle(time_limit=0.000001)

    assert (report.delivered, report.is_complete) == (0, False)


def test_what_a_delivery_returns_prints_nothing_of_the_session_that_it_read(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = undelivered(snipcart, 429, email="ada@example.org")

    delivery = deliver_session(payment.session_key, at_once=True)

    assert delivery.sessions[payment.pk].invoice.email == "ada@example.org"
    assert "ada@example.org" not in repr(delivery)


def test_a_delivered_confirmation_is_never_sent_again(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    deliver_session(payment.session_key, at_once=True)

    assert len(snipcart.calls_to("payment")) == 1


@pytest.mark.django_db(transaction=True)
def test_a_lease_holds_however_long_a_call_may_take(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings(TOTAL_TIMEOUT=3000)
    due: list[int] = []

    def look() -> None:
        Confirmation.objects.update(due_at=timezone.now())
        due.append(Confirmation.objects.due().count())
        connection.close()

    snipcart.before("payment", look)

    pay(snipcart)

    assert due == [0]
    assert len(snipcart.calls_to("payment")) == 1


@pytest.mark.parametrize("seconds", [5, 60])
def test_a_lease_holds_while_the_order_is_compared_and_every_key_is_tried(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings, seconds: int
) -> None:
    checkout_settings(TOTAL_TIMEOUT=seconds)
    snipcart.fail("payment-session", 503, nth=2)
    pay(snipcart)
    began = timezone.now()
    confirmation = Confirmation.objects.get()
    leases: list[timedelta] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith("UPDATE") and "lease_until" in sql:
            confirmation.refresh_from_db()
            leases.append((confirmation.lease_until or began) - began)
        return result

    with connection.execute_wrapper(watch):
        deliver_session(confirmation.session_key, at_once=True)

    assert max(leases) > timedelta(seconds=seconds * 3)


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_ran_out_before_sending_sends_nothing_and_is_clear(
    snipcart: StandIn, provider: Provider
) -> None:
    def let_the_lease_run_out() -> None:
        Confirmation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        connection.close()

    snipcart.before("payment-session", let_the_lease_run_out, nth=2)

    payment = pay(snipcart)

    confirmation = payment.confirmations.get()
    assert (confirmation.status, confirmation.unclear) == ("pending", False)
    assert snipcart.calls_to("payment") == []


# Whether the order was compared


def test_that_the_order_was_compared_is_noted_of_no_other_payment(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="redirect")
    unread = pay(snipcart)
    provider.complete(unread.pk)
    snipcart.fail("payment-session", 503)
    services.handle_return(unread)
    provider.script()

    compared = pay(snipcart)

    checks = dict(Payment.objects.values_list("pk", "order_check"))
    assert checks == {unread.pk: Payment.OrderCheck.NONE, compared.pk: Payment.OrderCheck.SAME}


def test_a_failure_that_was_delivered_is_no_reason_to_send_what_was_not_compared(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    provider.script(charge="declined")
    for _ in range(10):
        payment = pay(snipcart, session=session)
    assert [body["state"] for body in session.confirmations] == ["failed"]
    provider.script(lookup="paid")
    snipcart.fail("payment-session", 410, times=None)

    services.handle_return(payment)

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (Payment.State.REVIEW, "order_unverified")
    assert [body["state"] for body in session.confirmations] == ["failed"]


def test_an_order_that_could_not_be_compared_is_not_noted_as_compared(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    provider.script(charge="pending")
    payment = pay(snipcart, session=session)
    payment.refresh_from_db()
    assert payment.order_check == Payment.OrderCheck.NONE  # nothing was captured yet
    snipcart.expire(session)

    assert services.mark_received(payment, by="ada")

    assert [body["state"] for body in session.confirmations] == ["processing", "processed"]
    payment.refresh_from_db()
    assert payment.order_check == Payment.OrderCheck.NONE


def test_an_order_that_staff_accept_while_it_is_compared_stays_accepted(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = undelivered(snipcart, 429)
    ours = Payment.objects.filter(pk=payment.pk)
    ours.update(order_check=Payment.OrderCheck.NONE)
    begins_sending = r"UPDATE .snipcart_checkout_confirmation. SET .unclear."

    with before(begins_sending, lambda: ours.update(order_check=Payment.OrderCheck.WAIVED)):
        deliver_session(payment.session_key, at_once=True)

    payment.refresh_from_db()
    assert payment.order_check == Payment.OrderCheck.WAIVED


def test_an_order_that_is_withheld_stands_in_the_history_with_its_reason(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    snipcart.fail("payment", 503)
    payment = pay(snipcart, session=session)
    assert Payment.objects.get().order_check == Payment.OrderCheck.SAME
    Payment.objects.update(resolved_at=timezone.now(), reported_at=timezone.now())
    snipcart.change(session, amount="99.00")
    heard: list[tuple[str, str]] = []

    def listen(payment: Payment, reason: str, **_arguments: Any) -> None:
        heard.append((payment.state, reason))

    payment_needs_review.connect(listen)
    try:
        withheld = try_again(payment)
    finally:
        payment_needs_review.disconnect(listen)

    payment.refresh_from_db()
    assert (payment.order_check, payment.resolved_at) == (Payment.OrderCheck.NONE, None)
    assert heard == [("review", "order_changed")]

    assert (withheld.status, withheld.lease_until) == (_Status.REVIEW, None)
    assert withheld.alerted_at == withheld.finished_at == withheld.due_at
    assert timezone.now() - timedelta(minutes=1) < withheld.due_at < timezone.now()
    event = payment.events.get(name="confirmation_withheld")
    assert event.data == {"outcome": "processed", "reason": "order_changed", "was": "paid"}


def test_a_payment_whose_order_is_withheld_keeps_no_secret_and_leads_nobody_to_the_provider(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    provider.script(charge="redirect")
    payment = pay(snipcart, session=session)
    Payment.objects.update(form={"telephone": "1"})
    payment.refresh_from_db()
    provider.script(lookup="pending")
    snipcart.change(session, amount="99.00")

    services.handle_return(payment)

    payment.refresh_from_db()
    assert payment.state == Payment.State.REVIEW
    assert (payment.redirect_url, payment.form, payment.public_token) == ("", {}, "")


def test_an_order_that_another_process_has_taken_over_is_not_withheld(
    snipcart: StandIn, provider: Provider, alerts: Callable[[], list[str]]
) -> None:
    session = snipcart.session()
    payment = undelivered(snipcart, 429, session=session)
    snipcart.change(session, amount="99.00")
    others = Confirmation.objects.filter(payment=payment)

    with before(
        r"UPDATE .snipcart_checkout_confirmation. SET .status. = ",
        lambda: others.update(attempts=F("attempts") + 1),
    ):
        deliver_session(payment.session_key, at_once=True)

    payment.refresh_from_db()
    assert (payment.state, latest(payment).status) == (Payment.State.PAID, _Status.PENDING)
    assert alerts() == []


def test_a_try_that_fails_changes_no_other_confirmation(snipcart: StandIn, provider: Provider) -> None:
    payment, other = undelivered(snipcart, 429), undelivered(snipcart, 429)
    others = Confirmation.objects.filter(payment=other)
    others.update(attempts=2)
    untouched = others.values().get()

    for answer in (503, 400):
        snipcart.fail("payment", answer)
        deliver_session(payment.session_key, at_once=True)
        others.update(attempts=3)

    assert others.values().get() == {**untouched, "attempts": 3}


def test_the_token_stays_while_the_order_may_have_to_be_compared_again(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pending(snipcart, provider)
    payment.refresh_from_db()
    assert payment.public_token
    provider.complete(payment.reference)

    services.handle_return(payment)

    payment.refresh_from_db()
    assert payment.public_token == ""


def test_an_order_is_withheld_also_where_its_payment_changes_meanwhile(
    snipcart: StandIn, provider: Provider, alerts: Callable[[], list[str]]
) -> None:
    session = snipcart.session()
    payment = undelivered(snipcart, 429, session=session)
    snipcart.change(session, amount="99.00")
    changes_payment = r"UPDATE .snipcart_checkout_payment. SET .state."

    with before(changes_payment, lambda: Payment.objects.update(version=F("version") + 1)):
        deliver_session(payment.session_key, at_once=True)

    payment.refresh_from_db()
    assert (payment.state, latest(payment).status) == (Payment.State.REVIEW, _Status.REVIEW)
    assert story(payment).count("confirmation_withheld") == len(alerts()) == 1


def test_the_failure_follows_at_once_when_a_payment_is_declined_while_its_order_is_compared(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    payment = pending(snipcart, provider, 429, session=session)
    snipcart.change(session, amount="99.00")
    failure = {
        "paymentSessionId": session.id,
        "state": "failed",
        "transactionId": "tr-1",
        "error": {"code": "card_declined", "message": "Declined"},
    }

    def decline() -> None:
        Payment.objects.filter(pk=payment.pk).update(state="declined")
        payment.confirmations.create(
            session_key=payment.session_key, outcome="failed", body=json.dumps(failure)
        )

    with before(r"UPDATE .snipcart_checkout_confirmation. SET .status. = ", decline):
        assert deliver_session(payment.session_key, at_once=True).delivered == 1

    assert [body["state"] for body in session.confirmations] == ["failed"]


def test_what_is_declined_while_its_order_is_compared_is_superseded_and_nothing_else_is(
    snipcart: StandIn, provider: Provider, alerts: Callable[[], list[str]]
) -> None:
    snipcart.fail("payment", 503, times=2)
    another = pay(snipcart)
    session = snipcart.session()
    provider.script(charge="pending")
    payment = pay(snipcart, session=session)
    snipcart.change(session, amount="99.00")
    decline = Payment.objects.filter(pk=payment.pk)

    with before(
        r"UPDATE .snipcart_checkout_confirmation. SET .status. = ", lambda: decline.update(state="declined")
    ):
        deliver_session(payment.session_key, at_once=True)

    superseded = latest(payment)
    assert (superseded.status, superseded.alerted_at) == (_Status.SUPERSEDED, None)
    assert latest(another).status == _Status.PENDING
    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (Payment.State.DECLINED, "")
    assert alerts() == []


def test_a_delivery_stands_in_the_history_and_changes_its_own_payment_only(
    snipcart: StandIn, provider: Provider
) -> None:
    waiting = undelivered(snipcart, 429)
    hour_ago = timezone.now() - timedelta(hours=1)
    Payment.objects.update(updated_at=hour_ago)
    before = Payment.objects.filter(pk=waiting.pk).values().get()

    delivered = undelivered(snipcart, 429)
    Payment.objects.filter(pk=delivered.pk).update(updated_at=hour_ago)
    deliver_session(delivered.session_key, at_once=True)

    assert Payment.objects.filter(pk=waiting.pk).values().get() == before
    delivered.refresh_from_db()
    assert (delivered.public_token, delivered.order_url > "") == ("", True)
    assert delivered.updated_at > hour_ago
    event = delivered.events.get(name="confirmation_delivered")
    assert (event.source, event.data) == ("snipcart", {"outcome": "processed", "attempts": 2})


def test_what_became_of_a_confirmation_is_stored_with_its_moment(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    delivered = latest(pay(snipcart))
    refused = latest(undelivered(snipcart, 422))
    waiting = latest(undelivered(snipcart, 503))

    assert (delivered.finished_at is None, delivered.alerted_at) == (False, None)
    assert (refused.finished_at is None, refused.alerted_at is None) == (False, False)
    assert (delivered.lease_until, refused.lease_until, waiting.lease_until) == (None, None, None)
    # The admin's list is sorted by one column.
    assert (delivered.due_at, refused.due_at) == (delivered.finished_at, refused.finished_at)
    assert (refused.last_http_status, waiting.last_http_status) == (422, 503)
    assert (waiting.finished_at, waiting.alerted_at) == (None, None)
    assert f"payment {waiting.payment_id}: Snipcart was not notified that it is processed (answer 503)" in (
        caplog.text
    )
