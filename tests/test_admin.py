"""The admin: what staff see, find and export, what they may do, and what nobody is ever shown."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError, connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from snipcart_checkout import services
from snipcart_checkout.admin.export import COLUMNS, safe_cell
from snipcart_checkout.admin.forms import read_amount
from snipcart_checkout.admin.words import EVENTS, REASONS
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.money import UnpayableAmount
from snipcart_checkout.testing import StandIn
from tests.backends import Provider
from tests.ledger import in_review, pay, provider, refused_by_snipcart, story, uncertain_refund, use_provider
from tests.ledger_invariants import let_time_pass
from tests.test_views import fields_of, text_of

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

LIST = "/admin/snipcart_checkout/payment/"
EXPORT = f"{LIST}export/"
ACTIONS = {
    "mark_received": "settle_payment",
    "mark_lapsed": "settle_payment",
    "refund": "refund_payment",
    "tell_again": "tell_payment",
    "resolve_review": "resolve_payment",
}

Staff = Callable[..., Client]


@pytest.fixture
def staff() -> Staff:
    """Log somebody in who holds the permissions given, besides seeing the ledger."""

    def log_in(*permissions: str, name: str = "ada", views: bool = True) -> Client:
        user = User.objects.create_user(name, is_staff=True)
        views_of = ("view_payment", "view_confirmation", "view_refund") if views else ()
        names = {*permissions, *views_of}
        granted = Permission.objects.filter(content_type__app_label="snipcart_checkout", codename__in=names)
        assert len(granted) == len(names)
        user.user_permissions.set(granted)
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def boss() -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("boss"))
    return client


def page_of(row: Payment | Refund | Confirmation) -> str:
    return reverse(f"admin:snipcart_checkout_{row._meta.model_name}_change", args=[row.pk])


def act_url(action: str, *rows: Payment | Refund) -> str:
    model = rows[0]._meta.model_name
    query = "&".join(f"row={row.pk}" for row in rows)
    return f"/admin/snipcart_checkout/{model}/act/{action}/?{query}"


def open_page(client: Client, action: str, *rows: Payment | Refund) -> Any:
    return client.get(act_url(action, *rows))


def press(client: Client, page: Any, **answers: str) -> Any:
    """Send the form of an action's page, and follow to the page with the result."""
    assert page.status_code == 200, page
    hidden = fields_of(page)
    rows = [str(row.pk) for row in page.context["form"].rows]
    data = {**hidden, "row": rows, **answers}
    return client.post(page.context["action_url"], data, follow=True)


def act(client: Client, action: str, *rows: Payment | Refund, **answers: str) -> str:
    """Do an action with what its page asks, and return what staff are told."""
    return told(press(client, open_page(client, action, *rows), **answers))


