"""Money that staff gave back by hand: recorded, counted, matched with Snipcart's request, and the session is free."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.models import Event, Payment, Refund
from snipcart_checkout.services.audit_log import PROVIDER, Actor
from snipcart_checkout.services.refunds import look_up_refund, record_by_hand
from snipcart_checkout.signals import payment_refunded
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession, ask_for_refund
from tests.support import shoppers
from tests.support.backends import Provider
from tests.support.desk import act, boss, open_page, page_of, press, staff, told
from tests.support.ledger import before, history, pay, provider, unknown_refund
from tests.support.shop import Shop

__all__ = ["boss", "provider", "staff"]

pytestmark = pytest.mark.django_db

State = Payment.State
Staff = Callable[..., Client]


@pytest.fixture
def by_hand(provider: Provider, checkout_settings: CheckoutSettings) -> Provider:
    """A provider that cannot refund."""
    checkout_settings.method("acme_card", OPTIONS={"supports_refund": False})
    return provider


def for_another_order(snipcart: StandIn, session: StandInSession) -> Payment:
    """A payment in review, because its order was changed after it was paid."""
    snipcart.after("payment-session", lambda: snipcart.change(session, amount="1001.00"))
    payment = pay(snipcart, session=session)
    assert (payment.state, payment.review_reason) == (State.REVIEW, "order_changed")
    return payment


def close(payment: Payment) -> None:
    assert services.resolve_review(payment, "closed", note="the money goes back", by="ada")


@pytest.mark.parametrize("first", ["closed", "given back"])
def test_a_closed_review_whose_money_was_given_back_by_hand_frees_its_session(
    snipcart: StandIn, by_hand: Provider, first: str
) -> None:
    session = snipcart.session()
    payment = for_another_order(snipcart, session)
    if first == "closed":
        close(payment)
    assert pay(snipcart, session=session) == payment

    assert services.mark_given_back(payment, payment.kept_minor_units, by="ada")
    if first == "given back":
        assert pay(snipcart, session=session) == payment
        close(payment)

    again = pay(snipcart, session=session)
    assert (again == payment, again.state) == (False, State.PAID)
    assert (payment.kept_minor_units, payment.has_all_gone_back) == (0, True)
    assert not any(call.startswith("refund") for call in by_hand.calls)


def test_a_closed_review_whose_money_the_provider_gave_back_frees_its_session_and_stays_closed(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    payment = for_another_order(snipcart, session)
    close(payment)

    services.refund_by_staff(payment, payment.minor_units, by="ada")

    assert pay(snipcart, session=session) != payment
    payment.refresh_from_db()
    assert payment.resolved_at is not None


def test_a_part_that_was_given_back_by_hand_does_not_free_the_session(
    snipcart: StandIn, by_hand: Provider
) -> None:
    session = snipcart.session()
    payment = for_another_order(snipcart, session)
    close(payment)

    assert services.mark_given_back(payment, payment.minor_units - 1, by="ada")

    assert pay(snipcart, session=session) == payment
    assert payment.kept_minor_units == 1


def test_a_refund_that_nobody_knows_keeps_the_session_of_its_payment_and_of_no_other(
    snipcart: StandIn, provider: Provider
) -> None:
    session, another = snipcart.session(), snipcart.session()
    payment, other = for_another_order(snipcart, session), for_another_order(snipcart, another)
    for each in (payment, other):
        close(each)
    unknown_refund(provider, payment)

    assert services.mark_given_back(payment, payment.minor_units - 500, by="ada")
    assert services.mark_given_back(other, other.minor_units, by="ada")

    assert pay(snipcart, session=session) == payment
    assert pay(snipcart, session=another) != other


def test_a_paid_order_whose_money_all_went_back_is_not_paid_again_when_its_case_is_closed(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    payment = pay(snipcart, session=session)
    Payment.objects.update(review_reason="disputed", resolved_at=timezone.now())

    services.refund_by_staff(payment, payment.minor_units, by="ada")

    assert pay(snipcart, session=session) == payment


def test_money_of_another_currency_is_given_back_as_it_was_taken(
    snipcart: StandIn, by_hand: Provider, staff: Staff
) -> None:
    client = staff("refund_payment", "export_payment", "resolve_payment")
    session = snipcart.session()
    by_hand.script(currency="JPY", amount="700")
    payment = pay(snipcart, session=session)
    by_hand.script()
    assert (payment.captured_currency, payment.refundable_minor_units) == ("JPY", 0)
    close(payment)

    said = act(client, "mark_given_back", payment, amount="300")
    said += act(client, "mark_given_back", payment)

    assert "300\xa0JPY was marked" in said
    assert "400\xa0JPY was marked" in said
    rows = csv.DictReader(
        io.StringIO(client.get("/admin/snipcart_checkout/refund/export/").getvalue().decode())
    )
    assert sorted((row["amount"], row["currency"], row["by_hand"]) for row in rows) == [
        ("300", "JPY", "1"),
        ("400", "JPY", "1"),
    ]
    assert "300\xa0JPY" in client.get(page_of(payment)).content.decode()
    assert pay(snipcart, session=session) != payment


def test_what_was_given_back_is_in_the_history_with_its_day_and_note_and_sent_as_a_signal(
    snipcart: StandIn, by_hand: Provider
) -> None:
    heard: list[Any] = []

    def hear(payment: Payment, refund: Refund, **_: Any) -> None:
        heard.append((payment.refunded_minor_units, refund.amount))

    payment = pay(snipcart)
    payment_refunded.connect(hear)
    day = services.get_today() - timedelta(days=3)
    try:
        refund = services.mark_given_back(payment, 300, by="ada", given_back_on=day, note="statement 7")
    finally:
        payment_refunded.disconnect(hear)

    assert refund is not None
    assert (refund.state, refund.is_by_hand, refund.requested_by) == (Refund.State.REFUNDED, True, "ada")
    assert timezone.localtime(refund.created_at).date() == day
    assert heard == [(300, refund.amount)]
    event = payment.events.get(name=Event.Name.REFUND_BY_HAND)
    assert (event.source, event.actor) == ("staff", "ada")
    assert event.data == {
        "refund": str(refund.pk),
        "minor_units": 300,
        "given_back": day.isoformat(),
        "note": "statement 7",
    }


def test_one_minor_unit_is_given_back_today_without_a_note_unless_said_otherwise(
    snipcart: StandIn, by_hand: Provider
) -> None:
    payment = pay(snipcart)

    refund = services.mark_given_back(payment, 1, by="a" * 200)

    assert refund is not None
    assert timezone.now() - refund.created_at < timedelta(minutes=1)
    event = payment.events.get(name=Event.Name.REFUND_BY_HAND)
    today = services.get_today().isoformat()
    assert event.data == {"refund": str(refund.pk), "minor_units": 1, "given_back": today}
    assert refund.requested_by == event.actor == "a" * 150


def test_snipcarts_request_for_what_was_given_back_gets_that_refund(
    snipcart: StandIn, by_hand: Provider
) -> None:
    session = snipcart.session()
    payment = pay(snipcart, session=session)
    assert ask_for_refund(session, "5.00").status_code == 409
    refund = services.mark_given_back(payment, 500, by="ada")

    answer = ask_for_refund(session, "5.00")

    assert refund is not None
    assert (answer.status_code, answer.json()) == (200, {"refundId": str(refund.pk)})
    assert history(payment)[-1] == "refund_matched"
    assert Payment.objects.get().refunded_minor_units == 500


@pytest.mark.parametrize("units", [0, -1, 1231])
def test_no_more_than_is_left_was_given_back(snipcart: StandIn, by_hand: Provider, units: int) -> None:
    payment = pay(snipcart, amount="12.30")

    with pytest.raises(ValueError, match="kept minor units"):
        services.mark_given_back(payment, units, by="ada")

    assert not Refund.objects.exists()


def test_the_ledger_itself_holds_that_no_more_than_is_left_was_given_back(
    snipcart: StandIn, by_hand: Provider
) -> None:
    payment = pay(snipcart)
    said: dict[str, Any] = {
        "given_back_on": services.get_today(),
        "at": None,
        "note": "",
        "actor": Actor(Event.Source.STAFF, "ada"),
    }

    assert record_by_hand(payment, payment.minor_units + 1, **said) is None
    assert record_by_hand(payment, payment.minor_units, **said) is not None

    assert Payment.objects.get().refunded_minor_units == payment.minor_units


def test_nothing_is_recorded_after_a_refund_that_was_not_known_of(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)
    read_before = Payment.objects.get()
    services.refund_by_staff(payment, 300, by="bea")

    assert services.mark_given_back(read_before, 300, by="ada") is None

    assert Payment.objects.get().refunded_minor_units == 300


def test_nobody_is_asked_about_money_that_was_given_back_by_hand(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup_refund": True})
    refund = services.mark_given_back(pay(snipcart), 300, by="ada")
    assert refund is not None
    calls = list(provider.calls)

    assert look_up_refund(refund, actor=PROVIDER)
    services.settle()

    assert provider.calls == calls


# Marked by mistake.


def test_what_was_marked_by_mistake_counts_as_kept_again_and_can_be_refunded(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    payment = pay(snipcart, session=session)
    refund = services.mark_given_back(payment, payment.minor_units, by="ada")
    assert refund is not None
    marked = refund.updated_at

    assert services.undo_given_back(refund, note="another order", by="bob")

    payment.refresh_from_db()
    assert (payment.refunded_minor_units, payment.refundable_minor_units) == (0, payment.minor_units)
    assert (refund.state, refund.decline_reason) == (Refund.State.DECLINED, "staff")
    event = payment.events.get(name=Event.Name.REFUND_UNDONE)
    assert (event.source, event.actor) == ("staff", "bob")
    assert event.data == {
        "refund": str(refund.pk),
        "minor_units": payment.minor_units,
        "note": "another order",
    }
    assert refund.updated_at > marked
    assert pay(snipcart, session=session) == payment
    assert services.refund_by_staff(payment, payment.minor_units, by="ada").state == Refund.State.REFUNDED


def test_a_case_whose_session_was_freed_by_mistake_is_open_again(
    snipcart: StandIn, by_hand: Provider
) -> None:
    session = snipcart.session()
    payment = for_another_order(snipcart, session)
    close(payment)
    refund = services.mark_given_back(payment, payment.kept_minor_units, by="ada")
    assert refund is not None
    assert not services.payments_in_review().exists()

    assert services.undo_given_back(refund, note="another order", by="ada")

    assert services.payments_in_review().get() == payment
    assert payment.events.last().name == "refund_undone"  # type: ignore[union-attr]


def test_what_is_undone_of_one_payment_leaves_the_others_as_they_are(
    snipcart: StandIn, by_hand: Provider
) -> None:
    session, another = snipcart.session(), snipcart.session()
    payment, freed = for_another_order(snipcart, session), for_another_order(snipcart, another)
    for each in (payment, freed):
        close(each)
    parts = [services.mark_given_back(payment, units, by="ada") for units in (500, payment.minor_units - 500)]
    whole = services.mark_given_back(freed, freed.kept_minor_units, by="ada")
    assert parts[0] is not None

    assert services.undo_given_back(parts[0], note="another order", by="ada")

    made = Refund.objects.filter(state=Refund.State.REFUNDED)
    assert {*made} == {parts[1], whole}
    assert services.payments_in_review().get() == payment
    freed.refresh_from_db()
    assert (freed.kept_minor_units, freed.live_key) == (0, None)
    assert pay(snipcart, session=another) != freed


def test_a_case_that_is_open_again_is_not_reported_for_each_part_that_is_undone(
    snipcart: StandIn, by_hand: Provider
) -> None:
    payment = for_another_order(snipcart, snipcart.session())
    close(payment)
    parts = [services.mark_given_back(payment, units, by="ada") for units in (500, payment.minor_units - 500)]
    reported = []

    for refund in parts:
        assert refund is not None
        assert services.undo_given_back(refund, note="another order", by="ada")
        reported.append(services.settle().new_cases)

    assert reported == [1, 0]


def test_a_closed_case_that_freed_nothing_stays_closed(snipcart: StandIn, by_hand: Provider) -> None:
    payment = for_another_order(snipcart, snipcart.session())
    close(payment)
    refund = services.mark_given_back(payment, 500, by="ada")
    assert refund is not None

    assert services.undo_given_back(refund, note="another order", by="ada")

    assert not services.payments_in_review().exists()


def test_snipcarts_request_does_not_get_what_was_undone(snipcart: StandIn, provider: Provider) -> None:
    session = snipcart.session()
    refund = services.mark_given_back(pay(snipcart, session=session), 500, by="ada")
    assert refund is not None
    assert services.undo_given_back(refund, note="another order", by="ada")

    answer = ask_for_refund(session, "5.00")

    assert answer.status_code == 200
    assert answer.json()["refundId"] != str(refund.pk)
    assert Payment.objects.get().refunded_minor_units == 500


def test_a_request_for_what_is_being_undone_is_refused_and_moves_no_money(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    refund = services.mark_given_back(pay(snipcart, session=session), 500, by="ada")
    assert refund is not None
    undone: list[bool] = []

    with before("SAVEPOINT", lambda: undone.append(services.undo_given_back(refund, note="", by="bob"))):
        answer = ask_for_refund(session, "5.00")

    assert (undone, answer.status_code, provider.refunds) == ([True], 409, [])
    refund.refresh_from_db()
    assert (refund.state, refund.matched_at) == (Refund.State.DECLINED, None)
    assert Payment.objects.get().refunded_minor_units == 0


def test_what_snipcart_was_answered_with_cannot_be_undone(snipcart: StandIn, by_hand: Provider) -> None:
    session = snipcart.session()
    refund = services.mark_given_back(pay(snipcart, session=session), 500, by="ada")
    assert refund is not None
    assert ask_for_refund(session, "5.00").status_code == 200
    refund.refresh_from_db()

    assert not services.can_undo_given_back(refund)
    assert not services.undo_given_back(refund, note="another order", by="ada")

    assert Payment.objects.get().refunded_minor_units == 500


def test_what_is_undone_cannot_be_undone_again(snipcart: StandIn, by_hand: Provider) -> None:
    payment = pay(snipcart)
    refund = services.mark_given_back(payment, 500, by="ada")
    assert refund is not None
    assert services.mark_given_back(payment, 300, by="ada")
    assert services.undo_given_back(refund, note="another order", by="ada")

    assert not services.can_undo_given_back(refund)
    assert not services.undo_given_back(refund, note="another order", by="ada")

    assert Payment.objects.get().refunded_minor_units == 300


def test_what_the_provider_refunded_cannot_be_undone(snipcart: StandIn, provider: Provider) -> None:
    refund = services.refund_by_staff(pay(snipcart), 500, by="ada")

    assert not services.can_undo_given_back(refund)
    assert not services.undo_given_back(refund, note="another order", by="ada")

    assert Payment.objects.get().refunded_minor_units == 500


# In the admin.


def test_staff_undo_what_was_marked_by_mistake(snipcart: StandIn, by_hand: Provider, staff: Staff) -> None:
    client = staff("refund_payment")
    payment = pay(snipcart)
    refund = services.mark_given_back(payment, 500, by="ada")
    assert refund is not None
    page = open_page(client, "undo_given_back", refund)
    assert press(client, page).context["form"].errors["note"]

    said = told(press(client, page, note="it was another order"))

    assert "5.00\xa0EUR is no longer marked as given back." in said
    text = client.get(page_of(payment)).content.decode()
    assert "“it was another order”" in text
    assert "undo_given_back" not in client.get(page_of(refund)).content.decode()


def test_who_may_not_refund_may_not_undo(snipcart: StandIn, by_hand: Provider, staff: Staff) -> None:
    client = staff("settle_payment", "resolve_payment", "redeliver_payment", "export_payment")
    refund = services.mark_given_back(pay(snipcart), 500, by="ada")
    assert refund is not None

    assert open_page(client, "undo_given_back", refund).status_code == 403
    assert "undo_given_back" not in client.get(page_of(refund)).content.decode()


def test_staff_who_are_late_to_undo_hear_that_nothing_was_done(
    snipcart: StandIn, by_hand: Provider, staff: Staff
) -> None:
    client = staff("refund_payment")
    session = snipcart.session()
    refund = services.mark_given_back(pay(snipcart, session=session), 500, by="ada")
    assert refund is not None
    page = open_page(client, "undo_given_back", refund)
    assert ask_for_refund(session, "5.00").status_code == 200

    press(client, page, note="another order")

    assert Payment.objects.get().refunded_minor_units == 500


def test_a_page_that_is_sent_twice_records_once(snipcart: StandIn, by_hand: Provider, staff: Staff) -> None:
    client = staff("refund_payment")
    page = open_page(client, "mark_given_back", pay(snipcart))
    press(client, page, amount="5.00")

    said = told(press(client, page, amount="5.00"))

    assert "after you opened the page, so nothing was done" in said
    assert Refund.objects.count() == 1


@pytest.mark.parametrize(
    "field, value",
    [
        ("amount", "12.31"),
        ("amount", "0"),
        ("amount", ""),
        ("given_back_on", "2999-01-01"),
        ("given_back_on", "0026-11-24"),
        ("requested", ""),
    ],
)
def test_what_cannot_have_been_given_back_is_asked_again(
    snipcart: StandIn, by_hand: Provider, staff: Staff, field: str, value: str
) -> None:
    client = staff("refund_payment")
    page = open_page(client, "mark_given_back", pay(snipcart, amount="12.30"))

    answer = press(client, page, **{field: value})

    assert answer.context["form"].errors[field]
    assert not Refund.objects.exists()


def test_staff_read_when_and_how_much_went_back(snipcart: StandIn, by_hand: Provider, boss: Client) -> None:
    payment = pay(snipcart)
    Payment.objects.update(created_at=timezone.now() - timedelta(days=3650))

    said = act(
        boss, "mark_given_back", payment, amount="5.00", given_back_on="2024-02-29", note="by transfer"
    )

    assert "5.00\xa0EUR was marked as given back." in said
    text = boss.get(page_of(payment)).content.decode()
    assert "given back on 02/29/2024" in text
    assert "“by transfer”" in text
    assert Refund.objects.get().created_at.date() == date(2024, 2, 29)


@pytest.mark.parametrize("can_refund", [True, False])
def test_who_could_have_the_provider_refund_is_warned(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings, boss: Client, can_refund: bool
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"supports_refund": can_refund})

    page = open_page(boss, "mark_given_back", pay(snipcart))

    assert ("only if the money has gone back already" in page.content.decode()) is can_refund


def test_a_payment_of_which_nothing_is_left_cannot_be_marked(
    snipcart: StandIn, by_hand: Provider, boss: Client
) -> None:
    payment = pay(snipcart)
    act(boss, "mark_given_back", payment)

    page = boss.get(page_of(payment))

    assert [label for _, label in page.context["staff_actions"]] == []


# Processes.


@pytest.mark.django_db(transaction=True)
def test_what_is_given_back_at_once_by_hand_and_by_the_provider_is_never_more_than_was_taken(
    shop: Shop,
) -> None:
    session = shop.snipcart.session(amount="12.30")
    shop.processes.run(shoppers.submit, session.public_token, "acme_card")
    payment = Payment.objects.get()

    by_hand = [(shoppers.give_back, (str(payment.reference), 700 + cent)) for cent in range(4)]
    by_snipcart = [
        (shoppers.ask_refund, shop.refund_call(session, amount)) for amount in ("7.31", "7.32", "7.33")
    ]
    finished = shop.processes.race(*by_hand, *by_snipcart)

    recorded = [process.result for process in finished[:4]]
    answered = [process.result["status"] for process in finished[4:]]
    assert recorded.count(True) + answered.count(200) == 1
    refund = Refund.objects.get()
    payment.refresh_from_db()
    assert payment.refunded_minor_units == refund.minor_units
    assert len(shop.provider.refunds) == answered.count(200)
