"""No query that a page, a webhook or snipcart_settle makes reads through a whole table.

Whatever they ask the database in one walk through the app is asked again with EXPLAIN, of a ledger that holds enough to
make an index worth its while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bench.seeding import analyse, seed_ledger, seed_pending
from snipcart_checkout import services
from snipcart_checkout.models import Payment
from snipcart_checkout.services.alerts import alert_about_missing_settle
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import pay, provider, unknown_refund
from tests.test_views import get_page

__all__ = ["provider"]

pytestmark = pytest.mark.django_db(transaction=True)

PAYMENTS = 100 if connection.vendor == "sqlite" else 10_000
TABLE = re.compile(r"snipcart_checkout_(?:payment|confirmation|refund|event)")


def walk(snipcart: StandIn, provider: Provider, client: Client) -> None:
    """Everything that shoppers, Snipcart, providers and the schedule ask of the ledger."""
    get_page(client, snipcart.session())
    payment = pay(snipcart)
    client.get(f"/checkout/payments/{payment.reference}/")
    client.get(f"/checkout/payments/{payment.reference}/return/")
    services.refund_by_staff(payment, 100, by="ada")
    unknown_refund(provider, payment, 50)
    provider.script(charge="pending")
    pay(snipcart)
    provider.script(charge="nonsense")
    pay(snipcart)
    provider.script()
    long_ago = timezone.now() - timedelta(hours=2)
    Payment.objects.exclude(state="paid").filter(created_at__gt=long_ago).update(
        claimed_at=long_ago, answered_at=long_ago
    )
    alert_about_missing_settle()
    services.settle()
    services.get_settle_overdue_since()
    services.count_open_cases()


def scans_of_postgresql(plan: list[tuple[Any, ...]]) -> list[str]:
    return [line for (line,) in plan if "Seq Scan on snipcart_checkout_" in line]


def scans_of_mariadb(plan: list[tuple[Any, ...]]) -> list[str]:
    # The columns are id, select_type, table, type, possible_keys, key, key_len, ref, rows, Extra.
    return [str(row) for row in plan if row[3] in {"ALL", "index"} and int(row[8] or 0) > PAYMENTS // 20]


def scans_of_sqlite(plan: list[tuple[Any, ...]]) -> list[str]:
    # It knows how many values a column has and not how many rows hold each, so it may well prefer to read them all.
    return []


READERS: dict[str, tuple[str, Callable[[list[tuple[Any, ...]]], list[str]]]] = {
    "postgresql": ("EXPLAIN ", scans_of_postgresql),
    "mysql": ("EXPLAIN ", scans_of_mariadb),
    "sqlite": ("EXPLAIN QUERY PLAN ", scans_of_sqlite),
}


def find_scans(statements: list[str]) -> Iterator[str]:
    word, scans = READERS[connection.vendor]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(word + statement.replace("%", "%%"), ())
            for scan in scans(list(cursor.fetchall())):
                yield f"{scan}\n    of {statement}"


def asked_of_the_ledger(captured: CaptureQueriesContext) -> list[str]:
    """Each statement once, whatever the values in it."""
    found: dict[str, str] = {}
    for query in captured.captured_queries:
        statement = query["sql"]
        if TABLE.search(statement) and statement.startswith(("SELECT", "UPDATE")):
            found.setdefault(re.sub(r"'[^']*'|\b\d+\b", "?", statement), statement)
    return list(found.values())


@pytest.fixture
def ledger() -> None:
    seed_ledger(PAYMENTS, method="acme_card", refunded_each=2)
    analyse()


def test_nothing_reads_through_a_whole_table(
    ledger: None, snipcart: StandIn, provider: Provider, client: Client
) -> None:
    with CaptureQueriesContext(connection) as captured:
        walk(snipcart, provider, client)
    statements = asked_of_the_ledger(captured)

    assert len(statements) > 40
    assert "\n".join(find_scans(statements)) == ""


def test_an_outage_leaves_nothing_that_reads_through_a_whole_table(
    ledger: None, snipcart: StandIn, provider: Provider
) -> None:
    seed_pending(300, method="acme_card")
    snipcart.fail("payment-session", 503, times=None)
    with CaptureQueriesContext(connection) as captured:
        services.settle(time_limit=1)
        services.count_open_cases()

    assert "\n".join(find_scans(asked_of_the_ledger(captured))) == ""


def test_the_reader_of_plans_finds_a_scan(ledger: None) -> None:
    statement = "SELECT reference FROM snipcart_checkout_payment WHERE order_hash = 'x'"

    assert bool(list(find_scans([statement]))) is (connection.vendor != "sqlite")
