"""Telling Snipcart: what is said, with which key, how often it is repeated, and when a person has to look."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.models import Confirmation, Payment
from snipcart_checkout.services.confirmations import deliver_due, deliver_session
from snipcart_checkout.signals import confirmation_unresolved
from snipcart_checkout.testing import StandIn, ask_for_refund
from tests.backends import Provider
from tests.ledger import pay, provider, story
from tests.shopper import Shopper

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


def owed(payment: Payment) -> Confirmation:
    return payment.confirmations.order_by("pk").last()  # type: ignore[return-value]


def try_again(payment: Payment) -> Confirmation:
    """Its time has come, and whoever delivers what is due delivers it."""
    Confirmation.objects.owed().update(due_at=timezone.now())
    deliver_due()
    return owed(payment)


def untold(snipcart: StandIn, *faults: str | int, **session: Any) -> Payment:
    """A paid payment of which Snipcart has not heard, because of the faults."""
    for fault in faults:
        snipcart.fail("payment", fault)
    return pay(snipcart, **session)


def impatient(settings: Any) -> None:
    """Long enough for every answer that comes at all."""
    settings.SNIPCART_CHECKOUT = {**settings.SNIPCART_CHECKOUT, "READ_TIMEOUT": 2}


# What is said


def test_a_paid_payment_is_told_with_the_providers_transaction_and_a_refund_link(
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


def test_a_pending_payment_is_told_as_processing_with_its_instructions(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="pending", instructions="Transfer to\nFR76")

    pay(snipcart)

    assert snipcart.confirmations[0]["state"] == "processing"
    assert snipcart.confirmations[0]["instructions"] == "Transfer to\nFR76"
    assert "links" in snipcart.confirmations[0]


@pytest.mark.parametrize("code, state", [("card_declined", "failed"), ("lapsed", "invalidated")])
def test_a_failure_is_told_with_code_and_message_and_without_a_refund_link(
    snipcart: StandIn, provider: Provider, code: str, state: str
) -> None:
    provider.script(charge="pending", lookup="declined", code=code)
    payment = pay(snipcart, language="fr")

    services.settle_return(payment)

    body = snipcart.confirmations[-1]
    assert (body["state"], body["error"]["code"]) == (state, code)
    assert body["error"]["message"] == Payment.objects.get().decline_message
    assert "links" not in body
    assert "instructions" not in body


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


def test_the_link_that_was_told_refunds(snipcart: StandIn, provider: Provider) -> None:
    session = snipcart.session()
    Shopper().pay(session)

    assert ask_for_refund(session, "1.00").status_code == 200


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
    payment = untold(snipcart, "cut-after")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the-next-secret-key"

    try_again(payment)

    first, second = snipcart.calls_to("payment")
    assert first.body == second.body


# Repeats


def test_a_repeat_is_the_same_byte_for_byte(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="pending", instructions="é\n請")
    payment = untold(snipcart, 500, "cut-after", 429)
    provider.script()

    for _ in range(3):
        try_again(payment)

    assert len({call.body for call in snipcart.calls_to("payment")}) == 1
    assert len(snipcart.calls_to("payment")) == 4


@pytest.mark.parametrize(
    "fault",
    [408, 425, 429, 500, 502, 503, 504, 301, 304, "redirect", "cut-before", "cut-after", "hang-after"],
)
def test_what_is_neither_told_nor_refused_stays_on_the_schedule(
    snipcart: StandIn, provider: Provider, settings: Any, fault: str | int
) -> None:
    impatient(settings)
    payment = untold(snipcart, fault)

    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    assert owed(payment).status == _Status.OWED
    assert try_again(payment).status == _Status.TOLD


def test_a_port_that_nobody_listens_on_leaves_it_on_the_schedule(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = untold(snipcart, 500)
    snipcart.stop()
    assert try_again(payment).status == _Status.OWED
    snipcart.start()

    assert try_again(payment).status == _Status.TOLD


def test_the_schedule_grows_from_half_a_minute_to_half_a_day(snipcart: StandIn, provider: Provider) -> None:
    snipcart.fail("payment", 500, times=None)
    before = timezone.now()
    payment = pay(snipcart)

    for step in SCHEDULE:
        after = timezone.now()
        assert before + step * 0.95 <= owed(payment).due_at <= after + step
        before = timezone.now()
        try_again(payment)


def test_the_schedule_is_spread_so_that_an_outage_does_not_end_with_everybody_at_once(
    snipcart: StandIn, provider: Provider
) -> None:
    snipcart.fail("payment", 500, times=None)
    payments = [pay(snipcart) for _ in range(5)]
    Confirmation.objects.update(tries=9)
    try_again(payments[0])

    moments = sorted(owed(payment).due_at for payment in payments)

    # A twentieth of half a day is 36 minutes.
    assert moments[-1] - moments[0] > timedelta(minutes=1)


def test_nothing_is_sent_before_its_time(snipcart: StandIn, provider: Provider) -> None:
    untold(snipcart, 500)

    assert deliver_due() == 0
    assert len(snipcart.calls_to("payment")) == 1


def aged(payment: Payment, age: timedelta) -> None:
    payment.confirmations.update(created_at=timezone.now() - age)


def test_the_last_try_is_at_72_hours(snipcart: StandIn, provider: Provider) -> None:
    snipcart.fail("payment", 500, times=None)
    payment = pay(snipcart)
    aged(payment, timedelta(hours=71, minutes=50))
    Confirmation.objects.update(tries=12)

    confirmation = try_again(payment)

    assert confirmation.status == _Status.OWED
    assert confirmation.due_at == confirmation.created_at + timedelta(hours=72)


def test_after_72_hours_it_is_left_to_a_person_with_an_alert(
    snipcart: StandIn, provider: Provider, alerts: Any, unresolved: list[Payment]
) -> None:
    snipcart.fail("payment", 500, times=None)
    payment = pay(snipcart)
    aged(payment, timedelta(hours=72))

    assert try_again(payment).status == _Status.REVIEW
    assert Payment.objects.get().state == Payment.State.PAID
    assert unresolved == [payment]
    assert [alert for alert in alerts() if str(payment.reference) in alert]
    assert story(payment)[-1] == "telling_gave_up"


# Refused


@pytest.mark.parametrize("status", [400, 404, 405, 409, 410, 413, 415, 422, 451])
def test_a_definite_refusal_on_the_first_clear_try_goes_to_review_with_an_alert(
    snipcart: StandIn, provider: Provider, alerts: Any, unresolved: list[Payment], status: int
) -> None:
    payment = untold(snipcart, status)

    assert owed(payment).status == _Status.REVIEW
    assert Payment.objects.get().state == Payment.State.PAID
    assert unresolved == [payment]
    assert len(alerts()) == 1


@pytest.mark.parametrize("unclear", ["cut-after", "hang-after", 500, 502, 504, 408, "cut-before"])
def test_a_refusal_after_an_unclear_try_counts_as_told(
    snipcart: StandIn, provider: Provider, settings: Any, unresolved: list[Payment], unclear: str | int
) -> None:
    impatient(settings)
    payment = untold(snipcart, unclear)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.TOLD
    assert unresolved == []


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


@pytest.mark.parametrize("clear", [425, 429, "redirect", 301])
def test_a_refusal_after_a_try_that_cannot_have_been_recorded_goes_to_review(
    snipcart: StandIn, provider: Provider, clear: str | int
) -> None:
    payment = untold(snipcart, clear)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.REVIEW


def test_a_refusal_after_snipcart_could_not_be_reached_goes_to_review(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = untold(snipcart, 429)
    snipcart.stop()
    try_again(payment)
    snipcart.start()
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.REVIEW


def test_a_process_that_died_while_sending_makes_the_try_unclear(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = untold(snipcart, 429)
    Confirmation.objects.update(lease_until=timezone.now() - timedelta(seconds=1), tries=2)
    snipcart.fail("payment", 400)

    assert try_again(payment).status == _Status.TOLD


def test_a_real_repeat_that_snipcart_refuses_counts_as_told(provider: Provider, settings: Any) -> None:
    with StandIn(accepts_repeats=False) as strict:
        settings.SNIPCART_CHECKOUT = {**settings.SNIPCART_CHECKOUT, **strict.settings}
        payment = untold(strict, "cut-after")

        assert try_again(payment).status == _Status.TOLD
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
    assert (owed(payment).status, owed(payment).tries) == (_Status.TOLD, 1)


def test_the_log_names_the_position_of_a_refused_key(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    snipcart.revoke("primary-key-for-tests")

    pay(snipcart)

    assert "refused API key 1 of store live" in caplog.text
    assert "primary-key-for-tests" not in caplog.text


def test_when_every_key_is_refused_somebody_is_told_at_once_and_once(
    snipcart: StandIn, provider: Provider, alerts: Any, unresolved: list[Payment]
) -> None:
    snipcart.fail("payment", 401, times=None)

    payment = pay(snipcart)
    assert len(alerts()) == 1
    try_again(payment)

    assert len(alerts()) == 1
    assert unresolved == [payment]
    assert owed(payment).status == _Status.OWED


def test_new_keys_deliver_what_the_old_ones_could_not(
    snipcart: StandIn, provider: Provider, settings: Any
) -> None:
    snipcart.revoke("primary-key-for-tests")
    snipcart.revoke("secondary-key-for-tests")
    payment = pay(snipcart)
    django_settings.SNIPCART_CHECKOUT["STORES"]["live"]["API_KEYS"] = ["key-3"]

    assert try_again(payment).status == _Status.TOLD


def test_a_refusal_with_the_second_key_is_definite(snipcart: StandIn, provider: Provider) -> None:
    payment = untold(snipcart, 401, 400)

    assert owed(payment).status == _Status.REVIEW


def test_a_store_that_is_configured_no_more_does_not_lose_the_confirmation(
    snipcart: StandIn, provider: Provider, settings: Any
) -> None:
    payment = untold(snipcart, 500)
    stores = django_settings.SNIPCART_CHECKOUT["STORES"]
    live = stores.pop("live")
    try_again(payment)
    stores["live"] = live

    assert try_again(payment).status == _Status.TOLD


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
def test_a_2xx_that_cannot_be_read_is_told_with_a_warning_and_the_page_says_paid(
    snipcart: StandIn, provider: Provider, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    payment = untold(snipcart, fault)

    assert owed(payment).status == _Status.TOLD
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
    provider: Provider, settings: Any, shop_url: str
) -> None:
    with StandIn(shop_url=shop_url) as odd:
        settings.SNIPCART_CHECKOUT = {**settings.SNIPCART_CHECKOUT, **odd.settings}

        payment = pay(odd, return_url="https://shop.example/#/cart")

        assert owed(payment).status == _Status.TOLD
        page = Shopper().look(payment)
        assert page.status_code == 200
        assert shop_url not in page.content.decode() + str(page.headers)
        assert "https://shop.example/#/cart" in page.content.decode()


# Order


def pending(snipcart: StandIn, provider: Provider, *faults: str | int) -> Payment:
    """A pending payment of which Snipcart has not heard, because of the faults."""
    provider.script(charge="pending")
    return untold(snipcart, *faults)


def test_an_untold_processing_is_dropped_when_the_final_word_is_owed(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pending(snipcart, provider, 429)
    provider.complete(payment.reference)

    services.settle_return(payment)

    assert [body["state"] for body in snipcart.confirmations] == ["processed"]
    assert payment.confirmations.get(state="processing").status == _Status.DROPPED
    assert "telling_dropped" in story(payment)


def test_a_processing_that_is_being_sent_is_not_dropped_and_goes_first(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pending(snipcart, provider, 429)
    Confirmation.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    provider.complete(payment.reference)
    services.settle_return(payment)
    assert len(snipcart.calls_to("payment")) == 1

    Confirmation.objects.update(lease_until=None)
    deliver_session(payment.session_key, at_once=True)

    assert [body["state"] for body in snipcart.confirmations] == ["processing", "processed"]


def test_the_second_confirmation_waits_for_the_first(snipcart: StandIn, provider: Provider) -> None:
    payment = pending(snipcart, provider, 429)
    Confirmation.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    provider.complete(payment.reference)
    services.settle_return(payment)
    Confirmation.objects.filter(state="processing").update(
        lease_until=None, due_at=timezone.now() + timedelta(hours=1)
    )

    deliver_due()

    assert snipcart.confirmations == []


def test_a_processing_that_was_told_is_followed_by_the_final_word(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pending(snipcart, provider)
    provider.complete(payment.reference)

    services.settle_return(payment)

    assert [body["state"] for body in snipcart.confirmations] == ["processing", "processed"]


def test_sessions_do_not_wait_for_each_other(snipcart: StandIn, provider: Provider) -> None:
    untold(snipcart, 500)

    assert owed(pay(snipcart)).status == _Status.TOLD


# Many hosts


def test_what_another_process_is_sending_is_left_to_it(snipcart: StandIn, provider: Provider) -> None:
    payment = untold(snipcart, 500)
    Confirmation.objects.update(lease_until=timezone.now() + timedelta(minutes=1))

    assert try_again(payment).status == _Status.OWED
    assert len(snipcart.calls_to("payment")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other, status", [(None, _Status.TOLD), ("cut-after", _Status.OWED)])
def test_a_refusal_that_comes_after_another_process_took_over_changes_nothing(
    provider: Provider, settings: Any, unresolved: list[Payment], other: str | None, status: str
) -> None:
    with StandIn(accepts_repeats=False) as strict:
        settings.SNIPCART_CHECKOUT = {**settings.SNIPCART_CHECKOUT, **strict.settings}
        # The first waits so long for its answer that its lease runs out; the second is recorded first.
        strict.meanwhile("payment", _take_over)
        if other:
            strict.fail("payment", other)

        payment = pay(strict)

        assert [call.endpoint for call in strict.calls[-2:]] == ["payment", "payment"]
        assert owed(payment).status == status
        assert unresolved == []


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_comes_after_another_process_failed_is_taken(
    snipcart: StandIn, provider: Provider
) -> None:
    snipcart.meanwhile("payment", _take_over)
    snipcart.fail("payment", 500)

    payment = pay(snipcart)

    assert owed(payment).status == _Status.TOLD
    assert Payment.objects.get().return_url


def _take_over() -> None:
    # Called in the stand-in's thread, which has a connection of its own.
    try:
        Confirmation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        deliver_due()
    finally:
        connection.close()


def test_deliveries_count_only_what_snipcart_heard(snipcart: StandIn, provider: Provider) -> None:
    untold(snipcart, 429)
    untold(snipcart, 429)
    Confirmation.objects.update(due_at=timezone.now())
    snipcart.fail("payment", 400)

    assert deliver_due() == 1


def test_a_run_delivers_at_most_its_limit(snipcart: StandIn, provider: Provider) -> None:
    for _ in range(3):
        untold(snipcart, 429)
    Confirmation.objects.update(due_at=timezone.now())

    assert deliver_due(limit=2) == 2


def test_a_told_confirmation_is_never_sent_again(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    deliver_session(payment.session_key, at_once=True)

    assert len(snipcart.calls_to("payment")) == 1
