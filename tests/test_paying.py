"""Paying on the method's page: what each answer means, and that one order is charged once and as it was shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.models import Event, Payment
from snipcart_checkout.presentation.declines import decline_text
from snipcart_checkout.signals import payment_needs_review, payment_paid
from snipcart_checkout.snipcart.transport import seconds_left
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession
from tests.support.backends import Provider, ScriptedBackend
from tests.support.ledger import agree, full_disk, history, let_two_seconds_pass, pay, provider
from tests.support.ledger_invariants import let_time_pass
from tests.support.shopper import METHOD_PAGE, Shopper, address_of, fields_of, words_of

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_State = Payment.State


@pytest.fixture
def shopper() -> Shopper:
    return Shopper()


# What the answers mean


def test_a_paid_order_leads_to_its_payment(shopper: Shopper, snipcart: StandIn, provider: Provider) -> None:
    answer = shopper.pay(snipcart.session())

    assert answer.status_code == 303
    assert answer["Location"] == address_of(Payment.objects.get())


@pytest.mark.parametrize("script", [{"charge": "pending"}, {"charge": "redirect"}, {"charge": "nonsense"}])
def test_whatever_is_not_declined_leads_to_the_payment(
    shopper: Shopper, snipcart: StandIn, provider: Provider, script: dict[str, str]
) -> None:
    provider.script(**script)

    answer = shopper.pay(snipcart.session())

    assert (answer.status_code, answer["Location"]) == (303, address_of(Payment.objects.get()))


def test_the_token_is_not_in_the_address_that_paying_leads_to(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()

    answer = shopper.pay(session)

    assert session.public_token not in str(answer.headers)


@pytest.mark.parametrize("state", ["paid", "pending", "redirect", "nonsense"])
def test_a_session_with_a_live_payment_leads_to_it_and_charges_nothing(
    shopper: Shopper, snipcart: StandIn, provider: Provider, state: str
) -> None:
    session = snipcart.session()
    page = shopper.open(session)
    provider.script(charge=state)
    shopper.press(page)

    again = shopper.press(page)

    assert (again.status_code, again["Location"]) == (303, address_of(Payment.objects.get()))
    assert len(provider.calls) == 1


def test_a_form_replayed_when_the_order_has_changed_since_it_was_paid_leads_to_the_payment(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    page = shopper.open(session)
    shopper.press(page)
    snipcart.change(session, amount="99.00")

    assert shopper.press(page).status_code == 303
    assert len(provider.captures) == 1


def test_a_form_replayed_after_the_token_died_charges_nothing(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    page = shopper.open(session)
    snipcart.expire(session)

    assert shopper.press(page).status_code == 410
    assert not provider.calls


def test_a_form_errors_page_is_200_and_nothing_is_charged(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", BACKEND="tests.support.browser_forms.FormBackend")

    answer = shopper.pay(snipcart.session(), code="letters")

    assert answer.status_code == 200
    assert "A customer number has digits only." in words_of(answer)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("language, colon", [("en", ":"), ("fr", "\u00a0:"), ("de", ":")])
def test_a_field_and_what_is_wrong_with_it_are_set_apart_as_the_language_does(
    shopper: Shopper,
    snipcart: StandIn,
    provider: Provider,
    checkout_settings: CheckoutSettings,
    language: str,
    colon: str,
) -> None:
    checkout_settings.method("acme_card", BACKEND="tests.support.browser_forms.FormBackend")

    page = shopper.pay(snipcart.session(language=language), code="letters").content.decode()

    assert f"</bdi>{colon} <bdi>A customer number has digits only.</bdi>" in page


def test_a_declined_payment_is_402_with_the_reason_and_the_form(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined", code="insufficient_funds")

    answer = shopper.pay(snipcart.session(language="fr"))

    assert answer.status_code == 402
    assert decline_text("insufficient_funds", "fr") in words_of(answer)
    assert fields_of(answer)["shown"]


def test_a_message_of_the_backends_is_shown_instead_of_ours(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined", code="x", message="Votre banque a dit <non>.")

    assert "Votre banque a dit <non>." in words_of(shopper.pay(snipcart.session(language="fr")))


@pytest.mark.parametrize(
    "fault, status",
    [
        (404, 410),
        (401, 410),
        (403, 410),
        (429, 503),
        (500, 503),
        ("cut-before", 503),
        ("redirect", 503),
        ("not-json", 503),
    ],
)
def test_what_snipcart_answers_to_the_second_question_decides_as_for_the_page(
    shopper: Shopper, snipcart: StandIn, provider: Provider, fault: str | int, status: int
) -> None:
    session = snipcart.session()
    page = shopper.open(session)
    snipcart.fail("payment-session", fault)

    answer = shopper.press(page)

    assert answer.status_code == status
    assert session.public_token not in answer.content.decode()
    assert not provider.calls


@pytest.mark.parametrize(
    "path, status",
    [("/checkout/nowhere/methods/acme_card/", 404), ("/checkout/live/methods/unknown/", 410)],
)
def test_an_unknown_store_is_the_sites_own_404_and_an_unknown_method_410(
    shopper: Shopper, snipcart: StandIn, provider: Provider, path: str, status: int
) -> None:
    page = shopper.open(snipcart.session())

    assert shopper.press(page, path).status_code == status
    assert not provider.calls


def test_a_store_that_became_incomplete_is_503_and_nothing_is_charged(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    page = shopper.open(snipcart.session())
    checkout_settings.store(API_KEYS=[])

    answer = shopper.press(page)

    assert answer.status_code == 503
    assert "No money was taken." in words_of(answer)
    assert not provider.calls


def test_a_test_store_that_shares_a_key_with_a_live_one_takes_no_order_of_it(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    for_nothing = {"BACKEND": "snipcart_checkout.backends.dummy.DummyBackend", "NAME": "For nothing"}
    path, session = "/checkout/trial/methods/free/", snipcart.session()
    own_key = {"MODE": "test", "API_KEYS": ["a-key-of-its-own"]}
    checkout_settings.store("trial", like="live", **own_key, METHODS={"free": for_nothing})
    page = shopper.open(session, path)  # whoever has the token of a live order can open it
    checkout_settings.store("trial", API_KEYS=["another-one", "secondary-key-for-tests"])

    assert shopper.press(page, path, outcome="processed").status_code == 503
    assert shopper.press(shopper.open(session, path), path, outcome="processed").status_code == 503
    assert not Payment.objects.exists()
    assert snipcart.confirmations == []
    assert shopper.pay(session).status_code == 303


def test_a_method_that_is_not_offered_for_the_order_is_409(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    page = shopper.open(snipcart.session())
    checkout_settings.method("acme_card", CURRENCIES=["USD"])

    assert shopper.press(page).status_code == 409
    assert not provider.calls


@pytest.mark.parametrize("path", ["/checkout/", "/checkout/live/"])
def test_a_post_to_a_page_without_a_method_is_405(shopper: Shopper, snipcart: StandIn, path: str) -> None:
    page = shopper.open(snipcart.session())

    answer = shopper.press(page, path)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST")


def test_a_ledger_that_cannot_store_the_claim_is_503_and_nothing_is_charged(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page = shopper.open(snipcart.session())

    with full_disk("INSERT"):
        answer = shopper.press(page)

    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "No money was taken." in words_of(answer)
    assert not provider.calls


# The token


@pytest.mark.parametrize("name", ["publicToken", "PublicToken", "PUBLICTOKEN", "publictoken"])
def test_the_form_names_the_token_in_any_casing(
    shopper: Shopper, snipcart: StandIn, provider: Provider, name: str
) -> None:
    fields = fields_of(shopper.open(snipcart.session()))
    fields[name] = fields.pop("publicToken")

    assert shopper.client.post(METHOD_PAGE, fields).status_code == 303


def test_the_token_may_stand_in_address_and_form_alike(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    page = shopper.open(session)

    assert shopper.press(page, f"{METHOD_PAGE}?PublicToken={session.public_token}").status_code == 303


def test_two_different_tokens_are_refused_before_anybody_is_asked(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page = shopper.open(snipcart.session())
    other = snipcart.session()
    calls = len(snipcart.calls)

    assert shopper.press(page, f"{METHOD_PAGE}?publicToken={other.public_token}").status_code == 400
    assert len(snipcart.calls) == calls


# What is charged


def test_the_amount_of_the_session_is_charged_in_minor_units(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    shopper.pay(snipcart.session(amount="1234", currency="JPY"))

    captured = provider.captures[0]
    assert (captured["minor_units"], captured["amount"], captured["currency"]) == (1234, "1234", "JPY")


def test_the_claim_freezes_what_is_charged(shopper: Shopper, snipcart: StandIn, provider: Provider) -> None:
    session = snipcart.session(amount="12.30")
    page = shopper.open(session)
    provider.script(charge="nonsense")
    shopper.press(page)
    snipcart.change(session, amount="99.00")

    payment = Payment.objects.get()
    assert (payment.minor_units, payment.amount) == (1230, Decimal("12.30"))
    assert payment.cart_id == agree(session).session.invoice.cart_id != ""


def test_the_session_is_asked_again_before_the_charge(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page = shopper.open(snipcart.session())

    shopper.press(page)

    asked_before_the_charge, compared, *_ = [call.endpoint for call in snipcart.calls[1:]]
    assert (asked_before_the_charge, compared) == ("payment-session", "payment-session")


def test_a_payment_costs_three_calls_to_snipcart_ask_compare_confirm(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page = shopper.open(snipcart.session())
    snipcart.calls.clear()

    shopper.press(page)

    assert [call.endpoint for call in snipcart.calls] == ["payment-session", "payment-session", "payment"]


@pytest.mark.parametrize(
    "change",
    [{"amount": "12.31"}, {"currency": "USD"}, {"target_id": "another-cart"}, {"lines": ()}],
    ids=["amount", "currency", "cart", "lines"],
)
def test_a_changed_order_is_shown_anew_and_can_then_be_paid(
    shopper: Shopper, snipcart: StandIn, provider: Provider, change: dict[str, Any]
) -> None:
    session = snipcart.session(amount="12.30", currency="EUR")
    page = shopper.open(session)
    snipcart.change(session, **change)

    answer = shopper.press(page)

    assert answer.status_code == 409
    assert not provider.calls
    assert shopper.press(answer).status_code == 303


def test_the_page_of_a_changed_order_shows_the_new_total(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session(amount="12.30", currency="EUR")
    page = shopper.open(session)
    snipcart.change(session, amount="45.60")

    assert "€45.60" in words_of(shopper.press(page))


def test_an_address_that_changed_does_not_hold_the_payment_up(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    page = shopper.open(session)
    snipcart.change(session, shipping=None, email="else@example.org")

    assert shopper.press(page).status_code == 303


def test_a_form_of_another_session_is_not_taken_for_this_one(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page = shopper.open(snipcart.session(target_id="cart"))
    other = snipcart.session(target_id="cart")

    assert shopper.press(page, publicToken=other.public_token).status_code == 409
    assert not provider.calls


def test_the_same_session_id_in_two_stores_is_two_sessions(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store("second", like="live")
    session = snipcart.session()
    shopper.pay(session)
    second = "/checkout/second/methods/acme_card/"

    shopper.press(shopper.open(session, second), second)

    assert sorted(Payment.objects.values_list("store", flat=True)) == ["live", "second"]


def test_session_ids_that_differ_in_case_only_are_two_sessions(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    for session_id in ("xYzg4NjE-df1c", "XYZG4NJE-df1c"):
        shopper.pay(snipcart.session(document={"id": session_id}))

    assert len(provider.captures) == 2


# The order of doing things


def test_the_claim_is_committed_before_the_backend_is_called(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page = shopper.open(snipcart.session())

    # Everything after the claim fails, and still the claim is there.
    with full_disk("UPDATE"):
        shopper.press(page)

    payment = Payment.objects.get()
    assert (payment.state, history(payment)) == (_State.CHARGING, ["charging"])
    assert provider.calls == [f"charge {payment.reference}"]


@pytest.fixture
def atomic_requests() -> Iterator[None]:
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = False


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("atomic_requests")
def test_no_transaction_is_open_while_backend_snipcart_or_receivers_are_called(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", BACKEND="tests.support.backends.ObservantBackend")
    seen: list[Any] = []

    def observe(**_arguments: Any) -> None:
        seen.append(connection.in_atomic_block)

    payment_paid.connect(observe)
    try:
        answer = shopper.pay(snipcart.session())
    finally:
        payment_paid.disconnect(observe)

    assert answer.status_code == 303
    assert Payment.objects.get().instructions == "in a transaction: False"
    assert seen == [False]


@pytest.mark.django_db(transaction=True)
def test_snipcart_is_notified_of_what_is_committed(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    seen: list[Any] = []
    snipcart.before("payment", lambda: seen.append(_as_others_see_it()))

    shopper.pay(snipcart.session())

    assert seen == [("paid", "pending")]


def _as_others_see_it() -> tuple[str, str]:
    # Called in the stand-in's thread, which has a connection of its own.
    try:
        payment = Payment.objects.get()
        return payment.state, payment.confirmations.get().status
    finally:
        connection.close()


class OpenTransaction:
    """A middleware of the site's that opens a transaction around each request."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        with transaction.atomic():
            return self.get_response(request)


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_of_the_sites_nothing_is_charged_and_the_page_says_so(
    shopper: Shopper, snipcart: StandIn, provider: Provider, settings: Any
) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_paying.OpenTransaction"]
    page = shopper.open(snipcart.session())
    assert page.status_code == 200

    answer = shopper.press(page)

    assert answer.status_code == 503
    assert "No money was taken." in words_of(answer)
    assert not provider.calls
    assert not Payment.objects.exists()


