"""Checks that ask the database how the ledger's tables are made, before money depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connection, connections

from snipcart_checkout.checks import TAG, check_database
from snipcart_checkout.models import Confirmation, Event
from snipcart_checkout.services import diagnose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings


def run(*databases: str) -> list[checks.CheckMessage]:
    messages = checks.run_checks(tags=[checks.Tags.database], databases=databases or None)
    return [message for message in messages if (message.id or "").startswith(TAG)]


def ids(*databases: str) -> list[str]:
    return [(message.id or "").removeprefix(f"{TAG}.") for message in run(*databases)]


class ReadReplica:
    """A router that sends reads elsewhere."""

    def db_for_read(self, model: type, **_hints: object) -> str:
        return "replica"

    def db_for_write(self, model: type, **_hints: object) -> str:
        return "default"


@pytest.mark.django_db
class TestTags:
    def test_tables_as_migrations_make_them_are_in_order(self) -> None:
        assert run("default") == []

    def test_nothing_is_asked_of_a_database_that_is_not_named(self) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError

        with connection.execute_wrapper(refuse):
            assert run() == []

    def test_another_database_than_the_ledgers_is_left_alone(self) -> None:
        def refuse(*_: object) -> None:
            raise AssertionError

        with connection.execute_wrapper(refuse):
            assert check_database(databases=["elsewhere"]) == []

    def test_the_check_command_runs_them_for_a_database(self) -> None:
        call_command("check", "--database", "default", "--tag", "database")


@pytest.mark.django_db
def test_reads_that_a_router_sends_elsewhere_are_told_and_are_no_mistake(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connections.settings, "replica", connections.settings["default"])
    settings.DATABASE_ROUTERS = ["tests.test_database_checks.ReadReplica"]
    (message,) = checks.run_checks(tags=[TAG])
    assert message.id == "snipcart_checkout.I301"
    assert message.level == checks.INFO
    assert "DATABASES['replica']" in message.msg


@pytest.fixture
def alter(django_db_blocker: object) -> Iterator[Callable[[str, str], None]]:
    """Run a statement, and the other one that undoes it after the test."""
    undo: list[str] = []

    def execute(statement: str, undoing: str) -> None:
        undo.append(undoing)
        with connection.cursor() as cursor:
            cursor.execute(statement)

    yield execute
    with connection.cursor() as cursor:
        for statement in reversed(undo):
            cursor.execute(statement)


if connection.vendor == "mysql":

    @pytest.mark.django_db(transaction=True)
    class TestMariaDB:
        EVENTS = Event._meta.db_table

        def test_a_column_that_is_not_utf8mb4_is_refused(self, alter: Callable[[str, str], None]) -> None:
            table = Confirmation._meta.db_table
            alter(
                f"ALTER TABLE {table} MODIFY body longtext CHARACTER SET latin1 NOT NULL",
                f"ALTER TABLE {table} MODIFY body longtext CHARACTER SET utf8mb4 NOT NULL",
            )
            (message,) = run("default")
            assert message.id == "snipcart_checkout.E401"
            assert "body" in message.msg
            assert message.hint == f"ALTER TABLE `{table}` CONVERT TO CHARACTER SET utf8mb4;"

        def test_the_doctor_tells_it_too(self, alter: Callable[[str, str], None]) -> None:
            table = Confirmation._meta.db_table
            alter(
                f"ALTER TABLE {table} MODIFY body longtext CHARACTER SET latin1 NOT NULL",
                f"ALTER TABLE {table} MODIFY body longtext CHARACTER SET utf8mb4 NOT NULL",
            )
            assert "snipcart_checkout.E401" in [message.id for message in diagnose(offline=True).messages]
            with pytest.raises(CommandError, match=r"snipcart_checkout\.E401"):
                call_command("check", "--database", "default", "--tag", "database")

        def test_uuids_that_are_text_where_uuid_is_native_are_refused(
            self, alter: Callable[[str, str], None]
        ) -> None:
            assert connection.features.has_native_uuid_field
            alter(
                f"ALTER TABLE {self.EVENTS} MODIFY uid char(32) NOT NULL",
                f"ALTER TABLE {self.EVENTS} MODIFY uid uuid NOT NULL",
            )
            (message,) = run("default")
            assert message.id == "snipcart_checkout.E402"
            assert "char where this Django expects uuid: uid" in message.msg

        def test_native_uuids_where_this_django_sends_text_are_refused(
            self, monkeypatch: pytest.MonkeyPatch
        ) -> None:
            monkeypatch.setattr(connection.features, "has_native_uuid_field", False)
            assert set(ids("default")) == {"E402"}

        def test_a_table_without_transactions_is_refused(self, alter: Callable[[str, str], None]) -> None:
            alter(f"RENAME TABLE {self.EVENTS} TO kept", f"RENAME TABLE kept TO {self.EVENTS}")
            alter(f"CREATE TABLE {self.EVENTS} (id integer) ENGINE=Aria", f"DROP TABLE {self.EVENTS}")
            (message,) = run("default")
            assert message.id == "snipcart_checkout.E403"
            assert "Aria" in message.msg

        def test_a_connection_that_is_not_utf8mb4_is_refused(self) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET NAMES latin1")
            try:
                assert ids("default") == ["E404"]
            finally:
                with connection.cursor() as cursor:
                    cursor.execute("SET NAMES utf8mb4")


if connection.vendor == "postgresql":

    @pytest.mark.django_db
    def test_postgresql_keeps_uuids_as_uuids() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {Event._meta.db_table} ALTER COLUMN uid TYPE char(36)")
        assert ids("default") == ["E402"]