def told(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def waiting(provider: Provider, snipcart: StandIn, **session: Any) -> Payment:
    provider.script(charge="pending")
    payment = pay(snipcart, **session)
    provider.script()
    return payment


def review(provider: Provider, snipcart: StandIn, **session: Any) -> Payment:
    """A payment of which nobody can tell whether it was taken."""
    provider.script(charge="nonsense")
    payment = pay(snipcart, **session)
    provider.script()
    Payment.objects.filter(pk=payment.pk).update(state=Payment.State.REVIEW, review_reason="outcome_unknown")
    payment.refresh_from_db()
    return payment


def suited(action: str, provider: Provider, snipcart: StandIn) -> Payment:
    """A payment with which the action can be done."""
    if action in {"mark_received", "mark_lapsed"}:
        return waiting(provider, snipcart)
    if action == "tell_again":
        return refused_by_snipcart(snipcart)
    return review(provider, snipcart) if action == "resolve_review" else pay(snipcart)


ANSWERS = {
    "refund": {"amount": "5.00"},
    "resolve_review": {"resolution": "paid", "note": "the provider shows it"},
}


# Who may see, and that seeing is all.


@pytest.mark.parametrize("model", ["payment", "confirmation", "refund"])
def test_the_ledger_is_shown_to_those_who_may_see_it_only(staff: Staff, model: str) -> None:
    url = f"/admin/snipcart_checkout/{model}/"

    assert Client().get(url).status_code == 302
    assert staff(name="bob", views=False).get(url).status_code == 403
    assert staff().get(url).status_code == 200


def test_nobody_can_add_change_or_delete_anything(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    payment = pay(snipcart)
    services.refund_payment(payment, 100, asked_by="snipcart")
    client = Client()
    client.force_login(User.objects.get(username="boss"))

    for row in (payment, payment.confirmations.get(), payment.refunds.get()):
        model = f"/admin/snipcart_checkout/{row._meta.model_name}/"
        answers = [
            client.post(f"{model}add/", {"state": "paid"}),
            client.post(page_of(row), {"state": "declined"}),
            client.post(f"{model}{row.pk}/delete/", {"post": "yes"}),
        ]
        assert [answer.status_code for answer in answers] == [403, 403, 403]
        assert "delete_selected" not in client.get(model).content.decode()
        assert client.get(page_of(row)).status_code == 200


def test_events_have_no_page_of_their_own() -> None:
    assert not admin.site.is_registered(Event)


def test_nothing_secret_is_on_any_page(
    provider: Provider, snipcart: StandIn, boss: Client, settings: Any
) -> None:
    provider.script(charge="redirect")
    session = snipcart.session()
    store = services_store()
    payment = services.pay(
        services.Order(
            store=store,
            method=store.methods["acme_card"],
            session=services.get_payment_session(session.public_token, "live"),
            public_token=session.public_token,
            form={"birthday": "form-data-of-the-shopper"},
        )
    )
    payment.refresh_from_db()
    assert payment.public_token
    assert payment.form
    provider.script()
    paid = pay(snipcart)
    refund = in_review(uncertain_refund(provider, paid))
    confirmation = paid.confirmations.get()
    body = snipcart.confirmations[0]
    capability = body["links"]["refunds"].rstrip("/").rpartition("/")[2]
    secrets = [
        session.public_token,
        "form-data-of-the-shopper",
        "primary-key-for-tests",
        capability,
        payment.capability_hash,
        paid.capability_hash,
        payment.redirect_url,
        "0capability0",
        payment.session_key,
    ]
    pages = [
        LIST,
        EXPORT,
        f"{LIST}?q={payment.session_id}",
        page_of(payment),
        page_of(paid),
        f"{LIST}{paid.pk}/history/",
        "/admin/snipcart_checkout/confirmation/",
        page_of(confirmation),
        "/admin/snipcart_checkout/refund/",
        page_of(refund),
        act_url("mark_received", payment),
        act_url("refund", paid),
        act_url("resolve_refund", refund),
    ]

    for url in pages:
        answer = boss.get(url)
        assert answer.status_code == 200, url
        shown = answer.getvalue().decode()
        assert not [secret for secret in secrets if secret in shown], url


def test_the_pages_do_not_even_read_what_they_may_not_show(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    payment = pay(snipcart)
    services.refund_payment(payment, 100, asked_by="snipcart")

    rows = (payment, payment.confirmations.get(), payment.refunds.get())
    with CaptureQueriesContext(connection) as queries:
        for row in rows:
            boss.get(f"/admin/snipcart_checkout/{row._meta.model_name}/")
            boss.get(page_of(row))
        boss.get(EXPORT).getvalue()

    read = " ".join(query["sql"] for query in queries)
    assert "transaction_id" in read
    for column in ("public_token", "capability_hash", "redirect_url", '"form"', "`form`"):
        assert column not in read


def services_store() -> Any:
    from snipcart_checkout.conf import get_settings

    return get_settings().stores["live"]


# Finding a payment.


@pytest.mark.parametrize(
    "spelled",
    [
        lambda payment: str(payment.reference),
        lambda payment: payment.reference.hex,
        lambda payment: str(payment.reference).upper(),
        lambda payment: payment.short_reference,
        lambda payment: f" {payment.short_reference} ",
        lambda payment: str(payment.reference)[:13],
        lambda payment: payment.reference.hex[:20],
        lambda payment: payment.session_id,
        lambda payment: payment.transaction_id,
        lambda payment: payment.provider_reference,
        lambda payment: str(payment.refunds.get().pk),
        lambda payment: str(payment.refunds.get().pk)[:8],
        lambda payment: payment.refunds.get().provider_refund_id,
    ],
)
def test_a_payment_is_found_by_whatever_a_support_call_quotes(
    provider: Provider, snipcart: StandIn, boss: Client, spelled: Callable[[Payment], str]
) -> None:
    pay(snipcart)
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(provider_reference="order-4711")
    services.refund_payment(payment, 100, asked_by="snipcart")
    payment.refresh_from_db()

    answer = boss.get(LIST, {"q": spelled(payment)})

    assert [found.pk for found in answer.context["cl"].result_list] == [payment.pk]


@pytest.mark.parametrize("text", ["ffffffff", "not there", "\u202e", "%", "0" * 32, "\N{PILE OF POO}"])
def test_a_search_for_what_is_not_there_finds_nothing(
    provider: Provider, snipcart: StandIn, boss: Client, text: str
) -> None:
    payment = pay(snipcart)
    assert not payment.reference.hex.startswith("ffffffff")

    answer = boss.get(LIST, {"q": text})

    assert answer.status_code == 200
    assert list(answer.context["cl"].result_list) == []


@pytest.mark.parametrize("model", ["confirmation", "refund"])
def test_confirmations_and_refunds_are_found_by_their_payment(
    provider: Provider, snipcart: StandIn, boss: Client, model: str
) -> None:
    for _ in range(2):
        payment = pay(snipcart)
        services.refund_payment(payment, 100, asked_by="snipcart")

    answer = boss.get(f"/admin/snipcart_checkout/{model}/", {"q": payment.short_reference})

    assert [found.payment_id for found in answer.context["cl"].result_list] == [payment.pk]


def listed(client: Client, **query: str) -> list[UUID]:
    return [payment.pk for payment in client.get(LIST, query).context["cl"].result_list]


def test_the_list_is_filtered_by_what_needs_a_person(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    untold = refused_by_snipcart(snipcart)
    in_doubt = review(provider, snipcart)
    refunded = pay(snipcart)
    in_review(uncertain_refund(provider, refunded))
    fine = pay(snipcart)

    assert {*listed(boss, needs_person="yes")} == {untold.pk, in_doubt.pk, refunded.pk}
    assert listed(boss, needs_person="no") == [fine.pk]

    services.resolve_review(untold, "closed", note="put right by hand", by="ada")
    assert {*listed(boss, needs_person="yes")} == {in_doubt.pk, refunded.pk}


def test_what_is_unknown_for_long_needs_a_person(provider: Provider, snipcart: StandIn, boss: Client) -> None:
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    assert listed(boss, needs_person="yes") == []

    Payment.objects.update(claimed_at=timezone.now() - timedelta(hours=2))

    assert listed(boss, needs_person="yes") == [payment.pk]
    assert "More" not in text_of(boss.get(page_of(payment)))
    assert str(REASONS["unknown_too_long"].what) in text_of(boss.get(page_of(payment)))


def test_the_list_is_filtered_by_what_snipcart_has_heard(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    refused = refused_by_snipcart(snipcart)
    snipcart.fail("payment", 500)
    owed = pay(snipcart)
    heard = pay(snipcart)
    review(provider, snipcart)

    assert listed(boss, told="owed") == [owed.pk]
    assert listed(boss, told="review") == [refused.pk]
    assert listed(boss, told="told") == [heard.pk]


def test_the_list_is_filtered_by_columns_and_dates(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    payment = pay(snipcart)
    old = waiting(provider, snipcart, currency="USD")
    last_month = timezone.localtime().replace(day=1, hour=12) - timedelta(days=20)
    Payment.objects.filter(pk=old.pk).update(created_at=last_month)

    assert listed(boss, currency="USD") == [old.pk]
    assert listed(boss, state__exact="paid") == [payment.pk]
    assert {*listed(boss, store="live", method="acme_card")} == {payment.pk, old.pk}
    choices = {
        str(choice["display"]): choice["query_string"]
        for spec in boss.get(LIST).context["cl"].filter_specs
        if spec.title == "created"
        for choice in spec.choices(boss.get(LIST).context["cl"])
    }
    found = boss.get(LIST + choices["Last month"]).context["cl"].result_list
    assert [row.pk for row in found] == [old.pk]
    assert boss.get(LIST, {"_facets": "True"}).status_code == 200


# What the list and the pages show.


def test_the_totals_are_those_of_the_filtered_list(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    first = pay(snipcart, amount="1000.50")
    services.refund_payment(first, 50, asked_by="snipcart")
    uncertain_refund(provider, first, 25)
    pay(snipcart, amount="0.10")
    pay(snipcart, amount="1500", currency="JPY")
    waiting(provider, snipcart, amount="77.00")

    totals = {total.currency: total for total in boss.get(LIST).context["totals"]}
    assert (totals["EUR"].count, totals["EUR"].captured) == (3, "1,000.60\xa0EUR")
    assert (totals["EUR"].refunded, totals["EUR"].uncertain) == ("0.50\xa0EUR", "0.25\xa0EUR")
    assert (totals["JPY"].captured, totals["JPY"].refunded) == ("1,500\xa0JPY", "0\xa0JPY")

    page = boss.get(LIST, {"currency": "JPY"})
    assert [total.currency for total in page.context["totals"]] == ["JPY"]
    assert "1,500 JPY" in text_of(page)
    (searched,) = boss.get(LIST, {"q": first.short_reference}).context["totals"]
    assert (searched.count, searched.captured) == (1, "1,000.50\xa0EUR")


def test_the_list_takes_no_more_queries_for_more_payments(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    pay(snipcart)
    boss.get(LIST)
    with CaptureQueriesContext(connection) as few:
        boss.get(LIST)
    for _ in range(4):
        pay(snipcart)

    with CaptureQueriesContext(connection) as many:
        boss.get(LIST)

    assert len(many) == len(few)


def test_a_payments_page_tells_its_story(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("settle_payment", "refund_payment")
    payment = waiting(provider, snipcart)
    act(client, "mark_received", payment)
    act(client, "refund", payment, amount="2.30")

    page = client.get(page_of(payment))
    lines = [(line.what, line.source) for line in page.context["story"]]

    assert lines == [
        (EVENTS["charging"], "the shopper"),
        (EVENTS["waiting"], "the shopper"),
        (EVENTS["told"], "Snipcart"),
        (EVENTS["paid"], "ada (staff)"),
        (EVENTS["told"], "Snipcart"),
        (EVENTS["refund_asked"], "ada (staff)"),
        (EVENTS["refund_refunded"], "the provider"),
    ]
    text = text_of(page)
    assert "None" not in text
    assert "2.30 EUR" in text
    assert str(payment.refunds.get().pk) in text
    assert "processed, told" in text


def test_every_event_and_reason_that_the_services_write_has_words() -> None:
    assert {*Payment.State.values} - {"review"} <= EVENTS.keys()
    assert {f"refund_{state}" for state in Refund.State.values} <= EVENTS.keys()
    written = subprocess.run(
        [
            "grep",
            "-rhoE",
            r'(event=|write_event\(\w+(\.\w+)?, )"[a-z_]+"',
            services.__path__[0],
            "--include=*.py",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {line.rsplit('"', 2)[1] for line in written.splitlines()}
    assert {"told", "told_before", "gave_up", "review_closed"} <= names
    assert names <= EVENTS.keys()
    reasons = subprocess.run(
        ["grep", "-rhoE", r'(review_reason": |reason=)"[a-z_]+"', services.__path__[0], "--include=*.py"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    codes = {line.rsplit('"', 2)[1] for line in reasons.splitlines()}
    assert {"amount_differs", "outcome_unknown"} <= codes
    assert codes <= REASONS.keys()


def test_work_that_nobody_finishes_is_said_above_the_list(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    snipcart.fail("payment", 500)
    pay(snipcart)
    let_time_pass(timedelta(minutes=10))
    assert "seems not to run" not in text_of(boss.get(LIST))

    let_time_pass(timedelta(minutes=10))
    assert "snipcart_settle seems not to run" in text_of(boss.get(LIST))

    services.settle()
    assert "seems not to run" not in text_of(boss.get(LIST))


def test_the_list_leads_to_the_payments_that_need_a_person(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    pay(snipcart)
    assert "payment needs a person" not in boss.get(LIST).content.decode()
    refused = refused_by_snipcart(snipcart)

    page = boss.get(LIST).content.decode()

    assert f'<a href="{LIST}?needs_person=yes">1 payment needs a person</a>' in page
    assert listed(boss, needs_person="yes") == [refused.pk]
    assert "payment needs a person" not in boss.get(LIST, {"needs_person": "yes"}).content.decode()


def test_the_list_has_no_column_that_says_the_same_in_every_row(
    provider: Provider, snipcart: StandIn, boss: Client, settings: Any
) -> None:
    pay(snipcart)
    assert {"store", "method"}.isdisjoint(boss.get(LIST).context["cl"].list_display)

    site = settings.SNIPCART_CHECKOUT
    live = site["STORES"]["live"]
    both = {**live, "METHODS": {**live["METHODS"], "cash": live["METHODS"]["acme_card"]}}
    settings.SNIPCART_CHECKOUT = {**site, "STORES": {"live": both, "test": both}}
    assert {"store", "method"} <= set(boss.get(LIST).context["cl"].list_display)


def test_what_is_repeated_for_an_hour_is_said_on_the_payments_page(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    snipcart.fail("payment", 500)
    payment = pay(snipcart)
    uncertain_refund(provider, payment)
    let_time_pass(timedelta(hours=2))

    text = text_of(boss.get(page_of(payment)))

    assert "Snipcart has not taken what came of the payment" in text
    assert "has not said whether a refund was made" in text
    assert listed(boss, needs_person="yes") == [payment.pk]


def test_money_of_a_lapsed_payment_can_still_be_received(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("settle_payment")
    payment = waiting(provider, snipcart)
    act(client, "mark_lapsed", payment)
    payment.refresh_from_db()

    assert "Marked as received." in act(client, "mark_received", payment)

    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID


def test_hostile_text_is_shown_as_text(provider: Provider, snipcart: StandIn, boss: Client) -> None:
    payment = review(provider, snipcart)
    hostile = "<script>alert(1)</script>"
    act(boss, "resolve_review", payment, resolution="closed", note=hostile)
    Payment.objects.update(transaction_id=hostile, provider_reference=hostile)

    for url in (LIST, page_of(payment)):
        assert hostile not in boss.get(url).content.decode()
    assert hostile in text_of_escaped(boss.get(page_of(payment)))


def text_of_escaped(response: Any) -> str:
    import html

    return html.unescape(response.content.decode())


def test_what_a_newer_release_wrote_is_shown_as_it_is(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    payment = pay(snipcart)
    Event.objects.create(payment=payment, name="quarantined", source="oracle", data={"was": "limbo", "x": 1})
    Payment.objects.update(state="quarantined")
    payment.confirmations.update(state="pondered", status="lost")

    assert boss.get(LIST).status_code == 200
    text = text_of(boss.get(page_of(payment)))
    assert "quarantined" in text
    assert "oracle" in text


@pytest.mark.parametrize("reference", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_a_payment_that_is_not_there_leads_back(boss: Client, reference: str) -> None:
    assert boss.get(f"{LIST}{reference}/change/").status_code == 302
    assert boss.get(f"{LIST}act/refund/?row={reference}").status_code in {302, 404}
    assert boss.get(f"{LIST}act/conjure/").status_code == 404


def test_amounts_are_written_in_the_language_of_staff(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    payment = pay(snipcart, amount="1234.50")

    page = boss.get(page_of(payment), headers={"accept-language": "de"})

    assert "1.234,50 EUR" in text_of(page)


# CSV.


def csv_rows(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def test_the_export_holds_the_filtered_list(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("export_payment")
    payment = pay(snipcart, amount="1234.50")
    services.refund_payment(payment, 50, asked_by="snipcart")
    uncertain_refund(provider, payment, 25)
    waiting(provider, snipcart)
    page = client.get(LIST, {"state__exact": "paid", "p": "1"})

    answer = client.get(page.context["export_url"], headers={"accept-language": "de"})

    assert answer.streaming
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]
    (row,) = csv_rows(answer)
    assert tuple(row) == COLUMNS
    assert row["reference"] == str(payment.reference)
    assert (row["amount"], row["currency"]) == ("1234.50", "EUR")
    assert (row["refunded"], row["refund_uncertain"]) == ("0.50", "0.25")
    assert (row["state"], row["told_state"], row["told_status"]) == ("paid", "processed", "told")
    assert (row["session"], row["transaction"]) == (payment.session_id, payment.transaction_id)


def test_the_export_needs_its_permission(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("refund_payment")

    assert client.get(EXPORT).status_code == 403
    assert "export" not in client.get(LIST).content.decode()
    assert staff("export_payment", name="bob", views=False).get(EXPORT).status_code == 403


def test_an_export_of_nonsense_leads_back(boss: Client) -> None:
    answer = boss.get(EXPORT, {"created_at__gte": "nonsense"})

    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}?e=1")


@pytest.mark.parametrize(
    "text", ["=1+1", "+33123", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠1"]
)
def test_a_text_that_is_a_formula_is_disarmed(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value, cell",
    [
        (Decimal("-12.30"), "-12.30"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.00"), "0.00"),
        (-7, "-7"),
        ("1-2", "1-2"),
        (None, ""),
        ("", ""),
    ],
)
def test_numbers_and_plain_texts_stay_what_they_are(value: object, cell: str) -> None:
    assert safe_cell(value) == cell


def test_formulas_from_outside_are_disarmed_in_the_file(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    pay(snipcart)
    Payment.objects.update(transaction_id='=HYPERLINK("https://evil.example")', decline_code="@x")

    (row,) = csv_rows(boss.get(EXPORT))

    assert row["transaction"] == '\'=HYPERLINK("https://evil.example")'
    assert row["decline_code"] == "'@x"


@pytest.mark.django_db(transaction=True)
def test_the_export_streams_on_asgi_too(provider: Provider, snipcart: StandIn) -> None:
    payment = pay(snipcart)
    user = User.objects.create_superuser("boss")

    async def fetch() -> str:
        client = AsyncClient()
        await client.aforce_login(user)
        answer: Any = await client.get(EXPORT)
        assert answer.is_async
        return "".join([part.decode() async for part in answer.streaming_content])

    (row,) = csv.DictReader(io.StringIO(async_to_sync(fetch)()))
    assert row["reference"] == str(payment.reference)


# Actions.


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_needs_its_own_permission(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    payment = suited(action, provider, snipcart)
    others = {*ACTIONS.values()} - {ACTIONS[action]}
    client = staff(*others)
    before = story(payment)

    assert open_page(client, action, payment).status_code == 403
    page = client.get(page_of(payment))
    assert f"act/{action}/" not in page.content.decode()
    unprotected = Client()
    unprotected.force_login(User.objects.get(username="ada"))
    answer = unprotected.post(f"{LIST}act/{action}/", {"row": payment.pk, **ANSWERS.get(action, {})})
    assert answer.status_code == 403
    unprotected.post(LIST, {"action": action, "_selected_action": payment.pk})
    assert story(payment) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_who_cannot_see_the_ledger_cannot_act(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    client = staff(ACTIONS[action], views=False)

    assert open_page(client, action, suited(action, provider, snipcart)).status_code == 403


@pytest.mark.parametrize("action", ACTIONS)
def test_opening_the_page_of_an_action_does_nothing(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    client = staff(ACTIONS[action])
    payment = suited(action, provider, snipcart)
    before, calls = story(payment), len(snipcart.calls_to("payment"))

    page = open_page(client, action, payment)

    assert page.status_code == 200
    assert str(payment.reference) in text_of(page)
    assert client.get(act_url(action, payment) + "&amount=5&resolution=paid&note=x").status_code == 200
    assert (story(payment), len(snipcart.calls_to("payment"))) == (before, calls)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_refused_without_a_csrf_token(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    client = staff(ACTIONS[action])
    payment = suited(action, provider, snipcart)
    before = story(payment)

    answer = client.post(f"{LIST}act/{action}/", {"row": payment.pk, **ANSWERS.get(action, {})})

    assert answer.status_code == 403
    assert story(payment) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_the_list_offers_an_action_and_leads_to_its_page(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    client = staff(ACTIONS[action])
    payment = suited(action, provider, snipcart)
    page = client.get(LIST, {"store": "live"})
    token = fields_of(page)["csrfmiddlewaretoken"]
    before = story(payment)

    asked = client.post(
        f"{LIST}?store=live",
        {"action": action, "_selected_action": payment.pk, "csrfmiddlewaretoken": token},
    )

    assert asked.status_code == 200
    assert story(payment) == before
    done = press(client, asked, **ANSWERS.get(action, {}))
    assert done.status_code == 200
    assert story(payment) != before
    assert "_changelist_filters=store%3Dlive" in done.redirect_chain[-1][0]


@pytest.mark.parametrize("action", ACTIONS)
def test_sending_the_form_of_an_action_twice_does_it_once(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    client = staff(ACTIONS[action])
    payment = suited(action, provider, snipcart)
    page = open_page(client, action, payment)
    press(client, page, **ANSWERS.get(action, {}))
    after, calls = story(payment), len(snipcart.calls_to("payment"))

    second = press(client, page, **ANSWERS.get(action, {}))

    assert (story(payment), len(snipcart.calls_to("payment"))) == (after, calls)
    assert len(provider.refunds) == (1 if action == "refund" else 0)
    assert "nothing" in told(second).lower()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_runs_in_no_transaction(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    # Not by the settings fixture: the handler reads the connection's own settings at each request.
    client = staff(ACTIONS[action])
    payment = suited(action, provider, snipcart)
    before = story(payment)
    token = fields_of(client.get(LIST))["csrfmiddlewaretoken"]
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        asked = client.post(
            LIST, {"action": action, "_selected_action": payment.pk, "csrfmiddlewaretoken": token}
        )
        answer = press(client, asked, **ANSWERS.get(action, {}))
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False

    assert "failed" not in told(answer)
    assert len(story(payment)) > len(before)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_leaves_a_line_in_the_admins_own_history(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    payment = suited(action, provider, snipcart)

    act(staff(ACTIONS[action]), action, payment, **ANSWERS.get(action, {}))

    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("ada", str(payment.pk))


def test_a_waiting_payment_is_marked_as_received(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    payment = waiting(provider, snipcart)

    said = act(staff("settle_payment"), "mark_received", payment)

    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    assert payment.events.get(name="paid").source == "staff ada"
    assert said == f"{payment.short_reference}: Marked as received. Snipcart was told."
    assert snipcart.confirmations[-1]["state"] == "processed"


def test_a_waiting_payment_is_marked_as_lapsed(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    payment = waiting(provider, snipcart)

    act(staff("settle_payment"), "mark_lapsed", payment)

    payment.refresh_from_db()
    assert payment.state == Payment.State.DECLINED
    assert snipcart.confirmations[-1]["state"] == "invalidated"


def test_staff_hear_when_snipcart_could_not_be_told(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    payment = waiting(provider, snipcart)
    snipcart.fail("payment", 500)

    said = act(staff("settle_payment"), "mark_received", payment)

    assert "will be told as soon as it can be" in said
    assert payment.confirmations.get(state="processed").status == Confirmation.Status.OWED


def test_staff_are_warned_before_they_overrule_a_provider_that_reports_by_itself(
    provider: Provider, snipcart: StandIn, staff: Staff, settings: Any
) -> None:
    client = staff("settle_payment")
    payment = waiting(provider, snipcart)
    warning = "A provider will report what comes of this by itself."

    assert warning in text_of(open_page(client, "mark_received", payment))
    use_provider(settings, provider.directory, can_lookup=False)
    assert warning not in text_of(open_page(client, "mark_received", payment))


def test_several_payments_are_received_at_once_and_others_left_out(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("settle_payment")
    payments = [waiting(provider, snipcart) for _ in range(2)]
    paid = pay(snipcart)

    page = open_page(client, "mark_received", *payments, paid)
    assert page.context["left_out"] == [paid]
    said = told(press(client, page))

    assert said.count("Marked as received.") == 2
    assert {*Payment.objects.values_list("state", flat=True)} == {"paid"}
    assert story(paid) == ["charging", "paid", "told"]


def test_not_too_many_at_once(provider: Provider, snipcart: StandIn, boss: Client) -> None:
    payment = waiting(provider, snipcart)
    rows = [payment]
    for number in range(20):
        copy = Payment.objects.get(pk=payment.pk)
        copy.pk, copy.live_key, copy.capability_hash = None, f"key {number}", f"hash {number}"
        copy.reference = UUID(int=number + 1)
        copy.save(force_insert=True)
        rows.append(copy)
    token = fields_of(boss.get(LIST))["csrfmiddlewaretoken"]
    chosen = {"_selected_action": [row.pk for row in rows], "csrfmiddlewaretoken": token}

    answer = boss.post(LIST, {"action": "mark_lapsed", **chosen}, follow=True)

    assert "20" in told(answer)
    assert {*Payment.objects.values_list("state", flat=True)} == {"waiting"}
    assert "Choose one only." in told(boss.post(LIST, {"action": "refund", **chosen}, follow=True))


# Refunds.


@pytest.mark.parametrize(
    "text, currency, units",
    [
        ("12.34", "EUR", 1234),
        ("12,34", "EUR", 1234),
        (" 12,3 ", "EUR", 1230),
        ("1 234,50", "EUR", 123450),
        ("1\u202f234,50", "EUR", 123450),
        ("1\u00a0234.50", "EUR", 123450),
        ("1'234.50", "CHF", 123450),
        ("1’234.50", "CHF", 123450),
        ("0.1", "EUR", 10),
        ("1500", "JPY", 1500),
        ("1.234", "KWD", 1234),
        ("12", "KWD", 12000),
        ("٩٫٥", "SAR", 950),
    ],
)
def test_an_amount_is_read_exactly_however_it_is_written(text: str, currency: str, units: int) -> None:
    assert read_amount(text, currency) == units


@pytest.mark.parametrize(
    "text, currency",
    [
        ("1,234", "EUR"),
        ("1.234", "EUR"),
        ("1,234", "KWD"),
        ("1,234.50", "EUR"),
        ("1.000", "JPY"),
        ("1,0", "JPY"),
        ("12.345", "EUR"),
        ("0", "EUR"),
        ("0.00", "EUR"),
        ("-5", "EUR"),
        ("+5", "EUR"),
        ("1e2", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("0x10", "EUR"),
        ("5 EUR", "EUR"),
        (".5", "EUR"),
        ("5.", "EUR"),
        ("", "EUR"),
        ("9" * 40, "EUR"),
    ],
)
def test_an_amount_that_could_mean_something_else_is_refused(text: str, currency: str) -> None:
    with pytest.raises(UnpayableAmount):
        read_amount(text, currency)


def test_a_comma_is_read_as_the_language_means_it() -> None:
    with translation.override("de"):
        assert read_amount("1,234", "KWD") == 1234
        with pytest.raises(UnpayableAmount):
            read_amount("1.234", "KWD")


def test_part_of_a_payment_is_refunded(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("refund_payment")
    payment = pay(snipcart)

    page = open_page(client, "refund", payment)
    assert fields_of(page)["amount"] == "12.30"
    assert "Up to 12.30 EUR can be refunded." in text_of(page)
    said = told(press(client, page, amount="2,30"))

    refund = Refund.objects.get()
    assert (refund.minor_units, refund.state, refund.asked_by) == (230, "refunded", "staff ada")
    assert said == f"{payment.short_reference}: 2.30\xa0EUR was refunded."
    assert [given["minor_units"] for given in provider.refunds] == [230]


def test_the_refund_page_speaks_the_language_of_staff(
    provider: Provider, snipcart: StandIn, staff: Staff, settings: Any
) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    client = staff("refund_payment")
    payment = pay(snipcart, amount="1234.50")

    page = client.get(act_url("refund", payment), headers={"accept-language": "de"})
    shown = fields_of(page)["amount"]
    press(client, page)

    assert shown == "1234,50"
    assert Refund.objects.get().minor_units == 123450


@pytest.mark.parametrize("amount", ["12.31", "0", "nonsense", "", "1,000.00"])
def test_an_amount_that_cannot_be_refunded_is_asked_for_again(
    provider: Provider, snipcart: StandIn, staff: Staff, amount: str
) -> None:
    client = staff("refund_payment")
    payment = pay(snipcart)

    answer = press(client, open_page(client, "refund", payment), amount=amount)

    assert answer.context["form"].errors["amount"]
    assert not Refund.objects.exists()


def test_a_refund_form_sent_again_much_later_refunds_nothing(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("refund_payment")
    payment = pay(snipcart)
    page = open_page(client, "refund", payment)
    press(client, page, amount="5.00")
    Refund.objects.update(created_at=timezone.now() - timedelta(hours=1))

    said = told(press(client, page, amount="5.00"))

    assert "A refund was asked for since you opened the page" in said
    assert len(provider.refunds) == 1


def test_the_same_amount_can_be_refunded_again_on_purpose(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("refund_payment")
    payment = pay(snipcart)
    act(client, "refund", payment, amount="5.00")
    Refund.objects.update(updated_at=timezone.now() - timedelta(minutes=2))

    act(client, "refund", payment, amount="5.00")

    assert len(provider.refunds) == 2


def test_the_same_amount_within_a_minute_is_not_said_to_be_refunded_again(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("refund_payment")
    payment = pay(snipcart)
    act(client, "refund", payment, amount="5.00")

    said = act(client, "refund", payment, amount="5.00")

    assert "less than a minute ago" in said
    assert "5.00 EUR was refunded." not in said.replace("\xa0", " ")
    assert len(provider.refunds) == 1


@pytest.mark.parametrize(
    "knobs, words",
    [
        ({"refund": "declined"}, "declined the refund"),
        ({"refund": "nonsense"}, "is being found out"),
    ],
)
def test_a_refund_that_was_not_made_is_reported_as_such(
    provider: Provider, snipcart: StandIn, staff: Staff, knobs: dict[str, str], words: str
) -> None:
    payment = pay(snipcart)
    provider.script(**knobs)

    said = act(staff("refund_payment"), "refund", payment, amount="5.00")

    assert words in said
    assert "was refunded." not in said


def test_a_method_that_cannot_refund_says_so(
    provider: Provider, snipcart: StandIn, staff: Staff, settings: Any
) -> None:
    payment = pay(snipcart)
    use_provider(settings, provider.directory, supports_refund=False)

    assert "give the money back by hand" in act(staff("refund_payment"), "refund", payment, amount="5")


def test_what_was_not_captured_or_is_refunded_offers_no_refund(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("refund_payment")
    unpaid = waiting(provider, snipcart)
    refunded = pay(snipcart)
    services.refund_payment(refunded, 1230, asked_by="snipcart")

    for payment in (unpaid, refunded):
        assert "act/refund/" not in client.get(page_of(payment)).content.decode()
        assert "nothing to do" in told(client.get(act_url("refund", payment), follow=True))


def test_a_refund_in_review_is_resolved(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("resolve_payment")
    payment = pay(snipcart)
    refund = in_review(uncertain_refund(provider, payment))
    assert str(REASONS["refund"].what) in text_of(client.get(page_of(payment)))
    assert "act/resolve_refund/" in client.get(page_of(refund)).content.decode()

    act(client, "resolve_refund", refund, resolution="not_made", note="not at the provider")

    assert Refund.objects.get().state == Refund.State.DECLINED
    payment.refresh_from_db()
    assert payment.refunded_minor_units == 0
    assert "not at the provider" in text_of(client.get(page_of(payment)))


# Telling again, and reviews.


def test_snipcart_is_told_again(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    payment = refused_by_snipcart(snipcart)

    said = act(staff("tell_payment"), "tell_again", payment)

    assert "Snipcart was told." in said
    assert payment.confirmations.get().status == Confirmation.Status.TOLD
    assert payment.events.get(name="told_again").source == "staff ada"


def test_staff_hear_when_snipcart_refuses_again(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    payment = refused_by_snipcart(snipcart)
    snipcart.fail("payment", 400)

    assert "Snipcart refused to record it." in act(staff("tell_payment"), "tell_again", payment)
    assert payment.confirmations.get().status == Confirmation.Status.REVIEW


def test_a_review_is_resolved_as_paid_with_a_note(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("resolve_payment")
    payment = review(provider, snipcart)
    assert str(REASONS["outcome_unknown"].advice) in text_of(client.get(page_of(payment)))

    act(client, "resolve_review", payment, resolution="paid", note="seen in the account")

    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]
    text = text_of(client.get(page_of(payment)))
    assert "“seen in the account”" in text
    assert str(REASONS["outcome_unknown"].advice) not in text


@pytest.mark.parametrize(
    "answers", [{"resolution": "paid", "note": "  "}, {"resolution": "gone", "note": "x"}]
)
def test_a_review_is_not_resolved_without_an_answer_and_a_note(
    provider: Provider, snipcart: StandIn, staff: Staff, answers: dict[str, str]
) -> None:
    client = staff("resolve_payment")
    payment = review(provider, snipcart)

    answer = press(client, open_page(client, "resolve_review", payment), **answers)

    assert answer.context["form"].errors
    payment.refresh_from_db()
    assert payment.state == Payment.State.REVIEW


def test_money_that_was_taken_is_not_offered_to_be_declined(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    provider.script(amount="99.00")
    payment = pay(snipcart)

    page = open_page(staff("resolve_payment"), "resolve_review", payment)

    assert [value for value, _ in page.context["form"].fields["resolution"].choices] == ["paid", "closed"]


def test_a_second_capture_can_be_refunded_and_closed_only(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("resolve_payment", "refund_payment")
    payment = pay(snipcart)
    second = Payment.objects.get(pk=payment.pk)
    second.reference, second.capability_hash, second.transaction_key = UUID(int=7), "other", None
    second.live_key, second.state, second.review_reason = None, Payment.State.REVIEW, "second_capture"
    second.save(force_insert=True)

    said = act(client, "resolve_review", second, resolution="paid", note="why not")
    assert "can only be refunded" in said
    act(client, "refund", second, amount="12.30")
    act(client, "resolve_review", second, resolution="closed", note="refunded")

    assert not services.settle().needs_person
    assert len(provider.refunds) == 1


def test_a_payment_that_is_fine_has_nothing_to_resolve(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    payment = pay(snipcart)

    page = boss.get(page_of(payment))

    assert [label for _, label in page.context["staff_actions"]] == ["Refund"]
    assert "nothing to do" in told(boss.get(act_url("resolve_review", payment), follow=True))


def test_an_action_that_breaks_on_the_way_says_so(
    provider: Provider, snipcart: StandIn, staff: Staff, caplog: pytest.LogCaptureFixture
) -> None:
    client = staff("settle_payment")
    payment = waiting(provider, snipcart)
    page = open_page(client, "mark_received", payment)

    def disk_full(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT") and "snipcart_checkout_event" in sql:
            raise DatabaseError("disk full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(disk_full):
        said = told(press(client, page))

    assert "This failed on the way." in said
    assert f"mark_received of {payment.pk} by staff failed: DatabaseError" in caplog.text
    assert Payment.objects.get().state == Payment.State.WAITING


def test_the_admin_is_left_alone_where_it_is_not_installed() -> None:
    code = """
import sys, django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", INSTALLED_APPS=["snipcart_checkout"], ROOT_URLCONF="snipcart_checkout.urls",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
from snipcart_checkout.models import Payment
print(Payment.objects.count(), [name for name in sys.modules if "admin" in name.split(".")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split(maxsplit=1) == ["0", "[]\n"], done.stderr


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield
