"""What the shopper chooses and fills in (points 21 to 27)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import snipcart_checkout
from snipcart_checkout.backends.dummy import DummyForm
from snipcart_checkout.backends.manual import ManualBackend
from snipcart_checkout.models import Payment
from tests.support.browser_site import STATES, Browse, Site, press_pay

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCRIPTED = "tests.support.backends.ScriptedBackend"
FORM = "tests.support.browser_forms.FormBackend"


def test_choices_are_native_radios_under_their_question_and_none_is_made_for_the_shopper(
    site: Site, browse: Browse
) -> None:
    page = browse()
    STATES["form"](site, page, "en")
    group = page.get_by_role("group", name="Your bank")

    assert group.evaluate("one => one.tagName") == "FIELDSET"
    assert group.get_by_role("radio").count() == 3
    assert group.get_by_role("radio", checked=True).count() == 0


def test_several_methods_are_links_of_which_none_is_taken_yet(site: Site, browse: Browse) -> None:
    page = browse()
    STATES["choice"](site, page, "en")
    ways = page.get_by_role("navigation", name="Payment methods")

    assert ways.get_by_role("link").all_inner_texts() == ["Credit card", "Bank transfer", "Pay on delivery"]
    assert page.locator(".sc-method").count() == 0
    assert page.locator(".sc-form").count() == 0
    ways.get_by_role("link", name="Bank transfer").click()
    expect(page.locator(".sc-method")).to_have_text("Bank transfer")
    expect(page.get_by_role("button", name="Pay €90.12")).to_be_visible()


def test_the_only_method_is_taken(site: Site, browse: Browse) -> None:
    page = browse()
    page.goto(site.checkout(site.session(), method=""))

    expect(page.locator(".sc-method")).to_have_text("Credit card")
    expect(page.get_by_role("button", name="Pay €90.12")).to_be_visible()


def test_an_icon_beside_a_name_is_silent(site: Site, browse: Browse) -> None:
    site.use(SCRIPTED, SCRIPTED, ICON="https://icons.example/card.svg")
    page = browse()
    page.goto(site.checkout(site.session()))

    assert [icon.get_attribute("alt") for icon in page.locator("main img").all()] == ["", ""]
    assert page.get_by_role("img").count() == 0


@pytest.mark.parametrize(
    "limit", [{"MIN_AMOUNT": "100"}, {"MAX_AMOUNT": "50"}, {"CURRENCIES": ["USD"]}, {"COUNTRIES": ["BE"]}]
)
def test_a_method_that_does_not_take_the_order_is_not_offered_and_says_why_when_asked_for(
    site: Site, browse: Browse, limit: dict[str, Any]
) -> None:
    site.use(SCRIPTED, SCRIPTED)
    site.checkout_settings.method("acme_transfer", **limit)
    page = browse()
    session = site.session()

    page.goto(site.checkout(session))
    assert "Bank transfer" not in page.locator("main").inner_text()
    answer = page.goto(site.checkout(session, method="acme_transfer"))

    assert answer is not None
    assert answer.status == 409
    assert (
        "isn't available in your country, in your currency or for this amount"
        in page.locator("main").inner_text()
    )
    expect(page.get_by_role("link", name="Back to the shop")).to_have_attribute(
        "href", "https://shop.example/#/checkout"
    )


def test_each_field_has_a_label_in_sight_its_hint_and_what_the_browser_may_fill_in(
    site: Site, browse: Browse
) -> None:
    page = browse()
    STATES["form"](site, page, "en")

    for field in page.locator(".sc-form :is(input, select, textarea):not([type=hidden])").all():
        label = page.locator(f"label[for={field.get_attribute('id')}]")
        expect(label).to_be_visible()
        assert label.inner_text()
        assert field.get_attribute("autocomplete") != "off"
    described = page.get_by_label("Customer number").get_attribute("aria-describedby") or ""
    expect(page.locator(f"#{described}")).to_have_text("Eight digits, on top of your statement.")
    expect(page.get_by_label("Account holder")).to_have_attribute("autocomplete", "name")
    expect(page.get_by_text("(optional)")).to_have_count(1)


def fill_in(page: Any) -> None:
    page.get_by_label("Bank of the South").check()
    page.get_by_label("Account holder").fill("Ada Byron")
    page.get_by_label("Customer number").fill("12 34 56 78")
    page.get_by_label("I have read the bank's terms").check()


def test_a_code_is_typed_on_digits_with_spaces_where_the_shopper_likes_them(
    site: Site, browse: Browse
) -> None:
    page = browse()
    STATES["form"](site, page, "en")
    code = page.get_by_label("Customer number")
    assert (code.get_attribute("type"), code.get_attribute("inputmode")) == ("text", "numeric")

    fill_in(page)
    press_pay(page)

    assert Payment.objects.get().state == "paid"


@pytest.mark.parametrize("backend", ["dummy.DummyBackend", "manual.ManualBackend"])
def test_nothing_that_the_cart_knows_is_asked_again(site: Site, browse: Browse, backend: str) -> None:
    site.use(f"snipcart_checkout.backends.{backend}", OPTIONS={})
    site.checkout_settings.store(MODE="test")
    page = browse()
    page.goto(site.checkout(site.session()))

    names = page.eval_on_selector_all(".sc-form [name]", "all => all.map(one => one.name)")
    asked = set(names) - {"csrfmiddlewaretoken", "publicToken", "shown"}
    assert asked == (
        set(DummyForm.base_fields) if "dummy" in backend else set(ManualBackend.form_class.base_fields)
    )
    assert not [name for name in asked if re.search("name|mail|phone|address|city|postal|country", name)]
    assert page.locator("input[type=number]").count() == 0


def test_no_template_and_no_form_of_ours_asks_for_a_card() -> None:
    package = Path(snipcart_checkout.__file__).parent
    card = re.compile(r"cc-(number|csc|exp)|card_?number|\bcvv\b|\bcvc\b", re.IGNORECASE)
    files = [
        *package.glob("templates/**/*.html"),
        *package.glob("backends/*.py"),
        *package.glob("static/**/*.js"),
    ]

    assert len(files) > 10
    assert [path.name for path in files if card.search(path.read_text())] == []
