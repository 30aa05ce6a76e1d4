"""A backend to begin with: what the command writes passes the contract, and takes an order's money."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.core.management import CommandError, call_command
from django.test import Client

from snipcart_checkout.models import Payment
from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.shoppers import fields_of
from tests.support.written_backend import acme

__all__ = ["acme"]

ROOT = Path(__file__).parent.parent


def test_what_is_written_passes_the_contract(tmp_path: Path) -> None:
    names = ("acme", "big_pay2")
    for name in names:
        call_command("snipcart_startbackend", name, directory=str(tmp_path), verbosity=0)
    assert {path.name for path in tmp_path.iterdir()} == {
        file for name in names for file in (f"{name}.py", f"{name}_stand_in.py", f"test_{name}.py")
    }
    done = run_tests(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def run_tests(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run pytest there with pytest-django alone: other plugins take longer to load than the tests to run."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "pytest_django.plugin"]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "REQUIRE_"))}
    environment = {
        **kept,
        "PYTHONPATH": f"{ROOT}:{directory}",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return subprocess.run(
        [*command, "--rootdir", directory, directory],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=directory,
    )


@pytest.mark.parametrize("name", ["Acme", "acme-pay", "class", "2pay", "../acme", ""])
def test_a_name_that_is_no_module_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="small letters"):
        call_command("snipcart_startbackend", name, directory=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "test_acme.py").write_text("mine")
    with pytest.raises(CommandError, match=r"test_acme\.py exist"):
        call_command("snipcart_startbackend", "acme", directory=str(tmp_path))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_directory_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no directory"):
        call_command("snipcart_startbackend", "acme", directory=str(tmp_path / "nowhere"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("choice, state", [("pay", "paid"), ("back", "declined")])
def test_an_order_is_paid_at_the_stand_in(
    acme: tuple[ModuleType, ModuleType],
    client: Client,
    snipcart: StandIn,
    settings: Any,
    checkout_settings: CheckoutSettings,
    choice: str,
    state: str,
) -> None:
    stand_in = acme[1].AcmeStandIn()
    stand_in.server.start()
    settings.DEBUG = True
    options = {"SECRET_KEY": acme[1].SECRET_KEY, "SIGNING_SECRET": "s", "API_URL": stand_in.server.url}
    checkout_settings.remove("STORES.live.METHODS.acme_card")
    checkout_settings.method("shop_acme", BACKEND="acme.AcmeBackend", NAME="Acme", OPTIONS=options)
    session, path = snipcart.session(), "/checkout/live/methods/shop_acme/"
    client.post(path, fields_of(client.get(path, {"publicToken": session.public_token})))
    payment = Payment.objects.get()
    assert "Pay" in requests.get(payment.redirect_url, timeout=5).text
    answer = requests.post(payment.redirect_url, {"choice": choice}, allow_redirects=False, timeout=5)
    client.get(urlsplit(answer.headers["Location"]).path)
    stand_in.server.stop()
    payment.refresh_from_db()
    assert payment.state == state
    assert [told["state"] for told in session.confirmations] == (["processed"] if choice == "pay" else [])
