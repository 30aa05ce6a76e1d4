"""The pages as files and headers: their weight, their scripts, and how a merchant restyles them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.core.management import call_command
from django.test import Client

import snipcart_checkout
from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.brands import BrandDisplay
from snipcart_checkout.presentation.choices import LanguageChoice, MethodChoice
from snipcart_checkout.presentation.item_rows import ItemDisplay
from snipcart_checkout.presentation.orders import InvoiceDisplay
from snipcart_checkout.presentation.payments import PaymentDisplay
from snipcart_checkout.presentation.problems import ProblemDisplay
from snipcart_checkout.presentation.transfers import DetailDisplay, TransferDisplay
from snipcart_checkout.testing import CheckoutSettings, StandIn
from snipcart_checkout.views.scripts import SCRIPTS, get_integrity
from tests.test_views import get_page, press_pay, to_text

pytestmark = pytest.mark.django_db

PACKAGE = Path(snipcart_checkout.__file__).parent
TEMPLATES = PACKAGE / "templates" / "snipcart_checkout"
DOCS = PACKAGE.parent / "docs"
STYLESHEET = PACKAGE / "static" / "snipcart_checkout" / "checkout.css"
SCRIPT = PACKAGE / "static" / "snipcart_checkout" / "checkout.js"

STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(STYLESHEET.read_bytes()).digest()).decode()}'"
HEADERS = {
    "Cache-Control": "no-store, private",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'self' {STYLE_SOURCE}; script-src 'self'; font-src 'self'; img-src 'self'; "
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


def style_of(page: Any) -> str:
    (text,) = re.findall(r"<style>(.*?)</style>", page.content.decode(), re.DOTALL)
    return str(text)


def style_source(text: str) -> str:
    """What the policy allows a block by, computed as a browser does."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_page_with_everything_in_it_weighs_seven_kilobytes_at_most(
    client: Client, snipcart: StandIn
) -> None:
    page = get_page(client, snipcart.session(items=5, language="fr"))

    assert len(gzip.compress(page.content, 6)) <= 7 * 1000


def test_a_page_holds_its_stylesheet_loads_one_script_and_has_no_code_of_its_own(
    client: Client, snipcart: StandIn
) -> None:
    for page in every_page(client, snipcart):
        content = page.content.decode()
        assert style_of(page) == STYLESHEET.read_text()
        assert not re.findall(r"<link\b", content)
        assert [tag["src"] for tag in script_tags(page)] == ["/static/snipcart_checkout/checkout.js"]
        assert not re.search(r"\bstyle=|\bon\w+=|javascript:|<script(?![^>]*\bsrc=)", content)
        assert not re.search(r"<(?:iframe|object|embed|img|audio|video)\b", content)


def test_every_page_has_the_headers_that_were_decided(client: Client, snipcart: StandIn) -> None:
    for page in every_page(client, snipcart):
        assert {name: page[name] for name in HEADERS} == HEADERS


