"""What staff may do with a payment: each does it once, says who and why, and puts nothing at risk."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import RefundNotPossible, RefundUnknown
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.services.confirmations import requeue
from snipcart_checkout.signals import payment_refunded
from snipcart_checkout.testing import StandIn, StandInSession
from tests.support.backends import Provider
from tests.support.ledger import (
    before,
    history,
    in_review,
    let_two_seconds_pass,
    pay,
    provider,
    refused_by_snipcart,
    unknown_refund,
)
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db


def test_a_confirmation_in_review_is_sent_again(provider: Provider, snipcart: StandIn) -> None:
    payment = refused_by_snipcart(snipcart)
    confirmation = payment.confirmations.get()
    assert confirmation.status == Confirmation.Status.REVIEW

    assert services.redeliver(confirmation, by="ada")

    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]
    assert payment.confirmations.get().status == Confirmation.Status.DELIVERED
    event = payment.events.get(name="confirmation_resent")
    assert (event.source, event.actor) == (Event.Source.STAFF, "ada")


def test_resending_from_an_old_page_does_not_repeat_what_was_delivered(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = refused_by_snipcart(snipcart)
    seen_before = payment.confirmations.get()
    services.redeliver(payment.confirmations.get(), by="ada")

    assert not services.redeliver(seen_before, by="bob")

    assert len(snipcart.calls_to("payment")) == 2
    assert history(payment).count("confirmation_resent") == 1


def test_a_confirmation_that_is_sent_again_begins_anew_and_alone(
    provider: Provider, snipcart: StandIn
) -> None:
    payment, other = refused_by_snipcart(snipcart), refused_by_snipcart(snipcart)
    let_time_pass(timedelta(hours=73))
    Confirmation.objects.update(overdue_alerted_at=timezone.now(), attempts=8)
    snipcart.fail("payment", 500)

    assert not services.redeliver(payment.confirmations.get(), by="ada")

    again = payment.confirmations.get()
    assert (again.status, again.attempts) == (Confirmation.Status.PENDING, 1)
    assert (again.alerted_at, again.overdue_alerted_at, again.finished_at) == (None, None, None)
    assert other.confirmations.get().status == Confirmation.Status.REVIEW
    let_time_pass(timedelta(minutes=1))
    services.settle()
    assert payment.confirmations.get().status == Confirmation.Status.DELIVERED


def test_a_confirmation_that_is_made_pending_again_is_due_at_once_and_only_if_it_was_not_delivered(
    provider: Provider, snipcart: StandIn
) -> None:
    confirmation = refused_by_snipcart(snipcart).confirmations.get()
    Confirmation.objects.update(due_at=timezone.now() + timedelta(hours=6))

    assert requeue(confirmation)
    assert services.settle().delivered == 1

    assert not requeue(confirmation)
    assert Confirmation.objects.get().status == Confirmation.Status.DELIVERED


def test_a_confirmation_that_waits_for_its_time_can_be_delivered_at_once(
    provider: Provider, snipcart: StandIn
) -> None:
    snipcart.fail("payment", 500)
    payment = pay(snipcart)
    assert payment.confirmations.get().status == Confirmation.Status.PENDING

    assert services.redeliver(payment.confirmations.get(), by="ada")

    assert payment.confirmations.get().status == Confirmation.Status.DELIVERED


def test_keys_that_are_refused_again_after_resending_alert_again(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    payment = refused_by_snipcart(snipcart)
    snipcart.fail("payment", 401, times=2)

    services.redeliver(payment.confirmations.get(), by="ada")

    assert "refused every API key" in caplog.text


def test_an_older_outcome_is_not_delivered_after_a_later_one(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    snipcart.fail("payment", 400)
    payment = pay(snipcart)
    services.mark_received(payment, by="ada")
    processing, processed = payment.confirmations.all()
    assert (processing.status, processed.status) == ("review", "delivered")

    assert services.list_undelivered(payment) == []
    assert not services.redeliver(processing, by="ada")

    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]
    assert "confirmation_resent" not in history(payment)


def test_what_was_delivered_for_another_order_outdates_nothing(provider: Provider, snipcart: StandIn) -> None:
    refused = refused_by_snipcart(snipcart)
    pay(snipcart)

    assert services.redeliver(refused.confirmations.get(), by="ada")


def test_both_outcomes_that_snipcart_refused_can_be_sent_again(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    payment = refused_by_snipcart(snipcart)
    snipcart.fail("payment", 400)
    services.mark_received(payment, by="ada")

    undelivered = services.list_undelivered(payment)

    assert [confirmation.outcome for confirmation in undelivered] == ["processing", "processed"]


def test_a_review_is_closed_once(provider: Provider, snipcart: StandIn) -> None:
    payment = refused_by_snipcart(snipcart)

    assert services.resolve_review(payment, "closed", note="put right by hand", by="ada")
    assert not services.resolve_review(payment, "closed", note="put right by hand", by="ada")

    closed = payment.events.get(name="review_closed")
    assert (closed.actor, closed.data) == ("ada", {"note": "put right by hand"})
    assert not services.settle().needs_attention


def test_a_payment_that_comes_to_review_after_it_was_closed_needs_a_person_again(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    wait_for_an_hour(payment)
    assert services.resolve_review(payment, "closed", note="the shopper paid in cash", by="ada")
    provider.script(lookup="paid", amount="99.00")

    notify(provider, payment)

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (Payment.State.REVIEW, "amount_differs")
    assert payment.resolved_at is None
    assert services.count_open_cases().payments_in_review == 1


def wait_for_an_hour(payment: Payment) -> None:
    """Nobody could tell for an hour what came of the payment, so that it is a case."""
    long_ago = timezone.now() - timedelta(hours=2)
    Payment.objects.filter(pk=payment.pk).update(claimed_at=long_ago, answered_at=long_ago)
    payment.refresh_from_db()


def notify(provider: Provider, payment: Payment) -> None:
    """The provider sends a genuine notification about a payment."""
    let_two_seconds_pass()
    store = get_settings().stores["live"]
    headers, body = provider.notification(payment.reference)
    services.handle_notification(store, store.methods["acme_card"], headers, body)


DECIDES_REFUND = r"UPDATE .snipcart_checkout_refund. SET .*.state. = "


def test_a_refund_in_review_that_was_made_is_refunded(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    refund = in_review(unknown_refund(provider, payment))
    heard: list[tuple[Payment, Refund]] = []
    payment_refunded.connect(
        lambda payment, refund, **_: heard.append((payment, refund)), weak=False, dispatch_uid="test of staff"
    )

    try:
        assert services.resolve_refund(refund, was_made=True, note="seen at the provider", by="ada")
    finally:
        payment_refunded.disconnect(dispatch_uid="test of staff")

    assert Refund.objects.get().state == Refund.State.REFUNDED
    assert heard == [(payment, refund)]
    payment.refresh_from_db()
    assert payment.refunded_minor_units == 500
    event = payment.events.get(name="refund_refunded")
    assert (event.source, event.actor) == ("staff", "ada")
    assert event.data == {"refund": str(refund.pk), "note": "seen at the provider"}


@pytest.mark.parametrize("was_made", [True, False])
def test_what_came_of_one_refund_says_nothing_of_another(
    provider: Provider, snipcart: StandIn, was_made: bool
) -> None:
    payment = pay(snipcart)
    refund, same_payments = unknown_refund(provider, payment), unknown_refund(provider, payment, 400)
    others = unknown_refund(provider, pay(snipcart))

    assert services.resolve_refund(refund, was_made=was_made, note="as the provider says", by="ada")

    states = dict(Refund.objects.exclude(pk=refund.pk).values_list("pk", "state"))
    assert states == {same_payments.pk: Refund.State.UNKNOWN, others.pk: Refund.State.UNKNOWN}
    others.payment.refresh_from_db()
    assert others.payment.refunded_minor_units == 500


def test_a_refund_in_review_that_was_not_made_can_be_made_anew(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    refund = in_review(unknown_refund(provider, payment))
    with pytest.raises(RefundUnknown):
        services.refund_by_staff(payment, 500, by="ada")

    assert services.resolve_refund(refund, was_made=False, note="not at the provider", by="ada")

    payment.refresh_from_db()
    assert payment.refunded_minor_units == 0
    assert services.refund_by_staff(payment, 500, by="ada").state == Refund.State.REFUNDED


def test_a_refund_is_resolved_once(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    refund = in_review(unknown_refund(provider, payment))
    seen_before = Refund.objects.get(pk=refund.pk)
    services.resolve_refund(refund, was_made=True, note="seen", by="ada")

    assert not services.resolve_refund(seen_before, was_made=False, note="not seen", by="bob")

    payment.refresh_from_db()
    assert (Refund.objects.get().state, payment.refunded_minor_units) == (Refund.State.REFUNDED, 500)


@pytest.mark.parametrize(
    "was_made, state, refunded",
    [(True, Refund.State.REFUNDED, 500), (False, Refund.State.DECLINED, 0)],
)
def test_an_unknown_refund_is_ended_by_staff_either_way(
    provider: Provider, snipcart: StandIn, was_made: bool, state: str, refunded: int
) -> None:
    payment = pay(snipcart)
    refund = unknown_refund(provider, payment)
    assert services.can_resolve_refund(refund)
    calls = list(provider.calls)
    heard: list[Refund] = []
    payment_refunded.connect(lambda refund, **_: heard.append(refund), weak=False, dispatch_uid="staff")

    try:
        assert services.resolve_refund(refund, was_made=was_made, note="as the provider says", by="ada")
    finally:
        payment_refunded.disconnect(dispatch_uid="staff")

    refund.refresh_from_db()
    payment.refresh_from_db()
    assert (refund.state, payment.refunded_minor_units) == (state, refunded)
    assert refund.decline_reason == ("" if was_made else Refund.DeclineReason.STAFF)
    assert heard == [refund] * was_made
    assert not services.can_resolve_refund(refund)
    services.settle()
    assert provider.calls == calls


def test_a_refund_that_is_being_sent_this_moment_is_not_for_staff_to_decide(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    refund = unknown_refund(provider, payment)
    soon = timezone.now() + timedelta(minutes=5)
    Refund.objects.update(state=Refund.State.REQUESTED, lease_until=soon)

    assert not services.resolve_refund(refund, was_made=False, note="not seen", by="ada")

    refund.refresh_from_db()
    assert refund.state == Refund.State.REQUESTED
    assert not services.can_resolve_refund(refund)


def test_a_refund_that_a_process_begins_to_repeat_while_staff_decide_stays_unknown(
    provider: Provider, snipcart: StandIn
) -> None:
    refund = unknown_refund(provider, pay(snipcart))
    soon = timezone.now() + timedelta(minutes=5)
    heard: list[Refund] = []
    payment_refunded.connect(lambda refund, **_: heard.append(refund), weak=False, dispatch_uid="staff")

    try:
        with before(DECIDES_REFUND, lambda: Refund.objects.update(lease_until=soon)):
            assert not services.resolve_refund(refund, was_made=True, note="seen", by="ada")
    finally:
        payment_refunded.disconnect(dispatch_uid="staff")

    assert (Refund.objects.get().state, heard) == (Refund.State.UNKNOWN, [])


def test_a_message_of_the_provider_is_nothing_that_happened(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    seen = services.count_events(payment)

    notify(provider, payment)

    assert history(payment)[-1] == "notification"
    assert services.count_events(payment) == seen == 3


# A review that was closed


def test_closing_a_case_says_so_and_touches_no_other_payment(provider: Provider, snipcart: StandIn) -> None:
    snipcart.fail("payment", 503, times=2)
    waiting = pay(snipcart)
    payment = pay(snipcart)
    let_time_pass(timedelta(hours=2))

    assert services.resolve_review(payment, "closed", note="by hand", by="ada")

    assert (payment.resolved_at is not None, payment.public_token) == (True, "")
    assert payment.confirmations.get().status == Confirmation.Status.REVIEW
    assert payment.confirmations.get().finished_at is not None
    waiting.refresh_from_db()
    assert waiting.resolved_at is None
    assert waiting.public_token
    assert waiting.confirmations.get().status == Confirmation.Status.PENDING


def closed_review(provider: Provider, snipcart: StandIn, session: StandInSession) -> Payment:
    """A payment of another amount than was ordered, whose case staff have closed."""
    provider.script(amount="5.00")
    payment = pay(snipcart, session=session)
    provider.script()
    assert (payment.state, payment.captured_minor_units) == (Payment.State.REVIEW, 500)
    assert services.resolve_review(payment, "closed", note="the money goes back", by="ada")
    return payment


def test_a_closed_review_whose_money_was_kept_does_not_free_its_session(
    provider: Provider, snipcart: StandIn
) -> None:
    session = snipcart.session()
    payment = closed_review(provider, snipcart, session)

    assert pay(snipcart, session=session) == payment
    assert len(provider.captures) == 1


def test_a_closed_review_whose_money_went_back_frees_its_session(
    provider: Provider, snipcart: StandIn
) -> None:
    session = snipcart.session()
    payment = closed_review(provider, snipcart, session)
    services.refund_by_staff(payment, 500, by="ada")

    again = pay(snipcart, session=session)

    assert again != payment
    assert again.state == Payment.State.PAID
    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]


def test_a_review_that_is_closed_after_its_money_went_back_frees_its_session(
    provider: Provider, snipcart: StandIn
) -> None:
    session = snipcart.session()
    provider.script(amount="5.00")
    payment = pay(snipcart, session=session)
    provider.script()
    services.refund_by_staff(payment, 500, by="ada")
    assert pay(snipcart, session=session) == payment

    services.resolve_review(payment, "closed", note="the money went back", by="ada")

    assert pay(snipcart, session=session).state == Payment.State.PAID


@pytest.mark.parametrize("was_made", [True, False])
def test_a_closed_review_frees_its_session_only_once_it_is_known_that_its_money_went_back(
    provider: Provider, snipcart: StandIn, was_made: bool
) -> None:
    session = snipcart.session()
    provider.script(amount="5.00")
    payment = pay(snipcart, session=session)
    refund = unknown_refund(provider, payment)
    assert services.resolve_review(payment, "closed", note="the money goes back", by="ada")
    assert pay(snipcart, session=session) == payment

    assert services.resolve_refund(refund, was_made=was_made, note="the provider says so", by="ada")

    assert (pay(snipcart, session=session) == payment) is not was_made
    assert len(provider.captures) == 1 + was_made


def test_a_part_that_went_back_does_not_free_the_session(provider: Provider, snipcart: StandIn) -> None:
    session = snipcart.session()
    payment = closed_review(provider, snipcart, session)
    services.refund_by_staff(payment, 499, by="ada")

    assert pay(snipcart, session=session) == payment


def test_money_of_another_closed_review_that_went_back_frees_no_session(
    provider: Provider, snipcart: StandIn
) -> None:
    returned = closed_review(provider, snipcart, snipcart.session())
    services.refund_by_staff(returned, 500, by="ada")
    session = snipcart.session()
    kept = closed_review(provider, snipcart, session)
    returned.refresh_from_db()
    version = returned.version

    services.refund_by_staff(kept, 499, by="ada")

    assert pay(snipcart, session=session) == kept
    returned.refresh_from_db()
    assert returned.version == version


def test_closing_a_case_leaves_the_unknown_refunds_of_others_to_the_machine(
    provider: Provider, snipcart: StandIn
) -> None:
    others = unknown_refund(provider, pay(snipcart))
    payment = refused_by_snipcart(snipcart)
    own = unknown_refund(provider, payment)

    assert services.resolve_review(payment, "closed", note="by hand", by="ada")

    states = dict(Refund.objects.values_list("pk", "state"))
    assert states == {others.pk: Refund.State.UNKNOWN, own.pk: Refund.State.REVIEW}


def test_closing_the_case_of_a_payment_that_is_not_paid_ends_what_is_not_delivered_yet(
    provider: Provider, snipcart: StandIn
) -> None:
    pay(snipcart)
    provider.script(charge="pending")
    snipcart.fail("payment", 503)
    payment = pay(snipcart)
    in_payment_review(payment)

    assert services.resolve_review(payment, "closed", note="by hand", by="ada")

    assert payment.confirmations.get().status == Confirmation.Status.REVIEW


def test_closing_a_case_ends_what_was_alerted_however_lately(provider: Provider, snipcart: StandIn) -> None:
    snipcart.fail("payment", 401, times=None)
    payment = pay(snipcart)
    assert payment.confirmations.get().status == Confirmation.Status.PENDING

    assert services.resolve_review(payment, "closed", note="by hand", by="ada")

    assert payment.confirmations.get().status == Confirmation.Status.REVIEW


def test_what_waits_for_a_decision_about_its_order_cannot_be_sent_again_and_a_failure_can(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = refused_by_snipcart(snipcart)
    in_payment_review(payment)
    assert services.list_undelivered(payment) == []

    payment.confirmations.update(outcome=Confirmation.Outcome.FAILED)

    assert [confirmation.outcome for confirmation in services.list_undelivered(payment)] == ["failed"]


def test_a_person_who_finds_the_money_of_an_unknown_payment_records_what_was_taken(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="nonsense")
    payment = pay(snipcart, amount="12.30")
    in_payment_review(payment)

    assert services.resolve_review(payment, "paid", note="on the statement", by="ada")

    payment.refresh_from_db()
    assert (payment.captured_minor_units, payment.captured_currency) == (1230, "EUR")
    assert payment.transaction_id == str(payment.reference)
    assert (payment.review_reason, payment.live_key is None) == ("", False)
    assert payment.captured_at is not None
    assert payment.captured_at == payment.resolved_at
    assert payment.refundable_minor_units == 1230


def test_a_closed_review_without_a_capture_frees_its_session(provider: Provider, snipcart: StandIn) -> None:
    session = snipcart.session()
    provider.script(charge="nonsense")
    payment = pay(snipcart, session=session)
    in_payment_review(payment)

    services.resolve_review(payment, "closed", note="the provider has no such payment", by="ada")
    provider.script()

    again = pay(snipcart, session=session)
    assert (again == payment, again.state) == (False, Payment.State.PAID)


def in_payment_review(payment: Payment) -> None:
    """The payment after snipcart_settle has left it to a person."""
    reason = Payment.ReviewReason.OUTCOME_UNKNOWN
    Payment.objects.filter(pk=payment.pk).update(state=Payment.State.REVIEW, review_reason=reason)
    payment.refresh_from_db()


@pytest.mark.parametrize("state", [state for state in Payment.State if state != Payment.State.PENDING])
def test_only_a_pending_payment_is_received_or_expires(
    provider: Provider, snipcart: StandIn, state: str
) -> None:
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(state=state, review_reason="unanswered")
    payment.refresh_from_db()

    assert not services.mark_received(payment, by="ada")
    assert not services.mark_expired(payment, by="ada")

    assert Payment.objects.get().state == state
    assert history(payment) == ["charging", "paid", "confirmation_delivered"]


@pytest.mark.parametrize(
    "state, code",
    [("declined", "card_declined"), ("abandoned", "payment_expired")],
)
def test_only_a_declined_payment_that_expired_is_received_late(
    provider: Provider, snipcart: StandIn, state: str, code: str
) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(state=state, decline_code=code, live_key=None)
    payment.refresh_from_db()

    assert not services.mark_received(payment, by="ada")

    assert (Payment.objects.get().state, Payment.objects.get().captured_at) == (state, None)


def test_our_reference_stands_for_the_transaction_of_money_that_came_another_way_than_the_providers(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    assert payment.transaction_id == ""

    assert services.mark_received(payment, by="ada")

    assert Payment.objects.get().transaction_id == str(payment.reference)


@pytest.mark.parametrize("note", ["", "statement 12"])
def test_a_received_payment_is_paid_and_snipcart_notified(
    provider: Provider, snipcart: StandIn, note: str
) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)

    assert services.mark_received(payment, by="ada", note=note)

    assert Payment.objects.get().state == Payment.State.PAID
    assert [sent["state"] for sent in snipcart.confirmations] == ["processing", "processed"]
    event = payment.events.get(name="paid")
    assert (event.source, event.actor) == (Event.Source.STAFF, "ada")
    assert event.data == {"was": "pending", **({"note": note} if note else {})}


def test_a_payment_is_captured_on_the_day_that_its_money_was_received(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    day = services.get_today() - timedelta(days=3)

    assert services.mark_received(payment, by="ada", received_on=day)

    payment.refresh_from_db()
    assert payment.captured_at is not None
    assert timezone.localtime(payment.captured_at).date() == day
    assert payment.transaction_id == f"tr-{payment.reference}"
    assert payment.events.get(name="paid").data == {"was": "pending", "received": day.isoformat()}


@pytest.mark.parametrize("use_tz", [True, False])
def test_today_is_a_day_of_the_sites_time_zone(
    settings: Any, monkeypatch: pytest.MonkeyPatch, use_tz: bool
) -> None:
    settings.USE_TZ = use_tz
    late = datetime(2026, 6, 1, 22, 30, tzinfo=UTC if use_tz else None)
    monkeypatch.setattr(timezone, "now", lambda: late)

    # In Paris the next day has begun; without time zones the clock says what is meant.
    assert services.get_today() == date(2026, 6, 2 if use_tz else 1)


def test_what_was_received_today_is_captured_now(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    began = timezone.now()

    assert services.mark_received(payment, by="ada", received_on=services.get_today())

    assert payment.captured_at is not None
    assert began <= payment.captured_at <= timezone.now()


def test_the_least_that_can_be_received_is_one_minor_unit(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    day = services.get_today() - timedelta(days=3)

    for units in (0, -1, payment.minor_units + 1):
        with pytest.raises(ValueError, match="cannot be received"):
            services.mark_received(payment, by="ada", units=units)
    assert services.mark_received(payment, by="ada", units=1, received_on=day, note="statement 12")
    assert services.mark_received(payment, by="bob", units=2)

    assert services.get_missing_minor_units(payment) == payment.minor_units - 3
    first, second = payment.events.filter(name="part_received").order_by("pk")
    assert first.data == {"minor_units": 1, "received": day.isoformat(), "note": "statement 12"}
    assert second.data == {"minor_units": 2, "received": services.get_today().isoformat()}


def test_the_day_of_receipt_does_not_move_a_capture_that_was_known_before(
    provider: Provider, snipcart: StandIn
) -> None:
    session = snipcart.session()
    provider.script(charge="pending")
    payment = pay(snipcart, session=session)
    read_before = Payment.objects.get()
    services.mark_received(payment, by="ada")
    captured_at = Payment.objects.get().captured_at

    services.mark_received(read_before, by="bob", received_on=services.get_today() - timedelta(days=3))

    assert Payment.objects.get().captured_at == captured_at


def test_an_expired_payment_is_invalidated(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)

    assert services.mark_expired(payment, by="ada")

    assert [sent["state"] for sent in snipcart.confirmations] == ["processing", "invalidated"]
    with pytest.raises(RefundNotPossible):
        services.refund_by_staff(payment, 1, by="ada")


def test_money_that_comes_after_its_payment_expired_is_received(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    services.mark_expired(payment, by="ada")
    snipcart.fail("payment", 200)

    assert services.mark_received(payment, by="ada")

    payment.refresh_from_db()
    assert (payment.state, payment.decline_code, payment.decline_message) == (Payment.State.PAID, "", "")
    assert [call.json["state"] for call in snipcart.calls_to("payment")] == [
        "processing",
        "invalidated",
        "processed",
    ]


def test_late_money_for_an_order_that_was_paid_otherwise_is_left_to_a_person(
    provider: Provider, snipcart: StandIn
) -> None:
    session = snipcart.session()
    provider.script(charge="pending")
    expired = pay(snipcart, session=session)
    services.mark_expired(expired, by="ada")
    provider.script()
    pay(snipcart, session=session)

    assert services.mark_received(expired, by="ada", note="statement 12")

    expired.refresh_from_db()
    assert (expired.state, expired.review_reason) == (Payment.State.REVIEW, "second_capture")
    assert expired.refundable_minor_units == expired.minor_units
    assert expired.events.get(name="review").data["note"] == "statement 12"
    assert not services.resolve_review(expired, "paid", note="", by="ada")
    assert Payment.objects.get(pk=expired.pk).state == Payment.State.REVIEW


@pytest.mark.parametrize(
    "resolution, state, outcomes",
    [("paid", Payment.State.PAID, ["processed"]), ("declined", Payment.State.DECLINED, [])],
)
def test_a_person_ends_a_review_as_paid_or_declined(
    provider: Provider, snipcart: StandIn, resolution: str, state: str, outcomes: list[str]
) -> None:
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    in_payment_review(payment)

    assert services.resolve_review(payment, resolution, note="the provider said so", by="ada")

    payment.refresh_from_db()
    assert payment.state == state
    assert payment.resolved_at is not None
    assert payment.resolved_at <= timezone.now()
    assert [body["state"] for body in snipcart.confirmations] == outcomes
    assert payment.events.get(name=state).data["note"] == "the provider said so"


def test_a_case_that_has_become_another_one_is_not_resolved_from_an_old_page(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    in_payment_review(payment)
    read_before = Payment.objects.get()
    provider.script(lookup="paid", amount="99.00")
    notify(provider, payment)

    assert not services.resolve_review(read_before, "paid", note="", by="ada")

    assert Payment.objects.get().review_reason == "amount_differs"
    assert snipcart.confirmations == []


def test_money_that_was_taken_is_not_resolved_as_declined(provider: Provider, snipcart: StandIn) -> None:
    provider.script(amount="99.00")
    payment = pay(snipcart)
    assert (payment.state, payment.review_reason) == (Payment.State.REVIEW, "amount_differs")

    assert not services.resolve_review(payment, "declined", note="a mistake", by="ada")

    assert Payment.objects.get().state == Payment.State.REVIEW
