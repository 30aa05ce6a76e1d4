"""A stranger pastes everything that README and docs show into a new project, and all of it works.

A snippet whose first line is ``# name.py`` is that file. Settings and URLs of the README are the project's, those of a page
in docs come on top of them. All others are a test module per page, in their order. The tutorial makes a project of its own,
in test_tutorial; pages in another language show the same code, by test_docs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.support import projects

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = (
    ROOT / "README.md",
    *(
        page
        for page in sorted(DOCS.rglob("*.md"))
        if page != DOCS / "tutorial.md" and not page.stem.endswith(".fr")
    ),
)

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
    "SNIPCART_GATEWAY_KEY_2": "k3y-0f-the-gateway-77ab",
    "SNIPCART_SECRET_KEY": "s3cret-0f-the-store-04c2",
    "SNIPCART_TEST_GATEWAY_KEY": "k3y-0f-the-test-gateway-5e0f",
    "LANTERN_API_URL": "http://127.0.0.1:8001",
    "LANTERN_SECRET_KEY": "lantern-secret-key-0f3a",
    "LANTERN_SIGNING_SECRET": "lantern-signing-secret-77c1",
    "SHOP_IBAN": "DE41 5001 0517 0123 4567 89",
    "STRIPE_SECRET_KEY": "sk_live_51AbCdEfGhIjKlMnOpQrStUv",
    "STRIPE_WEBHOOK_SECRET": "whsec_9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "PAYPAL_CLIENT_ID": "AZDxjDScFpQtjWTOUtWKbyN_bDt4OgqaF4eYXlewfBP4-8aqX3PiV8e1GWU6",
    "PAYPAL_CLIENT_SECRET": "EGnHDxD_qRPdaLdZz8iCr8N7_MzF-YHPTkjs6NKYQvQSBngp4PTTVWkPZRbL",
    "PAYPAL_WEBHOOK_ID": "8PT597110X687430LKGECATA",
    "MOLLIE_API_KEY": "live_dHar4XY7LxsDotmnkVtjNVWXLSlXsMaB",
    "BTCPAY_URL": "https://btcpay.shop.example",
    "BTCPAY_STORE_ID": "9CiNzKoANXxmk5ayZngSXrHTiVvvgCrwrpFQd4m2K776",
    "BTCPAY_API_KEY": "aa32e8f1c0b1d4b3a7d6c5e4f3a2b1c0d9e8f7a6",
    "BTCPAY_WEBHOOK_SECRET": "2q8f7hK3vLw9xYzR5tBnMcPdSaGjEuXo",
    "SYSTEMPAY_SHOP_ID": "73239078",
    "SYSTEMPAY_PASSWORD": "prodpassword_SbEbeOueaMDyg8Rtei1bSaiB5lms9V0ZDjzldGXGAnIwH",
    "SYSTEMPAY_HMAC_KEY": "cT8mkJ2vQx5bR9nLw3Zy7pHd4sGf6KaUeXoViNtCrBqMh",
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


def module(page: Path) -> str:
    """What the files of a page are called after: ``howto_go_live``."""
    parts = page.relative_to(DOCS if page.is_relative_to(DOCS) else ROOT).with_suffix("").parts
    return "_".join(parts).replace("-", "_")


def kind(snippet: str) -> str:
    if named := re.match(r"# (\w+\.py)\n", snippet):
        return named[1]
    if "urlpatterns" in snippet:
        return "urls"
    is_settings = re.search(r"^ *(INSTALLED_APPS|METHODS|SNIPCART_CHECKOUT)[ \[]", snippet, re.MULTILINE)
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
    name = module(page)
    files = {f"test_{name.lower()}.py": f"import acme\n{tests}{parts.pop('tests', '')}"}
    if page.stem == "README":
        return files | {"settings.py": SETTINGS + parts["settings"], "urls.py": parts["urls"]}
    if settings := parts.pop("settings", ""):
        if "METHODS = " in settings:
            settings += 'SNIPCART_CHECKOUT["STORES"]["live"]["METHODS"] = METHODS\n'
        files[f"{name}_settings.py"] = f"from settings import *\nfrom settings import _, env\n{settings}"
    if urls := parts.pop("urls", ""):
        usual = (
            "from django.conf import settings\nfrom django.urls import include, path\nfrom urls import *\n"
        )
        files[f"{name}_urls.py"] = usual + urls
        settings_before = files.get(f"{name}_settings.py", "from settings import *\n")
        files[f"{name}_settings.py"] = f'{settings_before}\nROOT_URLCONF = "{name}_urls"\n'
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
    call_command("snipcart_startbackend", "lantern", directory=str(directory), verbosity=0)
    return directory


def environment_of(project: Path, settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "REQUIRE_"))}
    own = {**ENVIRONMENT, "DJANGO_SETTINGS_MODULE": settings, "PYTHONPATH": f"{project}:{ROOT}"}
    return {**kept, **own}


def run(
    project: Path, *command: str, settings: str = "settings", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env={**environment_of(project, settings), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def manage(project: Path, *command: str, settings: str = "settings") -> str:
    """Run a management command, which has to work, and return what it printed."""
    done = projects.manage(project / "manage.py", *command, environment=environment_of(project, settings))
    assert done.returncode == 0, f"{settings}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_pages_show_something() -> None:
    shown = {module(page): len(snippets(page)) for page in PAGES}
    assert min(shown[stem] for stem in ("README", "backends", "stripe", "testing")) > 0


def test_every_snippet_works(project: Path) -> None:
    # Other plugins take longer to load than the snippets to run.
    plugins = ["-p", "pytest_django.plugin"]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = run(project, "-m", "pytest", "-q", *plugins, settings="card_settings", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) > 60  # three backend contracts among them
    assert not re.search(r"skipped|warning", done.stdout)


def test_the_settings_of_each_page_pass_every_check(project: Path) -> None:
    assert len(VARIANTS) > 10
    for settings in sorted({"card_settings", *VARIANTS}):
        manage(project, "check", "--fail-level", "WARNING", settings=settings)


def test_the_commands_that_the_readme_names_work(project: Path) -> None:
    named = re.findall(r"python manage\.py (\w+)", (ROOT / "README.md").read_text())
    assert {"migrate", "check", "snipcart_doctor", "snipcart_settle"} <= set(named)
    offline = {"snipcart_doctor": ["--offline"]}
    for command in dict.fromkeys(["migrate", *named]):
        manage(project, command, *offline.get(command, []))


def test_the_doctor_prints_where_stripe_reports_to(project: Path) -> None:
    arguments, environment = ("snipcart_doctor", "--offline"), environment_of(project, "stripe_settings")
    done = projects.manage(project / "manage.py", *arguments, environment=environment)
    assert "https://pay.shop.example/pay/live/notifications/shop_card/" in done.stdout, done.stderr


def test_every_file_that_a_page_shows_can_be_imported(project: Path) -> None:
    shown = {name.removesuffix(".py") for page in PAGES for name in pasted(page)}
    files = sorted(
        name for name in shown if not name.startswith("test_") and name not in {"conftest", "settings"}
    )
    assert {"receivers", "celery_tasks", "shop_hooks"} <= set(files)
    imports = "".join(f"import {name}\n" for name in files if not name.endswith("_settings"))
    done = run(project, "-c", f"import django\ndjango.setup()\n{imports}")
    assert done.returncode == 0, done.stderr
