"""The ledger moves to another database by Django's own commands, as docs/howto/moving-databases.md says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.models import Model

from snipcart_checkout import services
from snipcart_checkout.models import Confirmation, Event, Payment, Refund
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import pay, provider

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

TABLES: tuple[type[Model], ...] = (Payment, Confirmation, Refund, Event)


def rows() -> list[list[dict[str, object]]]:
    found = [table._default_manager.order_by("pk").values() for table in TABLES]
    return [
        [{name: to_milliseconds(value) for name, value in row.items()} for row in table] for table in found
    ]


def to_milliseconds(value: object) -> object:
    """As precise as Django's JSON is."""
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    return value


def test_every_row_of_the_ledger_survives_the_move(
    snipcart: StandIn, provider: Provider, tmp_path: Path
) -> None:
    services.refund_by_staff(pay(snipcart), 100, by="ada")
    before = rows()
    assert all(before)

    call_command("dumpdata", "snipcart_checkout", natural_foreign=True, output=str(tmp_path / "ledger.json"))
    Event.objects.all().prune()
    for table in (Refund, Confirmation, Payment):
        table.objects.all().delete()
    call_command("loaddata", str(tmp_path / "ledger.json"), verbosity=0)

    assert rows() == before
