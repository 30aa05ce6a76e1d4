"""The ledger's own rules: which transitions there are, and what the database itself does not let happen."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, ProtectedError
from django.utils import timezone

from snipcart_checkout.models import (
    TRANSITIONS,
    Confirmation,
    Event,
    Payment,
    Refund,
    cart_key,
    find_short_reference,
    new_reference,
    session_key,
    to_short_reference,
    transaction_key,
)
from snipcart_checkout.snipcart.references import is_mistyped

pytestmark = pytest.mark.django_db

CHARGING, PENDING, PAID, DECLINED, UNKNOWN, ABANDONED, REVIEW = Payment.State.values
ALLOWED = {
    (CHARGING, PAID),
    (CHARGING, PENDING),
    (CHARGING, DECLINED),
    (CHARGING, UNKNOWN),
    (CHARGING, ABANDONED),
    (CHARGING, REVIEW),
    (PENDING, PAID),
    (PENDING, DECLINED),
    (PENDING, UNKNOWN),
    (PENDING, ABANDONED),
    (PENDING, REVIEW),
    (UNKNOWN, PAID),
    (UNKNOWN, PENDING),
    (UNKNOWN, DECLINED),
    (UNKNOWN, ABANDONED),
    (UNKNOWN, REVIEW),
    (ABANDONED, CHARGING),
    (ABANDONED, PENDING),
    (ABANDONED, PAID),
    (ABANDONED, DECLINED),
    (ABANDONED, REVIEW),
    (DECLINED, PAID),
    (DECLINED, REVIEW),
    (REVIEW, PAID),
    (REVIEW, DECLINED),
    # The money stays taken; a person has to decide what becomes of the order.
    (PAID, REVIEW),
}


def payment(session: str = "s-1", **columns: Any) -> Payment:
    """A row of the ledger, paid unless it is said otherwise."""
    key = session_key("live", session)
    state = columns.get("state", PAID)
    reason = {"review_reason": Payment.ReviewReason.UNANSWERED} if state == REVIEW else {}
    return Payment.objects.create(
        **{
            "store": "live",
            "method": "acme_card",
            "session_id": session,
            "session_key": key,
            "live_key": key,
            "state": PAID,
            "minor_units": 1000,
            "currency": "EUR",
            "capability_hash": uuid.uuid4().hex,
            **(captured(columns.get("minor_units", 1000)) if state == PAID else {}),
            **reason,
            **columns,
        }
    )


def captured(units: int = 1000) -> dict[str, Any]:
    """The columns of a payment whose money was taken."""
    return {
        "captured_at": "2026-11-01T10:00:00Z",
        "captured_minor_units": units,
        "captured_currency": "EUR",
    }


@contextmanager
def refused() -> Iterator[None]:
    """The database refuses what is done inside."""
    with pytest.raises(IntegrityError), transaction.atomic():
        yield


# Transitions.


@pytest.mark.parametrize("before, after", list(itertools.permutations(Payment.State.values, 2)))
def test_a_payment_changes_its_state_along_the_table_only(before: str, after: str) -> None:
    row = payment(state=before, review_reason=Payment.ReviewReason.UNANSWERED, **captured())
    if (before, after) in ALLOWED:
        assert Payment.objects.transition(row, after)
        assert Payment.objects.get().state == after
    else:
        with pytest.raises(ValueError, match=f"does not go from {before} to {after}"):
            Payment.objects.transition(row, after)
        assert Payment.objects.get().state == before


def test_the_table_of_transitions_names_every_state() -> None:
    assert TRANSITIONS.keys() == set(Payment.State)


def test_money_that_was_taken_is_never_taken_back() -> None:
    """From paid only a person's review follows, and from there no decline of what was captured."""
    assert TRANSITIONS[Payment.State.PAID] == {Payment.State.REVIEW}


def test_what_another_process_changed_meanwhile_is_not_changed() -> None:
    seen = payment(state=CHARGING)
    assert Payment.objects.transition(Payment.objects.get(), PENDING)

    assert not Payment.objects.transition(seen, DECLINED)

    assert Payment.objects.get().state == PENDING


def test_what_was_decided_from_an_older_version_of_the_same_state_is_not_carried_out() -> None:
    seen = payment(state=PENDING)
    assert Payment.objects.transition(Payment.objects.get(), PENDING, transaction_id="tr-2")

    assert not Payment.objects.transition(seen, PENDING, transaction_id="tr-1")

    row = Payment.objects.get()
    assert (row.version, row.transaction_id) == (1, "tr-2")


