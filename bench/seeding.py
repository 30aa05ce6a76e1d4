"""A ledger as years of business leave it, written past the models: a million payments in minutes.

Run with Django set up. Most payments are paid and delivered long ago; some were declined or abandoned, every hundredth
refunded, and every thousandth needed review and was closed. Nothing is due.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from snipcart_checkout.models import Confirmation, Event, Payment, Refund

BATCH = 2000
YEARS = 3
STATES = ("paid",) * 960 + ("declined",) * 29 + ("abandoned",) * 10 + ("review",)
ENDED_WITH = {"paid": "processed", "declined": "failed", "abandoned": "invalidated", "review": "processed"}


def seed_ledger(
    payments: int, *, store: str = "live", method: str = "acme_transfer", refunded_each: int = 100
) -> None:
    """Add so many finished payments with their confirmations, events and, of each so-many-th, a refund."""
    drawn = random.Random(payments)
    now = timezone.now()
    numbers = iter(range(payments))
    while batch := list(islice(numbers, BATCH)):
        rows = [a_payment(drawn, now, number, store, method) for number in batch]
        for payment in rows[::refunded_each]:
            payment.refunded_minor_units = 50 if payment.captured_at else 0
        insert(Payment, rows)
        insert(Confirmation, [a_confirmation(payment) for payment in rows])
        insert(Event, [event for payment in rows for event in its_events(payment)])
        insert(Refund, [a_refund(payment) for payment in rows if payment.refunded_minor_units])


def seed_pending(confirmations: int, *, store: str = "live", method: str = "acme_transfer") -> None:
    """Add so many paid payments of which an outage kept Snipcart from being notified."""
    drawn = random.Random(confirmations)
    now = timezone.now()
    numbers = iter(range(confirmations))
    while batch := list(islice(numbers, BATCH)):
        rows = [a_payment(drawn, now, number, store, method, age=timedelta(hours=6)) for number in batch]
        for payment in rows:
            payment.state, payment.review_reason, payment.resolved_at = "paid", "", None
            payment.captured_at, payment.captured_minor_units = payment.created_at, payment.minor_units
            payment.live_key, payment.order_check = payment.session_key, "same"
        insert(Payment, rows)
        waiting = [a_confirmation(payment) for payment in rows]
        for confirmation in waiting:
            confirmation.outcome, confirmation.status, confirmation.finished_at = "processed", "pending", None
            confirmation.attempts, confirmation.due_at = 3, now - timedelta(seconds=drawn.randrange(3600))
        insert(Confirmation, waiting)


def a_payment(
    drawn: random.Random,
    now: datetime,
    number: int,
    store: str,
    method: str,
    *,
    age: timedelta = timedelta(days=365 * YEARS),
) -> Payment:
    reference = uuid.UUID(int=drawn.getrandbits(128), version=4)
    state = drawn.choice(STATES)
    moment = now - timedelta(days=4) * (age.days > 4) - age * drawn.random()
    units = drawn.randrange(100, 50_000)
    is_captured = state in {"paid", "review"}
    key = f"{drawn.getrandbits(256):064x}"
    return Payment(
        reference=reference,
        short_reference=f"{drawn.getrandbits(12):03X}{number:05X}"[-8:],
        version=2,
        store=store,
        method=method,
        session_id=str(uuid.UUID(int=drawn.getrandbits(128))),
        session_key=key,
        cart_id=str(uuid.UUID(int=drawn.getrandbits(128))),
        cart_key=f"{drawn.getrandbits(256):064x}",
        live_key=key if state == "paid" else None,
        state=state,
        minor_units=units,
        currency="EUR",
        captured_minor_units=units if is_captured else None,
        captured_currency="EUR" if is_captured else "",
        order_hash="0" * 64,
        order_check="same" if is_captured else "",
        language="fr",
        transaction_id=f"tx-{key[:20]}" if is_captured else "",
        transaction_key=f"{drawn.getrandbits(256):064x}" if is_captured else None,
        capability_hash=f"{drawn.getrandbits(256):064x}",
        decline_code="card_declined" if state == "declined" else "",
        review_reason="outcome_unknown" if state == "review" else "",
        cart_url="https://shop.example/#/checkout",
        order_url="https://shop.example/#/order",
        created_at=moment,
        updated_at=moment,
        claimed_at=moment,
        answered_at=moment,
        captured_at=moment if is_captured else None,
        reported_at=moment if state == "review" else None,
        resolved_at=moment if state == "review" else None,
    )


def a_confirmation(payment: Payment) -> Confirmation:
    return Confirmation(
        payment=payment,
        session_key=payment.session_key,
        outcome=ENDED_WITH[payment.state],
        status="delivered",
        body='{"paymentSessionId":"' + payment.session_id + '","state":"processed"}',
        attempts=1,
        last_http_status=200,
        created_at=payment.created_at,
        due_at=payment.created_at,
        finished_at=payment.created_at,
    )


def its_events(payment: Payment) -> Iterator[Event]:
    for name in ("charging", payment.state, "confirmation_delivered"):
        yield Event(payment=payment, at=payment.created_at, name=name, source="shopper")


def a_refund(payment: Payment) -> Refund:
    return Refund(
        payment=payment,
        minor_units=payment.refunded_minor_units,
        state="refunded",
        created_at=payment.created_at,
        updated_at=payment.created_at,
    )


def insert(model: type[Model], rows: Sequence[Model]) -> None:
    """Write rows as they are, in one statement or one stream."""
    if not rows:
        return
    fields = [
        field
        for field in model._meta.concrete_fields
        if not (field.primary_key and field.attname == "id" and model is not Refund)
    ]
    table, columns = (
        connection.ops.quote_name(model._meta.db_table),
        ", ".join(connection.ops.quote_name(str(field.column)) for field in fields),
    )
    values = (
        [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields] for row in rows
    )
    if connection.vendor == "postgresql":
        copy(f"COPY {table} ({columns}) FROM STDIN", values)  # the database's own way in for many rows
    else:
        marks = ", ".join(["%s"] * len(fields))
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values))


def copy(statement: str, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        for row in rows:
            stream.write_row(row)


def analyse() -> None:
    """Have the database look at what it holds now, as it does by itself in time."""
    tables = [model._meta.db_table for model in (Payment, Confirmation, Refund, Event)]
    with connection.cursor() as cursor:
        for table in tables:
            name = connection.ops.quote_name(table)
            cursor.execute(f"ANALYZE TABLE {name}" if connection.vendor == "mysql" else f"ANALYZE {name}")
