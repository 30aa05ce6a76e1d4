"""Imported by the server of ``tests.support.processes``: does once what each of its forks would do for the first time."""

from __future__ import annotations

import gc
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

import tests.support.processes  # noqa: F401  # sets Django up
from snipcart_checkout.testing import StandIn
from snipcart_checkout.views.warming import warm
from tests.support import shoppers


def _rehearse(database: Path) -> None:
    """Pay and settle in a database of its own."""
    connection.settings_dict["NAME"] = database
    call_command("migrate", verbosity=0)
    with StandIn() as snipcart:
        checkout = {**settings.SNIPCART_CHECKOUT, **snipcart.settings}
        with override_settings(SNIPCART_CHECKOUT=checkout):
            shoppers.submit(lambda: None, snipcart.session().public_token, "acme_card")
            shoppers.settle_once(lambda: None)
    connection.close()


warm()
if connection.vendor == "sqlite":
    with TemporaryDirectory() as folder:
        _rehearse(Path(folder, "rehearsal.sqlite3"))
# A fork that collects garbage writes to each page of memory that it shares with its siblings.
gc.collect()
gc.freeze()
gc.disable()
