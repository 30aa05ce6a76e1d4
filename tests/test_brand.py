"""BRAND, DESCRIPTION, lists of icons and PLANS: read leniently, and every wrong value is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from snipcart_checkout.conf import PLANS, Brand, Method, Store, get_settings
from snipcart_checkout.testing import CheckoutSettings
from tests.test_checks import ids, run

if TYPE_CHECKING:
    from pytest_django import Settings

BRAND: dict[str, Any] = {
    "NAME": "The Paper Lantern",
    "LOGO": "snipcart_checkout/checkout.css",
    "LOGO_DARK": "https://cdn.example/logo-dark.svg",
    "ACCENT": "#7a1f3d",
    "ACCENT_DARK": "#E9B",
    "CONTACT": "mailto:hello@shop.example",
}


@pytest.fixture(autouse=True)
def _debug_off(settings: Settings) -> None:
    settings.DEBUG = False


def read(checkout_settings: CheckoutSettings, **changes: Any) -> Store:
    checkout_settings.store(**changes)
    return get_settings().stores["live"]


def read_method(checkout_settings: CheckoutSettings, **changes: Any) -> Method:
    checkout_settings.method("acme_card", **changes)
    return get_settings().stores["live"].methods["acme_card"]


class TestBrand:
    def test_it_is_read_as_it_was_written(self, checkout_settings: CheckoutSettings) -> None:
        assert read(checkout_settings, BRAND=BRAND).brand == Brand(
            name="The Paper Lantern",
            logo="snipcart_checkout/checkout.css",
            logo_dark="https://cdn.example/logo-dark.svg",
            accent="#7a1f3d",
            accent_dark="#E9B",
            contact="mailto:hello@shop.example",
        )
        assert ids() == []

    def test_a_store_without_one_has_an_empty_one(self, checkout_settings: CheckoutSettings) -> None:
        brand = read(checkout_settings).brand
        assert brand == Brand()
        assert not brand
        assert brand.accent == ""

    def test_its_name_may_be_a_lazy_translation(self, checkout_settings: CheckoutSettings) -> None:
        brand = read(checkout_settings, BRAND={"NAME": gettext_lazy("Card")}).brand
        assert isinstance(brand.name, Promise)
        assert brand
        assert ids() == []

    @pytest.mark.parametrize("value", ["red", [], 5])
    def test_what_is_no_dict_is_an_error_and_none(
        self, checkout_settings: CheckoutSettings, value: object
    ) -> None:
        store = read(checkout_settings, BRAND=value)
        assert not store.brand
        assert store.complete
        assert ids() == ["E112"]

    def test_an_unknown_key_is_named_with_the_nearest(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.store(BRAND={"COLOUR": "#fff", "ACENT": "#fff"})
        first, second = run()
        assert first.id == second.id == "snipcart_checkout.E002"
        assert "ACCENT_DARK, CONTACT" in (first.hint or "")
        assert second.hint == "Write 'ACCENT' instead."

    def test_a_key_of_it_on_another_level_is_sent_into_it(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.store(LOGO="shop/logo.svg")
        (message,) = run()
        assert message.hint == "It belongs in BRAND of a store."

    @pytest.mark.parametrize(
        "key, value, error",
        [
            ("NAME", 5, "E113"),
            ("LOGO", 5, "E114"),
            ("LOGO", "shop/missing.svg", "E114"),
            ("LOGO_DARK", "http://cdn.example/logo.svg", "E114"),
            ("ACCENT", "red", "E115"),
            ("ACCENT", "#12345", "E115"),
            ("ACCENT", "#12345678", "E115"),
            ("ACCENT_DARK", "#fff;}body{display:none", "E115"),
            ("ACCENT", 0x7A1F3D, "E115"),
            ("CONTACT", "hello@shop.example", "E116"),
            ("CONTACT", "http://shop.example/contact", "E116"),
            ("CONTACT", "javascript:alert(1)", "E116"),
            ("CONTACT", "mailto:", "E116"),
            ("CONTACT", "tel:call-me", "E116"),
            ("CONTACT", "https:///contact", "E116"),
            ("CONTACT", "https://user@shop.example/", "E116"),
            ("CONTACT", 'https://shop.example/"', "E116"),
            ("CONTACT", "https://shop.example:x/", "E116"),
            ("CONTACT", ["mailto:hello@shop.example"], "E116"),
        ],
    )
    def test_every_value_that_cannot_be_used_is_an_error(
        self, checkout_settings: CheckoutSettings, key: str, value: object, error: str
    ) -> None:
        store = read(checkout_settings, BRAND={**BRAND, key: value})
        assert store.complete
        (message,) = run()
        assert message.id == f"snipcart_checkout.{error}"
        assert message.hint
        assert f"['BRAND'][{key!r}]" in message.msg
        if key not in {"LOGO", "LOGO_DARK"} or value == 5:
            assert getattr(store.brand, key.lower()) == ""

    @pytest.mark.parametrize(
        "contact",
        [
            "mailto:a@b.example?subject=My%20order",
            "tel:+33123456789",
            "tel:01.23-45",
            "https://shop.example/contact?a=b",
        ],
    )
    def test_a_link_of_three_kinds_is_a_contact(
        self, checkout_settings: CheckoutSettings, contact: str
    ) -> None:
        assert read(checkout_settings, BRAND={"CONTACT": f" {contact} "}).brand.contact == contact
        assert ids() == []


class TestDescription:
    def test_it_is_one_line_in_the_words_of_the_merchant(self, checkout_settings: CheckoutSettings) -> None:
        assert str(read_method(checkout_settings, DESCRIPTION=gettext_lazy("Card")).description) == "Card"
        assert ids() == []

    def test_left_out_it_is_empty(self, checkout_settings: CheckoutSettings) -> None:
        assert read_method(checkout_settings).description == ""

    def test_what_is_no_text_is_an_error_and_empty(self, checkout_settings: CheckoutSettings) -> None:
        assert read_method(checkout_settings, DESCRIPTION=["a"]).description == ""
        assert ids() == ["E219"]


class TestIcons:
    CSS = "snipcart_checkout/checkout.css"

    @pytest.mark.parametrize(
        "icon, icons", [(None, ()), ("", ()), (CSS, (CSS,)), ([CSS, CSS], (CSS, CSS)), ((CSS,), (CSS,))]
    )
    def test_one_or_several_may_be_given(
        self, checkout_settings: CheckoutSettings, icon: object, icons: tuple[str, ...]
    ) -> None:
        method = read_method(checkout_settings, ICON=icon)
        assert method.icons == icons
        assert method.icon == (icons[0] if icons else "")
        assert ids() == []

    def test_more_than_four_are_an_error_and_four(self, checkout_settings: CheckoutSettings) -> None:
        assert len(read_method(checkout_settings, ICON=[self.CSS] * 5).icons) == 4
        assert ids() == ["E220"]

    def test_each_that_cannot_be_shown_is_named(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.method("acme_card", ICON=[self.CSS, "shop/missing.svg", 5])
        first, second = run()
        assert first.id == second.id == "snipcart_checkout.W202"
        assert "'shop/missing.svg'" in first.msg


class TestPlans:
    def test_an_order_with_a_plan_is_paid_once_unless_refused(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        assert read(checkout_settings).plans == "once"
        assert read(checkout_settings, PLANS="refuse").plans == "refuse"
        assert read(checkout_settings, PLANS="ONCE").plans == "once"
        assert ids() == []

    @pytest.mark.parametrize("value", ["never", None, True, ["refuse"]])
    def test_what_is_neither_refuses_and_leaves_the_store_incomplete(
        self, checkout_settings: CheckoutSettings, value: object
    ) -> None:
        store = read(checkout_settings, PLANS=value)
        assert store.plans == "refuse"
        assert not store.complete
        assert "E117" in ids()

    def test_there_are_two(self) -> None:
        assert PLANS == ("once", "refuse")
