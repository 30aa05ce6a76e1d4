"""What a merchant's few lines of CSS change on the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

import snipcart_checkout
from tests.support.browser_site import STATES, Browse, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

STYLESHEET = Path(snipcart_checkout.__file__).parent / "static" / "snipcart_checkout" / "checkout.css"
PROPERTIES = sorted(set(re.findall(r"^  (--sc-[\w-]+):", STYLESHEET.read_text(), re.MULTILINE)))
ODD = {"font": "monospace", "radius": "31px", "space": "3rem", "logo-height": "77px"}
# The looks of everything on the page, the pictures that CSS draws included.
LOOKS = """() => [...document.querySelectorAll("*")].map(one => ["", "::before", "::after"].map(part => {
  const style = getComputedStyle(one, part);
  return ["color", "backgroundColor", "borderTopColor", "outlineColor", "borderTopLeftRadius", "marginTop", "fontFamily", "height"]
    .map(name => style[name]).join();
}).join()).join()"""


def add_logo(request: Any, session: Any, store: Any) -> dict[str, str]:
    """A CONTEXT hook."""
    return {"logo_url": "/static/snipcart_checkout_sandbox/icon.svg", "shop_name": "The Paper Lantern"}


def changes(page: Page, name: str) -> bool:
    value = ODD.get(name.removeprefix("--sc-"), "rgb(1, 2, 3)")
    before = page.evaluate(LOOKS)
    page.evaluate("([name, value]) => document.documentElement.style.setProperty(name, value)", [name, value])
    after = page.evaluate(LOOKS)
    page.evaluate("name => document.documentElement.style.removeProperty(name)", name)
    return bool(before != after)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_custom_property_changes_the_looks(site: Site, browse: Browse, scheme: str) -> None:
    page = browse(color_scheme=scheme)
    site.checkout_settings(CONTEXT=f"{__name__}.add_logo")
    site.checkout_settings.store(MODE="test")
    STATES["form-errors"](site, page, "en")
    changed = {name for name in PROPERTIES if changes(page, name)}
    STATES["done"](site, page, "en")
    changed |= {name for name in PROPERTIES if changes(page, name)}

    assert len(PROPERTIES) >= 15
    assert changed == set(PROPERTIES)


def test_a_stylesheet_of_the_shops_reaches_the_pay_button(site: Site, browse: Browse, tmp_path: Path) -> None:
    theme = tmp_path / "theme" / "snipcart_checkout"
    theme.mkdir(parents=True)
    (theme / "base.html").write_text(
        '{% extends "snipcart_checkout/base.html" %}{% load static %}{% block head_extra %}{{ block.super }}'
        """<link rel="stylesheet" href="{% static 'shop/pay.css' %}">{% endblock %}"""
    )
    site.settings.TEMPLATES = [{**site.settings.TEMPLATES[0], "DIRS": [str(theme.parent)]}]
    page = browse()
    page.route(
        "**/static/shop/pay.css",
        lambda route: route.fulfill(
            content_type="text/css", body=":root { --sc-accent: #123456; --sc-radius: 0px }"
        ),
    )

    STATES["checkout"](site, page, "en")

    button = page.locator(".sc-form .sc-button")
    assert button.evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(18, 52, 86)"
    assert button.evaluate("one => getComputedStyle(one).borderRadius") == "0px"
