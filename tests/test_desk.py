"""The desk: whatever staff are quoted finds the payment, days add up, and what is seen gives no secret away."""

from __future__ import annotations

import csv
import datetime
import io
import re
import uuid
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from snipcart_checkout import services
from snipcart_checkout.admin.export import REFUND_COLUMNS, safe_cell
from snipcart_checkout.admin.listing import LedgerPaginator, in_chunks
from snipcart_checkout.admin.search import find_amount, find_period
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Provider
from tests.support.desk import (
    EXPORT,
    LIST,
    REFUNDS,
    TOTALS,
    Staff,
    act,
    await_money,
    boss,
    listed,
    open_page,
    page_of,
    press,
    row,
    staff,
    told,
)
from tests.support.ledger import in_review, pay, provider, refused_by_snipcart, unknown_refund
from tests.support.sampling import sampled
from tests.test_views import to_text

__all__ = ["boss", "provider", "staff"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def at(*when: int) -> datetime.datetime:
    """A moment by the clock of the site's time zone."""
    return datetime.datetime(*when, tzinfo=timezone.get_default_timezone())  # type: ignore[misc, arg-type]


# Finding a payment.


@pytest.mark.parametrize(
    "spelled",
    [
        lambda payment: str(payment.reference),
        lambda payment: str(payment.reference).upper(),
        lambda payment: payment.reference.hex,
        lambda payment: payment.short_reference,
        lambda payment: payment.display_reference,
        lambda payment: payment.display_reference.lower(),
        lambda payment: f" {payment.short_reference[:4].lower()} {payment.short_reference[4:]} ",
        lambda payment: str(payment.reference)[:13],
        lambda payment: payment.cart_id,
        lambda payment: payment.session_id,
        lambda payment: payment.transaction_id,
        lambda payment: payment.provider_reference,
        lambda payment: str(payment.refunds.get().pk),
        lambda payment: payment.refunds.get().pk.hex,
        lambda payment: payment.refunds.get().provider_refund_id,
    ],
)
def test_a_payment_is_found_by_every_id_that_anybody_may_quote(
    boss: Client, spelled: Callable[[Payment], str]
) -> None:
    row(cart_id="cart-1", transaction_id="txn-1", provider_reference="order-1")
    payment = row(cart_id="cart-2", transaction_id="txn-2", provider_reference="order-2")
    Refund.objects.create(payment=payment, minor_units=1, provider_refund_id="re_2")

    assert listed(boss, q=spelled(payment)) == [payment.pk]


@pytest.mark.parametrize(
    "typed", ["42.50", "42,50", "42.5", "EUR 42,50", "42.50 EUR", "eur 42.50", "EUR42.50", " 42,50 "]
)
def test_a_payment_is_found_by_its_amount(boss: Client, typed: str) -> None:
    payment = row(minor_units=4250)
    row(minor_units=4251)
    row(minor_units=4250, currency="JPY")

    assert listed(boss, q=typed) == [payment.pk]


def test_an_amount_without_a_currency_is_one_of_each_currencys_own_decimals(boss: Client) -> None:
    euros, yen, dinars = (
        row(minor_units=150000),
        row(minor_units=1500, currency="JPY"),
        row(minor_units=1_500_000, currency="KWD"),
    )

    assert {*listed(boss, q="1500")} == {euros.pk, yen.pk, dinars.pk}
    assert listed(boss, q="1500 JPY") == [yen.pk]


@pytest.mark.parametrize("typed", ["1,234.50", "1.234,50", "1 234,50", "1'234.50", "1234.5"])
def test_an_amount_is_found_however_its_thousands_are_set_apart(boss: Client, typed: str) -> None:
    payment = row(minor_units=123450)

    assert listed(boss, q=typed) == [payment.pk]


def test_an_amount_that_may_mean_two_sums_finds_both(boss: Client) -> None:
    whole, dinars = row(minor_units=123400), row(minor_units=1234, currency="KWD")

    assert {*listed(boss, q="1,234")} == {whole.pk, dinars.pk}


@pytest.mark.parametrize(
    "typed",
    [
        "ffffffff",
        "not there",
        "\u202e",
        "%",
        "0" * 32,
        "\N{PILE OF POO}",
        "x" * 5000,
        "EUR",
        "2026-13",
        "0000-01",
        "0001-01",
        "0001-01-01",
        "9999-12-31",
    ],
)
def test_a_search_for_what_is_not_there_finds_nothing(boss: Client, typed: str) -> None:
    row()

    answer = boss.get(LIST, {"q": typed})

    assert answer.status_code == 200
    assert list(answer.context["cl"].result_list) == []


@pytest.mark.parametrize("typed", ["", ".", "EUR EUR 5", "5 EUR 5", "EUR 5 USD", "1.2.3.4.5x", "-5", "٤٢"])
def test_what_is_no_amount_is_not_searched_for_as_one(typed: str) -> None:
    found = find_amount(typed)

    assert found is None or not Payment.objects.filter(found).exists()


def test_a_mistyped_short_reference_is_said_to_be_mistyped(boss: Client) -> None:
    payment = row()
    wrong = payment.display_reference[:-1] + ("0" if payment.display_reference[-1] != "0" else "1")

    assert f"“{wrong}” is mistyped" in told(boss.get(LIST, {"q": wrong}))
    assert "mistyped" not in told(boss.get(LIST, {"q": payment.display_reference}))
    assert "mistyped" not in told(boss.get(LIST, {"q": "cart-17"}))


def test_payments_are_found_by_the_day_or_month_of_their_capture(boss: Client) -> None:
    early = row(captured_at=at(2026, 10, 31, 23, 59))
    late = row(captured_at=at(2026, 11, 1, 0, 0))
    later = row(captured_at=at(2026, 11, 24, 12))

    assert listed(boss, q="2026-10-31") == [early.pk]
    assert listed(boss, q="2026-11-01") == [late.pk]
    assert listed(boss, q="2026-11") == [later.pk, late.pk]
    assert find_period("2026-02-30") is None


def test_payments_are_filtered_by_the_date_of_their_capture(boss: Client) -> None:
    today = row()
    row(captured_at=timezone.now() - datetime.timedelta(days=400))
    row(state="declined")
    page = boss.get(LIST)
    (captured,) = (spec for spec in page.context["cl"].filter_specs if spec.title == "captured")
    links = {
        str(choice["display"]): choice["query_string"] for choice in captured.choices(page.context["cl"])
    }

    found = boss.get(LIST + links["Today"]).context["cl"]

    assert [payment.pk for payment in found.result_list] == [today.pk]
    assert [*links] == [
        "Any date",
        "Today",
        "Yesterday",
        "Past 7 days",
        "This month",
        "Last month",
        "This year",
        "Last year",
        "No date",
        "Has date",
    ]


@pytest.mark.parametrize("typed", ["cart", "own", "provider"])
def test_a_refund_is_found_by_its_ids_and_by_its_payment(boss: Client, typed: str) -> None:
    payment = row(cart_id="cart-1")
    refund = Refund.objects.create(payment=payment, minor_units=1, provider_refund_id="re_1")
    other = Refund.objects.create(payment=payment, minor_units=2, provider_refund_id="re_2")
    quoted = {"cart": "cart-1", "own": str(refund.pk), "provider": "re_1"}[typed]

    assert {*listed(boss, REFUNDS, q=quoted)} == ({refund.pk, other.pk} if typed == "cart" else {refund.pk})


# Nothing that is not shown can be found out by filtering.


SECRET = (
    "public_token",
    "form",
    "capability_hash",
    "redirect_url",
    "live_key",
    "session_key",
    "cart_key",
    "transaction_key",
    "order_hash",
    "decline_message",
)


@pytest.mark.parametrize(
    "column, lookup",
    sampled(product(SECRET, ["", "__startswith", "__gte", "__regex", "__isnull"]), every=5),
)
def test_no_secret_of_a_payment_can_be_filtered_for(boss: Client, column: str, lookup: str) -> None:
    row()

    for view in (LIST, EXPORT, TOTALS):
        assert boss.get(view, {f"{column}{lookup}": "a"}).status_code == 400


@pytest.mark.parametrize(
    "lookup",
    [
        "confirmations__body__contains",
        "events__data__contains",
        "refunds__payment__public_token__startswith",
        "state__regex",
        "session_id__startswith",
    ],
)
def test_nothing_can_be_filtered_for_through_a_relation(boss: Client, lookup: str) -> None:
    assert boss.get(LIST, {lookup: "a"}).status_code == 400


@pytest.mark.parametrize("model", ["confirmation", "refund"])
@pytest.mark.parametrize(
    "lookup", ["payment__public_token__startswith", "payment__live_key", "body__contains"]
)
def test_no_secret_can_be_filtered_for_from_what_belongs_to_a_payment(
    boss: Client, model: str, lookup: str
) -> None:
    assert boss.get(f"/admin/snipcart_checkout/{model}/", {lookup: "a"}).status_code == 400


def test_every_filter_that_is_offered_is_allowed(boss: Client) -> None:
    row()
    for url in (LIST, REFUNDS, "/admin/snipcart_checkout/confirmation/"):
        changes = boss.get(url).context["cl"]
        for spec in changes.filter_specs:
            for choice in spec.choices(changes):
                assert boss.get(url + choice["query_string"]).status_code == 200


def test_a_list_in_ascending_order_is_the_other_one_turned_round(boss: Client) -> None:
    moment = at(2026, 11, 3, 12)
    same = [row(created_at=moment) for _ in range(4)]
    earlier = row(created_at=moment - datetime.timedelta(hours=1))

    rising = [payment.pk for payment in boss.get(LIST, {"o": "2"}).context["cl"].result_list]
    falling = [payment.pk for payment in boss.get(LIST, {"o": "-2"}).context["cl"].result_list]

    # MariaDB has an order of its own for UUIDs.
    assert rising[0] == earlier.pk
    assert set(rising[1:]) == {payment.pk for payment in same}
    assert falling == rising[::-1]


def test_the_address_sorts_a_list_by_no_column_whose_heading_does_not(boss: Client) -> None:
    made = []
    for attempts in (2, 9, 5):
        payment = row()
        made.append(
            Confirmation.objects.create(
                payment=payment,
                session_key=payment.session_key,
                outcome="processed",
                body="{}",
                attempts=attempts,
            ).pk
        )

    for order in ("1", "2", "3", "-3", "4"):
        shown = boss.get("/admin/snipcart_checkout/confirmation/", {"o": order}).context["cl"]
        assert [confirmation.pk for confirmation in shown.result_list] == made[::-1]


# What staff see.


def test_a_state_is_a_badge_with_a_capital_letter(boss: Client) -> None:
    payment = row(state="review", review_reason="order_changed")
    badge = '<span class="snipcart-badge snipcart-review">Needs review</span>'

    assert badge in boss.get(LIST).content.decode()
    assert badge in boss.get(page_of(payment)).content.decode()


def test_a_method_is_shown_by_its_name_and_by_its_id_once_it_is_gone(boss: Client) -> None:
    known, gone = row(), row(method="retired_card")

    assert "Credit card" in to_text(boss.get(page_of(known)))
    assert "acme_card" not in to_text(boss.get(page_of(known)))
    assert "retired_card" in to_text(boss.get(page_of(gone)))


def test_a_payment_leads_to_its_order_on_snipcarts_dashboard(boss: Client) -> None:
    token = "7d1f0c3e-2222-4444-8888-1234567890ab"
    known = row(order_url=f"https://shop.example/#/order/{token}", cart_id="cart-1")
    unknown = row(order_url="https://shop.example/#/order/226086da", cart_id="cart-2")

    page = boss.get(page_of(known)).content.decode()
    assert f'href="https://app.snipcart.com/dashboard/orders/{token}"' in page
    page = boss.get(page_of(unknown)).content.decode()
    assert 'href="https://app.snipcart.com/dashboard/orders"' in page
    assert "(order reference cart-2)" in page


def test_what_needs_attention_is_said_on_the_admins_first_page_only_once(
    provider: Provider, snipcart: StandIn, boss: Client, staff: Staff
) -> None:
    assert "attention" not in told(boss.get("/admin/"))
    refused_by_snipcart(snipcart)

    assert told(boss.get("/admin/")) == f'<a href="{LIST}?needs_attention=yes">1 payment needs attention</a>'
    assert told(boss.get("/admin/auth/user/")) == ""
    assert "attention" not in to_text(staff(name="eve", views=False).get("/admin/"))


def test_a_ledger_that_cannot_be_read_leaves_the_admins_first_page_alone(boss: Client) -> None:
    def no_such_table(execute: Any, sql: str, *arguments: Any) -> Any:
        if "snipcart_checkout_payment" in sql:
            return execute("SELECT * FROM no_such_table", *arguments)
        return execute(sql, *arguments)

    with connection.execute_wrapper(no_such_table):
        assert boss.get("/admin/").status_code == 200


def test_a_list_takes_no_more_queries_for_more_payments(boss: Client) -> None:
    row()
    boss.get(LIST)
    with CaptureQueriesContext(connection) as few:
        boss.get(LIST)
    for _ in range(5):
        row()

    with CaptureQueriesContext(connection) as many:
        boss.get(LIST)

    assert len(many) == len(few)


def test_a_list_counts_no_further_than_it_lists(boss: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snipcart_checkout.admin.listing.MOST_LISTED", 3)
    for _ in range(5):
        row()

    page = boss.get(LIST)

    assert page.context["cl"].result_count == 3
    assert "Filter or search to find older ones." in to_text(page)
    assert len(csv_rows(boss.get(EXPORT))) == 5


def test_a_page_keeps_the_order_of_its_keys() -> None:
    made = [row().pk for _ in range(5)]

    pages = LedgerPaginator(Payment.objects.order_by("-created_at"), 2)

    assert [payment.pk for number in (1, 2, 3) for payment in pages.page(number)] == made[::-1]


# Totals.


def captured(day: int, **columns: Any) -> Payment:
    return row(captured_at=at(2026, 3, day, 12), **columns)


def test_totals_are_per_day_and_currency_net_of_refunds(boss: Client) -> None:
    first = captured(1, minor_units=1000, refunded_minor_units=300)
    Refund.objects.create(payment=first, minor_units=200, state="refunded")
    Refund.objects.create(payment=first, minor_units=100, state="unknown")
    captured(1, minor_units=50)
    captured(2, minor_units=1500, currency="JPY")
    row(captured_at=at(2026, 4, 1))

    totals = boss.get(TOTALS, {"month": "2026-03"}).context["totals"]

    days = [
        (total.day.day, total.count, total.captured, total.refunded, total.unknown, total.net)
        for total in totals.days
    ]
    assert days == [
        (1, 2, "10.50\xa0EUR", "2.00\xa0EUR", "1.00\xa0EUR", "8.50\xa0EUR"),
        (2, 1, "1,500\xa0JPY", "0\xa0JPY", "", "1,500\xa0JPY"),
    ]
    assert [(total.currency, total.count) for total in totals.all] == [("EUR", 2), ("JPY", 1)]


def test_totals_count_what_was_captured_as_the_provider_said_it(boss: Client) -> None:
    captured(5, minor_units=1000, captured_minor_units=900, captured_currency="USD")
    row(minor_units=77, state="pending")
    row(state="declined")

    (total,) = boss.get(TOTALS, {"month": "2026-03"}).context["totals"].all

    assert (total.count, total.captured) == (1, "9.00\xa0USD")


def test_totals_are_those_of_the_list_that_leads_to_them(boss: Client) -> None:
    captured(5, minor_units=1000)
    captured(6, minor_units=700, method="other")
    page = boss.get(LIST, {"method": "other", "p": "1"})

    answer = boss.get(page.context["totals_url"], {"method": "other", "month": "2026-03"})

    assert [total.captured for total in answer.context["totals"].all] == ["7.00\xa0EUR"]
    assert "method=other&amp;month=2026-02" in answer.content.decode()
    assert answer.context["list_url"] == f"{LIST}?method=other"


def test_a_day_of_the_totals_is_one_of_the_sites_time_zone(boss: Client) -> None:
    row(captured_at=datetime.datetime(2026, 3, 9, 23, 30, tzinfo=datetime.UTC))

    (total,) = boss.get(TOTALS, {"month": "2026-03"}).context["totals"].days

    assert total.day == datetime.date(2026, 3, 10)


@pytest.mark.parametrize("month", ["", "nonsense", "2026-13", "9999-12", "0001-01"])
def test_totals_of_no_month_are_those_of_this_one(boss: Client, month: str) -> None:
    row()

    assert boss.get(TOTALS, {"month": month}).context["totals"].all


def test_totals_are_for_those_who_may_see_the_ledger(staff: Staff) -> None:
    assert staff(name="eve", views=False).get(TOTALS).status_code == 403
    assert staff(name="bob").get(TOTALS).status_code == 200
    assert staff(name="joe").get(TOTALS, {"created_at__gte": "nonsense"}).status_code == 302


# CSV.


def csv_rows(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def test_refunds_are_exported_as_their_list_is_filtered(staff: Staff) -> None:
    client = staff("export_payment")
    payment = row(minor_units=1000, cart_id="cart-1", transaction_id="txn-1")
    refund = Refund.objects.create(
        payment=payment, minor_units=250, state="refunded", provider_refund_id="re_1", requested_by="bob"
    )
    Refund.objects.create(payment=payment, minor_units=100, state="declined")
    page = client.get(REFUNDS, {"state__exact": "refunded"})

    (exported,) = csv_rows(client.get(page.context["export_url"]))

    assert tuple(exported) == REFUND_COLUMNS
    assert (exported["refund"], exported["amount"], exported["currency"]) == (str(refund.pk), "2.50", "EUR")
    assert (exported["payment"], exported["order"]) == (str(payment.pk), "cart-1")
    assert (exported["requested_by"], exported["provider_refund"]) == ("bob", "re_1")


def test_the_export_of_refunds_needs_its_permission(staff: Staff) -> None:
    client = staff("refund_payment")

    assert client.get(f"{REFUNDS}export/").status_code == 403
    assert "export" not in client.get(REFUNDS).content.decode()


def test_an_export_holds_every_row_once_whatever_its_size(
    boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snipcart_checkout.admin.listing._CHUNK", 3)
    now = timezone.now()
    made = {row(created_at=now).pk for _ in range(4)} | {row().pk for _ in range(5)}

    exported = [uuid.UUID(line["reference"]) for line in csv_rows(boss.get(EXPORT))]

    assert len(exported) == 9
    assert {*exported} == made
    assert [len(chunk) for chunk in in_chunks(Payment.objects.all(), "created_at")] == [3, 3, 3, 0]


def test_an_export_by_date_of_capture_is_sorted_by_it(boss: Client) -> None:
    late, early = captured(9, created_at=timezone.now() - datetime.timedelta(days=9)), captured(3)

    lines = csv_rows(boss.get(EXPORT, {"q": "2026-03"}))

    assert [line["reference"] for line in lines] == [str(late.pk), str(early.pk)]


@pytest.mark.parametrize(
    "text, cell",
    [
        ("a;=1+1", "a;'=1+1"),
        ("a,@SUM(A1)", "a,'@SUM(A1)"),
        ("a\t+1", "a\t'+1"),
        ("a|-1", "a|'-1"),
        ("a\n=1", "a\n'=1"),
        (' "=1', "' \"=1"),
        ("a; b", "a; b"),
        ("1;2", "1;2"),
    ],
)
def test_no_separator_that_a_spreadsheet_splits_at_lets_a_formula_out(text: str, cell: str) -> None:
    assert safe_cell(text) == cell


# Marking as received.


def test_a_part_is_noted_and_says_what_is_missing(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart, amount="100.00")

    said = act(client, "mark_received", payment, amount="60", note="statement 12")

    payment.refresh_from_db()
    assert (
        said == f"{payment.display_reference}: 60.00\xa0EUR was noted as received; 40.00\xa0EUR is missing."
    )
    assert payment.state == Payment.State.PENDING
    page = client.get(page_of(payment))
    assert "A part of the amount was received" in to_text(page)
    assert "“statement 12”" in to_text(page)
    assert "60.00 EUR was received in part; 40.00 EUR is missing" in to_text(page)
    assert "40.00 EUR is missing." in to_text(open_page(client, "mark_received", payment))


def test_the_part_that_completes_the_amount_pays(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart, amount="100.00")
    act(client, "mark_received", payment, amount="60")
    Payment.objects.update(created_at=timezone.now() - datetime.timedelta(days=3))
    day = (timezone.localdate() - datetime.timedelta(days=3)).isoformat()

    said = act(client, "mark_received", payment, received_on=day, note="the rest")

    payment.refresh_from_db()
    assert said == f"{payment.display_reference}: Marked as received. Snipcart was notified."
    assert (payment.state, payment.captured_minor_units) == ("paid", 10000)
    assert timezone.localtime(payment.captured_at).date().isoformat() == day
    assert payment.events.get(name="paid").data["note"] == "the rest"
    assert snipcart.confirmations[-1]["state"] == "processed"


@pytest.mark.parametrize(
    "answers, field",
    [
        ({"amount": "100.01"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "nonsense"}, "amount"),
        ({"received_on": "2999-01-01"}, "received_on"),
        ({"received_on": "nonsense"}, "received_on"),
        ({"received_on": "0026-11-24"}, "received_on"),
    ],
)
def test_what_cannot_have_been_received_is_asked_again(
    provider: Provider, snipcart: StandIn, staff: Staff, answers: dict[str, str], field: str
) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart, amount="100.00")

    answer = press(client, open_page(client, "mark_received", payment), **answers)

    assert answer.context["form"].errors[field]
    payment.refresh_from_db()
    assert payment.state == Payment.State.PENDING


def test_a_part_is_noted_once_when_its_form_is_sent_twice(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart, amount="100.00")
    page = open_page(client, "mark_received", payment)
    press(client, page, amount="60")

    assert "changed after you opened the page" in told(press(client, page, amount="30"))

    assert services.get_missing_minor_units(payment) == 4000


def test_money_received_in_part_is_warned_of_before_the_payment_expires(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart, amount="100.00")
    warning = "A part of the money was received."
    assert warning not in to_text(open_page(client, "mark_expired", payment))

    act(client, "mark_received", payment, amount="60")

    payment.refresh_from_db()
    assert warning in to_text(open_page(client, "mark_expired", payment))


def test_a_payment_received_in_part_is_left_to_a_person_when_its_time_is_over(
    provider: Provider, snipcart: StandIn, staff: Staff, checkout_settings: CheckoutSettings
) -> None:
    client = staff("settle_payment")
    checkout_settings.method(
        "acme_card", OPTIONS={"can_lookup": False, "expires_after": datetime.timedelta(days=1)}
    )
    in_part, unpaid = await_money(provider, snipcart), await_money(provider, snipcart)
    act(client, "mark_received", in_part, amount="1")
    Payment.objects.update(claimed_at=timezone.now() - datetime.timedelta(days=2))

    services.settle()

    in_part.refresh_from_db()
    unpaid.refresh_from_db()
    assert (in_part.state, unpaid.state) == ("review", "declined")


def test_the_list_shows_no_refund_for_a_method_that_cannot_refund(
    provider: Provider, snipcart: StandIn, staff: Staff, checkout_settings: CheckoutSettings
) -> None:
    payment = pay(snipcart)
    checkout_settings.method("acme_card", OPTIONS={"supports_refund": False})

    assert "act/refund/" not in staff("refund_payment").get(page_of(payment)).content.decode()


def test_a_refund_of_staff_is_said_not_to_reach_snipcart(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    page = to_text(open_page(staff("refund_payment"), "refund", pay(snipcart)))

    assert "Snipcart is not notified: refund on Snipcart's dashboard instead where you can" in page


def test_what_needs_attention_is_filtered_by_each_of_its_kinds(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    undelivered = refused_by_snipcart(snipcart)
    refunded = pay(snipcart)
    in_review(unknown_refund(provider, refunded))
    reviewed = row(state="review", review_reason="order_changed")
    row(state="review", review_reason="order_changed", resolved_at=timezone.now())

    assert {*listed(boss, needs_attention="yes")} == {undelivered.pk, refunded.pk, reviewed.pk}
    assert {*services.find_payments_needing_attention(10)} == {undelivered.pk, refunded.pk, reviewed.pk}
    assert len(services.find_payments_needing_attention(2)) == 2


def test_what_a_provider_sent_stands_beside_the_payment(boss: Client) -> None:
    payment = row()
    for result in ("accepted", "refused"):
        Event.objects.create(payment=payment, name="notification", source="provider", data={"result": result})

    page = boss.get(page_of(payment))

    assert [line.details for line in page.context["notifications"]] == [
        ("refused: it could not be verified, so nothing was done",),
        ("accepted: the payment was looked up at the provider",),
    ]
    assert "The provider sent a notification" not in [line.what for line in page.context["history"]]
    assert "Messages from the payment provider" in to_text(page)


# What providers send.


def send(provider: Provider, payment: Payment, *, forged: bool = False) -> int:
    """Have the provider send a message about a payment, or somebody else in its name; return the status."""
    headers, body = provider.notification(payment.reference)
    client = Client(enforce_csrf_checks=True)
    url = "/checkout/live/notifications/acme_card/"
    answer = client.post(url, body, "application/json", headers={} if forged else headers)
    return answer.status_code


def results(payment: Payment) -> list[str]:
    found = payment.events.filter(name=Event.Name.NOTIFICATION)
    return [data["result"] for data in found.values_list("data", flat=True)]


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the clock to a minute of an hour."""

    def set_clock(number: int) -> None:
        moment = datetime.datetime(2030, 1, 1, 12, number, 5, tzinfo=datetime.UTC)
        monkeypatch.setattr("snipcart_checkout.services.lookups.timezone.now", lambda: moment)

    set_clock(0)
    return set_clock


def test_a_providers_messages_are_noted_at_most_once_a_minute(
    provider: Provider, snipcart: StandIn, minute: Callable[[int], None]
) -> None:
    payment = pay(snipcart)

    assert [send(provider, payment) for _ in range(3)] == [204, 204, 204]
    assert results(payment) == ["accepted"]

    minute(1)
    send(provider, payment)
    assert results(payment) == ["accepted", "accepted"]


def test_a_refused_message_is_noted_beside_the_payment_that_it_names(
    provider: Provider, snipcart: StandIn, minute: Callable[[int], None]
) -> None:
    payment, other = pay(snipcart), pay(snipcart)

    assert [send(provider, payment, forged=True) for _ in range(3)] == [400, 400, 400]
    send(provider, payment)

    assert results(payment) == ["refused", "accepted"]
    assert results(other) == []


def test_a_refused_message_is_noted_beside_five_of_the_payments_that_it_names(
    provider: Provider, snipcart: StandIn
) -> None:
    payments = [pay(snipcart) for _ in range(6)]
    body = " ".join(str(payment.reference).upper() for payment in payments)

    answer = Client().post("/checkout/live/notifications/acme_card/", body, "application/json")

    assert answer.status_code == 400
    assert [results(payment) for payment in payments] == [["refused"]] * 5 + [[]]


def test_nothing_of_a_message_is_kept(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)

    send(provider, payment, forged=True)
    send(provider, payment)

    noted = payment.events.filter(name=Event.Name.NOTIFICATION).values_list("data", "actor")
    assert [*noted] == [({"result": "refused"}, ""), ({"result": "accepted"}, "")]


def test_a_message_about_a_refund_stands_beside_its_payment(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    refund = services.refund_by_staff(payment, 100, by="ada")
    headers, body = provider.notification(refund.pk)

    Client().post("/checkout/live/notifications/acme_card/", body, "application/json", headers=headers)

    (noted,) = payment.events.filter(name=Event.Name.NOTIFICATION)
    assert noted.data == {"result": "accepted", "refund": str(refund.pk)}


# Flat as the ledger grows.


def scans(url: str, client: Client) -> Iterator[str]:
    """The steps of a page's queries that read one of our tables whole, and not in the order of an index.

    MariaDB reads a small table whole, whatever indexes there are; a large one is measured by hand.
    """
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    explain, scan = {
        "sqlite": ("EXPLAIN QUERY PLAN", r"^SCAN snipcart_checkout_\w+$"),
        "postgresql": ("EXPLAIN", r"Seq Scan on snipcart_checkout_"),
    }.get(connection.vendor, ("EXPLAIN", r"(?!)"))
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET enable_seqscan = off")
        for query in queries:
            if query["sql"].startswith(("SELECT", "(SELECT")) and "snipcart_checkout_" in query["sql"]:
                cursor.execute(f"{explain} {query['sql']}")
                yield from (plan[-1] for plan in cursor.fetchall() if re.search(scan, str(plan[-1])))


SEARCHES = (
    "8572-A9BB",
    "7d1f0c3e-2222-4444-8888-1234567890ab",
    "ch_1",
    "42.50",
    "EUR 42.50",
    "2026-11",
    "none",
)
FILTERS = (
    "needs_attention=yes",
    "confirmation=pending",
    "confirmation=review",
    *(f"state__exact={state}" for state in Payment.State.values),
    "captured_at__gte=2026-11-01+00:00Z&captured_at__lt=2026-12-01+00:00Z",
    "captured_at__isnull=True",
    "created_at__gte=2026-11-01+00:00Z&created_at__lt=2026-12-01+00:00Z",
    "store=live",
    "method=acme_card",
    "currency=EUR",
)


@pytest.mark.parametrize(
    "url",
    [
        "/admin/",
        LIST,
        *(f"{LIST}?{query}" for query in FILTERS),
        *(f"{LIST}?q={text}" for text in SEARCHES),
        f"{TOTALS}?month=2026-11",
        f"{TOTALS}?month=2026-11&method=acme_card&currency=EUR&store=live",
        REFUNDS,
        f"{REFUNDS}?state__exact=unknown",
        f"{REFUNDS}?q=re_1",
        "/admin/snipcart_checkout/confirmation/?outcome__exact=failed",
        "/admin/snipcart_checkout/confirmation/?status__exact=review",
    ],
)
def test_no_page_reads_a_table_without_an_index(boss: Client, url: str) -> None:
    payment = row()
    Refund.objects.create(payment=payment, minor_units=1, provider_refund_id="re_1")

    assert [*scans(url, boss)] == []