def test_a_payment_changes_alone() -> None:
    row, other = payment("s-1", state=CHARGING), payment("s-2", state=CHARGING)

    assert Payment.objects.transition(row, PENDING)

    before, after = other, Payment.objects.get(pk=other.pk)
    assert (after.state, after.version, after.updated_at) == (CHARGING, before.version, before.updated_at)


def test_a_change_of_state_is_a_change_of_the_row() -> None:
    row = payment(state=CHARGING)
    began = timezone.now()

    Payment.objects.transition(row, PENDING)

    assert Payment.objects.get().updated_at >= began


def test_a_state_of_a_newer_release_is_not_changed() -> None:
    with pytest.raises(ValueError, match="does not go from quarantined"):
        Payment.objects.transition(payment(state="quarantined"), PAID)


# What the database holds.


def test_a_session_has_one_live_payment() -> None:
    payment()
    with refused():
        payment(state=CHARGING)


def test_a_session_may_have_any_number_of_payments_that_are_not_live() -> None:
    for state in (DECLINED, DECLINED, ABANDONED, REVIEW):
        payment(state=state, live_key=None)
    payment()
    assert Payment.objects.live().count() == 1


def test_stores_do_not_share_their_sessions() -> None:
    payment()
    payment(store="other", live_key=session_key("other", "s-1"))


@pytest.mark.parametrize("state", [CHARGING, PENDING, PAID, UNKNOWN])
def test_a_live_state_holds_its_key(state: str) -> None:
    with refused():
        payment(state=state, live_key=None)
    row = payment(state=state)
    with refused():
        Payment.objects.filter(pk=row.pk).update(live_key=None)


def test_a_state_of_a_newer_release_counts_as_live() -> None:
    with refused():
        payment(state="quarantined", live_key=None)


def test_a_transaction_of_the_provider_belongs_to_one_payment() -> None:
    payment("s-1", transaction_key="t")
    with refused():
        payment("s-2", transaction_key="t")


def test_payments_without_a_transaction_do_not_stand_in_each_others_way() -> None:
    payment("s-1", transaction_key=None)
    payment("s-2", transaction_key=None)


@pytest.mark.parametrize("units", [0, -1])
def test_an_amount_is_positive(units: int) -> None:
    with refused():
        payment(minor_units=units)


def test_no_more_is_refunded_than_was_captured() -> None:
    payment(minor_units=2000, **captured(1000))
    Payment.objects.update(refunded_minor_units=F("refunded_minor_units") + 1000)
    with refused():
        Payment.objects.update(refunded_minor_units=F("refunded_minor_units") + 1)


def test_no_more_is_given_back_to_the_reservation_than_was_taken() -> None:
    payment()
    with refused():
        Payment.objects.update(refunded_minor_units=F("refunded_minor_units") - 1)


def test_nothing_is_refunded_of_a_payment_that_was_not_captured() -> None:
    payment(state=PENDING)
    with refused():
        Payment.objects.update(refunded_minor_units=1)


@pytest.mark.parametrize("column", ["captured_at", "captured_minor_units"])
def test_what_is_paid_was_captured(column: str) -> None:
    with refused():
        payment(**{**captured(), column: None})


def test_a_review_has_a_reason() -> None:
    with refused():
        payment(state=REVIEW, review_reason="")


def test_a_paid_payment_may_carry_a_reason_for_review() -> None:
    assert payment(review_reason=Payment.ReviewReason.CART_PAID_TWICE).state == PAID


def test_what_was_captured_is_kept_as_the_provider_said_it() -> None:
    row = payment(captured_minor_units=250, captured_currency="JPY", minor_units=1000)
    assert (row.captured_amount, row.amount) == (Decimal("250"), Decimal("10.00"))


def test_what_was_captured_is_found_whatever_came_of_it_later() -> None:
    paid, disputed = payment("s-1"), payment("s-2", state=REVIEW, **captured())
    payment("s-3", state=PENDING)
    payment("s-4", state=REVIEW)

    assert set(Payment.objects.captured()) == {paid, disputed}


