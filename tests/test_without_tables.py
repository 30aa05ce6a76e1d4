"""Commands on a database that nobody migrated say what to run."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from snipcart_checkout.checks import check_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings


class Elsewhere:
    """A router that keeps the ledger in a database without any tables."""

    def db_for_write(self, model: type, **_hints: object) -> str:
        return "empty"

    db_for_read = db_for_write


@pytest.fixture(autouse=True)
def _empty_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, django_db_setup: None, django_db_blocker: Any
) -> Iterator[None]:
    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}}
    monkeypatch.setitem(connections.settings, "empty", {**connections.settings["default"], **engine})
    settings.DATABASE_ROUTERS = ["tests.test_without_tables.Elsewhere"]
    with django_db_blocker.unblock():
        yield
        connections["empty"].close()
    del connections["empty"]


def test_the_doctor_says_what_to_run() -> None:
    printed = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("snipcart_doctor", "--offline", stdout=printed)
    assert end.value.code == 1
    assert "run manage.py migrate" in printed.getvalue()


def test_settle_says_what_to_run_and_does_nothing() -> None:
    with pytest.raises(CommandError, match=r"run manage\.py migrate"):
        call_command("snipcart_settle")


def test_the_checks_before_the_first_migration_are_silent() -> None:
    assert check_database(databases=["empty"]) == []