class TestStylesheetInThePage:
    """It is the file that the site serves under the name of ours, and the policy allows that text only."""

    def own_copy(self, settings: Any, tmp_path: Path, css: str) -> Path:
        path = tmp_path / "mine" / "snipcart_checkout" / "checkout.css"
        path.parent.mkdir(parents=True)
        path.write_bytes(css.encode())
        settings.STATICFILES_DIRS = [str(tmp_path / "mine")]
        return path

    def collect(self, settings: Any, tmp_path: Path, storage: str) -> None:
        settings.STATIC_ROOT = str(tmp_path / "static")
        settings.STORAGES = {**django_settings.STORAGES, "staticfiles": {"BACKEND": storage}}
        call_command("collectstatic", interactive=False, verbosity=0)

    @pytest.mark.parametrize("debug", [True, False])
    def test_a_sites_own_copy_counts(
        self, client: Client, snipcart: StandIn, settings: Any, tmp_path: Path, debug: bool
    ) -> None:
        settings.DEBUG = debug
        self.own_copy(settings, tmp_path, "p { color: red }")

        page = get_page(client, snipcart.session())

        assert style_of(page) == "p { color: red }"
        assert f"style-src 'self' {style_source('p { color: red }')};" in page["Content-Security-Policy"]

    @pytest.mark.parametrize("debug, seconds", [(True, 0), (False, 1.1)])
    def test_a_change_of_the_file_is_seen_a_second_later_and_at_once_with_debug(
        self,
        client: Client,
        snipcart: StandIn,
        settings: Any,
        tmp_path: Path,
        debug: bool,
        seconds: float,
    ) -> None:
        settings.DEBUG = debug
        path = self.own_copy(settings, tmp_path, "p { color: red }")
        session = snipcart.session()
        before = style_of(get_page(client, session))
        path.write_text("p { color: tan }")
        os.utime(path, ns=(1, 1))
        time.sleep(seconds)

        assert (before, style_of(get_page(client, session))) == ("p { color: red }", "p { color: tan }")

    @pytest.mark.parametrize("storage", ["StaticFilesStorage", "ManifestStaticFilesStorage"])
    @pytest.mark.parametrize("static_url", ["/static/", "https://cdn.example/shop/"])
    def test_the_collected_file_counts_and_finds_what_stands_beside_it(
        self,
        client: Client,
        snipcart: StandIn,
        settings: Any,
        tmp_path: Path,
        storage: str,
        static_url: str,
    ) -> None:
        settings.STATIC_URL = static_url
        path = self.own_copy(settings, tmp_path, 'p { background: url("../dot.svg") }')
        (path.parent.parent / "dot.svg").write_text("<svg/>")
        self.collect(settings, tmp_path, f"django.contrib.staticfiles.storage.{storage}")
        settings.STATICFILES_DIRS = []

        page = get_page(client, snipcart.session())

        text = style_of(page)
        assert re.fullmatch(rf'p {{ background: url\("{static_url}dot(\.\w+)?\.svg"\) }}', text)
        assert style_source(text) in page["Content-Security-Policy"]

    def test_a_file_that_the_manifest_does_not_know_allows_no_other_source(
        self, client: Client, settings: Any, tmp_path: Path
    ) -> None:
        settings.STATIC_ROOT = str(tmp_path)
        storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        settings.STORAGES = {**django_settings.STORAGES, "staticfiles": {"BACKEND": storage}}

        assert "; script-src 'self'; " in client.get("/checkout/")["Content-Security-Policy"]

    def test_a_storage_on_another_machine_is_not_asked(
        self, client: Client, snipcart: StandIn, settings: Any
    ) -> None:
        settings.STORAGES = {**django_settings.STORAGES, "staticfiles": {"BACKEND": f"{__name__}.FarStorage"}}

        page = get_page(client, snipcart.session())

        assert style_of(page) == STYLESHEET.read_text()
        assert [tag["src"] for tag in script_tags(page)] == [
            "https://far.example/snipcart_checkout/checkout.js?signed"
        ]

    def test_nothing_in_the_file_ends_the_element_early_or_reads_otherwise_to_a_browser(
        self, client: Client, snipcart: StandIn, settings: Any, tmp_path: Path
    ) -> None:
        self.own_copy(settings, tmp_path, "\ufeff/* </style><b> */\r\np { content: '</b>' }\r\0")

        page = get_page(client, snipcart.session())

        text = style_of(page)
        assert text == "/* <\\/style><b> */\np { content: '<\\/b>' }\n"
        assert style_source(text) in page["Content-Security-Policy"]

    def test_a_stylesheet_of_the_sites_can_still_be_linked(self, client: Client, snipcart: StandIn) -> None:
        policy = get_page(client, snipcart.session())["Content-Security-Policy"]

        assert re.search(r"style-src 'self' 'sha256-[A-Za-z0-9+/]{43}=';", policy)
        assert "unsafe" not in policy

    def test_the_colours_of_the_brand_are_a_second_block_on_every_page(
        self, client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.store(BRAND={"ACCENT": "#7a1f3d", "ACCENT_DARK": "#e79ab5"})

        for page in every_page(client, snipcart):
            blocks = re.findall(r"<style>(.*?)</style>", page.content.decode(), re.DOTALL)
            assert blocks[0] == STYLESHEET.read_text()
            assert re.findall(r"--sc-accent: (#\w+)", blocks[1]) == ["#7a1f3d", "#e79ab5"]
            sources = " ".join(map(style_source, blocks))
            assert f"style-src 'self' {sources};" in page["Content-Security-Policy"]

    def test_an_answer_that_holds_no_style_allows_none(self, client: Client, snipcart: StandIn) -> None:
        answer = press_pay(client, get_page(client, snipcart.session()))

        assert answer.status_code == 303
        assert "style-src 'self';" in answer["Content-Security-Policy"]


class FarStorage(Storage):
    """Keeps the files where only the network leads."""

    def url(self, name: str | None) -> str:
        return f"https://far.example/{name}?signed"


def test_a_page_and_an_error_name_their_language(client: Client, snipcart: StandIn) -> None:
    for page in (
        get_page(client, snipcart.session(language="pt-BR")),
        client.get("/checkout/?language=pt-BR"),
    ):
        assert page["Content-Language"] == "pt-BR"


def test_the_inventory_lists_every_script_with_reason_and_integrity() -> None:
    files = sorted(path.relative_to(PACKAGE / "static").as_posix() for path in PACKAGE.glob("static/**/*.js"))

    assert [script.path for script in SCRIPTS] == files
    for script in SCRIPTS:
        assert script.reason
        found = finders.find(script.path)
        assert found is not None
        assert script.integrity == get_integrity(Path(str(found)).read_bytes()), (
            f"{script.path} has changed. Look at the change, then write its integrity into scripts.py."
        )


def test_integrity_is_what_browsers_compute() -> None:
    # From the W3C's "Subresource Integrity", section 3.1.
    assert (
        get_integrity(b"alert('Hello, world.');")
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
    assert tag["integrity"] == get_integrity(served)
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
        "{% block footer %}<p>3 Harbour Lane</p>{% endblock %}"
    )

    for page in every_page(client, snipcart):
        content = page.content.decode()
        assert 'href="/static/mine.css"' in content
        assert "<b>The Paper Lantern</b>" in content
        assert "Call us: 01 23 45" in content
        assert "3 Harbour Lane" in content


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


@pytest.mark.parametrize("part", ["items", "addresses", "methods", "form", "languages", "scripts", "styles"])
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


def test_no_template_of_ours_looks_up_a_name_in_vain(
    client: Client, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "django.template"):
        assert [page.status_code for page in every_page(client, snipcart)] == [200, 400, 200]

    unknown = [record.args for record in caplog.records if record.name == "django.template"]
    assert unknown == []


def test_a_merchants_template_may_ask_for_every_name_on_every_page(
    client: Client, snipcart: StandIn, theme: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = (
        "session invoice store method methods form back_url payment public_token shown languages notice decline problem "
        "reference language brand styles scripts"
    ).split()
    asked = "".join(f"{{% if {name} %}}{{% endif %}}" for name in names)
    (theme / "base.html").write_text(
        f"{asked}[{{{{ notice }}}}{{{{ decline }}}}]{{% block content %}}{{% endblock %}}"
    )
    caplog.set_level(logging.DEBUG, "django.template")

    for page in every_page(client, snipcart):
        assert "[]" in to_text(page)
    assert not caplog.records


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

    assert "Call your bank." in to_text(client.get(place))
    french = to_text(client.get(place, {"language": "fr"}))
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


def test_a_test_store_says_so_in_words(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store(MODE="test")

    for page in every_page(client, snipcart):
        assert "TEST Test mode" in to_text(page)


def documented(page: str) -> str:
    return (DOCS / page).read_text()


@pytest.mark.parametrize("page", ["page.md", "page.fr.md"])
def test_the_checklist_names_a_test_for_each_of_its_60_points(page: str) -> None:
    rows = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", documented(page), re.MULTILINE)

    assert [int(number) for number, _tests in rows] == list(range(1, 61))
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
            "public_token", "shown", "notice", "decline", "brand", "scripts", "styles", "problem", "reference"}  # fmt: skip
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
        for view in (
            BrandDisplay,
            DetailDisplay,
            InvoiceDisplay,
            MethodChoice,
            PaymentDisplay,
            ProblemDisplay,
            TransferDisplay,
        )
        for field in fields(view)
    }
    for name in names | {*ItemDisplay._fields, *LanguageChoice._fields}:
        assert f"`{name}`" in documented("theming.md"), name
