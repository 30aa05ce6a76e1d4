"""What hostile days brought to light: answers that come twice, late or wrong, and staff who act in any order."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, OperationalError, transaction
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.backends.base import Refunded
from snipcart_checkout.exceptions import RefundUnknown
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.services import alerts, open_cases, outcomes
from snipcart_checkout.services.audit_log import SNIPCART
from snipcart_checkout.services.decisions import Decision, without_texts
from snipcart_checkout.services.refunds import refund_payment
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Provider, ScriptedBackend
from tests.support.ledger import (
    agree,
    history,
    let_two_seconds_pass,
    pay,
    provider,
    unknown_refund,
)
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_State = Payment.State


def look_again(payment: Payment) -> Payment:
    let_two_seconds_pass()
    payment = Payment.objects.get(pk=payment.pk)
    services.handle_return(payment)
    return Payment.objects.get(pk=payment.pk)


def test_another_capture_is_news_once(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script(amount="11.00")
    payment = pay(snipcart)
    assert payment.review_reason == "amount_differs"
    provider.script(lookup="paid", transaction_id="another", amount="12.30")
    look_again(payment)
    services.resolve_review(Payment.objects.get(), "closed", note="seen", by="ada")
    caplog.clear()

    payment = look_again(payment)

    assert history(payment).count("another_capture") == 1
    assert "was" not in payment.events.get(name="another_capture").data
    assert payment.resolved_at is not None
    assert "needs review" not in caplog.text


@pytest.mark.parametrize(
    "said",
    [
        {"transaction_id": "a third", "amount": "12.30"},
        {"transaction_id": "another", "amount": "12.31"},
        {"transaction_id": "another", "amount": "12.30", "currency": "USD"},
    ],
    ids=["transaction", "amount", "currency"],
)
def test_each_other_capture_is_news(snipcart: StandIn, provider: Provider, said: dict[str, str]) -> None:
    provider.script(amount="11.00")
    payment = pay(snipcart)
    provider.script(lookup="paid", transaction_id="another", amount="12.30")
    look_again(payment)
    provider.script(lookup="paid", **said)

    payment = look_again(payment)

    first, second = payment.events.filter(name="another_capture").order_by("pk")
    reason = {"reason": "amount_differs"}
    assert first.data == {"transaction": "another", "amount": "12.30", "currency": "EUR", **reason}
    assert second.data == {
        "transaction": said["transaction_id"],
        "amount": said["amount"],
        "currency": said.get("currency", "EUR"),
        **reason,
    }


@pytest.mark.parametrize("transaction, noted", [("tr-1", 0), ("tr-2", 1)])
def test_a_capture_is_another_one_where_its_transaction_is(
    snipcart: StandIn, provider: Provider, transaction: str, noted: int
) -> None:
    provider.script(amount="11.00", transaction_id="tr-1")
    payment = pay(snipcart)
    provider.script(lookup="paid", amount="11.00", transaction_id=transaction)

    payment = look_again(payment)

    assert payment.events.filter(name="another_capture").count() == noted


def test_a_declined_payment_that_shares_its_transaction_takes_no_session(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(transaction_id="tr-1")
    pay(snipcart)
    session = snipcart.session()
    provider.script(charge="declined", lookup="paid", transaction_id="tr-1")
    payment = pay(snipcart, session=session)

    payment = look_again(payment)

    assert (payment.review_reason, payment.live_key) == ("transaction_used_before", None)
    provider.script()
    assert pay(snipcart, session=session).state == _State.PAID


def test_a_message_that_comes_before_the_charge_is_known_at_the_provider_frees_nothing(
    snipcart: StandIn, provider: Provider
) -> None:
    def look() -> None:
        payment = Payment.objects.get()
        services.handle_return(payment)
        assert Payment.objects.get().state == _State.CHARGING

    provider.script(lookup="not_found")
    provider.meanwhile(look)

    payment = pay(snipcart)

    assert payment.state == _State.PAID
    assert "abandoned" not in history(payment)
    assert provider.calls == [f"charge {payment.reference}", f"lookup {payment.reference}"]


def test_a_payment_that_was_paid_without_words_keeps_those_that_it_waited_with(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="pending", instructions="Quote 12 34.")
    payment = pay(snipcart)
    assert payment.provider_reference == payment.transaction_id
    provider.complete(payment.reference)
    provider.script()

    assert look_again(payment).instructions == "Quote 12 34."


def test_a_review_that_turns_out_paid_with_a_transaction_of_another_payment_is_stored_as_such(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(transaction_id="tr-1")
    pay(snipcart)
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(state=_State.REVIEW, review_reason="unanswered")
    provider.script(lookup="paid", transaction_id="tr-1")

    payment = look_again(payment)

    assert (payment.state, payment.review_reason) == (_State.REVIEW, "transaction_used_before")
    assert (payment.captured_at, payment.captured_minor_units, payment.captured_currency) == (None, None, "")
    assert (payment.transaction_key, payment.live_key is None) == (None, False)


def test_a_repeated_request_gets_the_refund_that_it_was_answered_with(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)
    for _ in range(2):
        services.refund_by_staff(payment, 500, by="ada")
        let_time_pass(timedelta(minutes=11))
    first = refund_by_snipcart(payment, 500)
    again = refund_by_snipcart(payment, 500)

    assert again.pk == first.pk
    assert Refund.objects.filter(matched_at__isnull=True).count() == 1


def refund_by_snipcart(payment: Payment, units: int) -> Refund:
    return refund_payment(Payment.objects.get(pk=payment.pk), units, actor=SNIPCART)


def test_a_refund_of_a_closed_case_is_not_made_when_something_else_opens_the_case(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    payment = pay(snipcart)
    provider.script(refund="pending")
    pending = services.refund_by_staff(payment, 300, by="ada")
    unknown = unknown_refund(provider, payment)
    let_time_pass(timedelta(hours=2))
    services.resolve_review(payment, "closed", note="5.00 given back in cash", by="ada")
    provider.fail_refund(pending.pk)

    for _ in range(2):
        services.settle()
        let_time_pass(timedelta(minutes=6))

    payment.refresh_from_db()
    unknown.refresh_from_db()
    assert (payment.review_reason, payment.resolved_at) == ("refund_failed", None)
    assert (provider.refunds, unknown.state) == ([], "review")
    assert services.resolve_refund(unknown, was_made=True, note="in cash", by="ada")


@pytest.mark.parametrize("to", ["unknown", "refunded"])
def test_what_comes_of_a_refund_whose_case_is_closed_meanwhile(
    snipcart: StandIn, provider: Provider, to: str
) -> None:
    payment = pay(snipcart)
    provider.script(refund="nonsense" if to == "unknown" else "refunded")
    provider.meanwhile(lambda: services.resolve_review(payment, "closed", note="", by="ada"))

    with contextlib.suppress(RefundUnknown):
        services.refund_by_staff(payment, 500, by="bob")

    assert Refund.objects.get().state == ("review" if to == "unknown" else "refunded")


def test_a_database_that_takes_no_texts_leaves_ids_as_they_are(
    snipcart: StandIn, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, failures = outcomes._try_transition, [DataError("incorrect string value")]

    def refuse(*args: Any, **kwargs: Any) -> bool:
        if failures:
            raise failures.pop()
        return store(*args, **kwargs)

    monkeypatch.setattr(outcomes, "_try_transition", refuse)
    transaction_id = "tr\\" + "x" * 200
    provider.script(transaction_id=transaction_id, instructions="\u9280\u884c")

    payment = pay(snipcart)

    assert (payment.transaction_id, payment.instructions) == (transaction_id, "")


def test_an_address_that_the_database_does_not_take_still_leads_to_the_provider() -> None:
    url = f"https://provider.example/pay/{'x' * 300}/caf\u00e9"
    decision = Decision(to=_State.PENDING, changes={"redirect_url": url})

    assert without_texts(decision).changes["redirect_url"] == url.replace("\u00e9", "%C3%A9")


def test_without_texts_ids_stay_within_their_columns_and_words_are_left_out() -> None:
    limits = {"transaction_id": 255, "provider_reference": 255, "decline_code": 100, "captured_currency": 3}
    words = dict.fromkeys(("instructions", "decline_message"), "\u9280\u884c")
    given = {**words, **dict.fromkeys(limits, "行" * 300), "live_key": None}

    plain = without_texts(Decision(to=_State.PENDING, changes=given)).changes

    assert {name: plain[name] for name in words} == dict.fromkeys(words, "")
    assert {name: plain[name] for name in limits} == {
        name: (r"\u884c" * 300)[:limit] for name, limit in limits.items()
    }
    assert plain["live_key"] is None


def test_an_undelivered_failure_is_not_sent_before_the_payment_that_succeeded(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    assert [body["state"] for body in snipcart.confirmations] == ["processing"]
    snipcart.fail("payment", 503)
    provider.script(lookup="declined")
    look_again(payment)
    provider.script(lookup="paid")
    payment = look_again(payment)

    assert payment.state == _State.PAID
    assert [body["state"] for body in snipcart.confirmations] == ["processing", "processed"]


def test_a_cart_that_was_paid_is_not_charged_again_by_a_machine(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    provider.script(before="raise")
    session = snipcart.session()
    first = pay(snipcart, session=session)
    assert first.state == _State.UNKNOWN
    provider.script()
    assert pay(snipcart, session=snipcart.session(same_cart_as=session)).state == _State.PAID

    let_time_pass(timedelta(minutes=6))
    services.settle()

    assert len(provider.captures) == 1
    first.refresh_from_db()
    assert (first.state, first.review_reason) == (_State.REVIEW, "outcome_unknown")


def test_a_transfer_of_which_a_part_came_is_left_to_a_person_when_its_time_is_over(
    snipcart: StandIn, checkout_settings: CheckoutSettings, provider: Provider
) -> None:
    manual = "snipcart_checkout.backends.manual.ManualBackend"
    options = {"INSTRUCTIONS": "Pay", "EXPIRES_AFTER_DAYS": 14}
    checkout_settings.set("STORES.live.METHODS.acme_card", {"BACKEND": manual, "OPTIONS": options})
    payment = pay(snipcart)
    assert services.mark_received(payment, by="ada", units=500)
    let_time_pass(timedelta(days=15))

    assert services.settle().expired == 0

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (_State.REVIEW, "amount_differs")
    assert [body["state"] for body in snipcart.confirmations] == ["processing"]


def test_an_order_whose_money_went_back_before_snipcart_was_notified_is_not_made(
    snipcart: StandIn, provider: Provider
) -> None:
    snipcart.fail("payment", 503)
    payment = pay(snipcart)
    services.refund_by_staff(payment, payment.minor_units, by="ada")
    let_time_pass(timedelta(minutes=1))

    services.settle()

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (_State.REVIEW, "all_refunded")
    assert snipcart.confirmations == []


def test_staff_cannot_have_an_order_made_of_money_that_went_back(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    order = agree(session)
    snipcart.before("payment-session", lambda: snipcart.change(session, amount="1.00"))
    payment = services.pay(order)
    assert payment.review_reason == "order_changed"
    read_before = Payment.objects.get()
    services.refund_by_staff(payment, payment.minor_units, by="ada")

    payment.refresh_from_db()
    assert "paid" not in services.list_resolutions(payment)
    assert not services.resolve_review(read_before, "paid", note="", by="bob")
    assert snipcart.confirmations == []


def test_a_late_capture_of_an_abandoned_payment_is_found(snipcart: StandIn, provider: Provider) -> None:
    session = snipcart.session()
    order = agree(session)
    provider.script(charge="redirect")
    first = services.pay(order)
    provider.script(lookup="not_found")
    look_again(first)
    snipcart.change(session, amount="20.00")
    provider.script()
    assert pay(snipcart, session=session).state == _State.PAID
    provider.complete(first.reference)

    let_time_pass(timedelta(minutes=6))
    services.settle()

    first.refresh_from_db()
    assert (first.state, first.review_reason) == (_State.REVIEW, "second_capture")


@pytest.mark.parametrize("ask", ["return", "settle"])
def test_what_a_host_with_a_fast_clock_looked_up_is_looked_up_by_the_others(
    snipcart: StandIn, provider: Provider, ask: str
) -> None:
    provider.script(after="raise")
    payment = pay(snipcart)
    provider.script()
    tomorrow = timezone.now() + timedelta(days=1)
    Payment.objects.update(polled_at=tomorrow, looked_up_at=tomorrow)
    payment.refresh_from_db()

    services.handle_return(payment) if ask == "return" else services.settle()

    assert Payment.objects.get().state == _State.PAID


def test_a_dispute_stays_a_case_when_its_payment_turns_out_paid(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    Payment.objects.update(review_reason="disputed")
    provider.complete(payment.reference)

    payment = look_again(payment)

    assert (payment.state, payment.review_reason) == (_State.PAID, "disputed")
    assert services.payments_in_review().filter(pk=payment.pk).exists()


def test_a_refund_whose_pending_is_no_truth_value_is_stored(
    snipcart: StandIn, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = pay(snipcart)
    odd = Refunded("re", pending=None)  # type: ignore[arg-type]
    monkeypatch.setattr(ScriptedBackend, "refund", lambda self, refund: odd)
    assert services.refund_by_staff(payment, 500, by="ada").state == "refunded"


@pytest.mark.parametrize("is_committed", [True, False])
def test_an_alert_is_not_lost_with_a_commit_or_its_answer_and_not_repeated(
    snipcart: StandIn,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    is_committed: bool,
) -> None:
    provider.script(after="raise", looking="raise")
    pay(snipcart)
    let_time_pass(timedelta(hours=2))
    real = transaction.Atomic.__exit__
    lost: list[bool] = []

    def lose(self: Any, *exc: Any) -> Any:
        if not lost or any(exc) or not self.durable:
            return real(self, *exc)
        lost.pop()
        error = OperationalError("server closed the connection")
        real(self, *(exc if is_committed else (OperationalError, error, None)))
        raise error

    monkeypatch.setattr(transaction.Atomic, "__exit__", lose)
    lost.append(True)
    caplog.clear()

    new = [alerts.report_new_cases() for _ in range(2)]

    assert lost == []
    assert caplog.text.count("for an hour nobody could tell") == 1
    assert new == [1, 0]


YEAR = timedelta(days=365)


def test_what_a_host_with_a_fast_clock_put_off_is_delivered_by_the_others(
    snipcart: StandIn, provider: Provider
) -> None:
    snipcart.fail("payment", 503)
    pay(snipcart)
    far = timezone.now() + YEAR
    Confirmation.objects.update(created_at=far, due_at=far, lease_until=far)

    assert open_cases.confirmations_undelivered_too_long().exists()
    services.settle()

    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_a_delivery_that_waits_for_its_time_or_is_being_sent_is_left_alone(
    snipcart: StandIn, provider: Provider
) -> None:
    snipcart.fail("payment", 503)
    pay(snipcart)
    soon = timezone.now() + timedelta(hours=11)
    for columns in (
        {"due_at": soon},
        {"due_at": timezone.now(), "lease_until": soon - timedelta(hours=10.5)},
    ):
        Confirmation.objects.update(**columns)
        services.settle()

    assert snipcart.confirmations == []


def test_a_charge_that_a_host_with_a_fast_clock_began_is_looked_up_and_alerted(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(after="raise")
    pay(snipcart)
    provider.script()
    far = timezone.now() + YEAR
    Payment.objects.update(state=_State.CHARGING, claimed_at=far, answered_at=far)

    assert open_cases.payments_unknown_too_long().exists()
    services.settle()

    assert Payment.objects.get().state == _State.PAID


def test_a_refund_that_a_host_with_a_fast_clock_was_making_can_be_finished(
    snipcart: StandIn, provider: Provider
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    far = timezone.now() + YEAR
    Refund.objects.update(created_at=far, lease_until=far)
    refund.refresh_from_db()

    assert open_cases.refunds_unknown_too_long().exists()
    assert services.can_resolve_refund(refund)
    services.settle()

    assert Refund.objects.get().state == Refund.State.REFUNDED


def test_another_capture_is_stored_in_other_letters_where_the_database_takes_no_others() -> None:
    data = {"transaction": "\u53d6", "amount": "1.00"}
    decision = Decision(to=_State.PAID, data=data)

    assert without_texts(decision).data == {"transaction": "\\u53d6", "amount": "1.00", "texts": "dropped"}
