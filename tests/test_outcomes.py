"""What a backend says, and what the ledger makes of it: every answer in every state, whoever asked."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.backends.base import Declined, NotFound, Paid, Pending, Redirect
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import TRANSITIONS, Confirmation, Payment
from snipcart_checkout.services.audit_log import PROVIDER
from snipcart_checkout.services.outcomes import record
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession
from tests.support.backends import PROVIDER_ORIGIN, Provider
from tests.support.ledger import pay, provider, story
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_State = Payment.State


def order_of(session: StandInSession) -> services.Order:
    store = get_settings().stores["live"]
    return services.Order(
        store=store,
        method=store.methods["acme_card"],
        session=services.get_payment_session(session.public_token, "live"),
        public_token=session.public_token,
    )


def begin(snipcart: StandIn, provider: Provider, **session: Any) -> tuple[StandInSession, Payment]:
    """A shopper is sent on to the provider."""
    provider.script(charge="redirect")
    ordered = snipcart.session(**session)
    payment = services.pay(order_of(ordered))
    provider.script()
    assert payment.state == _State.PENDING
    return ordered, payment


def come_back(payment: Payment) -> Payment:
    """The shopper comes back, two seconds or more after anybody last had the provider asked."""
    Payment.objects.update(polled_at=None)
    payment.refresh_from_db()
    services.handle_return(payment)
    payment.refresh_from_db()
    return payment


def complete(provider: Provider, payment: Payment) -> Payment:
    """The shopper pays at the provider and comes back."""
    provider.complete(payment.reference)
    return come_back(payment)


def told(snipcart: StandIn) -> list[str]:
    return [body["state"] for body in snipcart.confirmations]


# What a charge may answer


@pytest.mark.parametrize(
    "kind, state, told_states",
    [
        ("paid", "paid", ["processed"]),
        ("pending", "pending", ["processing"]),
        ("redirect", "pending", []),
        ("declined", "declined", []),
        ("nonsense", "unknown", []),
        ("raise", "unknown", []),
        ("not_found", "unknown", []),
    ],
)
def test_each_answer_to_a_charge_has_its_state(
    snipcart: StandIn, provider: Provider, kind: str, state: str, told_states: list[str]
) -> None:
    provider.script(charge=kind)

    payment = pay(snipcart)

    payment.refresh_from_db()
    assert payment.state == state
    assert told(snipcart) == told_states


@pytest.mark.parametrize("kind", ["paid", "pending", "redirect", "declined", "nonsense"])
def test_the_payment_that_paying_returns_is_the_one_in_the_ledger(
    snipcart: StandIn, provider: Provider, kind: str
) -> None:
    provider.script(charge=kind)

    payment = pay(snipcart)

    columns = [field.attname for field in Payment._meta.fields if field.attname != "updated_at"]
    stored = Payment.objects.values(*columns).get()
    assert {column: getattr(payment, column) for column in columns} == stored


@pytest.mark.parametrize("kind", ["paid", "pending"])
@pytest.mark.parametrize("transaction_id", ["", None, 7, "x" * 256, "a\x00b", "\ud800", "a\nb"])
def test_without_a_usable_transaction_id_the_outcome_is_unknown(
    snipcart: StandIn, provider: Provider, kind: str, transaction_id: Any
) -> None:
    provider.script(charge=kind, transaction_id=transaction_id)

    assert pay(snipcart).state == _State.UNKNOWN
    assert told(snipcart) == []


@pytest.mark.parametrize("code", ["", None, 7])
def test_a_decline_without_a_code_is_no_final_word(snipcart: StandIn, provider: Provider, code: Any) -> None:
    provider.script(charge="declined", code=code)

    assert pay(snipcart).state == _State.UNKNOWN


def test_an_exception_after_the_capture_is_unknown_and_a_second_press_charges_nothing(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(after="raise")
    session = snipcart.session()
    first = services.pay(order_of(session))
    provider.script()

    second = services.pay(order_of(session))

    assert (first.state, second.pk) == (_State.UNKNOWN, first.pk)
    assert services.pay(order_of(snipcart.session())).pk != first.pk
    assert services.pay(order_of(session)).pk == first.pk
    assert provider.calls.count(f"charge {first.reference}") == 1


# Paid, but not as agreed


@pytest.mark.parametrize(
    "said", [{"amount": "12.31"}, {"amount": "0.01"}, {"currency": "USD"}, {"currency": "€"}]
)
def test_paid_with_another_amount_or_currency_goes_to_review_and_is_not_confirmed(
    snipcart: StandIn, provider: Provider, said: dict[str, str]
) -> None:
    provider.script(**said)

    payment = pay(snipcart, amount="12.30", currency="EUR")

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (_State.REVIEW, "amount_differs")
    assert payment.captured_at
    assert told(snipcart) == []


def test_the_currency_of_the_provider_may_be_in_lower_case(snipcart: StandIn, provider: Provider) -> None:
    provider.script(currency="eur")

    assert pay(snipcart, currency="EUR").state == _State.PAID


def test_a_payment_in_review_still_forbids_another_charge(snipcart: StandIn, provider: Provider) -> None:
    provider.script(amount="1.00")
    session = snipcart.session()
    first = services.pay(order_of(session))

    assert services.pay(order_of(session)).pk == first.pk
    assert len(provider.captures) == 1


def test_a_transaction_that_belongs_to_another_payment_goes_to_review(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(transaction_id="tr-1")
    first = pay(snipcart)

    second = pay(snipcart)

    second.refresh_from_db()
    assert (first.state, second.state) == (_State.PAID, _State.REVIEW)
    assert second.review_reason == "transaction_used_before"
    assert second.captured_at is None
    assert told(snipcart) == ["processed"]


def test_a_transaction_of_another_payment_that_is_reported_twice_is_one_case(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script(transaction_id="tr-1")
    pay(snipcart)
    second = pay(snipcart)

    come_back(second)

    assert second.review_reason == "transaction_used_before"
    assert story(second) == ["charging", "review"]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        f"payment {second.reference} needs review: transaction_used_before"
    ]


def test_transactions_that_differ_in_case_only_are_two(snipcart: StandIn, provider: Provider) -> None:
    payments = []
    for transaction_id in ("tr-a", "TR-A"):
        provider.script(transaction_id=transaction_id)
        payments.append(pay(snipcart))

    assert [payment.state for payment in payments] == [_State.PAID, _State.PAID]


# A redirect


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://provider.example/",
        "https://provider.example:8443/",
        "https://provider.example@evil.example/",
        "https://provider.example.evil.example/",
        "javascript:alert(1)",
        "//provider.example/",
        "https://provider.example/\n",
        "",
        None,
        "https://provider.example/" + "x" * 5000,
    ],
)
def test_a_redirect_outside_of_the_backends_origins_is_unknown(
    snipcart: StandIn, provider: Provider, url: Any
) -> None:
    provider.script(charge="redirect", redirect_url=url)

    payment = pay(snipcart)

    payment.refresh_from_db()
    assert (payment.state, payment.redirect_url) == (_State.UNKNOWN, "")


def test_a_redirect_to_a_page_of_our_own_is_allowed(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="redirect", redirect_url="https://pay.shop.example/pay/")

    assert pay(snipcart).redirect_url == "https://pay.shop.example/pay/"


def test_a_redirect_of_a_backend_that_cannot_look_up_is_unknown(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})
    provider.script(charge="redirect")

    assert pay(snipcart).state == _State.UNKNOWN


def test_the_providers_reference_is_stored_before_the_shopper_leaves(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)

    payment.refresh_from_db()
    assert payment.provider_reference == f"order-{payment.reference}"
    assert payment.redirect_url.startswith(PROVIDER_ORIGIN)


def test_nothing_is_confirmed_while_the_shopper_is_away(snipcart: StandIn, provider: Provider) -> None:
    begin(snipcart, provider)
    let_time_pass(timedelta(minutes=6))

    services.settle()

    assert len(provider.calls) == 2
    assert told(snipcart) == []


# After the detour


def test_a_detour_that_was_paid_is_confirmed_as_processed(snipcart: StandIn, provider: Provider) -> None:
    _, payment = begin(snipcart, provider)

    assert complete(provider, payment).state == _State.PAID
    assert told(snipcart) == ["processed"]


def test_after_the_detour_the_session_is_asked_again_before_snipcart_is_notified(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)
    before = len(snipcart.calls)

    complete(provider, payment)

    assert [call.endpoint for call in snipcart.calls[before:]] == ["payment-session", "payment"]


@pytest.mark.parametrize(
    "change",
    [{"amount": "12.31"}, {"currency": "USD"}, {"target_id": "another"}, {"lines": ()}, {"amount": "0.00"}],
    ids=["amount", "currency", "cart", "lines", "emptied"],
)
def test_a_cart_that_changed_during_the_detour_goes_to_review_with_an_alert(
    snipcart: StandIn, provider: Provider, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    session, payment = begin(snipcart, provider, amount="12.30", currency="EUR")
    snipcart.change(session, **change)

    complete(provider, payment)

    assert (payment.state, payment.review_reason) == (_State.REVIEW, "order_changed")
    assert payment.captured_at
    assert told(snipcart) == []
    assert [r for r in caplog.records if r.levelname == "ERROR" and str(payment.reference) in r.message]


@pytest.mark.parametrize(
    "part",
    [{"name": "Bowl"}, {"type": "Tax"}, {"quantity": 9}, {"unit_price": 9}, {"amount": 9}],
    ids=lambda part: next(iter(part)),
)
def test_every_part_of_a_line_is_compared(snipcart: StandIn, part: dict[str, Any]) -> None:
    session = services.get_payment_session(snipcart.session().public_token, "live")
    first, *others = session.invoice.items
    line: Any = {key: Decimal(v) if isinstance(v, int) else v for key, v in part.items()}
    items = (replace(first, **line), *others)

    other = replace(session, invoice=replace(session.invoice, items=items))

    assert services.hash_order(other) != services.hash_order(session)


@pytest.mark.parametrize("fault", [408, 425, 429, 500, 503, "cut-before", "not-json", "redirect"])
def test_an_order_that_could_not_be_compared_waits_and_is_compared_before_it_is_delivered(
    snipcart: StandIn, provider: Provider, fault: str | int
) -> None:
    _session, payment = begin(snipcart, provider)
    snipcart.fail("payment-session", fault)

    assert complete(provider, payment).state == _State.PAID
    assert told(snipcart) == []

    Confirmation.objects.update(due_at=timezone.now())
    services.settle()
    assert told(snipcart) == ["processed"]


def test_an_order_that_was_changed_while_it_could_not_be_compared_is_not_delivered(
    snipcart: StandIn, provider: Provider
) -> None:
    session, payment = begin(snipcart, provider)
    snipcart.fail("payment-session", 503)
    complete(provider, payment)
    snipcart.change(session, amount="1001.00")

    Confirmation.objects.update(due_at=timezone.now())
    services.settle()

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (_State.REVIEW, "order_changed")
    assert told(snipcart) == []


@pytest.mark.parametrize("fault", [401, 403, 404, 410])
def test_a_session_that_snipcart_refuses_for_good_after_the_capture_is_left_to_a_person(
    snipcart: StandIn, provider: Provider, fault: int
) -> None:
    _, payment = begin(snipcart, provider)
    snipcart.fail("payment-session", fault)

    complete(provider, payment)

    assert (payment.state, payment.review_reason) == (_State.REVIEW, "order_unverified")
    assert payment.captured_at
    assert told(snipcart) == []


def test_the_same_lines_in_another_order_are_the_same_order(snipcart: StandIn, provider: Provider) -> None:
    session, payment = begin(snipcart, provider)
    snipcart.change(session, lines=tuple(reversed(session.invoice.lines)))

    assert complete(provider, payment).state == _State.PAID


def test_a_detour_that_ends_pending_is_confirmed_as_processing_and_then_as_processed(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)
    come_back(payment)
    assert (payment.state, payment.redirect_url) == (_State.PENDING, "")

    assert payment.provider_reference == f"order-{payment.reference}"
    come_back(payment)
    assert story(payment) == ["charging", "pending", "pending", "confirmation_delivered"]

    complete(provider, payment)

    assert told(snipcart) == ["processing", "processed"]


def test_a_cart_that_changed_after_processing_goes_to_review(snipcart: StandIn, provider: Provider) -> None:
    session, payment = begin(snipcart, provider)
    come_back(payment)
    snipcart.change(session, amount="99.00")

    assert complete(provider, payment).review_reason == "order_changed"


def test_a_charge_of_which_nothing_was_known_is_compared_with_the_cart_too(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(after="raise")
    session = snipcart.session()
    payment = services.pay(order_of(session))
    provider.script()
    snipcart.change(session, amount="99.00")

    assert come_back(payment).review_reason == "order_changed"


def test_a_payment_at_once_takes_three_calls_to_ask_to_compare_and_to_confirm(
    snipcart: StandIn, provider: Provider
) -> None:
    pay(snipcart)

    assert [call.endpoint for call in snipcart.calls] == ["payment-session", "payment-session", "payment"]


# The public token


@pytest.mark.parametrize("script", [{}, {"amount": "1.00"}], ids=str)
def test_the_token_is_forgotten_when_it_is_no_longer_needed(
    snipcart: StandIn, provider: Provider, script: dict[str, str]
) -> None:
    provider.script(**script)

    payment = pay(snipcart)

    payment.refresh_from_db()
    assert payment.public_token == ""


def test_the_token_is_kept_during_a_detour_and_forgotten_once_the_outcome_is_delivered(
    snipcart: StandIn, provider: Provider
) -> None:
    session, payment = begin(snipcart, provider)
    payment.refresh_from_db()
    assert payment.public_token == session.public_token
    provider.script(lookup="paid")

    assert come_back(payment).public_token == ""


@pytest.mark.parametrize("lookup", ["declined", "not_found"])
def test_what_may_still_turn_out_paid_keeps_its_token_for_three_days(
    snipcart: StandIn, provider: Provider, lookup: str
) -> None:
    session, payment = begin(snipcart, provider)
    provider.script(lookup=lookup)
    assert come_back(payment).public_token == session.public_token

    Payment.objects.update(claimed_at=timezone.now() - timedelta(hours=73))
    services.settle()

    payment.refresh_from_db()
    assert payment.public_token == ""


def test_a_decline_that_nobody_could_take_back_keeps_no_token(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False, "repeat_is_safe": False})
    provider.script(charge="declined")

    payment = pay(snipcart)

    payment.refresh_from_db()
    assert payment.public_token == ""


def test_the_token_of_a_payment_left_to_a_person_is_forgotten(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False, "repeat_is_safe": False})
    provider.script(charge="nonsense")
    payment = pay(snipcart)
    Payment.objects.update(claimed_at="2020-01-01T00:00Z")

    services.settle()

    payment.refresh_from_db()
    assert (payment.state, payment.public_token) == (_State.REVIEW, "")


# Not found


def test_a_payment_that_the_provider_does_not_know_is_abandoned_and_frees_the_session(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)
    provider.script(lookup="not_found")

    come_back(payment)

    assert (payment.state, payment.live_key) == (_State.ABANDONED, None)
    assert told(snipcart) == []


@pytest.mark.parametrize("kind, after", [("redirect", "abandoned"), ("nonsense", "unknown")])
def test_a_charge_that_may_still_arrive_and_must_not_be_repeated_is_not_abandoned(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings, kind: str, after: str
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"repeat_is_safe": False})
    provider.script(charge=kind)
    payment = pay(snipcart)

    record(payment, NotFound(), actor=PROVIDER)

    assert Payment.objects.get().state == after


@pytest.mark.parametrize(
    "before, resolved_at, after",
    [
        ("unanswered", "2026-01-01T00:00Z", "captured_after_closing"),
        ("amount_differs", "2026-01-01T00:00Z", "captured_after_closing"),
        ("transaction_used_before", None, "transaction_used_before"),
    ],
)
def test_money_that_comes_for_a_case_that_nothing_but_staff_can_end_is_stored_and_needs_them(
    snipcart: StandIn, provider: Provider, before: str, resolved_at: str | None, after: str
) -> None:
    provider.script(charge="nonsense")
    pay(snipcart, amount="12.30")
    Payment.objects.update(state="review", review_reason=before, resolved_at=resolved_at, live_key=None)

    record(Payment.objects.get(), Paid("tr-9", Decimal("12.30"), "EUR"), actor=PROVIDER)

    payment = Payment.objects.get()
    assert (payment.state, payment.review_reason, payment.resolved_at) == (_State.REVIEW, after, None)
    assert (payment.captured_minor_units, payment.transaction_id) == (1230, "tr-9")
    assert payment.live_key is None
    assert told(snipcart) == []


@pytest.mark.parametrize("late", [NotFound(), Redirect(f"{PROVIDER_ORIGIN}/", "o"), None], ids=str)
def test_a_payment_is_abandoned_once(snipcart: StandIn, provider: Provider, late: Any) -> None:
    _, payment = begin(snipcart, provider)
    provider.script(lookup="not_found")
    come_back(payment)

    record(payment, late, actor=PROVIDER, returned=True)

    assert story(payment) == ["charging", "pending", "abandoned"]


@pytest.mark.parametrize("resolved_at", [None, "2026-01-01T00:00Z"])
@pytest.mark.parametrize(
    "reason, was_unknown",
    [
        ("unanswered", True),
        ("outcome_unknown", True),
        ("lost_by_provider", True),
        ("amount_differs", False),
        ("second_capture", False),
    ],
)
def test_a_late_decline_ends_an_open_review_of_what_was_unknown_and_no_other(
    snipcart: StandIn, provider: Provider, reason: str, was_unknown: bool, resolved_at: str | None
) -> None:
    provider.script(charge="nonsense")
    pay(snipcart)
    Payment.objects.update(state="review", review_reason=reason, resolved_at=resolved_at)

    record(Payment.objects.get(), Declined("card_declined"), actor=PROVIDER)

    ends = was_unknown and resolved_at is None
    payment = Payment.objects.get()
    assert (payment.state, payment.review_reason) == (("declined", "") if ends else ("review", reason))


def test_a_late_decline_takes_back_no_capture_in_review(snipcart: StandIn, provider: Provider) -> None:
    provider.script(amount="1.00")
    payment = pay(snipcart)
    Payment.objects.update(review_reason="outcome_unknown")

    record(Payment.objects.get(), Declined("card_declined"), actor=PROVIDER)

    payment.refresh_from_db()
    assert (payment.state, payment.captured_minor_units) == (_State.REVIEW, 100)


def test_an_abandoned_payment_that_turns_out_paid_is_paid_and_confirmed(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)
    provider.script(lookup="not_found")
    come_back(payment)
    provider.script(lookup="paid")

    assert come_back(payment).state == _State.PAID
    assert told(snipcart) == ["processed"]


def test_a_payment_confirmed_as_processing_that_the_provider_lost_goes_to_review(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="pending", lookup="not_found")

    payment = come_back(pay(snipcart))

    assert (payment.state, payment.review_reason) == (_State.REVIEW, "lost_by_provider")


def test_a_payment_that_its_provider_finds_again_is_compared_and_confirmed_as_processed(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    provider.script(charge="pending", lookup="not_found")
    payment = come_back(pay(snipcart, session=session))
    assert payment.public_token == session.public_token
    provider.script(lookup="paid")

    payment = come_back(payment)

    assert (payment.order_check, payment.review_reason) == (Payment.OrderCheck.SAME, "")
    assert told(snipcart) == ["processing", "processed"]


def test_an_abandoned_payment_taken_up_again_keeps_its_reference_and_forgets_its_alerts(
    snipcart: StandIn, provider: Provider
) -> None:
    session, payment = begin(snipcart, provider)
    provider.script(lookup="not_found")
    come_back(payment)
    forgotten = ("looked_up_at", "alerted_at", "overdue_alerted_at", "resolved_at")
    long_ago = timezone.now() - timedelta(days=1)
    Payment.objects.update(**dict.fromkeys((*forgotten, "claimed_at", "answered_at"), long_ago))
    provider.script(charge="nonsense")

    again = services.pay(order_of(session))

    assert (again.pk, again.state) == (payment.pk, _State.UNKNOWN)
    assert {getattr(again, column) for column in forgotten} == {None}
    assert not again.redirect_ended
    assert again.claimed_at == again.answered_at > long_ago
    assert [event.data for event in again.events.filter(name="charging")] == [{}, {"was": "abandoned"}]


# Declined


def test_a_declined_payment_that_turns_out_paid_is_paid_and_confirmed(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined", lookup="paid")

    payment = come_back(pay(snipcart))

    assert payment.state == _State.PAID
    assert payment.live_key
    assert (payment.decline_code, payment.decline_message) == ("", "")
    assert told(snipcart) == ["processed"]


def test_a_declined_payment_that_turns_out_paid_beside_a_paid_one_goes_to_review(
    snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    provider.script(charge="declined")
    first = services.pay(order_of(session))
    provider.script()
    services.pay(order_of(session))
    provider.script(lookup="paid")

    come_back(first)

    assert (first.state, first.review_reason, first.live_key) == (_State.REVIEW, "second_capture", None)
    assert first.captured_at
    assert told(snipcart) == ["processed"]


def test_a_detour_that_was_declined_may_be_tried_again_and_nothing_is_confirmed(
    snipcart: StandIn, provider: Provider
) -> None:
    session, payment = begin(snipcart, provider)
    provider.script(lookup="declined")
    come_back(payment)
    provider.script()

    assert services.pay(order_of(session)).state == _State.PAID
    assert told(snipcart) == ["processed"]


@pytest.mark.parametrize("code, state", [("card_declined", "failed"), ("payment_expired", "invalidated")])
def test_a_decline_after_processing_is_delivered_at_once(
    snipcart: StandIn, provider: Provider, code: str, state: str
) -> None:
    provider.script(charge="pending", lookup="declined", code=code)

    payment = come_back(pay(snipcart))

    assert payment.state == _State.DECLINED
    assert told(snipcart) == ["processing", state]


# Paid is final


@pytest.mark.parametrize(
    "late",
    [Declined("card_declined"), Pending("tr-2"), NotFound(), Redirect(f"{PROVIDER_ORIGIN}/", "o"), None],
)
def test_paid_is_never_taken_back(snipcart: StandIn, provider: Provider, late: Any) -> None:
    payment = pay(snipcart)

    record(payment, late, actor=PROVIDER, returned=True)

    payment.refresh_from_db()
    assert payment.state == _State.PAID
    assert told(snipcart) == ["processed"]


def test_another_capture_of_a_paid_payment_stays_paid_and_needs_staff(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    payment = pay(snipcart)

    record(payment, Paid("tr-2", payment.amount, payment.currency), actor=PROVIDER)

    payment.refresh_from_db()
    assert (payment.state, payment.review_reason) == (_State.PAID, "another_capture")
    assert f"payment {payment.reference} needs review: another_capture" in caplog.text
    assert told(snipcart) == ["processed"]


def test_another_capture_of_no_known_currency_is_stored_as_one_of_an_unknown_one(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)

    record(payment, Paid("tr-2", payment.amount, ""), actor=PROVIDER)

    assert payment.events.get(name="another_capture").data["currency"] == "unknown"


def test_an_amount_of_another_capture_that_no_provider_takes_is_noted_in_40_letters(
    snipcart: StandIn, provider: Provider
) -> None:
    payment = pay(snipcart)

    record(payment, Paid("tr-2", Decimal("9" * 50), "EUR"), actor=PROVIDER)

    assert payment.events.get(name="another_capture").data["amount"] == "9" * 39 + "…"


def test_the_table_of_transitions_lets_nothing_leave_paid_but_to_a_person() -> None:
    assert TRANSITIONS[_State.PAID] == {_State.REVIEW}


def test_a_paid_payment_is_not_asked_about(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    come_back(payment)

    assert [call.split()[0] for call in provider.calls] == ["charge"]


def test_the_same_answer_twice_is_one_outcome(snipcart: StandIn, provider: Provider) -> None:
    _, payment = begin(snipcart, provider)
    stale = Payment.objects.get()
    complete(provider, payment)

    record(stale, Paid(f"tr-{payment.reference}", payment.amount, payment.currency), actor=PROVIDER)

    assert story(payment).count("paid") == 1
    assert told(snipcart) == ["processed"]


def test_an_old_view_of_a_payment_decides_nothing_any_more(snipcart: StandIn, provider: Provider) -> None:
    _, payment = begin(snipcart, provider)
    stale = Payment.objects.get()
    complete(provider, payment)

    now = record(stale, Declined("card_declined"), actor=PROVIDER)

    payment.refresh_from_db()
    assert (now.state, payment.state) == (_State.PAID, _State.PAID)
    assert story(payment).count("declined") == 0


@pytest.mark.parametrize("state", sorted(set(_State.values) - {"paid", "review"}))
def test_a_nonsense_answer_to_a_lookup_changes_nothing(
    snipcart: StandIn, provider: Provider, state: str
) -> None:
    scripts = {"declined": "declined", "unknown": "nonsense", "waiting": "pending"}
    provider.script(charge=scripts.get(state, "redirect"), lookup="nonsense")
    payment = pay(snipcart)
    if state in {"charging", "abandoned"}:
        Payment.objects.update(state=state)

    assert come_back(payment).state == state


# What was taken is what a shopper and Snipcart are told


def test_instructions_are_told_and_stored_line_by_line(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="pending", instructions="IBAN\tFR76\r\n\nReference: 7\x00 \u202e")

    payment = pay(snipcart)

    assert payment.instructions == "IBAN FR76\n\nReference: 7"
    assert snipcart.confirmations[0]["instructions"] == payment.instructions


@pytest.mark.parametrize("said, kept", [("", "Pay soon."), ("Thank you.", "Thank you.")])
def test_instructions_are_kept_until_the_provider_gives_others(
    snipcart: StandIn, provider: Provider, said: str, kept: str
) -> None:
    provider.script(charge="pending", instructions="Pay soon.")
    payment = pay(snipcart)

    record(payment, Paid("tr-1", payment.amount, payment.currency, said), actor=PROVIDER)

    assert Payment.objects.get().instructions == kept


def test_instructions_of_a_book_length_are_cut(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="pending", instructions="\n".join(["x" * 1000] * 1000))

    lines = pay(snipcart).instructions.splitlines()
    assert len(lines) == 40
    assert {len(line) for line in lines} == {500}


@pytest.mark.parametrize("charge", ["paid", "pending"])
@pytest.mark.parametrize("instructions", [None, 7, ["a"]])
def test_instructions_that_are_no_text_are_none(
    snipcart: StandIn, provider: Provider, instructions: object, charge: str
) -> None:
    provider.script(charge=charge, instructions=instructions)

    payment = pay(snipcart)

    assert (payment.state, payment.instructions) == (charge, "")


@pytest.mark.parametrize("can_lookup", [True, False])
@pytest.mark.parametrize("script", [{}, {"amount": "1.00"}, {"charge": "declined"}], ids=str)
def test_a_form_is_forgotten_once_the_outcome_is_known(
    snipcart: StandIn,
    provider: Provider,
    checkout_settings: CheckoutSettings,
    script: dict[str, str],
    can_lookup: bool,
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": can_lookup})
    provider.script(**script)
    session = snipcart.session()
    order = services.Order(**{**vars(order_of(session)), "form": {"iban": "FR76"}})

    payment = services.pay(order)

    payment.refresh_from_db()
    assert payment.form == {}


def test_the_way_to_the_provider_is_forgotten_once_the_outcome_is_known(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)
    assert payment.redirect_url

    assert complete(provider, payment).redirect_url == ""


@pytest.mark.parametrize(
    "script, data",
    [
        ({}, {"was": "charging"}),
        ({"charge": "declined"}, {"was": "charging", "reason": "card_declined"}),
        ({"charge": "nonsense"}, {"was": "charging"}),
        ({"amount": "1.00"}, {"was": "charging", "reason": "amount_differs"}),
    ],
    ids=str,
)
def test_the_history_says_what_a_payment_was_before_and_why_it_is_no_longer(
    snipcart: StandIn, provider: Provider, script: dict[str, str], data: dict[str, str]
) -> None:
    provider.script(**script)

    payment = pay(snipcart)

    assert payment.events.get(name=payment.state).data == data


@pytest.mark.parametrize("length, kept", [(500, "x" * 500), (501, "x" * 499 + "…")], ids=[500, 501])
def test_a_message_of_a_provider_is_cut_after_500_characters(
    snipcart: StandIn, provider: Provider, length: int, kept: str
) -> None:
    provider.script(charge="declined", message="x" * length)

    assert pay(snipcart).decline_message == kept


def test_a_message_of_a_provider_that_is_no_text_is_none(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="declined")
    ours = pay(snipcart).decline_message
    provider.script(charge="declined", message=7)

    assert pay(snipcart).decline_message == ours


def test_a_code_and_a_currency_of_a_provider_are_cut_to_their_columns(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined", code="x" * 101)
    assert pay(snipcart).decline_code == "x" * 99 + "…"

    provider.script(currency="EURO")
    assert len(pay(snipcart).captured_currency) == 3


def test_a_shopper_who_has_not_finished_at_the_provider_changes_nothing(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)

    record(payment, Pending("tr-1", unfinished=True), actor=PROVIDER, returned=True)

    payment.refresh_from_db()
    assert story(payment) == ["charging", "pending"]
    assert payment.redirect_url
    assert told(snipcart) == []


def test_a_backend_that_is_configured_no_more_leaves_the_payment_as_it_is(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    _, payment = begin(snipcart, provider)
    checkout_settings.remove("STORES.live.METHODS.acme_card")

    assert come_back(payment).state == _State.PENDING


def test_a_staff_decline_has_a_message_for_snipcart(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="pending", lookup="not_found")
    payment = come_back(pay(snipcart, language="fr"))

    services.resolve_review(payment, "declined", note="asked the bank", by="ada")

    failed = Confirmation.objects.get(payment=payment, outcome="failed")
    assert "Rien n’a été débité" in json.loads(failed.body)["error"]["message"]
    assert Payment.objects.get().decline_code == "declined"


def test_what_staff_call_paid_keeps_the_capture_that_is_stored(snipcart: StandIn, provider: Provider) -> None:
    provider.script(amount="1.00", transaction_id="tr-1")
    payment = pay(snipcart)
    captured_at = payment.captured_at

    services.resolve_review(payment, "paid", note="the rest came in cash", by="ada")

    payment = Payment.objects.get()
    assert (payment.state, payment.captured_minor_units) == (_State.PAID, 100)
    assert (payment.transaction_id, payment.captured_at) == ("tr-1", captured_at)
