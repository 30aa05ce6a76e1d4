"""What a backend says, and what the ledger makes of it: every answer in every state, whoever asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings

from snipcart_checkout import services
from snipcart_checkout.backends.base import Declined, NotFound, Paid, Pending, Redirect
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import MOVES, Confirmation, Payment
from snipcart_checkout.services.outcomes import record
from snipcart_checkout.testing import StandIn, StandInSession
from tests.backends import PROVIDER_ORIGIN, Provider
from tests.ledger import pay, provider, story, use_provider

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
    assert payment.state == _State.WAITING
    return ordered, payment


def come_back(payment: Payment) -> Payment:
    payment.refresh_from_db()
    services.settle_return(payment)
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
        ("pending", "waiting", ["processing"]),
        ("redirect", "waiting", []),
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
    assert len(provider.captures) == 1


# Paid, but not as agreed


@pytest.mark.parametrize(
    "said", [{"amount": "12.31"}, {"amount": "0.01"}, {"currency": "USD"}, {"currency": "€"}]
)
def test_paid_with_another_amount_or_currency_goes_to_review_and_is_not_told(
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
    snipcart: StandIn, provider: Provider, settings: Any
) -> None:
    use_provider(settings, provider.directory, can_lookup=False)
    provider.script(charge="redirect")

    assert pay(snipcart).state == _State.UNKNOWN


def test_the_providers_reference_is_stored_before_the_shopper_leaves(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)

    payment.refresh_from_db()
    assert payment.provider_reference == f"order-{payment.reference}"
    assert payment.redirect_url.startswith(PROVIDER_ORIGIN)


def test_nothing_is_told_while_the_shopper_is_away(snipcart: StandIn, provider: Provider) -> None:
    begin(snipcart, provider)

    assert told(snipcart) == []


# After the detour


def test_a_detour_that_was_paid_is_told_as_processed(snipcart: StandIn, provider: Provider) -> None:
    _, payment = begin(snipcart, provider)

    assert complete(provider, payment).state == _State.PAID
    assert told(snipcart) == ["processed"]


def test_after_the_detour_the_session_is_asked_again_before_snipcart_is_told(
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


@pytest.mark.parametrize("fault", [404, 401, 500, 503, "cut-before", "not-json", "redirect"])
def test_a_session_that_cannot_be_read_any_more_is_no_difference(
    snipcart: StandIn, provider: Provider, fault: str | int
) -> None:
    _, payment = begin(snipcart, provider)
    snipcart.fail("payment-session", fault)

    assert complete(provider, payment).state == _State.PAID
    assert told(snipcart) == ["processed"]


def test_a_detour_that_ends_pending_is_told_as_processing_and_then_as_processed(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)
    come_back(payment)
    assert (payment.state, payment.redirect_url) == (_State.WAITING, "")

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


def test_a_payment_at_once_does_not_ask_the_session_a_third_time(
    snipcart: StandIn, provider: Provider
) -> None:
    pay(snipcart)

    assert len(snipcart.calls_to("payment-session")) == 1


# The public token


@pytest.mark.parametrize(
    "script", [{}, {"charge": "declined"}, {"charge": "pending"}, {"amount": "1.00"}], ids=str
)
def test_the_token_is_forgotten_when_it_is_no_longer_needed(
    snipcart: StandIn, provider: Provider, script: dict[str, str]
) -> None:
    provider.script(**script)

    payment = pay(snipcart)

    payment.refresh_from_db()
    assert payment.public_token == ""


@pytest.mark.parametrize("lookup", ["paid", "declined", "not_found"])
def test_the_token_is_kept_during_a_detour_and_forgotten_after_it(
    snipcart: StandIn, provider: Provider, lookup: str
) -> None:
    session, payment = begin(snipcart, provider)
    payment.refresh_from_db()
    assert payment.public_token == session.public_token
    provider.script(lookup=lookup)

    assert come_back(payment).public_token == ""


def test_the_token_of_a_payment_left_to_a_person_is_forgotten(
    snipcart: StandIn, provider: Provider, settings: Any
) -> None:
    use_provider(settings, provider.directory, can_lookup=False, repeat_is_safe=False)
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


def test_an_abandoned_payment_that_turns_out_paid_is_paid_and_told(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)
    provider.script(lookup="not_found")
    come_back(payment)
    provider.script(lookup="paid")

    assert come_back(payment).state == _State.PAID
    assert told(snipcart) == ["processed"]


def test_a_payment_told_as_processing_that_the_provider_lost_goes_to_review(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="pending", lookup="not_found")

    payment = come_back(pay(snipcart))

    assert (payment.state, payment.review_reason) == (_State.REVIEW, "lost_by_provider")


def test_an_abandoned_payment_taken_up_again_keeps_its_reference_and_forgets_its_alerts(
    snipcart: StandIn, provider: Provider
) -> None:
    session, payment = begin(snipcart, provider)
    provider.script(lookup="not_found")
    come_back(payment)
    Payment.objects.update(alerted_at="2020-01-01T00:00Z", resolved_at="2020-01-01T00:00Z")

    again = services.pay(order_of(session))

    assert (again.pk, again.state) == (payment.pk, _State.PAID)
    assert (again.alerted_at, again.resolved_at) == (None, None)


# Declined


def test_a_declined_payment_that_turns_out_paid_is_paid_and_told(
    snipcart: StandIn, provider: Provider
) -> None:
    provider.script(charge="declined", lookup="paid")

    payment = come_back(pay(snipcart))

    assert payment.state == _State.PAID
    assert payment.live_key
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


def test_a_detour_that_was_declined_may_be_tried_again_and_nothing_is_told(
    snipcart: StandIn, provider: Provider
) -> None:
    session, payment = begin(snipcart, provider)
    provider.script(lookup="declined")
    come_back(payment)
    provider.script()

    assert services.pay(order_of(session)).state == _State.PAID
    assert told(snipcart) == ["processed"]


@pytest.mark.parametrize("code, state", [("card_declined", "failed"), ("lapsed", "invalidated")])
def test_a_decline_after_processing_is_told_at_once(
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

    record(payment, late, source="notification", returned=True)

    payment.refresh_from_db()
    assert payment.state == _State.PAID
    assert told(snipcart) == ["processed"]


def test_the_table_of_moves_lets_nothing_leave_paid() -> None:
    assert MOVES[_State.PAID] == frozenset()


def test_a_paid_payment_is_not_asked_about(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)

    come_back(payment)

    assert [call.split()[0] for call in provider.calls] == ["charge"]


def test_the_same_answer_twice_is_one_outcome(snipcart: StandIn, provider: Provider) -> None:
    _, payment = begin(snipcart, provider)
    stale = Payment.objects.get()
    complete(provider, payment)

    record(stale, Paid(f"tr-{payment.reference}", payment.amount, payment.currency), source="notification")

    assert story(payment).count("paid") == 1
    assert told(snipcart) == ["processed"]


def test_an_old_view_of_a_payment_decides_nothing_any_more(snipcart: StandIn, provider: Provider) -> None:
    _, payment = begin(snipcart, provider)
    stale = Payment.objects.get()
    complete(provider, payment)

    record(stale, Declined("card_declined"), source="notification")

    payment.refresh_from_db()
    assert payment.state == _State.PAID


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


def test_instructions_of_a_book_length_are_cut(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="pending", instructions="\n".join(["x" * 1000] * 1000))

    assert len(pay(snipcart).instructions) < 21_000


@pytest.mark.parametrize("instructions", [None, 7, ["a"]])
def test_instructions_that_are_no_text_are_none(
    snipcart: StandIn, provider: Provider, instructions: object
) -> None:
    provider.script(instructions=instructions)

    payment = pay(snipcart)

    assert (payment.state, payment.instructions) == (_State.PAID, "")


def test_a_form_is_forgotten_once_the_outcome_is_known(snipcart: StandIn, provider: Provider) -> None:
    session = snipcart.session()
    order = services.Order(**{**vars(order_of(session)), "form": {"iban": "FR76"}})

    payment = services.pay(order)

    payment.refresh_from_db()
    assert payment.form == {}


def test_a_backend_that_is_configured_no_more_leaves_the_payment_as_it_is(
    snipcart: StandIn, provider: Provider
) -> None:
    _, payment = begin(snipcart, provider)
    django_settings.SNIPCART_CHECKOUT["STORES"]["live"]["METHODS"] = {}

    assert come_back(payment).state == _State.WAITING


def test_a_staff_decline_has_a_message_for_snipcart(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="pending", lookup="not_found")
    payment = come_back(pay(snipcart, language="fr"))

    services.resolve_review(payment, "declined", note="asked the bank", by="ada")

    failed = Confirmation.objects.get(payment=payment, state="failed")
    assert "Rien n’a été débité" in failed.body
