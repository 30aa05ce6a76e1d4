"""A site that reads from a replica which lags: whatever decides about money is read where it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client

from snipcart_checkout import services
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.testing import StandIn, ask_for_refund
from tests.support.backends import Provider
from tests.support.ledger import pay, provider
from tests.support.ledger_invariants import let_time_pass
from tests.support.shopper import Shopper, address_of

__all__ = ["provider"]

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = (Payment, Confirmation, Refund, Event)


class ReadsFromReplica:
    """The router of such a site."""

    def db_for_read(self, model: Any, **_hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **_hints: Any) -> str:
        return "default"

    def allow_relation(self, *_models: Any, **_hints: Any) -> bool:
        return True


@pytest.fixture
def catch_up(settings: Any, tmp_path: Path, transactional_db: None) -> Iterator[Callable[[], None]]:
    """Reads go to a replica, which is empty; called, it shows the ledger as it is at that moment, and lags again."""
    connections.settings["replica"] = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "replica.sqlite3"),
        "OPTIONS": {"init_command": "PRAGMA synchronous=OFF"},
    }
    connections["replica"].connect()  # by hand: Django's tests allow only those that they know of
    call_command("migrate", "snipcart_checkout", database="replica", verbosity=0)
    settings.DATABASE_ROUTERS = ["tests.test_replicas.ReadsFromReplica"]

    def copy() -> None:
        for model in MODELS:
            rows: Any = list(model._base_manager.using("default").all())
            copies = model._base_manager.using("replica")
            copies.filter(pk__in=[row.pk for row in rows])._raw_delete("replica")
            copies.bulk_create(rows)

    yield copy
    connections["replica"].close()
    del connections["replica"]
    del connections.settings["replica"]


@pytest.fixture(params=["empty", "shows the charge under way"], autouse=True)
def replica(request: pytest.FixtureRequest, provider: Provider, catch_up: Callable[[], None]) -> None:
    if request.param != "empty":
        provider.meanwhile(catch_up)


def test_a_shopper_pays_once_and_is_shown_so(snipcart: StandIn, provider: Provider) -> None:
    session, shopper = snipcart.session(), Shopper()

    answers = [shopper.pay(session), shopper.open(session)]

    payment = Payment.objects.get()
    assert [answer["Location"] for answer in answers] == [address_of(payment)] * 2
    assert payment.state == "paid"
    assert shopper.look(payment).status_code == 200
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]
    assert len(provider.captures) == 1


def test_a_shopper_who_comes_back_has_paid(snipcart: StandIn, provider: Provider) -> None:
    provider.script(charge="redirect")
    payment = pay(snipcart)
    provider.complete(payment.reference)
    headers, body = provider.notification(payment.reference)

    Shopper().come_back(payment)
    notified = Client().post(
        "/checkout/live/notifications/acme_card/", body, content_type="application/json", headers=headers
    )

    payment.refresh_from_db()
    assert (payment.state, notified.status_code) == ("paid", 204)
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_a_refund_and_its_repeat_are_one(snipcart: StandIn, provider: Provider) -> None:
    pay(snipcart)
    (session,) = snipcart.sessions

    answers = [ask_for_refund(session, "3.10") for _ in range(2)]
    more = ask_for_refund(session, "9.20")
    too_much = ask_for_refund(session, "0.01")

    assert [answer.status_code for answer in (*answers, more, too_much)] == [200, 200, 200, 409]
    assert answers[0].json() == answers[1].json()
    assert sorted(refund["minor_units"] for refund in provider.refunds) == [310, 920]


def test_settling_finishes_what_was_left(snipcart: StandIn, provider: Provider) -> None:
    provider.script(after="raise")
    unknown = pay(snipcart)
    provider.script()
    snipcart.fail("payment", 503)
    undelivered = pay(snipcart)
    let_time_pass(timedelta(minutes=10))

    report = services.settle()

    assert (report.looked_up, report.failed_stages) == (1, ())
    for payment in (unknown, undelivered):
        payment.refresh_from_db()
        assert payment.state == "paid"
    assert len(snipcart.confirmations) == 2
    assert not Confirmation.objects.pending().exists()


def test_staff_end_a_case(snipcart: StandIn, provider: Provider) -> None:
    provider.script(amount="1.00")
    payment = pay(snipcart)
    assert payment.state == "review"

    assert services.list_resolutions(payment) == ["paid", "closed"]
    assert services.resolve_review(payment, "paid", note="", by="ada")

    payment.refresh_from_db()
    assert payment.state == "paid"
    assert services.count_open_cases().total == 0
    assert [event.name for event in payment.events.all()][-1] == "confirmation_delivered"
