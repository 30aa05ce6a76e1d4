"""What the ledger keeps of a person: nothing of the order, and what a backend asked for only while it is needed."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import serializers
from django.db.models import JSONField, TextField
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession
from tests.support.backends import Provider
from tests.support.ledger import provider

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

PERSON = ("ada@example.org", "Ada", "Byron", "rue des", "75005", "Paris")


def pay(session: StandInSession, **form: str) -> Payment:
    """Pay a session with a method whose form asked for something."""
    store = get_settings().stores["live"]
    return services.pay(
        services.Order(
            store=store,
            method=store.methods["acme_card"],
            session=services.get_payment_session(session.public_token, "live"),
            public_token=session.public_token,
            form=form,
        )
    )


def ledger() -> str:
    """Everything that is stored."""
    rows = [row for model in (Payment, Confirmation, Refund, Event) for row in model.objects.all()]
    return str(serializers.serialize("json", rows, ensure_ascii=False))


@pytest.mark.parametrize("charge", ["paid", "pending", "redirect", "declined", "nonsense"])
def test_nothing_of_the_orders_person_is_stored(provider: Provider, snipcart: StandIn, charge: str) -> None:
    provider.script(charge=charge)
    pay(snipcart.session())
    for word in PERSON:
        assert word not in ledger()


@pytest.mark.parametrize("knobs", [{"charge": "paid"}, {"amount": "99.00"}], ids=["paid", "another amount"])
def test_form_and_token_are_forgotten_with_the_outcome(
    provider: Provider, snipcart: StandIn, knobs: dict[str, Any]
) -> None:
    provider.script(**knobs)
    session = snipcart.session()

    pay(session, phone="+33 1 23 45 67 89")

    assert "+33 1 23" not in ledger()
    assert session.public_token not in ledger()


def test_what_was_asked_for_is_forgotten_with_a_decline_and_the_token_when_it_cannot_be_paid_any_more(
    provider: Provider, snipcart: StandIn
) -> None:
    """A declined payment may turn out paid for three days, and then its order has to be compared."""
    provider.script(charge="declined")
    session = snipcart.session()
    pay(session, phone="+33 1 23 45 67 89")
    assert "+33 1 23" not in ledger()
    assert session.public_token in ledger()

    three_days_later()

    assert session.public_token not in ledger()


def test_the_token_of_a_declined_payment_that_nobody_can_look_up_is_forgotten_at_once(
    provider: Provider, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    provider.script(charge="declined")
    session = snipcart.session()

    pay(session, phone="+33 1 23 45 67 89")

    assert "+33 1 23" not in ledger()
    assert session.public_token not in ledger()


@pytest.mark.parametrize("charge", ["paid", "pending"])
def test_the_token_is_kept_until_snipcart_was_notified_and_no_longer(
    provider: Provider, snipcart: StandIn, charge: str
) -> None:
    """The order is compared before each delivery."""
    provider.script(charge=charge)
    session = snipcart.session()
    snipcart.fail("payment", 500)
    payment = pay(session)
    assert session.public_token in ledger()

    Confirmation.objects.update(due_at=timezone.now())
    services.settle()
    assert payment.confirmations.get().status == Confirmation.Status.DELIVERED
    if charge == "pending":
        assert services.mark_received(Payment.objects.get(), by="ada")

    assert session.public_token not in ledger()


def three_days_later() -> None:
    moment = timezone.now() - timedelta(hours=73)
    Payment.objects.update(claimed_at=moment, answered_at=moment, created_at=moment)
    services.settle()


def test_form_and_token_are_kept_while_the_answer_is_awaited_and_no_longer(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(charge="redirect")
    session = snipcart.session()
    payment = pay(session, phone="+33 1 23 45 67 89")
    assert "+33 1 23" in ledger()
    assert session.public_token in ledger()

    provider.complete(payment.pk)
    services.settle()

    assert "+33 1 23" not in ledger()
    assert session.public_token not in ledger()


def test_the_form_of_an_abandoned_payment_is_forgotten_and_its_token_after_three_days(
    provider: Provider, snipcart: StandIn
) -> None:
    provider.script(before="raise")
    session = snipcart.session()
    payment = pay(session, phone="+33 1 23 45 67 89")

    services.settle()

    payment.refresh_from_db()
    assert payment.state == Payment.State.ABANDONED
    assert "+33 1 23" not in ledger()
    assert session.public_token in ledger()

    three_days_later()

    assert session.public_token not in ledger()


@pytest.mark.parametrize("state", ["declined", "abandoned", "review"])
@pytest.mark.parametrize("kept", [{"form": {}}, {"public_token": ""}], ids=["token", "form"])
def test_whatever_is_left_of_a_payment_that_ended_is_forgotten_after_three_days(
    provider: Provider, snipcart: StandIn, state: str, kept: dict[str, Any]
) -> None:
    provider.script(charge="redirect")
    session = snipcart.session()
    pay(session, phone="+33 1 23 45 67 89")
    Payment.objects.update(state=state, redirect_url="", review_reason="disputed", **kept)
    assert ("+33 1 23" in ledger()) is not (session.public_token in ledger())

    three_days_later()

    assert "+33 1 23" not in ledger()
    assert session.public_token not in ledger()


def test_the_token_of_an_accepted_payment_is_forgotten_after_three_days(
    provider: Provider, snipcart: StandIn
) -> None:
    """Until then ``processed`` may follow, before which the order is compared."""
    provider.script(charge="pending")
    session = snipcart.session()
    payment = pay(session)
    assert session.public_token in ledger()
    provider.script(lookup="pending")

    three_days_later()

    payment.refresh_from_db()
    assert payment.state == Payment.State.PENDING
    assert session.public_token not in ledger()


def test_closing_a_case_forgets_form_and_token(provider: Provider, snipcart: StandIn) -> None:
    provider.script(charge="nonsense")
    session = snipcart.session()
    payment = pay(session, phone="+33 1 23 45 67 89")
    long_ago = timezone.now() - timedelta(hours=2)
    Payment.objects.update(claimed_at=long_ago, answered_at=long_ago)

    assert services.resolve_review(payment, "closed", note="paid in cash", by="ada")

    assert "+33 1 23" not in ledger()
    assert session.public_token not in ledger()


def test_no_refund_link_is_stored(provider: Provider, snipcart: StandIn) -> None:
    session = snipcart.session()
    pay(session)
    sent = session.confirmations[-1]["links"]["refunds"]
    assert sent.rstrip("/").rpartition("/")[2] not in ledger()


def free_texts(model: Any) -> set[str]:
    """The columns that hold whatever somebody writes: neither a digest nor a short word of ours."""
    return {field.name for field in model._meta.fields if isinstance(field, (JSONField, TextField))}


def left_out_of_trackers(page: str) -> set[str]:
    """The columns of a payment that the documentation tells a model tracker to leave out."""
    text = (Path(__file__).parent.parent / "docs" / "howto" / page).read_text()
    (item,) = (item for item in text.split("\n* ") if "django-auditlog" in item)
    return set(re.findall(r"`(\w+)`", item.partition("`snipcart_checkout.Payment`")[0]))


@pytest.mark.parametrize("page", ["mount.md", "mount.fr.md"])
def test_model_trackers_are_told_to_leave_out_exactly_what_is_wiped(
    provider: Provider, snipcart: StandIn, page: str
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart.session(), phone="+33 1 23 45 67 89")
    before = {name for name in free_texts(Payment) if getattr(payment, name)}

    provider.complete(payment.reference)
    services.settle()

    payment.refresh_from_db()
    assert payment.state == "paid"
    assert {name for name in before if not getattr(payment, name)} == left_out_of_trackers(page)


def test_what_else_is_free_text_may_stay_in_a_history() -> None:
    """A new column is one that trackers leave out, or stands here because it is no secret."""
    assert free_texts(Payment) - left_out_of_trackers("mount.md") == {
        "cart_url",
        "decline_message",
        "instructions",
        "order_url",
    }
    assert free_texts(Confirmation) == {"body"}  # with a placeholder for the secret of the refund link
    assert free_texts(Event) == {"data"}
    assert free_texts(Refund) == set()
