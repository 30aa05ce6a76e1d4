"""No query that a page, a webhook or snipcart_settle makes reads through a whole table, or through all that ever ended.

Whatever they ask the database in one walk through the app is asked again with EXPLAIN, of a ledger that holds enough to
make an index worth its while.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations_with_replacement
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
from tests.support.desk import LIST, boss
from tests.support.ledger import pay, provider, unknown_refund
from tests.test_views import get_page

__all__ = ["boss", "provider"]

pytestmark = pytest.mark.django_db(transaction=True)

PAYMENTS = 100 if connection.vendor == "sqlite" else 10_000
# Four payments of a hundred were declined, given up or reviewed, and most of them years ago.
MOST_READ = PAYMENTS // 50
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


def rows_of_postgresql(statement: str) -> list[int]:
    """How many rows each step of a statement read in vain."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF) " + statement.replace("%", "%%"), ())
        plan = "\n".join(line for (line,) in cursor.fetchall())
    return [int(rows) for rows in re.findall(r"Rows Removed by Filter: (\d+)", plan)]


def rows_of_mariadb(statement: str) -> list[int]:
    """How many rows of each table a statement read."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE " + statement.replace("%", "%%"), ())
        # As of EXPLAIN, with r_rows behind rows: "3.00", or "3.00 (50%)" where a filter of keys took part.
        return [round(float(row[9].split()[0])) for row in cursor.fetchall() if row[9]]


def rows_of_sqlite(statement: str) -> list[int]:
    # It does not tell.
    return []


COUNTERS = {"postgresql": rows_of_postgresql, "mysql": rows_of_mariadb, "sqlite": rows_of_sqlite}


def find_long_reads(statements: list[str]) -> Iterator[str]:
    for statement in statements:
        if statement.startswith("SELECT"):
            read = max(COUNTERS[connection.vendor](statement), default=0)
            if read > MOST_READ:
                yield f"{read} rows\n    of {statement}"


def visits_of_postgresql(statement: str) -> Iterator[int]:
    """How many rows of a table each step went to in vain; what is told by an index alone does not count."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF) " + statement.replace("%", "%%"), ())
        step = ""
        for (line,) in cursor.fetchall():
            step = line if " Scan " in line else step
            removed = re.search(r"Rows Removed by Filter: (\d+)", line)
            if removed and "Index Only Scan" not in step:
                yield int(removed[1])


def visits_of_mariadb(statement: str) -> Iterator[int]:
    """How many rows of the ledger each step went to in vain; what is told by an index alone does not count."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE " + statement.replace("%", "%%"), ())
        for row in cursor.fetchall():
            if (
                row[9]
                and TABLE.fullmatch(str(row[2]))
                and not re.search(r"Using index(?! condition)", row[-1])
            ):
                # r_rows, and of these r_filtered in a hundred were not in vain.
                kept = 100 if row[11] is None else float(row[11])
                yield round(float(row[9].split()[0]) * (1 - kept / 100))


def visits_of_sqlite(statement: str) -> Iterator[int]:
    # It does not tell.
    return iter(())


VISITS = {"postgresql": visits_of_postgresql, "mysql": visits_of_mariadb, "sqlite": visits_of_sqlite}


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


def test_nothing_reads_through_all_that_ended_long_ago(
    ledger: None, snipcart: StandIn, provider: Provider, client: Client
) -> None:
    with CaptureQueriesContext(connection) as captured:
        walk(snipcart, provider, client)

    assert "\n".join(find_long_reads(asked_of_the_ledger(captured))) == ""


def test_the_counter_of_rows_finds_a_long_read(ledger: None) -> None:
    statement = (
        "SELECT reference FROM snipcart_checkout_payment WHERE state = 'declined' AND order_hash = 'x'"
    )

    assert bool(list(find_long_reads([statement]))) is (connection.vendor != "sqlite")


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


def days_ago(name: str, *days: int) -> dict[str, str]:
    since, until = ((timezone.now() - timedelta(days=number)).isoformat() for number in days)
    return {f"{name}__gte": since, f"{name}__lt": until}


FILTERS = {
    "paid": {"state__exact": "paid"},
    "declined": {"state__exact": "declined"},
    "captured": {"captured_at__isnull": "False"},
    "not captured": {"captured_at__isnull": "True"},
    "captured a year ago": days_ago("captured_at", 700, 350),
    "created a year ago": days_ago("created_at", 700, 350),
    "created lately": days_ago("created_at", 300, 0),
    "store": {"store": "live"},
    "method": {"method": "acme_card"},
    "currency": {"currency": "EUR"},
}


def lists_of_staff(boss: Client, query: dict[str, str]) -> list[str]:
    """What the list of payments asks for its count and its keys."""
    with CaptureQueriesContext(connection) as captured:
        assert boss.get(LIST, query).status_code == 200
    return [
        sql for sql in asked_of_the_ledger(captured) if "LIMIT" in sql and "snipcart_checkout_payment" in sql
    ]


def test_no_two_filters_of_the_admin_go_to_rows_in_vain(ledger: None, boss: Client) -> None:
    """Not even two that contradict each other, such as paid and not captured, for which there is no row to stop at."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) snipcart_checkout_payment")  # as it does by itself in time
    queries = [{**FILTERS[one], **FILTERS[other]} for one, other in combinations_with_replacement(FILTERS, 2)]
    queries += [{"o": "2"}, {"o": "-2"}, {"o": "1"}]

    found = [
        f"{visits} rows for {query}\n    of {statement}"
        for query in queries
        for statement in lists_of_staff(boss, query)
        for visits in VISITS[connection.vendor](statement)
        if visits > MOST_READ
    ]

    assert "\n".join(found) == ""


def test_the_counter_of_visits_finds_rows_that_are_gone_to_in_vain(ledger: None) -> None:
    statement = "SELECT reference FROM snipcart_checkout_payment WHERE order_hash = 'x'"

    found = max(VISITS[connection.vendor](statement), default=0)

    assert (found > MOST_READ) is (connection.vendor != "sqlite")