def test_without_a_capture_there_is_no_captured_amount_and_nothing_to_refund() -> None:
    row = payment(state=PENDING)
    assert (row.captured_amount, row.kept_minor_units, row.refundable_minor_units) == (None, 0, 0)


def test_what_was_captured_is_what_can_be_refunded() -> None:
    assert payment(refunded_minor_units=300, **captured(700)).refundable_minor_units == 400


@pytest.mark.parametrize(
    "captured_units, refunded, is_all",
    [(1000, 0, False), (1000, 1, False), (1000, 999, False), (1000, 1000, True), (1, 1, True)],
)
def test_all_has_gone_back_once_nothing_is_kept(captured_units: int, refunded: int, is_all: bool) -> None:
    row = payment(refunded_minor_units=refunded, **captured(captured_units))
    assert row.has_all_gone_back is is_all


def test_nothing_has_gone_back_of_money_that_never_came() -> None:
    assert not payment(state=PENDING).has_all_gone_back


def test_money_in_another_currency_is_not_refundable_here() -> None:
    assert payment(captured_currency="USD").refundable_minor_units == 0


@pytest.mark.parametrize("units", [0, -1])
def test_a_refund_is_positive(units: int) -> None:
    row = payment()
    with refused():
        Refund.objects.create(payment=row, minor_units=units, requested_by="")


def test_an_outcome_is_enqueued_once() -> None:
    row = payment()
    Confirmation.objects.create(payment=row, session_key=row.session_key, outcome="processed", body="{}")
    with refused():
        Confirmation.objects.create(payment=row, session_key=row.session_key, outcome="processed", body="{}")


@pytest.mark.parametrize(
    "minutes, is_due",
    [
        ({}, True),
        ({"due_at": -1}, True),
        ({"due_at": 1}, False),
        ({"lease_until": 1}, False),
        ({"lease_until": -1}, True),
        ({"lease_until": -1, "due_at": 1}, False),
    ],
    ids=str,
)
def test_a_confirmation_is_due_when_its_time_has_come_and_nobody_is_sending_it(
    minutes: dict[str, int], is_due: bool
) -> None:
    row = payment()
    moments = {name: timezone.now() + timedelta(minutes=count) for name, count in minutes.items()}
    columns = {"payment": row, "session_key": row.session_key, "body": "{}", **moments}
    waiting = Confirmation.objects.create(outcome="processing", **columns)
    Confirmation.objects.create(outcome="processed", status="delivered", **columns)

    assert list(Confirmation.objects.pending()) == [waiting]
    assert list(Confirmation.objects.due()) == ([waiting] if is_due else [])


def test_a_capability_leads_to_one_payment() -> None:
    payment("s-1", capability_hash="c")
    with refused():
        payment("s-2", capability_hash="c")


def test_a_payment_with_events_is_not_deleted() -> None:
    row = payment()
    Event.objects.create(payment=row, name="paid", source="shopper")
    with pytest.raises(ProtectedError):
        row.delete()


def test_the_largest_amount_is_kept_exactly() -> None:
    payment(minor_units=10**13 - 1, refunded_minor_units=10**13 - 1, **captured(10**13 - 1))
    row = Payment.objects.get()
    assert {row.minor_units, row.captured_minor_units, row.refunded_minor_units} == {9_999_999_999_999}


def test_amounts_are_whole_numbers_of_minor_units() -> None:
    kinds = {type(field) for model in (Payment, Refund, Confirmation, Event) for field in model._meta.fields}
    assert not kinds & {models.FloatField, models.DecimalField}


# Text from outside.


@pytest.mark.parametrize(
    "one, other",
    [
        ("Qk3fZzA1-0f6a", "qk3fzza1-0f6a"),
        ("é", "e"),
        ("é", "e\N{COMBINING ACUTE ACCENT}"),
        ("ß", "ss"),
        ("a", "a "),
        ("\N{PIG FACE}", "\N{COW FACE}"),
        ("日本", "日夲"),
    ],
)
def test_sessions_that_a_collation_takes_for_equal_are_two(one: str, other: str) -> None:
    payment(one)
    payment(other)
    assert [row.session_id for row in Payment.objects.of_session("live", one)] == [one]
    assert [row.session_id for row in Payment.objects.of_session("live", other)] == [other]


def test_store_and_session_cannot_be_shifted_into_each_other() -> None:
    assert session_key("a", "bc") != session_key("ab", "c")


