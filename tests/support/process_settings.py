"""The settings of a command that a test starts: the site's, with the test's own database and stand-in."""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DEBUG = False
SILENCED_SYSTEM_CHECKS = ["snipcart_checkout.sandbox.E001"]  # installed for other tests
DATABASES["default"]["NAME"] = os.environ["SNIPCART_TEST_DATABASE_NAME"]
SNIPCART_CHECKOUT = json.loads(os.environ["SNIPCART_TEST_CHECKOUT"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "DEBUG"},
}
