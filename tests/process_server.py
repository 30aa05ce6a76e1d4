"""Imported by the server of ``tests.processes``: loads once what each of its forks would load for itself."""

from __future__ import annotations

from django.test import Client

import tests.processes  # sets Django up
import tests.shoppers  # noqa: F401
from snipcart_checkout.warming import warm

warm()
Client().get("/checkout/")  # a page without a token: no database, no Snipcart
