"""The connection is lost while the database commits, before or after it did: nothing is done twice, and nothing is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any, Final

import pytest
from django.db import OperationalError, transaction

from snipcart_checkout import services, signals
from snipcart_checkout.conf import get_settings
from snipcart_checkout.exceptions import RefundNotPossible
from snipcart_checkout.models import Payment
from snipcart_checkout.services.audit_log import PROVIDER, SNIPCART
from snipcart_checkout.services.outcomes import look_up_payment
from snipcart_checkout.services.refunds import refund_payment
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import (
    agree,
    pay,
    provider,
    refused_by_snipcart,
    tried_again_at_once,
    unknown_refund,
)
from tests.support.sampling import sampled

__all__ = ["provider"]

pytestmark = pytest.mark.django_db


def name_case(value: Any) -> str:
    return str({True: "committed", False: "rolled back"}.get(value) or value.__name__)


class Database:
    """Counts the ledger's commits, and loses one of them, or only the answer to it where it ``commits``.

    Before that it loses what is tried ``again`` so often.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.loses, self.again, self.seen, self.is_watched, self.commits = 0, 0, 0, False, True
        leave = transaction.Atomic.__exit__

        def lose(block: Any, *error: Any) -> None:
            is_commit = self.is_watched and block.durable and not any(error)
            self.seen += is_commit
            if not (is_commit and self.loses <= self.seen <= self.loses + self.again):
                return leave(block, *error)
            lost = OperationalError("server closed the connection unexpectedly")
            commits = self.commits and self.seen == self.loses + self.again
            leave(block, *((None, None, None) if commits else (type(lost), lost, None)))
            raise lost

        monkeypatch.setattr(transaction.Atomic, "__exit__", lose)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """What is done inside may lose an answer."""
        self.seen, self.is_watched = 0, True
        with tried_again_at_once():
            yield
        self.is_watched = False


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    return Database(monkeypatch)


@pytest.fixture
def signals_sent() -> Iterator[list[str]]:
    """The names of the signals that were sent."""
    names: list[str] = []
    for name in signals.__all__:
        getattr(signals, name).connect(
            lambda name=name, **_: names.append(name), weak=False, dispatch_uid="lost commits"
        )
    yield names
    for name in signals.__all__:
        getattr(signals, name).disconnect(dispatch_uid="lost commits")


