"""Folded templates give the page that Django's own rendering gives, whatever a site has put in the place of ours."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import translation
from pytest_django.asserts import assertTemplateNotUsed, assertTemplateUsed

from snipcart_checkout.backends.dummy import DummyForm
from snipcart_checkout.contrib.gallery.samples import CHECKOUT_STATES, ORDERS, PAYMENT_STATES, PROBLEM_STATES
from snipcart_checkout.presentation.languages import page_language
from snipcart_checkout.presentation.orders import present_invoice
from snipcart_checkout.snipcart import Invoice, Item
from snipcart_checkout.testing import CheckoutSettings, StandIn
from snipcart_checkout.views.checkout import CheckoutView
from tests.test_views import get_page

pytestmark = pytest.mark.django_db

STATES = [
    f"/gallery/{page}/{state}/"
    for page, states in (
        ("checkout", CHECKOUT_STATES),
        ("payment", PAYMENT_STATES),
        ("problem", PROBLEM_STATES),
    )
    for state in states
]
# What is drawn anew for each page.
FRESH = re.compile(
    r'name="csrfmiddlewaretoken" value="\w+"|datetime="[^"]+"|<bdi>[^<]*\(GMT[^<]*</bdi>|>[0-9a-f-]{36}<'
)


def use_templates(settings: Any, *directories: Path, folded: bool, **options: Any) -> None:
    """Django tells its engine to say where a template went wrong with ``debug``; such an engine is not folded."""
    engine: dict[str, Any] = dict(django_settings.TEMPLATES[0])
    settings.TEMPLATES = [
        {
            **engine,
            "DIRS": [str(directory) for directory in directories],
            "OPTIONS": {**engine["OPTIONS"], "debug": not folded, **options},
        }
    ]


def both(settings: Any, *directories: Path, see: Any) -> tuple[str, str]:
    """The same page, folded and as Django renders it."""
    pages = []
    for folded in (True, False):
        use_templates(settings, *directories, folded=folded)
        pages.append(FRESH.sub("", see().content.decode()))
    return pages[0], pages[1]


@pytest.mark.parametrize("path", STATES)
def test_every_page_is_the_same_folded_and_not(settings: Any, path: str) -> None:
    settings.DEBUG = True
    for language in ("en", "fr", "ar"):
        folded, plain = both(
            settings, see=lambda language=language: Client().get(path, {"language": language})
        )
        assert folded == plain


@pytest.mark.parametrize("order", ORDERS)
def test_every_kind_of_order_is_the_same_folded_and_not(settings: Any, order: str) -> None:
    settings.DEBUG = True
    query = {"language": "en", "order": order}
    folded, plain = both(settings, see=lambda: Client().get("/gallery/checkout/pay/", query))
    assert folded == plain


def test_a_page_of_a_single_language_is_the_same_folded_and_not(
    client: Client, snipcart: StandIn, settings: Any
) -> None:
    settings.LANGUAGES = [("en", "English")]
    session = snipcart.session()
    folded, plain = both(settings, see=lambda: get_page(client, session))
    assert folded == plain
    assert "sc-langs" not in folded.partition("</style>")[2]


def test_a_loop_over_what_is_not_true_but_holds_something_is_gone_through(
    client: Client, snipcart: StandIn, settings: Any, tmp_path: Path
) -> None:
    # A switch of one language is none, and a template may list that language all the same.
    settings.LANGUAGES = [("en", "English")]
    part = tmp_path / "snipcart_checkout" / "parts" / "addresses.html"
    part.parent.mkdir(parents=True)
    part.write_text("{% for one in languages %}[{{ one.name }}]{% empty %}none{% endfor %}")
    session = snipcart.session()

    folded, plain = both(settings, tmp_path, see=lambda: get_page(client, session))

    assert folded == plain
    assert "[English]" in folded


OVERRIDES = {
    "a block that adds to ours": ("base.html", '{% extends "snipcart_checkout/base.html" %}{% block help %}[{{ block.super }}]{% endblock %}'),
    "a block that asks which it is": ("base.html", '{% extends "snipcart_checkout/base.html" %}{% block help %}{{ block.name }}{% endblock %}'),
    "a block within another tag": ("base.html", "{% spaceless %}<p> {% block content %}{% endblock %}</p>{% endspaceless %}"),
    "a part that reads the request": ("parts/addresses.html", "{{ request.path }} {{ user }} {{ invoice.email|upper }}"),
    "a name given another meaning": ("parts/addresses.html", "{% with store=invoice %}{{ store.email }}{% endwith %}{{ store.name }}"),
    "a loop over what is constant": ("parts/addresses.html", "{% for store in store.shop_hosts %}{{ store }}{{ forloop.counter }}{% empty %}none{% endfor %}{{ store.name }}"),
    "a tag that binds a constant": ("parts/addresses.html", '{% load i18n %}{% translate "Total" as language %}{{ language }}'),
    "a branch that is known only in part": ("parts/addresses.html", "{% if store.is_test %}a{% elif invoice.email %}b{% elif store.name %}c{% else %}d{% endif %}{% if store.name == 'live' and invoice.email %}e{% endif %}"),
    "filters": ("parts/addresses.html", '{{ store.name|upper|default:invoice.email }} {{ store.nothing|default:"x" }} {{ language.name|length }} {{ "abc"|random|length }}'),
    "state that a loop keeps": ("parts/addresses.html", "{% for line in invoice.billing_address %}{% cycle 'a' 'b' %}{% ifchanged line %}!{% endifchanged %}{% endfor %}"),
    "an include with a name of its own": ("parts/addresses.html", '{% include "snipcart_checkout/parts/methods.html" with methods=None %}{% include store.template|default:"snipcart_checkout/parts/scripts.html" %}'),
    "a part under other names": ("parts/addresses.html", '{% with p="snipcart_checkout/parts/method.html" %}{% include "snipcart_checkout/parts/method.html" with choice=method %}{% include "snipcart_checkout/parts/method.html" with choice=store %}{% include "snipcart_checkout/parts/method.html" with choice=store method=invoice %}{% with method=store %}{% include "snipcart_checkout/parts/method.html" with choice=method %}{% endwith %}{% include "snipcart_checkout/parts/method.html" with choice=method only %}{% include p with choice=method|default:"x" %}{% endwith %}{% include "snipcart_checkout/parts/item_rows.html" with invoice=method %}{{ method.name }}'),
    "loops over what is known": ("parts/addresses.html", "{% for style in styles %}{{ forloop.counter }}{{ style.source }}{% endfor %}{% for one in languages.choices reversed %}{{ one.code }}{% for code, name, current in languages.choices %}{% if current %}{{ name }}{% elif one.current %}-{% endif %}{% endfor %}{% endfor %}{% for store in styles %}{{ store.source }}{{ store.name }}{% endfor %}{{ store.name }}"),
    "loops over what is known, around what is not": ("parts/addresses.html", "{% for code, name, current in languages.choices %}{{ name }}{{ invoice.email }}{% cycle 'a' 'b' %}{% endfor %}{% for style in styles %}{% with brand=style %}{{ brand.source }}{% endwith %}{{ brand.name }}{% endfor %}"),
    "translations with names": ("parts/addresses.html", "{% load i18n %}{% blocktranslate with who=store.name %}a {{ who }}{% endblocktranslate %}{% blocktranslate with who=invoice.email %}{{ who }} {{ method.name }}{% endblocktranslate %}{% blocktranslate %}{{ store.name }}{% endblocktranslate %}{% blocktranslate count n=invoice.item_count %}{{ n }} one{% plural %}{{ n }} more{% endblocktranslate %}{% with store=invoice %}{% blocktranslate with who=store.email %}{{ who }}{% endblocktranslate %}{% endwith %}"),
    "a translation that binds a constant": ("parts/addresses.html", "{% load i18n %}{% blocktranslate asvar language %}x{% endblocktranslate %}{{ language }}"),
    "text that has to be escaped": ("parts/addresses.html", "{% firstof invoice.nothing '<b>' %}{{ '<i>' }}{% autoescape off %}{{ invoice.email }}{% endautoescape %}"),
    "rows of the site's own": ("parts/item_rows.html", "<tbody>{% for item in invoice.items %}<tr><td>{{ item.name|upper }}</td></tr>{% endfor %}</tbody>"),
}  # fmt: skip


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_sites_own_template_means_what_django_makes_of_it(
    client: Client, snipcart: StandIn, settings: Any, tmp_path: Path, override: str
) -> None:
    name, source = OVERRIDES[override]
    path = tmp_path / "snipcart_checkout" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    session = snipcart.session(items=3, language="fr")

    folded, plain = both(settings, tmp_path, see=lambda: get_page(client, session))

    assert folded == plain


def test_a_sites_own_field_is_shown_for_each_of_a_form(
    client: Client, snipcart: StandIn, settings: Any, checkout_settings: CheckoutSettings, tmp_path: Path
) -> None:
    part = tmp_path / "snipcart_checkout" / "parts" / "field.html"
    part.parent.mkdir(parents=True)
    part.write_text("[{{ field.name }} of {{ store.name }}]{{ field }}")
    settings.DEBUG = True  # else the dummy takes no live payment
    checkout_settings.method("acme_card", BACKEND="snipcart_checkout.backends.dummy.DummyBackend", OPTIONS={})
    session = snipcart.session()

    folded, plain = both(settings, tmp_path, see=lambda: get_page(client, session))

    assert folded == plain
    assert len(re.findall(r"\[\w+ of live\]<", folded)) == len(DummyForm().visible_fields())


def add_name(request: Any) -> dict[str, str]:
    """A context processor."""
    return {"shop_name": f"Shop of {request.GET.get('who', 'all')}", "store": "not ours"}


def test_what_a_context_processor_gives_is_never_kept(
    client: Client, snipcart: StandIn, settings: Any, tmp_path: Path
) -> None:
    part = tmp_path / "snipcart_checkout" / "parts" / "addresses.html"
    part.parent.mkdir(parents=True)
    part.write_text("{{ shop_name }}{{ store.name }}")
    use_templates(settings, tmp_path, folded=True, context_processors=[f"{__name__}.add_name"])
    session = snipcart.session()

    for who in ("Ada", "Bob"):
        page = get_page(client, session, who=who)
        assert f"Shop of {who}" in page.content.decode()
        assert "not ours" not in page.content.decode()


@pytest.mark.parametrize("folded", [True, False])
def test_djangos_assertions_know_each_template_that_was_used(
    client: Client, snipcart: StandIn, settings: Any, tmp_path: Path, folded: bool
) -> None:
    part = tmp_path / "snipcart_checkout" / "parts" / "addresses.html"
    part.parent.mkdir(parents=True)
    part.write_text(
        "{% if invoice.email %}{% include 'snipcart_checkout/parts/method.html' with choice=None %}{% endif %}"
    )
    use_templates(settings, tmp_path, folded=folded)

    page = get_page(client, snipcart.session(email="ada@shop.example"))
    without = get_page(client, snipcart.session(email=""))

    used = (
        "base.html checkout.html parts/items.html parts/item_rows.html parts/addresses.html parts/form.html"
    )
    for name in used.split():
        assertTemplateUsed(page, f"snipcart_checkout/{name}")
    assertTemplateNotUsed(page, "snipcart_checkout/error.html")
    methods = [
        sum(each.name.endswith("parts/method.html") for each in one.templates) for one in (page, without)
    ]
    assert methods[0] == methods[1] + 1


def test_a_change_of_the_settings_is_seen_by_the_next_page(
    client: Client, snipcart: StandIn, settings: Any, checkout_settings: CheckoutSettings
) -> None:
    use_templates(settings, folded=True)
    session = snipcart.session()
    before = get_page(client, session).content.decode()
    checkout_settings.store(MODE="test")

    assert ("TEST" in before, "TEST" in get_page(client, session).content.decode()) == (False, True)


def test_nothing_of_one_order_stands_on_the_page_of_another(
    client: Client, snipcart: StandIn, settings: Any
) -> None:
    use_templates(settings, folded=True)
    first = get_page(client, snipcart.session(email="first@shop.example"))
    second = get_page(client, snipcart.session(email="second@shop.example"))

    assert "first@shop.example" in first.content.decode()
    assert "first@shop.example" not in second.content.decode()
    assert "second@shop.example" in second.content.decode()


@pytest.mark.parametrize("language", ["en", "fr", "ar-EG"])
def test_the_finished_rows_are_those_of_the_template(language: str) -> None:
    amounts = (None, Decimal("-1.5"), Decimal("1234.5"))
    items = tuple(
        Item(name=name, type=kind, quantity=quantity, unit_price=amount, amount=amount)
        for name in ("", "<b>&\"'</b>", "Tax")
        for kind in ("Physical", "Discount", "Shipping", "Tax")
        for quantity in (None, Decimal(1), Decimal("2.5"))
        for amount in amounts
    )
    for lines in (items, items[:3], ()):
        invoice = Invoice(amount=Decimal(10), minor_units=1000, currency="EUR", items=lines)
        with translation.override(language[:2]):
            shown = present_invoice(invoice, page_language(language))
            rendered = render_to_string("snipcart_checkout/parts/item_rows.html", {"invoice": shown})
        assert shown.rows == rendered


class OwnView(CheckoutView):
    """A site's own view, which gives its templates something else under our names."""

    def get_context(self, *args: Any) -> dict[str, Any]:
        context = super().get_context(*args)
        method = {"name": "Cash", "icon_urls": ["/one.png"], "pay_url": "/pay/"}
        return {**context, "languages": [("en", "English")], "method": method}


def test_a_view_of_the_sites_own_may_give_something_else_under_our_names(
    rf: RequestFactory, snipcart: StandIn, settings: Any
) -> None:
    session = snipcart.session()

    def see() -> Any:
        request = rf.get("/", {"publicToken": session.public_token})
        return OwnView.as_view()(request, store="live")

    folded, plain = both(settings, see=see)

    assert folded == plain
    assert "Cash" in folded
