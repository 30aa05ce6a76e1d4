"""The pages as files and headers: their weight, their scripts, and how a merchant restyles them."""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.test import Client

import snipcart_checkout
from snipcart_checkout.models import Payment
from snipcart_checkout.presentation import (
    InvoiceView,
    ItemView,
    LanguageChoice,
    MethodChoice,
    PaymentView,
    ProblemView,
)
from snipcart_checkout.scripts import SCRIPTS, integrity_of
from snipcart_checkout.testing import StandIn
from tests.test_methods_webhook import configure
from tests.test_views import get_page, press_pay, text_of

pytestmark = pytest.mark.django_db

PACKAGE = Path(snipcart_checkout.__file__).parent
TEMPLATES = PACKAGE / "templates" / "snipcart_checkout"
DOCS = PACKAGE.parent / "docs"
STYLESHEET = PACKAGE / "static" / "snipcart_checkout" / "checkout.css"
SCRIPT = PACKAGE / "static" / "snipcart_checkout" / "checkout.js"

HEADERS = {
    "Cache-Control": "no-store, private",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; font-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "strict-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
"""What every page is sent with. Whoever changes it decides it here, too."""


@pytest.fixture
def theme(tmp_path: Path, settings: Any) -> Path:
    """The folder of a merchant's own templates."""
    folder = tmp_path / "snipcart_checkout"
    folder.mkdir()
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    return folder


def every_page(client: Client, snipcart: StandIn) -> Iterator[Any]:
    """The order, a mistake, and what became of the payment."""
    page = get_page(client, snipcart.session(items=5))
    yield page
    yield client.get("/checkout/")
    yield client.get(press_pay(client, page)["Location"])


def script_tags(page: Any) -> list[dict[str, str]]:
    tags = re.findall(r"<script\b([^>]*)>", page.content.decode())
    return [dict(re.findall(r'([\w-]+)="([^"]*)"', tag)) for tag in tags]


def test_the_page_and_its_stylesheet_together_weigh_six_kilobytes_at_most(
    client: Client, snipcart: StandIn
) -> None:
    page = get_page(client, snipcart.session(items=5, language="fr"))

    weight = sum(len(gzip.compress(content, 6)) for content in (page.content, STYLESHEET.read_bytes()))

    assert weight <= 6 * 1024


def test_a_page_loads_one_stylesheet_and_one_script_and_has_no_code_of_its_own(
    client: Client, snipcart: StandIn
) -> None:
    for page in every_page(client, snipcart):
        content = page.content.decode()
        assert re.findall(r'<link [^>]*href="([^"]*)"', content) == ["/static/snipcart_checkout/checkout.css"]
        assert [tag["src"] for tag in script_tags(page)] == ["/static/snipcart_checkout/checkout.js"]
        assert not re.search(r"<style|\bstyle=|\bon\w+=|javascript:|<script(?![^>]*\bsrc=)", content)
        assert not re.search(r"<(?:iframe|object|embed|img|audio|video)\b", content)


def test_every_page_has_the_headers_that_were_decided(client: Client, snipcart: StandIn) -> None:
    for page in every_page(client, snipcart):
        assert {name: page[name] for name in HEADERS} == HEADERS


def test_the_inventory_lists_every_script_with_reason_and_integrity() -> None:
    files = sorted(path.relative_to(PACKAGE / "static").as_posix() for path in PACKAGE.glob("static/**/*.js"))

    assert [script.path for script in SCRIPTS] == files
    for script in SCRIPTS:
        assert script.reason
        found = finders.find(script.path)
        assert found is not None
        assert script.integrity == integrity_of(Path(str(found)).read_bytes()), (
            f"{script.path} has changed. Look at the change, then write its integrity into scripts.py."
        )


def test_integrity_is_what_browsers_compute() -> None:
    # From the W3C's "Subresource Integrity", section 3.1.
    assert (
        integrity_of(b"alert('Hello, world.');")
        == "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO"
    )


def test_the_page_names_the_integrity_of_the_inventory(client: Client, snipcart: StandIn) -> None:
    for page in every_page(client, snipcart):
        assert [tag["integrity"] for tag in script_tags(page)] == [script.integrity for script in SCRIPTS]
        assert all(tag["crossorigin"] == "anonymous" for tag in script_tags(page))


class RewritingStorage(ManifestStaticFilesStorage):
    """A storage that minifies what it collects, as some do."""

    def post_process(self, paths: Any, dry_run: bool = False, **options: Any) -> Any:
        for name, (storage, path) in list(paths.items()):
            if name.endswith(".js"):
                with storage.open(path) as source:
                    shorter = re.sub(rb"(?m)^\s*//.*$", b"", source.read())
                self.delete(name)
                self.save(name, ContentFile(shorter))
                paths[name] = (self, name)
        yield from super().post_process(paths, dry_run, **options)


@pytest.mark.parametrize(
    "storage",
    ["django.contrib.staticfiles.storage.ManifestStaticFilesStorage", f"{__name__}.RewritingStorage"],
)
@pytest.mark.parametrize("static_url", ["/static/", "https://cdn.example/shop/"])
def test_the_integrity_is_that_of_the_file_which_the_site_serves(
    client: Client, snipcart: StandIn, settings: Any, tmp_path: Path, storage: str, static_url: str
) -> None:
    settings.STATIC_URL = static_url
    settings.STATIC_ROOT = str(tmp_path / "static")
    settings.STORAGES = {**django_settings.STORAGES, "staticfiles": {"BACKEND": storage}}
    call_command("collectstatic", interactive=False, verbosity=0)

    page = get_page(client, snipcart.session())

    (tag,) = script_tags(page)
    assert tag["src"].startswith(f"{static_url}snipcart_checkout/checkout.")
    assert tag["src"] != f"{static_url}snipcart_checkout/checkout.js"
    served = Path(staticfiles_storage.path(tag["src"].removeprefix(static_url))).read_bytes()
    assert tag["integrity"] == integrity_of(served)
    assert (served == SCRIPT.read_bytes()) is ("Rewriting" not in storage)
    origin = "https://cdn.example" if static_url.startswith("https") else ""
    assert (
        f"script-src {' '.join(filter(None, (chr(39) + 'self' + chr(39), origin)))};"
        in page["Content-Security-Policy"]
    )


def test_a_site_without_the_staticfiles_app_has_the_integrity_as_shipped(
    client: Client, snipcart: StandIn, settings: Any
) -> None:
    settings.INSTALLED_APPS = [
        app for app in django_settings.INSTALLED_APPS if not app.endswith("staticfiles")
    ]

    (tag,) = script_tags(get_page(client, snipcart.session()))

    assert (tag["src"], tag["integrity"]) == ("/static/snipcart_checkout/checkout.js", SCRIPTS[0].integrity)


def test_base_html_alone_restyles_every_page(client: Client, snipcart: StandIn, theme: Path) -> None:
    (theme / "base.html").write_text(
        '{% extends "snipcart_checkout/base.html" %}'
        '{% block head_extra %}{{ block.super }}<link rel="stylesheet" href="/static/mine.css">{% endblock %}'
        "{% block brand %}<b>The Paper Lantern</b>{% endblock %}"
        "{% block help %}<p>Call us: 01 23 45</p>{% endblock %}"
    )

    for page in every_page(client, snipcart):
        content = page.content.decode()
        assert 'href="/static/mine.css"' in content
        assert "<b>The Paper Lantern</b>" in content
        assert "Call us: 01 23 45" in content


def test_a_base_html_from_scratch_needs_nothing_but_the_block_content(
    client: Client, snipcart: StandIn, theme: Path
) -> None:
    (theme / "base.html").write_text(
        "<!doctype html><title>x</title><main>{% block content %}{% endblock %}</main>"
    )

    for page in every_page(client, snipcart):
        assert page.content.decode().startswith("<!doctype html><title>x</title><main>")
        assert "<h1" in page.content.decode()


@pytest.mark.parametrize(
    "block", ["title", "head_extra", "brand", "content", "summary", "methods", "form", "help", "footer"]
)
def test_each_block_can_be_filled_by_the_method_s_own_template(
    client: Client, snipcart: StandIn, theme: Path, block: str
) -> None:
    (theme / "methods").mkdir()
    (theme / "methods" / "acme_card.html").write_text(
        f'{{% extends "snipcart_checkout/checkout.html" %}}{{% block {block} %}}mine: {{{{ method.name }}}}{{% endblock %}}'
    )

    assert "mine: Credit card" in get_page(client, snipcart.session()).content.decode()


@pytest.mark.parametrize("part", ["items", "addresses", "methods", "form", "languages", "scripts"])
def test_each_part_can_be_replaced_alone(client: Client, snipcart: StandIn, theme: Path, part: str) -> None:
    (theme / "parts").mkdir()
    (theme / "parts" / f"{part}.html").write_text(f"<p>my {part}</p>")

    content = get_page(client, snipcart.session()).content.decode()

    assert f"<p>my {part}</p>" in content
    assert "Your order" in content


def test_a_stores_own_template_wins_over_ours(client: Client, snipcart: StandIn, theme: Path) -> None:
    (theme / "stores").mkdir()
    (theme / "stores" / "live.html").write_text("of the store {{ store.name }}")

    assert get_page(client, snipcart.session()).content == b"of the store live"


def test_a_methods_own_template_wins_over_its_stores(client: Client, snipcart: StandIn, theme: Path) -> None:
    for folder, name in (("stores", "live"), ("methods", "acme_card")):
        (theme / folder).mkdir()
        (theme / folder / f"{name}.html").write_text(f"of {folder}")

    assert get_page(client, snipcart.session()).content == b"of methods"


@pytest.mark.parametrize(
    "name", ["session", "invoice", "store", "method", "methods", "form", "back_url", "payment"]
)
def test_the_context_has_what_is_promised(client: Client, snipcart: StandIn, name: str) -> None:
    page = get_page(client, snipcart.session())

    assert name in page.context
    assert (page.context[name] is None) is (name == "payment")


def test_every_template_of_the_page_carries_its_version() -> None:
    shipped = sorted(TEMPLATES.rglob("*.html"))

    assert len(shipped) >= 10
    for path in shipped:
        assert re.match(r"\{# snipcart_checkout template version: \d+ #\}", path.read_text()), path.name


def test_a_language_switch_without_meaning_changes_nothing(client: Client, snipcart: StandIn) -> None:
    page = get_page(client, snipcart.session(language="fr"), language="")

    assert '<html lang="fr"' in page.content.decode()
    assert "language=" not in page.context["method"].pay_url


@pytest.mark.parametrize(
    "switch, spoken", [("pt-PT", "pt-PT"), ("pt", "pt"), ("zh-Hant", "zh-Hant"), ("fr", "fr")]
)
def test_a_switch_is_carried_by_the_form_to_the_page_of_the_payment(
    client: Client, snipcart: StandIn, switch: str, spoken: str
) -> None:
    page = get_page(client, snipcart.session(language="en"), language=switch)
    action = html.unescape(re.findall(r'<form[^>]*action="([^"]*)"', page.content.decode())[0])

    answer = press_pay(client, page, path=action)

    assert answer["Location"].endswith(f"/?language={spoken}")
    assert f'<html lang="{spoken}"' in client.get(answer["Location"]).content.decode()
    assert Payment.objects.get().language == "en"


def test_without_a_switch_the_page_of_the_payment_follows_the_cart(client: Client, snipcart: StandIn) -> None:
    answer = press_pay(client, get_page(client, snipcart.session(language="fr-CA")))

    assert "?" not in answer["Location"]
    assert '<html lang="fr-CA"' in client.get(answer["Location"]).content.decode()


def test_a_decline_is_told_in_the_language_that_the_shopper_switched_to(client: Client) -> None:
    payment = declined_in_english("Call your bank.")
    place = f"/checkout/payments/{payment.reference}/"

    assert "Call your bank." in text_of(client.get(place))
    french = text_of(client.get(place, {"language": "fr"}))
    assert "Call your bank." not in french
    assert "Votre carte a expiré" in french


def declined_in_english(message: str) -> Payment:
    return Payment.objects.create(
        store="live",
        method="acme_card",
        session_id="s",
        session_key="k",
        state="declined",
        minor_units=100,
        currency="EUR",
        language="en",
        capability_hash="c",
        decline_code="expired",
        decline_message=message,
    )


def test_an_error_speaks_the_language_that_the_shopper_switched_to(client: Client, snipcart: StandIn) -> None:
    session = snipcart.session(language="en")
    snipcart.expire(session)

    assert '<html lang="fr"' in get_page(client, session, language="fr").content.decode()


def test_a_test_store_says_so_in_words(client: Client, snipcart: StandIn, settings: Any) -> None:
    configure(settings, MODE="test")

    for page in every_page(client, snipcart):
        assert "TEST Test mode" in text_of(page)


def documented(page: str) -> str:
    return (DOCS / page).read_text()


def test_the_checklist_names_a_test_for_each_of_its_46_points() -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", documented("page.md"), re.MULTILINE)

    assert [int(number) for number, _tests in rows] == list(range(1, 47))
    for number, tests in rows:
        names = re.findall(r"`(\w+)::(\w+)`", tests)
        assert names, f"point {number} names no test"
        for module, test in names:
            (path,) = (PACKAGE.parent / "tests").rglob(f"{module}.py")
            assert re.search(rf"^def {test}\(", path.read_text(), re.MULTILINE), f"{number}: {module}::{test}"


def test_every_custom_property_is_documented_with_its_value() -> None:
    declared = dict(
        re.findall(r"^  (--sc-[\w-]+): (.*);$", STYLESHEET.read_text().partition("}")[0], re.MULTILINE)
    )

    assert len(declared) >= 15
    for name, value in declared.items():
        assert f"| `{name}` | `{value}` |" in documented("theming.md")


def test_every_block_part_and_name_of_the_context_is_documented(client: Client, snipcart: StandIn) -> None:
    page = get_page(client, snipcart.session())
    ours = {"session", "invoice", "store", "method", "methods", "form", "back_url", "payment", "language", "languages",
            "public_token", "shown", "notice", "decline", "scripts", "problem", "reference"}  # fmt: skip
    blocks = {
        block
        for path in TEMPLATES.rglob("*.html")
        for block in re.findall(r"{% block (\w+)", path.read_text())
    }
    parts = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")}

    assert ours >= set(page.context_data)
    for name in ours | blocks | parts:
        assert f"`{name}`" in documented("theming.md"), name


def test_every_field_of_what_the_templates_are_given_is_documented(client: Client, snipcart: StandIn) -> None:
    names = {
        field.name
        for view in (InvoiceView, LanguageChoice, MethodChoice, PaymentView, ProblemView)
        for field in fields(view)
    }
    for name in names | set(ItemView._fields):
        assert f"`{name}`" in documented("theming.md"), name