def paying(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    order = agree(snipcart.session())
    with database.watched():
        return services.pay(order)


def paying_beside_a_paid_session(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    session = snipcart.session()
    pay(snipcart, session=session)
    order = agree(snipcart.session(same_cart_as=session))
    with database.watched():
        return services.pay(order)


def paying_again_after_an_abandoned_charge(
    snipcart: StandIn, provider: Provider, database: Database
) -> Payment:
    session = snipcart.session()
    provider.script(charge="redirect")
    payment = pay(snipcart, session=session)
    provider.script(lookup="not_found")
    look_up(payment)
    provider.script()
    order = agree(session)
    with database.watched():
        return services.pay(order)


def coming_back(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.script()
    provider.complete(payment.reference)
    with database.watched():
        return look_up(payment)


def coming_back_to_a_changed_order(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    session = snipcart.session()
    provider.script(charge="redirect")
    payment = pay(snipcart, session=session)
    provider.script(ends=True)
    snipcart.change(session, amount="1.00")
    changed = services.get_payment_session(session.public_token, "live")
    with database.watched():
        services.end_outdated_redirect(payment, changed)
    return payment


def being_declined_after_processing(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    provider.script(charge="pending")
    payment = pay(snipcart)
    provider.script(lookup="declined")
    with database.watched():
        return look_up(payment)


def giving_up(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    provider.script(charge="declined")
    payment = pay(snipcart)
    with database.watched():
        return services.give_up(payment)


def being_paid_for_a_changed_order(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    session = snipcart.session()
    order = agree(session)
    snipcart.change(session, amount="1.00")
    with database.watched():
        return services.pay(order)


def being_refused_by_snipcart(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    order = agree(snipcart.session())
    snipcart.fail("payment", 400)
    with database.watched():
        return services.pay(order)


def refunding(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = pay(snipcart)
    services.refund_by_staff(payment, 100, by="ada")
    with database.watched():
        services.refund_by_staff(payment, 500, by="ada")
    return payment


def refunding_for_snipcart(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = pay(snipcart)
    with database.watched():
        refund_payment(payment, 500, actor=SNIPCART)
    return payment


def refunding_for_snipcart_what_staff_refunded(
    snipcart: StandIn, provider: Provider, database: Database
) -> Payment:
    payment = pay(snipcart)
    services.refund_by_staff(payment, 500, by="ada")
    with database.watched():
        refund_payment(payment, 500, actor=SNIPCART)
    return payment


def refunding_in_vain(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = pay(snipcart)
    provider.script(refund="declined")
    with database.watched(), pytest.raises(RefundNotPossible):
        services.refund_by_staff(payment, 500, by="ada")
    return payment


def ending_a_refund(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = pay(snipcart)
    refund = unknown_refund(provider, payment)
    with database.watched():
        assert services.resolve_refund(refund, was_made=False, note="not there", by="ada")
    return payment


def giving_back_by_hand(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = pay(snipcart)
    assert services.mark_given_back(payment, 100, by="ada")
    with database.watched():
        assert services.mark_given_back(payment, 500, by="ada")
    return payment


def undoing_what_was_given_back(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = pay(snipcart)
    refund = services.mark_given_back(payment, 500, by="ada")
    assert refund is not None
    with database.watched():
        assert services.undo_given_back(refund, note="another order", by="ada")
    return payment


def receiving_a_part_and_the_rest(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    provider.script(charge="pending")
    payment = pay(snipcart)
    with database.watched():
        assert services.mark_received(payment, by="ada", units=300)
        assert services.mark_received(payment, by="ada")
    return payment


def closing_a_case(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = refused_by_snipcart(snipcart)
    with database.watched():
        assert services.resolve_review(payment, "closed", note="by hand", by="ada")
    return payment


def being_disputed(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = pay(snipcart)
    store = get_settings().stores["live"]
    headers, body = provider.notification(payment.reference, dispute=True)
    with database.watched():
        assert services.handle_notification(store, store.methods["acme_card"], headers, body)
    return payment


def resending(snipcart: StandIn, provider: Provider, database: Database) -> Payment:
    payment = refused_by_snipcart(snipcart)
    with database.watched():
        assert services.redeliver(payment.confirmations.get(), by="ada")
    return payment


FLOWS: Final[tuple[Callable[[StandIn, Provider, Database], Payment], ...]] = (
    paying,
    paying_beside_a_paid_session,
    paying_again_after_an_abandoned_charge,
    coming_back,
    coming_back_to_a_changed_order,
    being_declined_after_processing,
    giving_up,
    being_paid_for_a_changed_order,
    being_refused_by_snipcart,
    refunding,
    refunding_for_snipcart,
    refunding_for_snipcart_what_staff_refunded,
    refunding_in_vain,
    ending_a_refund,
    giving_back_by_hand,
    undoing_what_was_given_back,
    receiving_a_part_and_the_rest,
    closing_a_case,
    being_disputed,
    resending,
)


@pytest.mark.parametrize("flow, commits", sampled(product(FLOWS, [True, False]), every=2), ids=name_case)
def test_it_makes_no_difference_which_commit_or_answer_is_lost(
    flow: Callable[[StandIn, Provider, Database], Payment],
    commits: bool,
    snipcart: StandIn,
    provider: Provider,
    database: Database,
    signals_sent: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def run(loses: int) -> dict[str, Any]:
        provider.script()
        before = (len(provider.captures), len(provider.refunds), len(snipcart.confirmations))
        signals_sent.clear()
        caplog.clear()
        database.loses, database.commits = loses, commits
        payment = flow(snipcart, provider, database)
        return {
            **picture(payment),
            "captures": len(provider.captures) - before[0],
            "refunds made": len(provider.refunds) - before[1],
            "confirmations sent": [body["state"] for body in snipcart.confirmations[before[2] :]],
            "signals": list(signals_sent),
            "alerts": [record.msg for record in caplog.records if record.levelname == "ERROR"],
        }

    undisturbed = run(0)
    made = database.seen

    assert made
    for lost in range(1, made + 1):
        assert run(lost) == undisturbed, f"lost commit {lost} of {made}"


@pytest.mark.parametrize("again", range(5))
def test_however_often_a_commit_is_lost_before_its_answer_is_it_counts_once(
    snipcart: StandIn, provider: Provider, database: Database, again: int
) -> None:
    database.loses, database.again = 1, again

    payment = refunding(snipcart, provider, database)

    payment.refresh_from_db()
    assert sorted(payment.refunds.values_list("minor_units", flat=True)) == [100, 500]
    assert (payment.refunded_minor_units, len(provider.refunds)) == (600, 2)


def look_up(payment: Payment) -> Payment:
    assert look_up_payment(payment, actor=PROVIDER, returned=True, is_void=False)
    return payment


def picture(payment: Payment) -> dict[str, Any]:
    """What the ledger holds of a payment, without what differs between any two."""
    payment = Payment.objects.get(pk=payment.pk)
    return {
        "payment": {
            "state": payment.state,
            "version": payment.version,
            "is live": payment.live_key is not None,
            "case": (payment.review_reason, payment.resolved_at is None),
            "refunded": (payment.refunded_minor_units, payment.refunds_requested),
            "order": (payment.order_check, bool(payment.order_url), bool(payment.public_token)),
            "decline": payment.decline_code,
        },
        "history": [
            (event.name, event.source, event.actor, sorted(event.data)) for event in payment.events.all()
        ],
        "confirmations": list(payment.confirmations.values_list("outcome", "status", "attempts", "unclear")),
        "refunds": list(
            payment.refunds.values_list("state", "minor_units", "decline_reason", "requested_by")
        ),
    }
