"""Ways to lose money or a case that were found once, each on its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.exceptions import RefundUnknown, TransactionOpen
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Crashed, Provider
from tests.support.ledger import agree, pay, provider
from tests.support.ledger_invariants import let_time_pass
from tests.support.moments import Moment
from tests.support.undelivered import Counter

__all__ = ["provider"]

pytestmark = pytest.mark.django_db(transaction=True)

LATER = timedelta(minutes=10)


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refusal_that_staff_send_again_is_refused_again(
    snipcart: StandIn, provider: Provider, status: int
) -> None:
    snipcart.fail("payment", status, times=None)
    payment = pay(snipcart)
    refused = payment.confirmations.get()
    assert (refused.status, refused.unclear) == ("review", False)

    assert not services.redeliver(refused, by="ada")

    refused.refresh_from_db()
    assert refused.status == "review"
    assert snipcart.confirmations == []


def test_an_order_that_was_withheld_is_not_sent_by_resending(snipcart: StandIn, provider: Provider) -> None:
    snipcart.fail("payment", 503)  # after the order was compared for the first time
    payment = pay(snipcart)
    (session,) = snipcart.sessions
    snipcart.change(session, amount="1001.00")
    let_time_pass(LATER)
    services.settle()
    payment.refresh_from_db()
    assert payment.review_reason == "order_changed"

    assert not services.redeliver(payment.confirmations.get(), by="ada")

    assert snipcart.confirmations == []


def test_what_was_late_when_staff_closed_the_case_is_not_sent_by_a_machine(
    snipcart: StandIn, provider: Provider
) -> None:
    waiting = Counter(snipcart, provider).wait("processed")
    waiting.note(created_at=timezone.now() - timedelta(hours=2))
    services.resolve_review(waiting.payment, "closed", note="shipped by hand", by="ada")

    let_time_pass(LATER)
    services.settle()

    waiting.refresh()
    assert snipcart.confirmations == []
    assert waiting.payment.state == "paid"
    assert services.count_open_cases().total == 0


def test_closing_another_case_does_not_keep_snipcart_from_being_notified(
    snipcart: StandIn, provider: Provider
) -> None:
    waiting = Counter(snipcart, provider).wait("processed")
    Payment.objects.update(review_reason="cart_paid_twice")
    waiting.payment.refresh_from_db()
    services.resolve_review(waiting.payment, "closed", note="both are wanted", by="ada")

    let_time_pass(LATER)
    services.settle()

    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_a_confirmation_that_arrives_while_staff_close_the_case_counts_as_delivered(
    snipcart: StandIn, provider: Provider
) -> None:
    waiting = Counter(snipcart, provider).wait("processed")
    waiting.note(created_at=timezone.now() - timedelta(hours=2))

    def close() -> None:
        services.resolve_review(waiting.payment, "closed", note="", by="ada")
        connection.close()

    snipcart.before("payment", close)
    waiting.deliver()

    assert waiting.confirmation.status == "delivered"


def unknown_payment(snipcart: StandIn, provider: Provider) -> Payment:
    provider.script(before="raise")
    payment = pay(snipcart)
    assert payment.state == "unknown"
    return payment


def test_staff_who_find_the_money_of_an_unknown_payment_do_not_accept_another_cart(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = unknown_payment(snipcart, provider)
    (session,) = snipcart.sessions
    snipcart.change(session, amount="1001.00")

    assert services.resolve_review(payment, "paid", note="on the statement", by="ada")
    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == ("review", "order_changed")
    assert snipcart.confirmations == []

    # Now they know of it, and may accept it.
    assert services.resolve_review(payment, "paid", note="the shopper paid the rest", by="ada")
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_an_unknown_payment_whose_money_staff_find_is_confirmed_for_the_same_order(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = unknown_payment(snipcart, provider)

    assert services.resolve_review(payment, "paid", note="on the statement", by="ada")

    assert payment.state == "paid"
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_staff_can_end_a_charge_that_nothing_else_ends(snipcart: StandIn, provider: Provider) -> None:
    provider.script(before="crash")
    with pytest.raises(Crashed):
        pay(snipcart)
    payment = Payment.objects.get()
    assert services.list_resolutions(payment) == []

    let_time_pass(timedelta(minutes=61))
    payment.refresh_from_db()

    assert services.list_resolutions(payment) == ["paid", "declined", "closed"]
    assert services.resolve_review(payment, "declined", note="not at the provider", by="ada")
    assert payment.live_key is None


def unknown_refund(snipcart: StandIn, provider: Provider, **flags: Any) -> Refund:
    payment = pay(snipcart)
    provider.script(before="raise")
    with pytest.raises(RefundUnknown):
        services.refund_by_staff(payment, 500, by="ada")
    provider.script()
    return payment.refunds.get()


def test_a_notification_of_a_refund_in_doubt_does_not_make_it(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    refund = unknown_refund(snipcart, provider)
    let_time_pass(timedelta(hours=2))
    services.resolve_review(refund.payment, "closed", note="given back by hand", by="ada")
    headers, body = provider.notification(refund.pk)
    path = reverse("snipcart_checkout:notification", args=["live", "acme_card"])

    answer = Client().post(path, body, content_type="application/json", headers=headers)

    assert answer.status_code == 204
    assert provider.refunds == []


def test_staff_can_end_a_refund_just_after_it_was_asked_about(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True, "repeat_is_safe": False})
    refund = unknown_refund(snipcart, provider)
    let_time_pass(LATER)
    services.settle()

    assert services.resolve_refund(refund, was_made=False, note="not there", by="ada")

    assert Payment.objects.get().refunded_minor_units == 0


def test_a_refund_that_fails_later_and_its_case_are_one_commit(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    statement = concluded = 0
    while concluded < 3:  # whatever comes after those statements cannot part the two
        statement += 1
        provider.script(refund="pending")
        payment = pay(snipcart)
        refund = services.refund_by_staff(payment, 500, by="ada")
        provider.fail_refund(refund.pk)
        let_time_pass(timedelta(hours=2))

        settle_until(statement)

        payment.refresh_from_db()
        refund.refresh_from_db()
        is_open = services.payments_in_review().filter(pk=payment.pk).exists()
        assert (refund.state == "declined") is (payment.refunded_minor_units == 0) is is_open
        concluded += is_open
        services.settle()
    assert statement > 10


def test_a_second_payment_of_a_cart_and_its_case_are_one_commit(
    snipcart: StandIn, provider: Provider
) -> None:
    statement = concluded = 0
    while concluded < 3:
        statement += 1
        provider.script()
        first = pay(snipcart).session_id
        provider.script(charge="redirect")
        payment = pay(snipcart, session=snipcart.session(same_cart_as=snipcart.get_session(first)))
        provider.complete(payment.reference)
        provider.script()
        let_time_pass(LATER)

        settle_until(statement)

        payment.refresh_from_db()
        is_open = services.payments_in_review().filter(pk=payment.pk).exists()
        assert (payment.state == "paid") is is_open
        concluded += is_open
        let_time_pass(LATER)
        services.settle()
    assert statement > 10


def settle_until(statement: int) -> None:
    """Settle in what passes for a process, which ends before its nth statement that matters."""

    def end() -> None:
        raise Crashed

    try:
        with connection.execute_wrapper(Moment(statement, end)):
            services.settle()
    except Crashed:
        connection.close()


def test_an_answer_that_cannot_be_stored_is_alerted_after_an_hour(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.complete(payment.reference)
    provider.script()

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "captured_at" in sql and sql.startswith("UPDATE"):
            raise RuntimeError("a database that is full")
        return execute(sql, params, many, context)

    for _ in range(8):
        let_time_pass(LATER)
        with connection.execute_wrapper(refuse):
            services.settle()

    payment.refresh_from_db()
    assert payment.state == "pending"
    assert payment.alerted_at is not None
    assert not Confirmation.objects.exists()


def test_a_provider_is_asked_once_in_two_seconds_about_a_refund_however_often_strangers_name_it(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    provider.script(refund="pending")
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")
    headers, body = provider.notification(refund.pk)
    path = reverse("snipcart_checkout:notification", args=["live", "acme_card"])

    answers = [Client().post(path, body, content_type="application/json", headers=headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [204, 503, 503]
    assert provider.calls.count(f"lookup_refund {refund.pk}") == 1
    Refund.objects.update(looked_up_at=None)
    assert Client().post(path, body, content_type="application/json", headers=headers).status_code == 204


def test_nothing_is_charged_where_no_commit_would_last(snipcart: StandIn, provider: Provider) -> None:
    order = agree(snipcart.session())
    transaction.set_autocommit(False)  # as AUTOCOMMIT of the database does
    try:
        with pytest.raises(TransactionOpen):
            services.pay(order)
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)

    assert provider.calls == []
    assert not Payment.objects.exists()
