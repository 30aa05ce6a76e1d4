"""A stranger pastes everything that README and docs show into a new project, and all of it works.

A snippet whose first line is ``# name.py`` is that file. Settings and URLs of the README are the project's, those of a page
in docs come on top of them. All others are a test module per page, in their order.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

# What each file of the project holds before what is pasted into it.
SETTINGS = """
import os
from django.utils.translation import gettext_lazy as _
env = os.environ.__getitem__
SECRET_KEY = "only-for-a-scratch-project"
DEBUG = True
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["pay.shop.example", "testserver"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "scratch.sqlite3"}}
STATIC_URL = "/static/"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
USE_TZ = True
"""
ENVIRONMENT = {
    "SNIPCART_GATEWAY_KEY": "k3y-0f-the-gateway-9d1e",
    "STRIPE_SECRET_KEY": "sk_live_51AbCdEfGhIjKlMnOpQrStUv",
    "STRIPE_WEBHOOK_SECRET": "whsec_9f8e7d6c5b4a39281706f5e4d3c2b1a0",
}
# The provider that the pages write a backend for.
ACME = """
from dataclasses import dataclass
from decimal import Decimal

@dataclass
class Answer:
    id: str
    amount: Decimal = Decimal(0)
    currency: str = ""
    declined: bool = False
    no_money: bool = False
    reason: str = ""

payments, refunds = {}, {}

def pay(*, key, amount, currency, account=None):
    major = Decimal(amount).scaleb({"JPY": 0, "KWD": -3}.get(currency, -2))
    return payments.setdefault(key, Answer(f"acme-{key}", major, currency, declined=account == "2"))

def find(*, key):
    return payments.get(key)

def refund(*, key, payment, amount):
    return refunds.setdefault(key, Answer(f"refund-{key}"))
"""
# The method of which the pages' tests speak.
CARD = """
from django import forms
from test_backends import AcmeBackendWithMore

class CardBackend(AcmeBackendWithMore):
    form_class = forms.Form
"""
CARD_SETTINGS = """
from settings import *
METHODS = {"shop_card": {"BACKEND": "card.CardBackend", "NAME": "Card"}}
SNIPCART_CHECKOUT["STORES"]["live"]["METHODS"] = METHODS
"""


def snippets(page: Path, language: str = "python") -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [str(snippet) for snippet in found]


def kind(snippet: str) -> str:
    if named := re.match(r"# (\w+\.py)\n", snippet):
        return named[1]
    if "urlpatterns" in snippet:
        return "urls"
    is_settings = re.search(r"^ *(INSTALLED_APPS|METHODS|SNIPCART_CHECKOUT) ", snippet, re.MULTILINE)
    return "settings" if is_settings else "tests"


def runnable(snippet: str) -> str:
    """The snippet as a part of a test module; one that needs a session becomes a test with one."""
    if "(public_token" not in snippet:
        return snippet
    opening = "def test_a_session_is_read(snipcart):\n    public_token = snipcart.session().public_token\n"
    return opening + textwrap.indent(snippet, "    ")


def pasted(page: Path) -> dict[str, str]:
    """The files of the project that come from a page: its tests, its settings and URLs on top of the README's."""
    parts: dict[str, str] = {}
    for snippet in snippets(page):
        parts[kind(snippet)] = parts.get(kind(snippet), "") + f"\n\n{runnable(snippet)}"
    tests = "from test_backends import AcmeBackend\n" if page.stem == "testing" else ""
    files = {f"test_{page.stem.lower()}.py": f"import acme\n{tests}{parts.pop('tests', '')}"}
    if page.stem == "README":
        return files | {"settings.py": SETTINGS + parts["settings"], "urls.py": parts["urls"]}
    if settings := parts.pop("settings", ""):
        if "METHODS = " in settings:
            settings += 'SNIPCART_CHECKOUT["STORES"]["live"]["METHODS"] = METHODS\n'
        files[f"{page.stem}_settings.py"] = f"from settings import *\nfrom settings import _, env\n{settings}"
    if urls := parts.pop("urls", ""):
        usual = (
            "from django.conf import settings\nfrom django.urls import include, path\nfrom urls import *\n"
        )
        files[f"{page.stem}_urls.py"] = usual + urls
        files[f"{page.stem}_settings.py"] += f'\nROOT_URLCONF = "{page.stem}_urls"\n'
    return files | parts


VARIANTS = {
    name.removesuffix(".py") for page in PAGES for name in pasted(page) if name.endswith("settings.py")
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project into which everything was pasted."""
    directory = tmp_path_factory.mktemp("stranger")
    files = {
        "acme.py": ACME,
        "card.py": CARD,
        "card_settings.py": CARD_SETTINGS,
        "manage.py": (ROOT / "manage.py").read_text().replace("example_project.settings", "settings"),
    }
    for page in PAGES:
        files |= pasted(page)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def run(project: Path, *command: str, settings: str = "settings") -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "REQUIRE_"))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env={**kept, **ENVIRONMENT, "DJANGO_SETTINGS_MODULE": settings, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_pages_show_something() -> None:
    shown = {page.stem: len(snippets(page)) for page in PAGES}
    assert min(shown[stem] for stem in ("README", "backends", "stripe", "testing")) > 0


def test_every_snippet_works(project: Path) -> None:
    done = run(project, "-m", "pytest", "-q", "-p", "no:randomly", settings="card_settings")
    assert done.returncode == 0, done.stdout + done.stderr
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) > 60  # three backend contracts among them
    assert not re.search(r"skipped|warning", done.stdout)


@pytest.mark.parametrize("settings", sorted({"card_settings", *VARIANTS}))
def test_the_settings_pass_every_check(project: Path, settings: str) -> None:
    done = run(project, "manage.py", "check", "--fail-level", "WARNING", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_commands_that_the_readme_names_work(project: Path) -> None:
    named = re.findall(r"python manage\.py (\w+)", (ROOT / "README.md").read_text())
    assert {"migrate", "check", "snipcart_doctor", "snipcart_settle"} <= set(named)
    for command in dict.fromkeys(["migrate", *named]):
        offline = ["--offline"] if command == "snipcart_doctor" else []
        done = run(project, "manage.py", command, *offline)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_the_doctor_prints_where_stripe_reports_to(project: Path) -> None:
    done = run(project, "manage.py", "snipcart_doctor", "--offline", settings="stripe_settings")
    assert "https://pay.shop.example/checkout/live/notifications/shop_card/" in done.stdout, done.stderr
