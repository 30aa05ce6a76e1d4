"""What a backend is told with each call, and what is noted of a call that went wrong."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from snipcart_checkout import services
from snipcart_checkout.backends.base import Charge, RefundRequest
from snipcart_checkout.conf import get_settings
from snipcart_checkout.models import Payment, Refund
from snipcart_checkout.services.backend_calls import can_look_up
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Provider, ScriptedBackend
from tests.support.ledger import (
    agree,
    let_two_seconds_pass,
    pay,
    provider,
    unknown_refund,
)
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

_State = Payment.State


@dataclass
class Received:
    """What the backend was told, the latest last."""

    charges: list[Charge] = field(default_factory=list)
    lookups: list[Charge] = field(default_factory=list)
    refunds: list[RefundRequest] = field(default_factory=list)
    refund_lookups: list[RefundRequest] = field(default_factory=list)


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Received:
    received = Received()

    class Listening(ScriptedBackend):
        can_lookup_refund = True

        def charge(self, charge: Charge) -> Any:
            received.charges.append(charge)
            return super().charge(charge)

        def lookup(self, charge: Charge) -> Any:
            received.lookups.append(charge)
            return super().lookup(charge)

        def refund(self, refund: RefundRequest) -> Any:
            received.refunds.append(refund)
            return super().refund(refund)

        def lookup_refund(self, refund: RefundRequest) -> Any:
            received.refund_lookups.append(refund)
            return super().lookup_refund(refund)

    monkeypatch.setattr("tests.support.backends.ScriptedBackend", Listening)
    return received


def come_back(payment: Payment) -> Payment:
    let_two_seconds_pass()
    payment.refresh_from_db()
    services.handle_return(payment)
    payment.refresh_from_db()
    return payment


def settle_later() -> None:
    let_time_pass(timedelta(minutes=6))
    services.settle()


def test_a_charge_is_told_everything_about_the_order(
    snipcart: StandIn, provider: Provider, received: Received
) -> None:
    order = agree(snipcart.session(amount="12.30", language="fr"))
    provider.script(charge="redirect")

    payment = services.pay(services.Order(**{**vars(order), "form": {"iban": "DE00"}}))

    assert received.charges == [
        Charge(
            reference=payment.reference,
            amount=Decimal("12.30"),
            currency="EUR",
            minor_units=1230,
            session=order.session,
            form={"iban": "DE00"},
            return_url=f"https://pay.shop.example/checkout/payments/{payment.reference}/return/",
            notification_url="https://pay.shop.example/checkout/live/notifications/acme_card/",
            provider_reference="",
            language="fr",
            shopper_returned=False,
            is_void=False,
        )
    ]


def test_a_look_up_is_told_the_same_and_what_the_provider_called_the_payment(
    snipcart: StandIn, provider: Provider, received: Received
) -> None:
    provider.script(charge="redirect")
    order = agree(snipcart.session())
    payment = services.pay(services.Order(**{**vars(order), "form": {"iban": "DE00"}}))

    settle_later()

    (charge,), (lookup,) = received.charges, received.lookups
    told = {**vars(charge), "session": None, "provider_reference": f"order-{payment.reference}"}
    assert vars(lookup) == told


@pytest.mark.parametrize("who, returned", [(come_back, True), (lambda payment: settle_later(), False)])
def test_a_look_up_is_told_whether_the_shopper_has_come_back(
    snipcart: StandIn, provider: Provider, received: Received, who: Any, returned: bool
) -> None:
    provider.script(charge="redirect")

    who(pay(snipcart))

    assert [(lookup.shopper_returned, lookup.is_void) for lookup in received.lookups] == [(returned, False)]


def test_a_look_up_upon_a_message_is_told_neither_that_the_shopper_is_back_nor_that_it_is_void(
    snipcart: StandIn, provider: Provider, received: Received
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    store = get_settings().stores["live"]
    headers, body = provider.notification(payment.reference)

    assert services.handle_notification(store, store.methods["acme_card"], headers, body)

    assert [(lookup.shopper_returned, lookup.is_void) for lookup in received.lookups] == [(False, False)]


def test_a_look_up_that_ends_an_outdated_payment_is_told_that_it_is_void_and_its_shopper_here(
    snipcart: StandIn, provider: Provider, received: Received
) -> None:
    session = snipcart.session()
    provider.script(charge="redirect")
    payment = pay(snipcart, session=session)
    snipcart.change(session, amount="99.00")

    assert services.check_redirect(payment) is False

    assert [(lookup.shopper_returned, lookup.is_void) for lookup in received.lookups] == [(True, True)]


def test_the_page_of_a_shopper_who_came_back_without_an_answer_asks_again_and_says_so(
    snipcart: StandIn, provider: Provider, received: Received
) -> None:
    provider.script(charge="redirect", lookup="raise")
    payment = come_back(pay(snipcart))
    let_time_pass(timedelta(seconds=6))
    payment.refresh_from_db()

    services.refresh_payment(payment)

    assert [lookup.shopper_returned for lookup in received.lookups] == [True, True]


@pytest.mark.parametrize(
    "columns, is_void",
    [
        ({"state": _State.DECLINED, "live_key": None}, True),
        ({"state": _State.ABANDONED, "live_key": None}, True),
        ({"state": _State.PENDING, "resolved_at": "2026-01-01T00:00Z"}, True),
        ({"state": _State.PENDING}, False),
        ({"state": _State.UNKNOWN}, False),
        ({"state": _State.CHARGING}, False),
    ],
    ids=str,
)
def test_a_look_up_of_a_payment_that_is_over_for_us_is_told_so(
    snipcart: StandIn, provider: Provider, received: Received, columns: dict[str, Any], is_void: bool
) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    Payment.objects.update(**columns)

    come_back(payment)

    assert [lookup.is_void for lookup in received.lookups] == [is_void]


def test_a_refund_and_its_look_up_are_told_the_charge_and_the_amount(
    snipcart: StandIn, provider: Provider, received: Received
) -> None:
    payment = pay(snipcart, amount="12.30")
    refund = unknown_refund(provider, payment, 310)
    Refund.objects.update(provider_refund_id="re-1")

    settle_later()

    told = {
        "reference": refund.pk,
        "transaction_id": f"tr-{payment.reference}",
        "amount": Decimal("3.10"),
        "currency": "EUR",
        "minor_units": 310,
    }
    first, again = received.refunds[0], received.refund_lookups[0]
    assert {name: getattr(first, name) for name in told} == told
    assert {name: getattr(again, name) for name in told} == told
    assert (first.refund_id, again.refund_id) == ("", "re-1")
    assert (first.charge.reference, first.charge.minor_units) == (payment.reference, 1230)


@pytest.mark.parametrize("columns", [{"method": "gone"}, {"store": "gone"}], ids=str)
def test_a_payment_whose_method_is_configured_no_more_cannot_be_looked_up(
    snipcart: StandIn, provider: Provider, columns: dict[str, str]
) -> None:
    payment = pay(snipcart)
    assert can_look_up(payment)
    Payment.objects.update(**columns)

    assert not can_look_up(Payment.objects.get())


def test_a_backend_that_cannot_look_up_is_not_asked(
    snipcart: StandIn, provider: Provider, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_card", OPTIONS={"can_lookup": False})

    assert not can_look_up(pay(snipcart))


def test_the_log_names_the_line_that_raised_and_not_its_words(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def charge(self: ScriptedBackend, charge: Charge) -> Any:
        raise RuntimeError("card 4242")

    monkeypatch.setattr(ScriptedBackend, "charge", charge)

    payment = pay(snipcart)

    line = charge.__code__.co_firstlineno + 1
    assert (
        f"payment {payment.reference}: the backend of method acme_card raised RuntimeError at {__file__}:{line}"
        in caplog.text
    )
    assert "4242" not in caplog.text
    assert "in charge" not in caplog.text


def test_in_debug_mode_the_log_has_the_traceback_without_its_words(
    snipcart: StandIn,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def charge(self: ScriptedBackend, charge: Charge) -> Any:
        raise RuntimeError(f"card {4242}")

    settings.DEBUG = True
    monkeypatch.setattr(ScriptedBackend, "charge", charge)

    pay(snipcart)

    traceback = next(message for message in caplog.messages if message.startswith("Traceback (most recent"))
    assert ", in charge\n" in traceback
    assert re.fullmatch(r"Traceback .*:\n( +.*\n)+RuntimeError", traceback)
    assert "card 4242" not in caplog.text


def test_a_site_without_tracebacks_learns_of_a_charge_that_failed_all_the_same(
    snipcart: StandIn, provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 0, raising=False)
    provider.script(before="raise")

    payment = pay(snipcart)

    assert payment.state == _State.UNKNOWN
    assert "ProviderDown at an unknown place" in caplog.text


def test_the_log_says_which_rule_an_answer_broke_and_not_its_words(
    snipcart: StandIn, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.script(charge="nonsense")

    payment = pay(snipcart)

    (line,) = [record.message for record in caplog.records if "not usable" in record.message]
    assert line == (
        f"payment {payment.reference}: the answer of the backend of method acme_card is not usable: "
        "charge returned a str, not Paid, Pending, Redirect or Declined"
    )


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_database_closed_during_a_call_is_replaced(
    snipcart: StandIn, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ScriptedBackend.charge
    closed: list[Any] = []

    def charge(self: ScriptedBackend, charge: Charge) -> Any:
        closed.append(connection.connection)
        return real(self, charge)

    monkeypatch.setattr(ScriptedBackend, "charge", charge)
    # What Django finds out of a connection that the database has closed; SQLite's are never closed by it.
    monkeypatch.setattr(connection, "is_usable", lambda: connection.connection not in closed)

    assert pay(snipcart).state == _State.PAID
    assert connection.connection not in closed