def test_a_cart_is_not_taken_for_a_session_and_no_cart_is_no_key() -> None:
    assert cart_key("live", "c-1") not in {session_key("live", "c-1"), cart_key("other", "c-1")}
    assert cart_key("live", "") == ""


def test_the_digests_stay_the_same_between_releases() -> None:
    # They are stored: a payment session would be charged again if its digest were another one after an upgrade.
    assert {
        session_key("live", "s-1"): "session",
        cart_key("live", "c-1"): "cart",
        transaction_key("live", "acme_card", "tr-1"): "transaction",
    } == {
        "d7a668ecdf631297f91558c5111925ca8bf7b41e1496c47f104398da8bb5dda1": "session",
        "1ef787f52e69663f8f90d2ff8e88ce6ee7d34413bfffe5007f1aae39dac17d62": "cart",
        "630b4616e287425098f04786dc9e60a16399e0c893f9629cddd27d852fb70b93": "transaction",
    }


# References that people read out.


def test_a_reference_is_a_random_uuid_whose_eighth_digit_checks_the_others() -> None:
    references = {new_reference() for _ in range(200)}
    assert len(references) == 200
    assert {reference.version for reference in references} == {4}
    assert not any(is_mistyped(to_short_reference(reference)) for reference in references)


def test_one_wrong_digit_is_always_noticed() -> None:
    for short in (to_short_reference(new_reference()) for _ in range(20)):
        for place, wrong in itertools.product(range(8), "0123456789ABCDEF"):
            typed = short[:place] + wrong + short[place + 1 :]
            assert is_mistyped(typed) is (typed != short)


def test_two_neighbours_that_changed_places_are_nearly_always_noticed() -> None:
    swapped = [
        short[:place] + short[place + 1] + short[place] + short[place + 2 :]
        for short in (to_short_reference(new_reference()) for _ in range(1000))
        for place in range(7)
        if short[place] != short[place + 1]
    ]
    # The hybrid systems of ISO 7064 miss one such swap in 120.
    assert sum(map(is_mistyped, swapped)) > 0.98 * len(swapped)


def test_the_check_digit_stays_the_same_between_releases() -> None:
    # References are on people's bank statements: the digits must not be computed in another way one day.
    assert not any(is_mistyped(short) for short in ("00000009", "1234567C", "ABCDEF0E"))


@pytest.mark.parametrize(
    "typed, found",
    [
        ("8572-A9BB", "8572A9BB"),
        (" 8572 a9bb ", "8572A9BB"),
        ("8572a9bb", "8572A9BB"),
        ("8572-A9B", ""),
        ("8572-A9BG", ""),
        ("8572A9BB-0000", ""),
        ("", ""),
    ],
)
def test_a_short_reference_is_found_as_people_type_it(typed: str, found: str) -> None:
    assert find_short_reference(typed) == found


def test_a_payment_keeps_its_short_reference_and_shows_it_in_two_groups() -> None:
    row = payment()
    short = row.reference.hex[:8].upper()
    assert Payment.objects.get(short_reference=short) == row
    assert row.display_reference == f"{short[:4]}-{short[4:]}"


def test_a_short_reference_leads_to_one_payment() -> None:
    row = payment("s-1")
    twin = uuid.UUID(row.reference.hex[:8] + uuid.uuid4().hex[8:])
    with refused():
        payment("s-2", reference=twin)


# Events.


def test_an_event_is_written_once() -> None:
    event = Event.objects.create(payment=payment(), name="paid", source="shopper")
    event.name = "declined"

    for change in (
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(name="declined"),
        lambda: Event.objects.bulk_update([event], ["name"]),
        lambda: Event.objects.update_or_create(pk=event.pk, defaults={"name": "declined"}),
    ):
        with pytest.raises(TypeError), transaction.atomic():
            change()
    with refused():
        Event(pk=event.pk, payment=event.payment, name="declined", source="shopper").save()

    assert Event.objects.get().name == "paid"


def test_the_tables_have_no_column_for_personal_data() -> None:
    columns = {
        column.name
        for model in (Payment, Confirmation, Refund, Event)
        for column in connection.introspection.get_table_description(
            connection.cursor(), model._meta.db_table
        )
    }
    for word in ("mail", "address", "phone", "customer", "first_name", "last_name", "card"):
        assert not [column for column in columns if word in column]
