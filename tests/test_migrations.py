"""Migrations only add, and can be taken back and forth with a full ledger."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, migrations
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from snipcart_checkout.models import Confirmation, Event, Payment, Refund, new_reference, to_short_reference

APP = "snipcart_checkout"
FIRST = "0001_initial"
ADDING = (
    migrations.CreateModel,
    migrations.AddField,
    migrations.AddIndex,
    migrations.AddConstraint,
    migrations.AlterModelOptions,
)


def files() -> list[tuple[str, Any]]:
    loader = MigrationLoader(None)
    return [
        (name, migration) for (app, name), migration in sorted(loader.disk_migrations.items()) if app == APP
    ]


@pytest.fixture
def ledger(transactional_db: None) -> Iterator[Any]:
    """The tables as the first release made them, as historical models; the newest come back afterwards."""
    try:
        yield migrate(FIRST)
    finally:
        migrate(files()[-1][0])


def migrate(name: str | None) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([(APP, name)])
    return executor.loader.project_state([(APP, name)]).apps if name else None


def fill(ledger: Any) -> None:
    """A row in every state, one that only a newer release knows included."""
    payment_model = ledger.get_model(APP, "Payment")
    for state in [*Payment.State.values, "quarantined"]:
        reference = new_reference()
        payment = payment_model.objects.create(
            reference=reference,
            short_reference=to_short_reference(reference),
            store="live",
            method="acme_card",
            session_id=f"session {state}",
            session_key=state,
            live_key=None if state in {"declined", "abandoned", "review"} else state,
            state=state,
            minor_units=1000,
            captured_minor_units=1000,
            captured_currency="EUR",
            refunded_minor_units=1000,
            currency="EUR",
            order_hash="0" * 64,
            language="en",
            review_reason="unanswered" if state == "review" else "",
            capability_hash=uuid.uuid4().hex,
            captured_at="2026-11-01T10:00:00Z",
        )
        for outcome in Confirmation.Outcome.values:
            payment.confirmations.create(session_key=state, outcome=outcome, body="{}")
        for refund in Refund.State.values:
            payment.refunds.create(minor_units=100, state=refund, requested_by="ada")
        payment.events.create(name=state, source=Event.Source.STAFF, actor="ada")


def rows() -> dict[str, list[Any]]:
    """Everything that the first release knew of, read without the models."""
    found = {}
    columns = {
        "payment": "session_id, state, minor_units, captured_minor_units, refunded_minor_units, live_key",
        "confirmation": "session_key, outcome, status, body",
        "refund": "id, state, minor_units, requested_by",
        "event": "name, source, actor",
    }
    with connection.cursor() as cursor:
        for table, names in columns.items():
            cursor.execute(f"SELECT {names} FROM {APP}_{table}")
            found[table] = sorted(map(str, cursor.fetchall()))
    return found


@pytest.mark.django_db
def test_the_models_are_migrated() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_a_fresh_ledger_is_made_by_one_migration() -> None:
    """Nothing has been released, so there is no past to carry along."""
    (name, first), *_later = files()
    assert (name, first.initial) == (FIRST, True)
    created = {op.name for op in first.operations if isinstance(op, migrations.CreateModel)}
    assert created == {model.__name__ for model in apps.get_app_config(APP).get_models()}


def test_migrations_only_add() -> None:
    operations = [operation for _name, file in files() for operation in file.operations]
    assert operations
    assert all(isinstance(operation, ADDING) for operation in operations)


def test_every_migration_can_be_taken_back() -> None:
    assert all(operation.reversible for _, file in files() for operation in file.operations)


def test_a_full_ledger_goes_to_the_newest_release_and_back(ledger: Any) -> None:
    fill(ledger)
    before = rows()
    assert [len(found) for found in before.values()] == [8, 32, 40, 8]

    migrate(files()[-1][0])
    assert rows() == before

    migrate(FIRST)
    assert rows() == before


def test_the_newest_release_reads_what_the_first_wrote(ledger: Any) -> None:
    fill(ledger)

    migrate(files()[-1][0])

    assert {payment.state for payment in Payment.objects.all()} == {*Payment.State.values, "quarantined"}
    assert Payment.objects.live().count() == 5
    assert Refund.objects.filter(alerted_at__isnull=True).count() == 40


def test_the_app_can_be_removed_without_a_trace(ledger: Any) -> None:
    fill(ledger)

    migrate(None)

    assert not [table for table in connection.introspection.table_names() if table.startswith(f"{APP}_pay")]


def test_the_primary_keys_do_not_depend_on_the_project() -> None:
    assert apps.get_app_config(APP).default_auto_field == "django.db.models.BigAutoField"
