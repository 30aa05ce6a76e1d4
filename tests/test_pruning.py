"""``manage.py snipcart_prune`` takes away what ended long ago, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from snipcart_checkout import services
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import in_review, pay, provider, refused_by_snipcart, unknown_refund
from tests.support.ledger_invariants import let_time_pass

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

YEAR = timedelta(days=365)
Make = Callable[[StandIn, Provider], Payment]


def paid(snipcart: StandIn, provider: Provider) -> Payment:
    payment = pay(snipcart)
    services.refund_by_staff(payment, 300, by="ada")
    return payment


def declined(snipcart: StandIn, provider: Provider) -> Payment:
    provider.script(charge="declined")
    return pay(snipcart)


def close(payment: Payment) -> Payment:
    assert services.resolve_review(payment, "closed", note="settled elsewhere", by="ada")
    return payment


def closed(snipcart: StandIn, provider: Provider) -> Payment:
    return close(refused_by_snipcart(snipcart))


def closed_with_a_refund_in_doubt(snipcart: StandIn, provider: Provider) -> Payment:
    payment = pay(snipcart)
    in_review(unknown_refund(provider, payment))
    return close(payment)


def pending(snipcart: StandIn, provider: Provider) -> Payment:
    provider.script(charge="pending")
    return pay(snipcart)


def unknown(snipcart: StandIn, provider: Provider) -> Payment:
    provider.script(charge="nonsense")
    return pay(snipcart)


def in_doubt(snipcart: StandIn, provider: Provider) -> Payment:
    payment = pay(snipcart)
    unknown_refund(provider, payment)
    return payment


def with_a_provisional_refund(snipcart: StandIn, provider: Provider) -> Payment:
    payment = pay(snipcart)
    services.refund_by_staff(payment, 300, by="ada")
    Refund.objects.update(is_provisional=True)
    return payment


def with_an_open_case(snipcart: StandIn, provider: Provider) -> Payment:
    provider.script(amount="1.00")
    return pay(snipcart)


def undelivered(snipcart: StandIn, provider: Provider) -> Payment:
    snipcart.fail("payment", 503)
    return pay(snipcart)


def closed_and_undelivered(snipcart: StandIn, provider: Provider) -> Payment:
    """One whose confirmation a machine still delivers: it was not late when its other case was closed."""
    payment = undelivered(snipcart, provider)
    Payment.objects.update(review_reason="cart_paid_twice")
    payment.refresh_from_db()
    close(payment)
    assert payment.confirmations.get().status == Confirmation.Status.PENDING
    return payment


def closed_with_a_later_refund_in_doubt(snipcart: StandIn, provider: Provider) -> Payment:
    payment = closed(snipcart, provider)
    unknown_refund(provider, payment)
    return payment


def closed_with_a_provisional_refund(snipcart: StandIn, provider: Provider) -> Payment:
    payment = with_a_provisional_refund(snipcart, provider)
    Payment.objects.update(review_reason="disputed")
    payment.refresh_from_db()
    return close(payment)


@pytest.mark.parametrize("make", [paid, declined, closed, closed_with_a_refund_in_doubt])
def test_what_ended_long_ago_is_taken_away_with_all_that_belongs_to_it(
    snipcart: StandIn, provider: Provider, make: Make
) -> None:
    payment = make(snipcart, provider)
    let_time_pass(YEAR)
    young = pay(snipcart)
    counts = {
        "payments": 1,
        "confirmations": payment.confirmations.count(),
        "refunds": payment.refunds.count(),
        "events": payment.events.count(),
    }

    assert vars(services.prune(older_than=YEAR - timedelta(days=1), dry_run=True)) == counts
    assert Payment.objects.count() == 2
    assert vars(services.prune(older_than=YEAR - timedelta(days=1))) == counts

    assert Payment.objects.get() == young
    for model in (Confirmation, Refund, Event):
        assert not model.objects.exclude(payment=young).exists()


@pytest.mark.parametrize(
    "make",
    [
        pending,
        unknown,
        in_doubt,
        with_a_provisional_refund,
        with_an_open_case,
        undelivered,
        closed_and_undelivered,
        closed_with_a_later_refund_in_doubt,
        closed_with_a_provisional_refund,
    ],
)
def test_what_is_unfinished_undelivered_or_an_open_case_stays(
    snipcart: StandIn, provider: Provider, make: Make
) -> None:
    payment = make(snipcart, provider)
    let_time_pass(YEAR)

    services.prune(older_than=timedelta(days=1))

    assert Payment.objects.get() == payment


def test_what_was_touched_lately_stays(snipcart: StandIn, provider: Provider) -> None:
    payment = pay(snipcart)
    let_time_pass(YEAR)
    services.mark_given_back(payment, 300, by="ada")

    services.prune(older_than=timedelta(days=30))

    assert Payment.objects.get() == payment


def test_many_are_taken_away_in_batches(
    snipcart: StandIn, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snipcart_checkout.services.pruning._BATCH", 2)
    for _ in range(5):
        pay(snipcart)
    let_time_pass(YEAR)

    assert services.prune(older_than=timedelta(days=30)).payments == 5
    assert not Payment.objects.exists()


def test_the_command_says_what_it_did_or_would_do(
    snipcart: StandIn, provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    pay(snipcart)
    let_time_pass(YEAR)

    call_command("snipcart_prune", "--older-than", "30", "--dry-run")
    assert "Would be deleted: 1 payments, 1 confirmations, 0 refunds, 3 events" in capsys.readouterr().out
    call_command("snipcart_prune", "--older-than", "30")
    assert "Deleted: 1 payments, 1 confirmations, 0 refunds, 3 events" in capsys.readouterr().out
    assert not Payment.objects.exists()


@pytest.mark.parametrize("days", ["0", "-1", "x", "1.5", "40000"])
def test_the_command_takes_a_number_of_days_only(days: Any) -> None:
    with pytest.raises(CommandError, match="a whole number of days"):
        call_command("snipcart_prune", "--older-than", days)
