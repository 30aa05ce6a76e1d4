"""The ledger's own rules: which moves there are, and what the database itself does not let happen."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, ProtectedError

from snipcart_checkout.models import MOVES, Confirmation, Event, Payment, Refund, session_key

pytestmark = pytest.mark.django_db

CHARGING, WAITING, PAID, DECLINED, UNKNOWN, ABANDONED, REVIEW = Payment.State.values
ALLOWED = {
    (CHARGING, PAID),
    (CHARGING, WAITING),
    (CHARGING, DECLINED),
    (CHARGING, UNKNOWN),
    (CHARGING, ABANDONED),
    (CHARGING, REVIEW),
    (WAITING, PAID),
    (WAITING, DECLINED),
    (WAITING, UNKNOWN),
    (WAITING, ABANDONED),
    (WAITING, REVIEW),
    (UNKNOWN, PAID),
    (UNKNOWN, WAITING),
    (UNKNOWN, DECLINED),
    (UNKNOWN, ABANDONED),
    (UNKNOWN, REVIEW),
    (ABANDONED, CHARGING),
    (ABANDONED, WAITING),
    (ABANDONED, PAID),
    (ABANDONED, DECLINED),
    (ABANDONED, REVIEW),
    (DECLINED, PAID),
    (DECLINED, REVIEW),
    (REVIEW, PAID),
    (REVIEW, DECLINED),
}


def payment(session: str = "s-1", **columns: Any) -> Payment:
    """A row of the ledger, paid unless it is said otherwise."""
    key = session_key("live", session)
    capture = {"captured_at": "2026-11-01T10:00:00Z"} if columns.get("state", PAID) == PAID else {}
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
            **capture,
            **columns,
        }
    )


@contextmanager
def refused() -> Iterator[None]:
    """The database refuses what is done inside."""
    with pytest.raises(IntegrityError), transaction.atomic():
        yield


# Moves.


@pytest.mark.parametrize("before, after", list(itertools.permutations(Payment.State.values, 2)))
def test_a_payment_moves_along_the_table_only(before: str, after: str) -> None:
    row = payment(state=before, captured_at="2026-11-01T10:00:00Z")
    if (before, after) in ALLOWED:
        assert Payment.objects.move(row, after)
        assert Payment.objects.get().state == after
    else:
        with pytest.raises(ValueError, match=f"does not go from {before} to {after}"):
            Payment.objects.move(row, after)
        assert Payment.objects.get().state == before


def test_the_table_of_moves_names_every_state() -> None:
    assert MOVES.keys() == set(Payment.State)


def test_paid_is_never_taken_back() -> None:
    assert MOVES[Payment.State.PAID] == frozenset()


def test_what_another_process_moved_meanwhile_is_not_moved() -> None:
    seen = payment(state=CHARGING)
    Payment.objects.update(state=WAITING)

    assert not Payment.objects.move(seen, DECLINED)

    assert Payment.objects.get().state == WAITING


def test_a_state_of_a_newer_release_is_not_moved() -> None:
    with pytest.raises(ValueError, match="does not go from quarantined"):
        Payment.objects.move(payment(state="quarantined"), PAID)


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


@pytest.mark.parametrize("state", [CHARGING, WAITING, PAID, UNKNOWN])
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


def test_no_more_is_refunded_than_was_paid() -> None:
    payment()
    Payment.objects.update(refunded_minor_units=F("refunded_minor_units") + 1000)
    with refused():
        Payment.objects.update(refunded_minor_units=F("refunded_minor_units") + 1)


def test_no_more_is_given_back_to_the_reservation_than_was_taken() -> None:
    payment()
    with refused():
        Payment.objects.update(refunded_minor_units=F("refunded_minor_units") - 1)


def test_what_is_paid_was_captured() -> None:
    with refused():
        payment(captured_at=None)


@pytest.mark.parametrize("units", [0, -1])
def test_a_refund_is_positive(units: int) -> None:
    row = payment()
    with refused():
        Refund.objects.create(payment=row, minor_units=units, asked_by="snipcart")


def test_a_state_is_owed_once() -> None:
    row = payment()
    Confirmation.objects.create(payment=row, session_key=row.session_key, state="processed", body="{}")
    with refused():
        Confirmation.objects.create(payment=row, session_key=row.session_key, state="processed", body="{}")


def test_a_capability_leads_to_one_payment() -> None:
    payment("s-1", capability_hash="c")
    with refused():
        payment("s-2", capability_hash="c")


def test_a_payment_with_a_story_is_not_deleted() -> None:
    row = payment()
    Event.objects.create(payment=row, name="paid", source="shopper")
    with pytest.raises(ProtectedError):
        row.delete()


def test_the_largest_amount_is_kept_exactly() -> None:
    payment(minor_units=10**13 - 1, refunded_minor_units=10**13 - 1)
    assert Payment.objects.get().minor_units == 9_999_999_999_999


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
