"""What a server loads before its first page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
START = """
import sys
from importlib import import_module
import_module(sys.argv[1])
from django.conf import settings
from tests import settings as own
values = {name: getattr(own, name) for name in dir(own) if name.isupper()}
values["SNIPCART_CHECKOUT"]["STORES"]["live"]["METHODS"] = {
    name: {"BACKEND": path, "NAME": name} for name, path in {
        "shop_card": "snipcart_checkout.backends.stripe.StripeBackend",
        "shop_lost": "nowhere.at.all",
        "shop_broken": "tests.support.broken_backend.Backend",
    }.items()
}
settings.configure(**values)
import django
django.setup()
from django.template import engines
(cached,) = engines["django"].engine.template_loaders
templates = [name for name in cached.get_template_cache if "snipcart_checkout/" in name]
print("stripe" in sys.modules, "snipcart_checkout.urls" in sys.modules, len(templates) > 5)
"""


def start(module: str) -> str:
    command = [sys.executable, "-c", START, module]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("server", ["django.core.wsgi", "django.core.asgi"])
def test_a_server_loads_the_pages_and_every_backend_that_can_be_loaded(server: str) -> None:
    assert start(server) == "True True True"


def test_a_command_loads_none_of_them() -> None:
    assert start("django.core.management") == "False False False"
