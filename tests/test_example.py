"""The example project is what a stranger would build, and goes live by its .env alone."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import projects

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "example_project"
ENV_EXAMPLE = (EXAMPLE / ".env.example").read_text()
PUBLIC = {"snipcart_checkout.backends.base", "snipcart_checkout.exceptions", "snipcart_checkout.signals"}
FILLED_IN = {
    "SECRET_KEY": "x7!" * 20,
    "LIVE_API_KEYS": "live-key-number-one-aaaa,live-key-number-two-bbbb",
    "TEST_API_KEYS": "test-key-number-one-cccc,test-key-number-two-dddd",
    "ACCOUNT_HOLDER": "Shop Ltd",
    "IBAN": "FR3330002005500000157841Z25",
}
VARIABLES = {
    "example_card": ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS"],
    "example_paypal": ["PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET", "PAYPAL_WEBHOOK_ID"],
    "example_mollie": ["MOLLIE_API_KEY"],
    "example_lyra": ["LYRA_PLATFORM", "LYRA_SHOP_ID", "LYRA_PASSWORD", "LYRA_HMAC_KEY"],
    "example_bitcoin": ["BTCPAY_URL", "BTCPAY_STORE_ID", "BTCPAY_API_KEY", "BTCPAY_WEBHOOK_SECRET"],
}


def keys_of(mode: str) -> dict[str, str]:
    """Keys of every provider, as they look in a mode."""
    return {
        "STRIPE_SECRET_KEY": f"sk_{mode}_{'a1' * 20}",
        "STRIPE_WEBHOOK_SECRETS": f"whsec_{'b2' * 20}",
        "PAYPAL_CLIENT_ID": "Ab1" * 20,
        "PAYPAL_CLIENT_SECRET": "Cd2" * 20,
        "PAYPAL_WEBHOOK_ID": "1JE4291016473214C",
        "MOLLIE_API_KEY": f"{mode}_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5",
        "LYRA_PLATFORM": "systempay",
        "LYRA_SHOP_ID": "69876357",
        "LYRA_PASSWORD": f"{'prod' if mode == 'live' else 'test'}password_{'f4' * 20}",
        "LYRA_HMAC_KEY": "0a" * 20,
        "BTCPAY_URL": "https://btcpay.shop.example",
        "BTCPAY_STORE_ID": "9CiNzKoANXxmk5ayZngSXrHTiVvvgCrwrpFQd4m2K776",
        "BTCPAY_API_KEY": "5b" * 20,
        "BTCPAY_WEBHOOK_SECRET": "6c" * 14,
    }


def imported() -> Iterator[str]:
    for path in EXAMPLE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def manage(*arguments: str, env_file: str = os.devnull, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a management command of the example project with nothing else in its environment."""
    environment = {"PATH": os.environ["PATH"], "ENV_FILE": env_file, **variables}
    return projects.manage(ROOT / "manage.py", *arguments, environment=environment)


def offered(**variables: str) -> dict[str, list[str]]:
    """The ids of the methods of each store."""
    program = (
        "import json; from django.conf import settings; stores = settings.SNIPCART_CHECKOUT['STORES']\n"
        "print(json.dumps({name: list(store['METHODS']) for name, store in stores.items()}))"
    )
    found: dict[str, list[str]] = json.loads(
        manage("shell", "--no-imports", "-c", program, **variables).stdout
    )
    return found


@pytest.fixture
def live(tmp_path: Path) -> str:
    """A copy of .env.example, filled in."""
    text = re.sub(
        r"^(\w+)=$", lambda line: f"{line[1]}={FILLED_IN.get(line[1], '')}", ENV_EXAMPLE, flags=re.M
    )
    path = tmp_path / ".env"
    path.write_text(f"{text}\nDATABASE_URL=sqlite:///{tmp_path / 'db.sqlite3'}\n")
    return str(path)


def test_it_uses_the_public_surface_only() -> None:
    used = {name for name in imported() if name.startswith("snipcart_checkout")}
    assert used <= PUBLIC


