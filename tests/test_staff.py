"""What staff may do with a payment: each does it once, says who and why, and puts nothing at risk."""

from __future__ import annotations

import pytest
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.exceptions import RefundNotPossible, RefundUncertain
from snipcart_checkout.models import Confirmation, Payment, Refund
from snipcart_checkout.signals import payment_refunded
from snipcart_checkout.testing import StandIn
from tests.backends import Provider
from tests.ledger import in_review, pay, provider, refused_by_snipcart, story, uncertain_refund

__all__ = ["provider"]

pytestmark = pytest.mark.django_db


def test_a_confirmation_in_review_is_told_again(provider: Provider, snipcart: StandIn) -> None:
    payment = refused_by_snipcart(snipcart)
    confirmation = payment.confirmations.get()
    assert confirmation.status == Confirmation.Status.REVIEW

    assert services.tell_again(confirmation, by="ada")

    assert [told["state"] for told in snipcart.confirmations] == ["processed"]
    assert payment.confirmations.get().status == Confirmation.Status.TOLD
    assert payment.events.get(name="told_again").source == "staff ada"


def test_telling_again_on_an_old_page_does_not_repeat_what_was_told(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = refused_by_snipcart(snipcart)
    seen_before = payment.confirmations.get()
    services.tell_again(payment.confirmations.get(), by="ada")

    assert not services.tell_again(seen_before, by="bob")

    assert len(snipcart.calls_to("payment")) == 2
    assert story(payment).count("told_again") == 1


def test_a_confirmation_that_waits_for_its_time_can_be_told_at_once(
    provider: Provider, snipcart: StandIn
) -> None:
    snipcart.fail("payment", 500)
    payment = pay(snipcart)
    assert payment.confirmations.get().status == Confirmation.Status.OWED

    assert services.tell_again(payment.confirmations.get(), by="ada")

    assert payment.confirmations.get().status == Confirmation.Status.TOLD


def test_keys_that_are_refused_again_after_telling_again_alert_again(
    provider: Provider, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    payment = refused_by_snipcart(snipcart)
    snipcart.fail("payment", 401, times=2)

    services.tell_again(payment.confirmations.get(), by="ada")

    assert "refused every API key" in caplog.text


def test_an_older_state_is_not_told_after_a_later_one(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    snipcart.fail("payment", 400)
    payment = pay(snipcart)
    services.mark_received(payment, by="ada")
    processing, processed = payment.confirmations.all()
    assert (processing.status, processed.status) == ("review", "told")

    assert not services.tell_again(processing, by="ada")

    assert [told["state"] for told in snipcart.confirmations] == ["processed"]


def test_a_review_is_closed_once(provider: Provider, snipcart: StandIn) -> None:
    payment = refused_by_snipcart(snipcart)

    assert services.resolve_review(payment, "closed", note="put right by hand", by="ada")
    assert not services.resolve_review(payment, "closed", note="put right by hand", by="ada")

    assert story(payment).count("review_closed") == 1
    assert not services.settle().needs_person


def test_a_payment_that_comes_to_review_after_it_was_closed_needs_a_person_again(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    services.resolve_review(payment, "closed", note="the shopper paid in cash", by="ada")
    Payment.objects.filter(pk=payment.pk).update(public_token="")
    provider.script(lookup="paid", amount="99.00")

    services.ask_backend(Payment.objects.get(pk=payment.pk), source="notification")

    assert Payment.objects.get(pk=payment.pk).state == Payment.State.REVIEW
    assert services.settle().payments_in_review == 1


def test_a_refund_in_review_that_was_made_is_refunded(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    refund = in_review(uncertain_refund(provider, payment))
    heard: list[Refund] = []
    payment_refunded.connect(
        lambda refund, **_: heard.append(refund), weak=False, dispatch_uid="test of staff"
    )

    try:
        assert services.resolve_refund(refund, was_made=True, note="seen at the provider", by="ada")
    finally:
        payment_refunded.disconnect(dispatch_uid="test of staff")

    assert Refund.objects.get().state == Refund.State.REFUNDED
    assert heard == [refund]
    payment.refresh_from_db()
    assert payment.refunded_minor_units == 500
    event = payment.events.get(name="refund_refunded")
    assert (event.source, event.data["note"]) == ("staff ada", "seen at the provider")


def test_a_refund_in_review_that_was_not_made_can_be_made_anew(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    refund = in_review(uncertain_refund(provider, payment))
    with pytest.raises(RefundUncertain):
        services.refund_payment(payment, 500, asked_by="staff ada")

    assert services.resolve_refund(refund, was_made=False, note="not at the provider", by="ada")

    payment.refresh_from_db()
    assert payment.refunded_minor_units == 0
    assert services.refund_payment(payment, 500, asked_by="staff ada").state == Refund.State.REFUNDED


def test_a_refund_is_resolved_once(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    refund = in_review(uncertain_refund(provider, payment))
    seen_before = Refund.objects.get(pk=refund.pk)
    services.resolve_refund(refund, was_made=True, note="seen", by="ada")

    assert not services.resolve_refund(seen_before, was_made=False, note="not seen", by="bob")

    payment.refresh_from_db()
    assert (Refund.objects.get().state, payment.refunded_minor_units) == (Refund.State.REFUNDED, 500)


def test_a_refund_that_is_still_being_found_out_is_not_for_staff_to_decide(
    provider: Provider, snipcart: StandIn
) -> None:
    payment = pay(snipcart)
    refund = uncertain_refund(provider, payment)

    assert not services.resolve_refund(refund, was_made=False, note="not seen", by="ada")

    assert Refund.objects.get().state == Refund.State.UNCERTAIN


@pytest.mark.parametrize("state", [state for state in Payment.State if state != Payment.State.WAITING])
def test_only_a_waiting_payment_is_received_or_lapses(
    provider: Provider, snipcart: StandIn, state: str
) -> None:
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(state=state)
    payment.refresh_from_db()

    assert not services.mark_received(payment, by="ada")
    assert not services.mark_lapsed(payment, by="ada")

    assert Payment.objects.get().state == state
    assert story(payment) == ["charging", "paid", "told"]


def test_a_received_payment_is_paid_and_told(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)

    assert services.mark_received(payment, by="ada")

    assert Payment.objects.get().state == Payment.State.PAID
    assert [told["state"] for told in snipcart.confirmations] == ["processing", "processed"]
    assert payment.events.get(name="paid").source == "staff ada"


def test_a_lapsed_payment_is_invalidated(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)

    assert services.mark_lapsed(payment, by="ada")

    assert [told["state"] for told in snipcart.confirmations] == ["processing", "invalidated"]
    with pytest.raises(RefundNotPossible):
        services.refund_payment(payment, 1, asked_by="staff ada")


def test_money_that_comes_after_its_payment_lapsed_is_received(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="pending")
    payment = pay(snipcart)
    services.mark_lapsed(payment, by="ada")
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
    lapsed = pay(snipcart, session=session)
    services.mark_lapsed(lapsed, by="ada")
    provider.script()
    pay(snipcart, session=session)

    assert services.mark_received(lapsed, by="ada")

    lapsed.refresh_from_db()
    assert (lapsed.state, lapsed.review_reason) == (Payment.State.REVIEW, "second_capture")
    assert lapsed.refundable_minor_units == lapsed.minor_units


@pytest.mark.parametrize(
    "resolution, state, told",
    [("paid", Payment.State.PAID, ["processed"]), ("declined", Payment.State.DECLINED, [])],
)
def test_a_review_ends_on_a_persons_word(
    provider: Provider, snipcart: StandIn, resolution: str, state: str, told: list[str]
) -> None:
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(state=Payment.State.REVIEW)
    payment.refresh_from_db()

    assert services.resolve_review(payment, resolution, note="the provider said so", by="ada")

    payment.refresh_from_db()
    assert payment.state == state
    assert payment.resolved_at is not None
    assert payment.resolved_at <= timezone.now()
    assert [body["state"] for body in snipcart.confirmations] == told
    assert payment.events.get(name=state).data["note"] == "the provider said so"


def test_money_that_was_taken_is_not_resolved_as_declined(provider: Provider, snipcart: StandIn) -> None:
    provider.script(amount="99.00")
    payment = pay(snipcart)
    assert (payment.state, payment.review_reason) == (Payment.State.REVIEW, "amount_differs")

    assert not services.resolve_review(payment, "declined", note="a mistake", by="ada")

    assert Payment.objects.get().state == Payment.State.REVIEW
