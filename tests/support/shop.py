"""A shop for tests that lose processes: its settings, its provider's books, its till."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from django.db import connection

from snipcart_checkout.sandbox.core.bodies import refund_webhook
from snipcart_checkout.testing import StandIn, StandInSession
from tests.support.backends import Provider
from tests.support.ledger_invariants import Books
from tests.support.processes import Processes

LOOKS_UP: Final = {"can_lookup": True, "repeat_is_safe": False}
REPEATS: Final = {"can_lookup": False, "repeat_is_safe": True}
NEITHER: Final = {"can_lookup": False, "repeat_is_safe": False}
CAN_BOTH: Final = {"can_lookup": True, "repeat_is_safe": True}


@dataclass(kw_only=True)
class Shop:
    """A store with two methods, ``acme_card`` and ``acme_wallet``, of one provider."""

    snipcart: StandIn
    provider: Provider
    processes: Processes
    settings: Any
    misled: set[str] = field(default_factory=set)

    @property
    def books(self) -> Books:
        return Books(snipcart=self.snipcart, provider=self.provider, misled=self.misled)

    @property
    def can_look_up(self) -> bool:
        """Whether the methods' backend can, as it is equipped now."""
        methods = self.settings.SNIPCART_CHECKOUT["STORES"]["live"]["METHODS"]
        return all(method["OPTIONS"]["FLAGS"].get("can_lookup", True) for method in methods.values())

    def equip(self, flags: Mapping[str, bool]) -> None:
        """Give both methods' backend what it can do."""
        checkout = copy.deepcopy(self.settings.SNIPCART_CHECKOUT)
        for method in checkout["STORES"]["live"]["METHODS"].values():
            method["OPTIONS"]["FLAGS"] = dict(flags)
        self.settings.SNIPCART_CHECKOUT = checkout

    def refund_call(self, session: StandInSession, amount: str) -> tuple[str, str]:
        """The path and body that Snipcart posts for a refund of major units."""
        told = next(body for body in session.confirmations if "links" in body)
        path = urlsplit(told["links"]["refunds"]).path
        return path, json.dumps(refund_webhook(payment_id=told["transactionId"], amount=Decimal(amount)))


def _method(name: str, directory: Path) -> dict[str, Any]:
    options = {"DIRECTORY": str(directory), "FLAGS": {}}
    return {"BACKEND": "tests.support.backends.ScriptedBackend", "NAME": name, "OPTIONS": options}


ISOLATION_LEVELS: Final = ("",) if connection.vendor == "sqlite" else ("read committed", "repeatable read")
"""How transactions of the processes may see each other; SQLite knows one way only."""


@pytest.fixture(params=ISOLATION_LEVELS, ids=lambda level: level.replace(" ", "-") or "serializable")
def isolation(request: pytest.FixtureRequest, shop: Shop) -> str:
    """Have the shop's processes use each isolation level."""
    level: str = request.param
    shop.processes.isolation = level
    return level


@pytest.fixture
def shop(snipcart: StandIn, settings: Any, tmp_path: Path, transactional_db: None) -> Iterator[Shop]:
    """The shop, whose processes printed no secret and whose books are sound when the test ends."""
    provider = Provider(tmp_path / "provider")
    checkout = copy.deepcopy(settings.SNIPCART_CHECKOUT)
    checkout["STORES"]["live"]["METHODS"] = {
        name: _method(name, provider.directory) for name in ("acme_card", "acme_wallet")
    }
    # A machine that runs ten processes at once may be slow, and nothing here is about that.
    patient = {"CONNECT_TIMEOUT": 60, "READ_TIMEOUT": 60, "TOTAL_TIMEOUT": 60}
    settings.SNIPCART_CHECKOUT = {**checkout, **patient}
    shop = Shop(
        snipcart=snipcart, provider=provider, processes=Processes(directory=tmp_path), settings=settings
    )
    yield shop
    shop.books.assert_sound()
    shop.books.assert_kept_secret(shop.processes.printed())