def test_the_env_file_names_every_variable_that_the_settings_read() -> None:
    settings = (EXAMPLE / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"(\w+)"', settings))
    prefixed = re.findall(r'env\.\w+\(\s*f"\{prefix\}(\w+)"', settings)
    prefixed += [f"_{name}" for names in VARIABLES.values() for name in names]
    read |= {f"{mode}{name}" for name in prefixed for mode in ("LIVE", "TEST")}
    assert set(re.findall(r"^(?:# )?([A-Z_]+)=", ENV_EXAMPLE, re.M)) == read


def test_without_an_env_file_it_runs_with_the_sandbox() -> None:
    found = manage("check", "--fail-level", "WARNING")
    assert found.returncode == 0, found.stderr


def test_with_its_env_file_filled_in_nothing_is_wrong_and_the_doctor_prints_what_to_paste(live: str) -> None:
    checked = manage("check", "--fail-level", "WARNING", env_file=live)
    assert checked.returncode == 0, checked.stderr
    manage("migrate", env_file=live)
    said = manage("snipcart_doctor", "--offline", env_file=live)
    assert said.returncode == 0, said.stdout
    for mode in ("live", "test"):
        assert f"https://pay.shop.example/pay/{mode}/payment-methods/\n" in said.stdout
    assert "Nothing is wrong in what was tested." in said.stdout


@pytest.mark.parametrize("mode, other", [("live", "test"), ("test", "live")])
def test_the_keys_of_every_provider_add_it_to_its_half(live: str, mode: str, other: str) -> None:
    keys = {f"{mode.upper()}_{name}": value for name, value in keys_of(mode).items()}
    checked = manage("check", "--fail-level", "WARNING", env_file=live, **keys)
    assert checked.returncode == 0, checked.stderr
    said = manage("snipcart_doctor", "--offline", env_file=live, **keys)
    for method in VARIABLES:
        assert f"https://pay.shop.example/pay/{mode}/notifications/{method}/\n" in said.stdout
        assert f"pay/{other}/notifications/{method}" not in said.stdout


@pytest.mark.parametrize("method", ["example_card", "example_paypal", "example_lyra", "example_bitcoin"])
def test_a_provider_of_which_only_the_last_key_is_there_is_named(live: str, method: str) -> None:
    last = VARIABLES[method][-1]
    checked = manage("check", env_file=live, **{f"LIVE_{last}": keys_of("live")[last]})
    assert checked.returncode == 1
    assert f"live/{method}" in checked.stderr


def test_the_demo_offers_the_providers_of_which_it_has_keys_beside_its_own_methods() -> None:
    ours = ["example_piggypay", "example_transfer", "example_dummy"]
    keys = {f"TEST_{name}": value for name, value in keys_of("test").items()}
    assert offered() == {"live": ours, "test": ours}
    assert offered(**keys) == {"live": ours, "test": [*VARIABLES, *ours]}


def test_a_live_shop_has_neither_sandbox_nor_dummy_nor_a_door_without_password(live: str) -> None:
    program = (
        "from django.conf import settings; from django.urls import reverse, NoReverseMatch\n"
        "apps = settings.INSTALLED_APPS; methods = settings.SNIPCART_CHECKOUT['STORES']['live']['METHODS']\n"
        "print(*methods, 'sandbox' in ' '.join(apps))\n"
        "try: reverse('staff')\n"
        "except NoReverseMatch: print('no door')"
    )
    said = manage("shell", "--no-imports", "-c", program, env_file=live)
    assert said.stdout == "example_transfer False\nno door\n", said.stderr


def test_an_env_file_that_is_not_filled_in_is_refused_with_what_is_missing() -> None:
    said = manage("snipcart_doctor", "--offline", env_file=str(EXAMPLE / ".env.example"), SECRET_KEY="x")
    assert said.returncode == 1
    assert "API_KEYS" in said.stdout
