"""A shop for tests that lose processes: its settings, its provider's books, its till."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from django.db import connection

from snipcart_checkout.sandbox.core.bodies import refund_webhook
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession
from tests.support.backends import Provider
from tests.support.ledger_invariants import Books
from tests.support.processes import Processes

LOOKS_UP: Final = {"can_lookup": True, "repeat_is_safe": False}
REPEATS: Final = {"can_lookup": False, "repeat_is_safe": True}
NEITHER: Final = {"can_lookup": False, "repeat_is_safe": False}
CAN_BOTH: Final = {"can_lookup": True, "repeat_is_safe": True}
METHODS: Final = ("acme_card", "acme_wallet")


@dataclass(kw_only=True)
class Shop:
    """A store with two methods of one provider."""

    snipcart: StandIn
    provider: Provider
    processes: Processes
    checkout_settings: CheckoutSettings
    misled: set[str] = field(default_factory=set)

    @property
    def books(self) -> Books:
        return Books(snipcart=self.snipcart, provider=self.provider, misled=self.misled)

    @property
    def can_look_up(self) -> bool:
        """Whether the methods' backend can, as it is equipped now."""
        methods = self.checkout_settings()["STORES"]["live"]["METHODS"]
        return all(method["OPTIONS"].get("can_lookup", True) for method in methods.values())

    def equip(self, flags: Mapping[str, bool]) -> None:
        """Give both methods' backend what it can do."""
        for method in METHODS:
            self.checkout_settings.method(method, OPTIONS=flags)

    def refund_call(self, session: StandInSession, amount: str) -> tuple[str, str]:
        """The path and body that Snipcart posts for a refund of major units."""
        told = next(body for body in session.confirmations if "links" in body)
        path = urlsplit(told["links"]["refunds"]).path
        return path, json.dumps(refund_webhook(payment_id=told["transactionId"], amount=Decimal(amount)))


ISOLATION_LEVELS: Final = ("",) if connection.vendor == "sqlite" else ("read committed", "repeatable read")
"""How transactions of the processes may see each other; SQLite knows one way only."""


@pytest.fixture(params=ISOLATION_LEVELS, ids=lambda level: level.replace(" ", "-") or "serializable")
def isolation(request: pytest.FixtureRequest, shop: Shop) -> str:
    """Have the shop's processes use each isolation level."""
    level: str = request.param
    shop.processes.isolation = level
    return level


@pytest.fixture
def shop(
    snipcart: StandIn, checkout_settings: CheckoutSettings, tmp_path: Path, transactional_db: None
) -> Iterator[Shop]:
    """The shop, whose processes printed no secret and whose books are sound when the test ends."""
    provider = Provider(tmp_path / "provider")
    options = {"DIRECTORY": str(provider.directory)}
    for name in METHODS:
        backend = "tests.support.backends.ScriptedBackend"
        checkout_settings.method(name, BACKEND=backend, NAME=name, OPTIONS=options)
    # A machine that runs ten processes at once may be slow, and nothing here is about that.
    checkout_settings(CONNECT_TIMEOUT=60, READ_TIMEOUT=60, TOTAL_TIMEOUT=60)
    shop = Shop(
        snipcart=snipcart,
        provider=provider,
        processes=Processes(directory=tmp_path),
        checkout_settings=checkout_settings,
    )
    yield shop
    shop.books.assert_sound()
    shop.books.assert_kept_secret(shop.processes.printed())
