"""The admin: what staff see, find and export, what they may do, and what nobody is ever shown."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from snipcart_checkout import services
from snipcart_checkout.admin.advice import describe_case
from snipcart_checkout.admin.export import PAYMENT_COLUMNS, safe_cell
from snipcart_checkout.admin.forms import read_amount
from snipcart_checkout.models import Confirmation, Event, Payment, Refund, new_reference
from snipcart_checkout.services.audit_log import PROVIDER, SNIPCART
from snipcart_checkout.services.outcomes import look_up_payment
from snipcart_checkout.services.refunds import refund_payment
from snipcart_checkout.snipcart.money import UnpayableAmount
from snipcart_checkout.snipcart.transport import seconds_left
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Provider
from tests.support.desk import (
    EXPORT,
    LIST,
    Staff,
    act,
    act_url,
    await_money,
    boss,
    listed,
    open_page,
    page_of,
    press,
    staff,
    told,
)
from tests.support.ledger import (
    history,
    in_review,
    pay,
    provider,
    refused_by_snipcart,
    unknown_refund,
)
from tests.support.ledger_invariants import let_time_pass
from tests.test_views import fields_of, to_text

__all__ = ["boss", "provider", "staff"]

pytestmark = pytest.mark.django_db

ACTIONS = {
    "mark_received": "settle_payment",
    "mark_expired": "settle_payment",
    "refund": "refund_payment",
    "mark_given_back": "refund_payment",
    "redeliver": "redeliver_payment",
    "resolve_review": "resolve_payment",
}


def is_named_in(payment: Payment, said: str) -> bool:
    return payment.short_reference in said.replace("-", "").upper()


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
    if action in {"mark_received", "mark_expired"}:
        return await_money(provider, snipcart)
    if action == "redeliver":
        return refused_by_snipcart(snipcart)
    return review(provider, snipcart) if action == "resolve_review" else pay(snipcart)


ANSWERS = {
    "refund": {"amount": "5.00"},
    "mark_given_back": {"amount": "5.00"},
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
    refund_payment(payment, 100, actor=SNIPCART)
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


def test_nothing_secret_is_on_any_page(provider: Provider, snipcart: StandIn, boss: Client) -> None:
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
    refund = in_review(unknown_refund(provider, paid))
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
    refund_payment(payment, 100, actor=SNIPCART)

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


@pytest.mark.parametrize("model", ["confirmation", "refund"])
def test_confirmations_and_refunds_are_found_by_their_payment(
    provider: Provider, snipcart: StandIn, boss: Client, model: str
) -> None:
    for _ in range(2):
        payment = pay(snipcart)
        refund_payment(payment, 100, actor=SNIPCART)

    answer = boss.get(f"/admin/snipcart_checkout/{model}/", {"q": payment.short_reference})

    assert [found.payment_id for found in answer.context["cl"].result_list] == [payment.pk]


def test_the_list_is_filtered_by_what_needs_a_person(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    undelivered = refused_by_snipcart(snipcart)
    in_doubt = review(provider, snipcart)
    refunded = pay(snipcart)
    in_review(unknown_refund(provider, refunded))
    pay(snipcart)

    assert {*listed(boss, needs_attention="yes")} == {undelivered.pk, in_doubt.pk, refunded.pk}

    services.resolve_review(undelivered, "closed", note="put right by hand", by="ada")
    assert {*listed(boss, needs_attention="yes")} == {in_doubt.pk, refunded.pk}


def test_what_is_unknown_for_long_needs_a_person(provider: Provider, snipcart: StandIn, boss: Client) -> None:
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    assert listed(boss, needs_attention="yes") == []

    let_time_pass(timedelta(hours=2))

    assert listed(boss, needs_attention="yes") == [payment.pk]
    assert "More" not in to_text(boss.get(page_of(payment)))
    assert str(describe_case("payment").what) in to_text(boss.get(page_of(payment)))


def test_the_list_is_filtered_by_what_snipcart_was_notified_of(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    refused = refused_by_snipcart(snipcart)
    snipcart.fail("payment", 500)
    undelivered = pay(snipcart)
    pay(snipcart)
    review(provider, snipcart)

    assert listed(boss, confirmation="pending") == [undelivered.pk]
    assert listed(boss, confirmation="review") == [refused.pk]
    assert len(listed(boss, confirmation="nonsense")) == 4


def test_the_list_is_filtered_by_columns_and_dates(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    payment = pay(snipcart)
    old = await_money(provider, snipcart, currency="USD")
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


def test_a_payments_page_shows_its_history(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("settle_payment", "refund_payment")
    payment = await_money(provider, snipcart)
    act(client, "mark_received", payment)
    act(client, "refund", payment, amount="2.30")

    page = client.get(page_of(payment))
    lines = [(line.what, line.source) for line in page.context["history"]]

    assert lines == [
        (Event.Name.CHARGING.label, "the shopper"),
        (Event.Name.PENDING.label, "the shopper"),
        (Event.Name.CONFIRMATION_DELIVERED.label, "Snipcart"),
        (Event.Name.PAID.label, "ada (staff)"),
        (Event.Name.CONFIRMATION_DELIVERED.label, "Snipcart"),
        (Event.Name.REFUND_REQUESTED.label, "ada (staff)"),
        (Event.Name.REFUND_REFUNDED.label, "ada (staff)"),
    ]
    text = to_text(page)
    assert "None" not in text
    assert "2.30 EUR" in text
    assert str(payment.refunds.get().pk) in text
    assert "processed" in text
    assert Confirmation.Status.DELIVERED.label.lower() in text.lower()


def test_every_event_is_shown_in_words(provider: Provider, snipcart: StandIn, boss: Client) -> None:
    payment = pay(snipcart)
    names = sorted({*Event.Name.values} - {Event.Name.NOTIFICATION, Event.Name.DECLINED})
    for name in names:
        Event.objects.create(
            payment=payment, name=name, source=Event.Source.SETTLE, data={"reason": "unanswered"}
        )

    lines = boss.get(page_of(payment)).context["history"][-len(names) :]

    for name, line in zip(names, lines, strict=True):
        assert line.what == str(Event.Name(name).label), name
        assert line.what != name
        assert line.details == (str(Payment.ReviewReason.UNANSWERED.label),), name


def test_a_decline_is_shown_with_the_code_of_its_backend_even_where_a_reason_for_review_is_spelt_like_it(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    provider.script(charge="declined", code="disputed")
    payment = pay(snipcart)

    line = boss.get(page_of(payment)).context["history"][-1]

    assert line.what == str(Event.Name.DECLINED.label)
    assert "disputed" in line.details


@pytest.mark.parametrize("reason", Payment.ReviewReason.values)
def test_every_reason_for_review_comes_with_what_to_do(
    provider: Provider, snipcart: StandIn, boss: Client, reason: str
) -> None:
    payment = pay(snipcart)
    Payment.objects.filter(pk=payment.pk).update(review_reason=reason)
    case = describe_case(reason)

    text = to_text(boss.get(page_of(payment)))

    assert str(case.what) == str(Payment.ReviewReason(reason).label)
    assert str(case.what) in text
    assert str(case.advice) in text


def test_work_that_nobody_finishes_is_named_above_the_list(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    snipcart.fail("payment", 500)
    pay(snipcart)
    let_time_pass(timedelta(minutes=10))
    assert "does not seem to run" not in to_text(boss.get(LIST))

    let_time_pass(timedelta(minutes=10))
    assert "snipcart_settle does not seem to run" in to_text(boss.get(LIST))

    services.settle()
    assert "does not seem to run" not in to_text(boss.get(LIST))


def test_the_list_leads_to_the_payments_that_need_a_person(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    pay(snipcart)
    assert "payment needs attention" not in boss.get(LIST).content.decode()
    refused = refused_by_snipcart(snipcart)

    page = boss.get(LIST).content.decode()

    assert f'<a href="{LIST}?needs_attention=yes">1 payment needs attention</a>' in page
    assert listed(boss, needs_attention="yes") == [refused.pk]
    assert "payment needs attention" not in boss.get(LIST, {"needs_attention": "yes"}).content.decode()


def test_the_list_has_no_column_that_says_the_same_in_every_row(
    provider: Provider, snipcart: StandIn, boss: Client, checkout_settings: CheckoutSettings
) -> None:
    pay(snipcart)
    assert {"store", "method_name"}.isdisjoint(boss.get(LIST).context["cl"].list_display)

    checkout_settings.method("cash", like="acme_card")
    checkout_settings.store("test", like="live")
    assert {"store", "method_name"} <= set(boss.get(LIST).context["cl"].list_display)


def test_what_is_repeated_for_an_hour_is_named_on_the_payments_page(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    snipcart.fail("payment", 500)
    payment = pay(snipcart)
    unknown_refund(provider, payment)
    let_time_pass(timedelta(hours=2))

    text = to_text(boss.get(page_of(payment)))

    assert str(describe_case("confirmation").what) in text
    assert str(describe_case("refund").what) in text
    assert listed(boss, needs_attention="yes") == [payment.pk]


def test_money_of_an_expired_payment_can_still_be_received(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart)
    act(client, "mark_expired", payment)
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
    payment.confirmations.update(outcome="pondered", status="lost")

    assert boss.get(LIST).status_code == 200
    text = to_text(boss.get(page_of(payment)))
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

    assert "1.234,50 EUR" in to_text(page)


# CSV.


def csv_rows(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def test_the_export_holds_the_filtered_list(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("export_payment")
    payment = pay(snipcart, amount="1234.50")
    refund_payment(payment, 50, actor=SNIPCART)
    unknown_refund(provider, payment, 25)
    await_money(provider, snipcart)
    page = client.get(LIST, {"state__exact": "paid", "p": "1"})

    answer = client.get(page.context["export_url"], headers={"accept-language": "de"})

    assert answer.streaming
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer["Content-Disposition"]
    assert "no-store" in answer["Cache-Control"]
    (row,) = csv_rows(answer)
    assert tuple(row) == PAYMENT_COLUMNS
    assert row["reference"] == str(payment.reference)
    assert (row["amount"], row["currency"]) == ("1234.50", "EUR")
    assert (row["refunded"], row["refund_unknown"]) == ("0.50", "0.25")
    assert (row["state"], row["last_outcome"], row["last_confirmation_status"]) == (
        "paid",
        "processed",
        "delivered",
    )
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
    before = history(payment)

    assert open_page(client, action, payment).status_code == 403
    page = client.get(page_of(payment))
    assert f"act/{action}/" not in page.content.decode()
    unprotected = Client()
    unprotected.force_login(User.objects.get(username="ada"))
    answer = unprotected.post(f"{LIST}act/{action}/", {"row": payment.pk, **ANSWERS.get(action, {})})
    assert answer.status_code == 403
    unprotected.post(LIST, {"action": action, "_selected_action": payment.pk})
    assert history(payment) == before


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
    before, calls = history(payment), len(snipcart.calls_to("payment"))

    page = open_page(client, action, payment)

    assert page.status_code == 200
    assert payment.display_reference in to_text(page)
    assert client.get(act_url(action, payment) + "&amount=5&resolution=paid&note=x").status_code == 200
    assert (history(payment), len(snipcart.calls_to("payment"))) == (before, calls)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_refused_without_a_csrf_token(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    client = staff(ACTIONS[action])
    payment = suited(action, provider, snipcart)
    before = history(payment)

    answer = client.post(f"{LIST}act/{action}/", {"row": payment.pk, **ANSWERS.get(action, {})})

    assert answer.status_code == 403
    assert history(payment) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_the_list_offers_an_action_and_leads_to_its_page(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    client = staff(ACTIONS[action])
    payment = suited(action, provider, snipcart)
    page = client.get(LIST, {"store": "live"})
    token = fields_of(page)["csrfmiddlewaretoken"]
    before = history(payment)

    asked = client.post(
        f"{LIST}?store=live",
        {"action": action, "_selected_action": payment.pk, "csrfmiddlewaretoken": token},
    )

    assert asked.status_code == 200
    assert history(payment) == before
    done = press(client, asked, **ANSWERS.get(action, {}))
    assert done.status_code == 200
    assert history(payment) != before
    assert "_changelist_filters=store%3Dlive" in done.redirect_chain[-1][0]


@pytest.mark.parametrize("action", ACTIONS)
def test_sending_the_form_of_an_action_twice_does_it_once(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    client = staff(ACTIONS[action])
    payment = suited(action, provider, snipcart)
    page = open_page(client, action, payment)
    press(client, page, **ANSWERS.get(action, {}))
    after, calls = history(payment), len(snipcart.calls_to("payment"))

    second = press(client, page, **ANSWERS.get(action, {}))

    assert (history(payment), len(snipcart.calls_to("payment"))) == (after, calls)
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
    before = history(payment)
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
    assert len(history(payment)) > len(before)


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_leaves_a_line_in_the_admins_own_history(
    provider: Provider, snipcart: StandIn, staff: Staff, action: str
) -> None:
    payment = suited(action, provider, snipcart)

    act(staff(ACTIONS[action]), action, payment, **ANSWERS.get(action, {}))

    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("ada", str(payment.pk))


def test_a_pending_payment_is_marked_as_received(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    payment = await_money(provider, snipcart)

    said = act(staff("settle_payment"), "mark_received", payment)

    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    event = payment.events.get(name="paid")
    assert (event.source, event.actor) == (Event.Source.STAFF, "ada")
    assert is_named_in(payment, said)
    assert said.endswith(": Marked as received. Snipcart was notified.")
    assert snipcart.confirmations[-1]["state"] == "processed"


def test_a_pending_payment_is_marked_as_expired(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    payment = await_money(provider, snipcart)

    act(staff("settle_payment"), "mark_expired", payment)

    payment.refresh_from_db()
    assert payment.state == Payment.State.DECLINED
    assert snipcart.confirmations[-1]["state"] == "invalidated"


def test_staff_learn_when_snipcart_could_not_be_notified(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    payment = await_money(provider, snipcart)
    snipcart.fail("payment", 500)

    said = act(staff("settle_payment"), "mark_received", payment)

    assert "will be notified as soon as possible" in said
    assert payment.confirmations.get(outcome="processed").status == Confirmation.Status.PENDING


def test_staff_are_warned_before_they_overrule_a_provider_that_reports_by_itself(
    provider: Provider, snipcart: StandIn, staff: Staff, checkout_settings: CheckoutSettings
) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart)
    warning = "The provider will report the outcome by itself."

    assert warning in to_text(open_page(client, "mark_received", payment))
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    assert warning not in to_text(open_page(client, "mark_received", payment))


def test_several_payments_are_received_at_once_and_others_left_out(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("settle_payment")
    payments = [await_money(provider, snipcart) for _ in range(2)]
    paid = pay(snipcart)

    page = open_page(client, "mark_received", *payments, paid)
    assert page.context["left_out"] == [paid.display_reference]
    said = told(press(client, page))

    assert said.count("Marked as received.") == 2
    assert {*Payment.objects.values_list("state", flat=True)} == {"paid"}
    assert history(paid) == ["charging", "paid", "confirmation_delivered"]


def test_not_too_many_at_once(provider: Provider, snipcart: StandIn, boss: Client) -> None:
    payment = await_money(provider, snipcart)
    rows = [payment]
    for number in range(20):
        copy = Payment.objects.get(pk=payment.pk)
        copy.pk, copy.live_key, copy.capability_hash = None, f"key {number}", f"hash {number}"
        copy.reference = new_reference()
        copy.save(force_insert=True)
        rows.append(copy)
    token = fields_of(boss.get(LIST))["csrfmiddlewaretoken"]
    chosen = {"_selected_action": [row.pk for row in rows], "csrfmiddlewaretoken": token}

    answer = boss.post(LIST, {"action": "mark_expired", **chosen}, follow=True)

    assert "20" in told(answer)
    assert {*Payment.objects.values_list("state", flat=True)} == {"pending"}
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
    assert "Up to 12.30 EUR can be refunded." in to_text(page)
    said = told(press(client, page, amount="2,30"))

    refund = Refund.objects.get()
    assert (refund.minor_units, refund.state, refund.requested_by) == (230, "refunded", "ada")
    assert is_named_in(payment, said)
    assert said.endswith(": 2.30\xa0EUR was refunded.")
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

    assert "A refund was requested after you opened the page" in said
    assert len(provider.refunds) == 1


def test_the_same_amount_can_be_refunded_again_on_purpose(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("refund_payment")
    payment = pay(snipcart)
    act(client, "refund", payment, amount="5.00")
    Refund.objects.update(updated_at=timezone.now() - timedelta(minutes=11))

    act(client, "refund", payment, amount="5.00")

    assert len(provider.refunds) == 2


def test_the_same_amount_within_ten_minutes_is_not_reported_as_refunded_again(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("refund_payment")
    payment = pay(snipcart)
    act(client, "refund", payment, amount="5.00")

    said = act(client, "refund", payment, amount="5.00")

    assert "less than ten minutes ago" in said
    assert "5.00 EUR was refunded." not in said.replace("\xa0", " ")
    assert len(provider.refunds) == 1


@pytest.mark.parametrize(
    "knobs, words",
    [
        ({"refund": "declined"}, "declined the refund"),
        ({"refund": "nonsense"}, "It is not known yet"),
    ],
)
def test_a_refund_that_was_not_made_is_reported_as_such(
    provider: Provider, snipcart: StandIn, staff: Staff, knobs: dict[str, str], words: str
) -> None:
    payment = pay(snipcart)
    provider.script(**knobs)

    said = act(staff("refund_payment"), "refund", payment, amount="5.00")

    assert words in said
    assert "5.00 EUR was refunded." not in said.replace("\xa0", " ")


def test_a_method_that_cannot_refund_offers_no_refund(
    provider: Provider, snipcart: StandIn, staff: Staff, checkout_settings: CheckoutSettings
) -> None:
    payment = pay(snipcart)
    checkout_settings.method("acme_card", OPTIONS={"supports_refund": False})

    client = staff("refund_payment")

    assert "act/refund/" not in client.get(page_of(payment)).content.decode()
    assert "nothing to do" in told(client.get(act_url("refund", payment), follow=True))


def test_what_was_not_captured_or_is_refunded_offers_no_refund(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("refund_payment")
    unpaid = await_money(provider, snipcart)
    refunded = pay(snipcart)
    refund_payment(refunded, 1230, actor=SNIPCART)

    for payment in (unpaid, refunded):
        assert "act/refund/" not in client.get(page_of(payment)).content.decode()
        assert "nothing to do" in told(client.get(act_url("refund", payment), follow=True))


def test_a_refund_in_review_is_resolved(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    client = staff("resolve_payment")
    payment = pay(snipcart)
    refund = in_review(unknown_refund(provider, payment))
    assert str(describe_case("refund_review").what) in to_text(client.get(page_of(payment)))
    assert "act/resolve_refund/" in client.get(page_of(refund)).content.decode()

    act(client, "resolve_refund", refund, resolution="not_made", note="not at the provider")

    assert Refund.objects.get().state == Refund.State.DECLINED
    payment.refresh_from_db()
    assert payment.refunded_minor_units == 0
    assert "not at the provider" in to_text(client.get(page_of(payment)))


# Resending, and reviews.


def test_a_confirmation_is_sent_to_snipcart_again(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    payment = refused_by_snipcart(snipcart)

    said = act(staff("redeliver_payment"), "redeliver", payment)

    assert "Snipcart was notified." in said
    assert payment.confirmations.get().status == Confirmation.Status.DELIVERED
    event = payment.events.get(name="confirmation_resent")
    assert (event.source, event.actor) == (Event.Source.STAFF, "ada")


def test_staff_learn_when_snipcart_refuses_again(provider: Provider, snipcart: StandIn, staff: Staff) -> None:
    payment = refused_by_snipcart(snipcart)
    snipcart.fail("payment", 400)

    assert "Snipcart refused to record it." in act(staff("redeliver_payment"), "redeliver", payment)
    assert payment.confirmations.get().status == Confirmation.Status.REVIEW


def test_a_review_is_resolved_as_paid_with_a_note(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("resolve_payment")
    payment = review(provider, snipcart)
    assert str(describe_case("outcome_unknown").advice) in to_text(client.get(page_of(payment)))

    act(client, "resolve_review", payment, resolution="paid", note="seen in the account")

    payment.refresh_from_db()
    assert payment.state == Payment.State.PAID
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]
    text = to_text(client.get(page_of(payment)))
    assert "“seen in the account”" in text
    assert str(describe_case("outcome_unknown").advice) not in text


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


@pytest.mark.parametrize("resolution", ["paid", "closed"])
def test_a_case_that_has_become_another_one_is_not_resolved_from_a_page_that_showed_the_first(
    provider: Provider, snipcart: StandIn, staff: Staff, resolution: str
) -> None:
    client = staff("resolve_payment")
    payment = review(provider, snipcart)
    page = open_page(client, "resolve_review", payment)
    provider.script(lookup="paid", amount="0.99")
    look_up_payment(payment, actor=PROVIDER, is_void=False)

    said = told(press(client, page, resolution=resolution, note="the provider shows it"))

    assert "changed after you opened the page" in said
    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (Payment.State.REVIEW, "amount_differs")
    assert payment.resolved_at is None
    assert snipcart.confirmations == []


def test_a_payment_of_which_a_part_came_is_not_marked_as_expired_from_a_page_that_did_not_know_it(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart)
    page = open_page(client, "mark_expired", payment)
    services.mark_received(payment, by="bea", units=300)

    assert "changed after you opened the page" in told(press(client, page))

    payment.refresh_from_db()
    assert payment.state == Payment.State.PENDING


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
    second.reference, second.capability_hash, second.transaction_key = new_reference(), "other", None
    second.live_key, second.state, second.review_reason = None, Payment.State.REVIEW, "second_capture"
    second.save(force_insert=True)

    said = act(client, "resolve_review", second, resolution="paid", note="why not")
    assert "can only be refunded" in said
    act(client, "refund", second, amount="12.30")
    act(client, "resolve_review", second, resolution="closed", note="refunded")

    assert not services.settle().needs_attention
    assert len(provider.refunds) == 1


def test_a_payment_that_is_fine_has_nothing_to_resolve(
    provider: Provider, snipcart: StandIn, boss: Client
) -> None:
    payment = pay(snipcart)

    page = boss.get(page_of(payment))

    assert [label for _, label in page.context["staff_actions"]] == ["Refund", "Mark as given back"]
    assert "nothing to do" in told(boss.get(act_url("resolve_review", payment), follow=True))


def test_an_action_that_breaks_on_the_way_says_so(
    provider: Provider, snipcart: StandIn, staff: Staff, caplog: pytest.LogCaptureFixture
) -> None:
    client = staff("settle_payment")
    payment = await_money(provider, snipcart)
    page = open_page(client, "mark_received", payment)

    def disk_full(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT") and "snipcart_checkout_event" in sql:
            raise DatabaseError("disk full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(disk_full):
        said = told(press(client, page))

    assert "This failed partway." in said
    assert f"mark_received of {payment.pk} by staff failed: DatabaseError" in caplog.text
    assert Payment.objects.get().state == Payment.State.PENDING


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


def test_all_calls_of_an_action_together_end_within_twenty_seconds(
    provider: Provider, snipcart: StandIn, staff: Staff
) -> None:
    client = staff(ACTIONS["refund"])
    payment = suited("refund", provider, snipcart)
    page = open_page(client, "refund", payment)
    left: list[float] = []
    provider.meanwhile(lambda: left.append(seconds_left(60.0)))

    press(client, page)

    assert 5 < left[0] <= 20
