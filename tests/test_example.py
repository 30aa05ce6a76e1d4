"""The example project is what a stranger would build, and goes live by its .env alone."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "example_project"
ENV_EXAMPLE = (EXAMPLE / ".env.example").read_text()
PUBLIC = {"snipcart_checkout.backends.base", "snipcart_checkout.exceptions", "snipcart_checkout.signals"}
FILLED_IN = {
    "SECRET_KEY": "x7!" * 20,
    "LIVE_API_KEYS": "live-key-number-one-aaaa,live-key-number-two-bbbb",
    "TEST_API_KEYS": "test-key-number-one-cccc,test-key-number-two-dddd",
    "ACCOUNT_HOLDER": "Shop Ltd",
    "IBAN": "FR76 3000 6000 0112 3456 7890 189",
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
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={"PATH": os.environ["PATH"], "ENV_FILE": env_file, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


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
    prefixed = re.findall(r'env\.\w+\(\s*f"\{(?:prefix|mode\.upper\(\))\}(\w+)"', settings)
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
        assert f"https://pay.shop.example/checkout/{mode}/payment-methods/\n" in said.stdout
    assert "Nothing is wrong." in said.stdout


def test_a_key_of_stripe_adds_cards_to_its_half(live: str) -> None:
    stripe = {
        "LIVE_STRIPE_SECRET_KEY": "sk_live_" + "a1" * 20,
        "LIVE_STRIPE_WEBHOOK_SECRETS": "whsec_" + "b2" * 20,
    }
    checked = manage("check", "--fail-level", "WARNING", env_file=live, **stripe)
    assert checked.returncode == 0, checked.stderr
    said = manage("snipcart_doctor", "--offline", env_file=live, **stripe)
    assert "https://pay.shop.example/checkout/live/notifications/example_card/\n" in said.stdout
    assert "checkout/test/notifications/example_card" not in said.stdout


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
