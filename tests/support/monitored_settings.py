"""The settings of ``monitored_site``: hooks that fail."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import SNIPCART_CHECKOUT

DEBUG = False
ROOT_URLCONF = "tests.support.monitored_urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
SNIPCART_CHECKOUT = {
    **SNIPCART_CHECKOUT,
    "CONTEXT": "tests.support.monitored_site.context",
    "METHOD_FILTER": "tests.support.monitored_site.method_filter",
}