def test_inside_a_transaction_of_the_sites_giving_up_is_503_on_either_page(
    snipcart: StandIn, provider: Provider, settings: Any
) -> None:
    shopper = Shopper()
    provider.script(charge="declined")
    declined = shopper.pay(snipcart.session())
    payment = Payment.objects.get()
    status = shopper.look(payment)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_paying.OpenTransaction"]
    inside = Shopper()
    inside.client.cookies = shopper.client.cookies

    answers = [
        inside.press(declined, give_up="1"),
        inside.press(status, address_of(payment), give_up="1"),
    ]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert snipcart.confirmations == []


def test_outcome_and_confirmation_are_stored_together_or_not_at_all(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page = shopper.open(snipcart.session())

    def refuse(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("INSERT") and "snipcart_checkout_confirmation" in sql:
            raise DatabaseError("no place for a confirmation")
        return execute(sql, *arguments)

    with connection.execute_wrapper(refuse):
        answer = shopper.press(page)

    assert answer.status_code == 303
    assert Payment.objects.get().state == _State.CHARGING
    assert not Event.objects.filter(name="paid").exists()


def test_whatever_breaks_after_the_claim_leads_to_the_payment(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page = shopper.open(snipcart.session())

    def break_down(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise ZeroDivisionError("a bug")
        return execute(sql, *arguments)

    with connection.execute_wrapper(break_down):
        answer = shopper.press(page)

    assert (answer.status_code, answer["Location"]) == (303, address_of(Payment.objects.get()))


# Declined, and what comes then


def test_another_attempt_has_another_key(shopper: Shopper, snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="declined")
    declined = shopper.pay(snipcart.session())
    provider.script(charge="paid")

    shopper.press(declined)

    assert len({call.split()[1] for call in provider.calls}) == 2


def test_a_declined_payment_may_be_paid_with_another_method(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_wallet", like="acme_card", NAME="Wallet")
    session = snipcart.session()
    provider.script(charge="declined")
    shopper.pay(session)
    provider.script(charge="paid")
    wallet = "/checkout/live/methods/acme_wallet/"

    assert shopper.press(shopper.open(session, wallet), wallet).status_code == 303
    assert [payment.method for payment in Payment.objects.order_by("created_at")] == [
        "acme_card",
        "acme_wallet",
    ]


REASON = "Your card was declined. No money was taken."


class HolderForm(forms.Form):
    holder = forms.CharField()


class AskingBackend(ScriptedBackend):
    form_class = HolderForm


def declined_ten_times(shopper: Shopper, provider: Provider, page: Any) -> Any:
    provider.script(charge="declined", code="card_declined")
    return [shopper.press(page) for _ in range(10)][-1]


def test_the_tenth_decline_notifies_snipcart_that_the_payment_failed(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    declined_ten_times(shopper, provider, shopper.open(snipcart.session()))

    assert [sent["state"] for sent in snipcart.confirmations] == ["failed"]


def test_the_ninth_decline_does_not(shopper: Shopper, snipcart: StandIn, provider: Provider) -> None:
    page = shopper.open(snipcart.session())
    provider.script(charge="declined")

    answers = [shopper.press(page) for _ in range(9)]

    assert "give_up" in answers[-1].content.decode()
    assert snipcart.confirmations == []


def test_after_the_tenth_decline_the_page_has_no_form(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    last = declined_ten_times(shopper, provider, shopper.open(session))

    assert last.status_code == 402
    for page in (last, shopper.open(session)):
        assert 'name="shown"' not in page.content.decode()
        assert (page.context["notice"], page.context["decline"]) == ("limit", REASON)


def test_a_page_that_is_opened_again_after_a_decline_starts_anew(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    provider.script(charge="declined", code="card_declined")
    declined = shopper.pay(session)

    opened = shopper.open(session)

    assert (declined.context["notice"], declined.context["decline"]) == ("declined", REASON)
    assert (opened.context["notice"], opened.context["decline"]) == ("", "")


def test_what_was_typed_is_still_there_after_a_decline(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    backend = "tests.test_paying.AskingBackend"
    checkout_settings.method("acme_card", BACKEND=backend)
    provider.script(charge="declined")

    declined = shopper.pay(snipcart.session(), holder="Ada Byron")

    assert declined.status_code == 402
    assert 'value="Ada Byron"' in declined.content.decode()


def test_after_the_tenth_decline_the_way_out_is_the_one_that_snipcart_named(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()

    last = declined_ten_times(shopper, provider, shopper.open(session))

    assert f'href="https://shop.example/#/order/{session.id}"' in last.content.decode()


def test_an_eleventh_attempt_is_not_charged(shopper: Shopper, snipcart: StandIn, provider: Provider) -> None:
    page = shopper.open(snipcart.session())
    declined_ten_times(shopper, provider, page)
    provider.script(charge="paid")

    answer = shopper.press(page)

    assert answer.status_code == 402
    assert not provider.captures


def test_an_attempt_that_was_under_way_while_the_last_one_was_declined_is_not_charged(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    order = agree(snipcart.session())
    attempts = [services.pay(order) for _ in range(10)]
    provider.script()

    late = services.pay(order)

    assert late == attempts[-1]
    assert len(set(attempts)) == len(provider.calls) == Payment.objects.count() == 10


def test_a_changed_order_gives_no_eleventh_attempt(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    page = shopper.open(session)
    declined_ten_times(shopper, provider, page)
    snipcart.change(session, amount="1.00")

    answer = shopper.press(page)

    assert answer.status_code == 402
    assert 'name="shown"' not in answer.content.decode()


def test_declines_of_another_session_do_not_count(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    declined_ten_times(shopper, provider, shopper.open(snipcart.session()))
    provider.script(charge="paid")

    assert shopper.pay(snipcart.session()).status_code == 303


# A ledger that does not stand still


def test_a_payment_that_others_never_stop_changing_is_finished_once_they_do(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    table, column = map(connection.ops.quote_name, (Payment._meta.db_table, "state"))

    def interfere(execute: Any, sql: str, *arguments: Any) -> Any:
        if sql.startswith(f"UPDATE {table} SET {column}"):
            Payment.objects.update(version=F("version") + 1)
        return execute(sql, *arguments)

    with connection.execute_wrapper(interfere):
        payment = pay(snipcart)

    assert (payment.state, Payment.objects.get().state) == (_State.CHARGING, _State.CHARGING)
    assert f"payment {payment.reference}: its outcome was not stored" in caplog.text
    let_time_pass(timedelta(minutes=6))
    services.settle()
    assert Payment.objects.get().state == _State.PAID


# Going back to the shop after a decline


def given_up(shopper: Shopper, snipcart: StandIn, provider: Provider, **session: Any) -> Any:
    provider.script(charge="declined", code="insufficient_funds")
    declined = shopper.pay(snipcart.session(**session))
    return shopper.press(declined, give_up="1")


def test_giving_up_sends_snipcart_the_code_and_a_message_in_the_carts_language(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    answer = given_up(shopper, snipcart, provider, language="fr")

    payment = Payment.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, address_of(payment))
    assert snipcart.confirmations == [
        {
            "paymentSessionId": payment.session_id,
            "state": "failed",
            "transactionId": str(payment.reference),
            "error": {"code": "insufficient_funds", "message": payment.decline_message},
        }
    ]
    assert payment.decline_message == decline_text("insufficient_funds", "fr")


def test_giving_up_leads_on_to_where_snipcart_says(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    answer = given_up(shopper, snipcart, provider)

    page = shopper.client.get(answer["Location"])
    assert page["Refresh"].endswith(f"url={Payment.objects.get().order_url}")


def test_giving_up_while_snipcart_is_silent_leaves_a_link_back_to_the_cart(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    snipcart.fail("payment", 500)

    answer = given_up(shopper, snipcart, provider)

    page = shopper.client.get(answer["Location"]).content.decode()
    assert 'href="https://shop.example/#/checkout"' in page
    assert "give_up" not in page


def test_giving_up_is_never_a_link(shopper: Shopper, snipcart: StandIn, provider: Provider) -> None:
    session = snipcart.session()
    provider.script(charge="declined")
    shopper.pay(session)

    shopper.client.get(METHOD_PAGE, {"publicToken": session.public_token, "give_up": "1"})
    shopper.client.get(address_of(Payment.objects.get()), {"give_up": "1"})

    assert snipcart.confirmations == []


def test_giving_up_needs_the_csrf_token(shopper: Shopper, snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="declined")
    declined = shopper.pay(snipcart.session())

    assert shopper.press(declined, give_up="1", csrfmiddlewaretoken="x").status_code == 403
    assert shopper.client.post(address_of(Payment.objects.get()), {"give_up": "1"}).status_code == 403
    assert snipcart.confirmations == []


def test_snipcart_is_notified_once_that_a_session_failed(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    page = shopper.pay(snipcart.session())
    shopper.press(page)
    first, second = Payment.objects.order_by("created_at")
    status = shopper.look(first)

    for payment in (first, second, first):
        assert shopper.press(status, address_of(payment), give_up="1").status_code == 303

    assert len(snipcart.calls_to("payment")) == 1


def test_a_session_that_was_given_up_is_not_confirmed_again_at_the_limit(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    page = shopper.pay(snipcart.session())
    shopper.press(page, give_up="1")

    declined_ten_times(shopper, provider, page)

    assert Payment.objects.count() == 10
    assert len(snipcart.calls_to("payment")) == 1


def test_giving_up_does_nothing_while_a_later_attempt_is_live(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    declined = shopper.pay(snipcart.session())
    first = Payment.objects.get()
    status = shopper.look(first)
    provider.script(charge="pending")
    shopper.press(declined)

    answer = shopper.press(status, address_of(first), give_up="1")

    assert answer["Location"] == address_of(Payment.objects.get(state=_State.PENDING))
    assert [sent["state"] for sent in snipcart.confirmations] == ["processing"]


def test_a_payment_is_given_up_as_it_was_read_or_not_at_all(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="declined")
    payment = pay(snipcart)
    read_before = Payment.objects.get()
    Payment.objects.transition(Payment.objects.get(), _State.DECLINED)

    services.give_up(read_before)
    assert snipcart.confirmations == []

    read_before = Payment.objects.get()
    assert services.give_up(Payment.objects.get()).version == read_before.version + 1
    assert not Payment.objects.transition(read_before, _State.PAID)
    assert history(payment) == ["charging", "declined", "gave_up", "confirmation_delivered"]
    assert [sent["state"] for sent in snipcart.confirmations] == ["failed"]


def test_each_session_is_given_up_for_itself(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="declined")

    for session in [snipcart.session(), snipcart.session()]:
        services.give_up(pay(snipcart, session=session))

    assert [sent["state"] for sent in snipcart.confirmations] == ["failed", "failed"]


def test_a_session_whose_transfer_expired_is_not_failed_as_well(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    provider.script(charge="pending")
    services.mark_expired(pay(snipcart, session=session), by="ada")
    provider.script(charge="declined")

    services.give_up(pay(snipcart, session=session))

    assert [sent["state"] for sent in snipcart.confirmations] == ["processing", "invalidated"]


def test_a_payment_that_was_paid_is_not_given_up(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    assert services.give_up(payment).state == _State.PAID

    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]


def test_giving_up_on_the_page_of_an_order_that_was_paid_meanwhile_leads_to_the_payment(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    declined = shopper.pay(snipcart.session())
    provider.script(charge="paid")
    shopper.press(declined)

    answer = shopper.press(declined, give_up="1")

    assert answer["Location"] == address_of(Payment.objects.get(state=_State.PAID))
    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]


def test_a_payment_that_is_not_declined_cannot_be_given_up(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="redirect")
    shopper.pay(snipcart.session())
    payment = Payment.objects.get()
    token = {"csrfmiddlewaretoken": shopper.client.cookies["csrftoken"].value}

    answer = shopper.client.post(address_of(payment), {"give_up": "1", **token})

    assert answer.status_code == 303
    assert snipcart.confirmations == []


# Resumed


def abandon(shopper: Shopper, session: StandInSession, provider: Provider) -> tuple[Any, Payment]:
    """The session's page, and the payment begun on it of which the provider then knew nothing."""
    page = shopper.open(session)
    provider.script(charge="redirect", lookup="not_found")
    shopper.press(page)
    payment = Payment.objects.get()
    shopper.come_back(payment)
    payment.refresh_from_db()
    assert payment.state == _State.ABANDONED
    return page, payment


def test_an_abandoned_payment_is_resumed_with_the_same_reference(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    page, payment = abandon(shopper, snipcart.session(), provider)
    provider.script(charge="paid")

    answer = shopper.press(page)

    assert answer["Location"] == address_of(payment)
    assert provider.calls[-1] == f"charge {payment.reference}"
    assert Payment.objects.get().state == _State.PAID


@pytest.mark.parametrize(
    "change, units, currency",
    [({"amount": "99.00"}, 9900, "EUR"), ({"currency": "USD"}, 1000, "USD")],
    ids=str,
)
def test_an_abandoned_payment_of_another_amount_is_not_resumed(
    shopper: Shopper,
    snipcart: StandIn,
    provider: Provider,
    change: dict[str, str],
    units: int,
    currency: str,
) -> None:
    session = snipcart.session(amount="10.00")
    page, payment = abandon(shopper, session, provider)
    provider.script(charge="paid")
    snipcart.change(session, **change)

    shopper.press(shopper.press(page))

    another = Payment.objects.exclude(pk=payment.pk).get()
    assert (another.minor_units, another.currency) == (units, currency)


def test_an_abandoned_payment_that_another_process_resumes_first_is_charged_by_that_one(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    payment = pay(snipcart, session=session)
    Payment.objects.update(state=_State.ABANDONED, live_key=None)
    order, calls = agree(session), list(provider.calls)
    others = [{"state": _State.CHARGING, "live_key": payment.session_key, "version": F("version") + 1}]

    def resume_first(execute: Any, sql: str, params: Any, *arguments: Any) -> Any:
        found = execute(sql, params, *arguments)
        if others and "abandoned" in (params or ()):
            Payment.objects.update(**others.pop())
        return found

    with connection.execute_wrapper(resume_first):
        assert services.pay(order) == payment

    assert others == []
    assert provider.calls == calls
    assert history(payment).count("charging") == 1


def test_an_abandoned_payment_is_not_resumed_with_another_method(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_wallet", like="acme_card", NAME="Wallet")
    session = snipcart.session()
    abandoned = pay(snipcart, session=session)
    Payment.objects.update(state=_State.ABANDONED, live_key=None)
    order = agree(session)

    paid = services.pay(replace(order, method=order.store.methods["acme_wallet"]))

    assert (paid == abandoned, paid.method) == (False, "acme_wallet")


def test_an_abandoned_payment_that_turns_out_paid_beside_a_live_one_goes_to_review(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    page, payment = abandon(shopper, session, provider)
    snipcart.change(session, amount="99.00")
    provider.script(charge="paid")
    shopper.press(shopper.press(page))
    provider.script(lookup="paid")
    let_two_seconds_pass()

    shopper.come_back(payment)

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (_State.REVIEW, "second_capture")
    assert [sent["state"] for sent in snipcart.confirmations] == ["processed"]


# One cart, two sessions


def test_a_cart_that_is_paid_twice_is_confirmed_twice_and_alerts_a_person(
    shopper: Shopper, snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        shopper.pay(snipcart.session(target_id="cart"))

    first, second = Payment.objects.order_by("created_at")
    assert (first.state, second.state) == (_State.PAID, _State.PAID)
    assert [sent["paymentSessionId"] for sent in snipcart.confirmations] == [
        first.session_id,
        second.session_id,
    ]
    assert {sent["state"] for sent in snipcart.confirmations} == {"processed"}
    assert (first.review_reason, second.review_reason) == ("", "cart_paid_twice")
    assert second.events.get(name="cart_paid_twice").data["other"] == str(first.reference)
    assert f"payment {second.reference} needs review: cart_paid_twice" in caplog.text
    assert services.count_open_cases().payments_in_review == 1
    # Before the confirmation: a process that dies while it is sent leaves the case open.
    assert history(second) == ["charging", "paid", "cart_paid_twice", "confirmation_delivered"]


def test_two_payments_of_a_cart_that_are_committed_at_the_same_moment_are_two_cases(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    session = snipcart.session()
    orders = [agree(snipcart.session(same_cart_as=session))]

    def pay_the_other(**_: Any) -> None:
        while orders:
            services.pay(orders.pop())

    heard: list[tuple[Payment, str]] = []
    payment_paid.connect(pay_the_other, dispatch_uid="the other")
    payment_needs_review.connect(
        lambda payment, reason, **_: heard.append((payment, payment.review_reason)),
        weak=False,
        dispatch_uid="the other",
    )
    try:
        payment = pay(snipcart, session=session)
    finally:
        payment_paid.disconnect(dispatch_uid="the other")
        payment_needs_review.disconnect(dispatch_uid="the other")

    other = Payment.objects.exclude(pk=payment.pk).get()
    assert heard == [(other, "cart_paid_twice"), (payment, "cart_paid_twice")]
    assert set(Payment.objects.values_list("review_reason", flat=True)) == {"cart_paid_twice"}
    assert history(payment) == ["charging", "paid", "confirmation_delivered", "cart_paid_twice"]
    assert caplog.text.count("needs review: cart_paid_twice") == 2


def test_an_order_that_is_only_being_processed_is_not_paid_twice(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    pay(snipcart, session=session)
    provider.script(charge="pending")

    second = pay(snipcart, session=snipcart.session(same_cart_as=session))

    assert (second.state, second.review_reason) == (_State.PENDING, "")


def test_a_case_of_another_kind_stays_what_it_is_when_its_cart_is_paid_twice(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    pay(snipcart, session=session)
    provider.script(charge="redirect")
    second = pay(snipcart, session=snipcart.session(same_cart_as=session))
    Payment.objects.filter(pk=second.pk).update(review_reason="disputed")
    provider.complete(second.reference)
    let_two_seconds_pass()
    second.refresh_from_db()

    services.handle_return(second)

    second.refresh_from_db()
    assert (second.state, second.review_reason) == (_State.PAID, "disputed")


def test_a_closed_case_is_opened_when_its_cart_turns_out_to_be_paid_twice(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    pay(snipcart, session=session)
    provider.script(charge="redirect")
    second = pay(snipcart, session=snipcart.session(same_cart_as=session))
    now = timezone.now()
    Payment.objects.filter(pk=second.pk).update(resolved_at=now, reported_at=now)
    provider.complete(second.reference)
    let_two_seconds_pass()
    second.refresh_from_db()

    services.handle_return(second)

    assert list(services.payments_in_review()) == [second]


@pytest.mark.parametrize("other", ["another-cart", "CART"])
def test_another_cart_is_paid_without_an_alert(
    shopper: Shopper, snipcart: StandIn, provider: Provider, other: str
) -> None:
    for cart in ("cart", other):
        shopper.pay(snipcart.session(target_id=cart))

    assert set(Payment.objects.values_list("state", "review_reason")) == {("paid", "")}


def test_orders_that_name_no_cart_are_not_taken_for_one(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    for _ in range(2):
        shopper.pay(snipcart.session(target_id=""))

    assert set(Payment.objects.values_list("cart_id", "review_reason")) == {("", "")}


def test_the_same_cart_in_another_store_is_another_cart(
    shopper: Shopper, snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store("second", like="live")
    second = "/checkout/second/methods/acme_card/"
    shopper.pay(snipcart.session(target_id="cart"))

    shopper.press(shopper.open(snipcart.session(target_id="cart"), second), second)

    assert set(Payment.objects.values_list("store", "review_reason")) == {("live", ""), ("second", "")}


def test_a_second_session_of_a_cart_that_was_only_declined_alerts_nobody(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined")
    shopper.pay(snipcart.session(target_id="cart"))
    provider.script(charge="paid")

    shopper.pay(snipcart.session(target_id="cart"))

    assert Payment.objects.get(state=_State.PAID).review_reason == ""


def test_all_calls_of_a_request_together_end_within_twenty_seconds(
    shopper: Shopper, snipcart: StandIn, provider: Provider
) -> None:
    left: list[float] = []
    provider.meanwhile(lambda: left.append(seconds_left(60.0)))

    shopper.pay(snipcart.session())

    assert 5 < left[0] <= 20
