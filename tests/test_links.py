"""Links lead to the merchant's shops, to the providers and to us, and nowhere else."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import clear_script_prefix, get_script_prefix, set_script_prefix
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from snipcart_checkout.conf.links import (
    icon_url,
    public_url,
    to_cart_url,
    to_origin,
    to_safe_provider_url,
    to_safe_shop_url,
)
from snipcart_checkout.testing import CheckoutSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

HOSTS = ("shop.example", "alt.example:8443")
ASTRAY = [
    "",
    "http://shop.example/",
    "ftp://shop.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "//shop.example/",
    "/cart",
    "cart",
    "https:shop.example",
    "https:/shop.example",
    "https:///shop.example",
    "https://",
    "https://evil.example/",
    "https://shop.example.evil.example/",
    "https://evil.example/shop.example",
    "https://evil.example#shop.example",
    "https://evilshop.example/",
    "https://www.shop.example/",
    "https://shop.example./",
    "https://shop.example:8443/",
    "https://shop.example:0/",
    "https://shop.example:99999/",
    "https://shop.example:x/",
    "https://alt.example/",
    "https://alt.example:443/",
    "https://user@shop.example/",
    "https://user:pass@shop.example/",
    "https://@shop.example/",
    "https://shop.example@evil.example/",
    "https://shop.example\\@evil.example/",
    "https://evil.example\\.shop.example/",
    "https:\\\\shop.example/",
    " https://shop.example/",
    "https://shop.example/ ",
    "https://shop.example/\n",
    "https://shop.example/\r\nSet-Cookie: a=b",
    "https://shop.example/\x00",
    "https://shop.example/\u202e",
    "https://shop\u200b.example/",
    "https://ｓhop.example/",
    'https://shop.example/"onclick=',
    "https://shop.example/<script>",
    "https://[::1/",
    "https://shop.example/" + "x" * 4096,
]


@pytest.fixture(autouse=True)
def _quiet(settings: Settings) -> None:
    settings.DEBUG = False


class TestSafeShopUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "https://shop.example",
            "https://shop.example/",
            "https://shop.example#/checkout",
            "https://shop.example/cart?a=b&c=d#/order/1",
            "https://SHOP.example/Cart",
            "HTTPS://shop.example/",
            "https://shop.example:443/",
            "https://shop.example:/",
            "https://alt.example:8443/",
            "https://shop.example/@home",
            "https://shop.example/café/本",
        ],
    )
    def test_a_link_to_a_host_of_the_shop_is_kept_as_it_is(self, url: str) -> None:
        assert to_safe_shop_url(url, HOSTS) == url

    @pytest.mark.parametrize("url", ASTRAY, ids=lambda url: url[:40].encode("unicode_escape").decode())
    def test_a_link_anywhere_else_is_none(self, url: str) -> None:
        assert to_safe_shop_url(url, HOSTS) == ""

    @pytest.mark.parametrize("entry", ["", "*", "*.example", "https://shop.example", "shop.example:x"])
    def test_an_entry_that_is_no_host_matches_nothing(self, entry: str) -> None:
        assert to_safe_shop_url("https://shop.example/", [entry]) == ""

    def test_no_hosts_match_nothing(self) -> None:
        assert to_safe_shop_url("https://shop.example/", []) == ""

    @pytest.mark.parametrize(
        "url", ["http://localhost:8000/", "http://127.0.0.1:8000/#/cart", "http://[::1]:8000/"]
    )
    def test_plain_http_leads_to_this_machine_with_debug_only(self, settings: Settings, url: str) -> None:
        hosts = ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"]
        assert to_safe_shop_url(url, hosts) == ""
        settings.DEBUG = True
        assert to_safe_shop_url(url, hosts) == url

    def test_plain_http_leads_nowhere_else_even_with_debug(self, settings: Settings) -> None:
        settings.DEBUG = True
        assert to_safe_shop_url("http://shop.example/", HOSTS) == ""
        assert to_safe_shop_url("http://127.evil.example/", ["127.evil.example"]) == ""

    @pytest.mark.parametrize(
        "url", ["https://xn--bcher-kva.example/", "https://bücher.example/", "https://BÜCHER.example/"]
    )
    def test_a_host_in_another_script_matches_in_both_spellings(self, url: str) -> None:
        assert to_safe_shop_url(url, ["bücher.example"]) == url

    @pytest.mark.parametrize(
        "url, entry", [("https://faß.example/", "fass.example"), ("https://ⓢhop.example/", "shop.example")]
    )
    def test_a_host_that_browsers_may_spell_another_way_is_no_match(self, url: str, entry: str) -> None:
        assert to_safe_shop_url(url, [entry]) == ""

    @given(st.text(alphabet="htps:/@\\shop.example#?[]%ⓢ。\t\n", max_size=40))
    def test_no_text_leads_to_a_host_that_is_not_listed(self, text: str) -> None:
        url = to_safe_shop_url(f"https://{text}", ["shop.example"])
        assert url == "" or url.lower().startswith("https://shop.example")


class TestReturnUrl:
    def test_a_session_without_a_link_leads_to_the_first_host(self) -> None:
        assert to_cart_url("", HOSTS) == "https://shop.example"

    @pytest.mark.parametrize(
        "debug, home", [(True, "http://127.0.0.1:8000"), (False, "https://127.0.0.1:8000")]
    )
    def test_a_shop_on_the_developers_machine_is_led_to_without_tls(
        self, settings: Settings, debug: bool, home: str
    ) -> None:
        settings.DEBUG = debug
        assert to_cart_url("", ["127.0.0.1:8000"]) == home

    def test_with_debug_a_real_shop_is_still_https(self, settings: Settings) -> None:
        settings.DEBUG = True
        assert to_cart_url("", HOSTS) == "https://shop.example"

    def test_a_link_that_is_only_a_fragment_is_a_place_in_the_shop(self) -> None:
        assert to_cart_url("#/checkout", HOSTS) == "https://shop.example/#/checkout"

    def test_a_checked_link_is_kept(self) -> None:
        assert to_cart_url("https://alt.example:8443/#/cart", HOSTS) == "https://alt.example:8443/#/cart"

    @pytest.mark.parametrize(
        "sent", ["https://evil.example/", "/cart", "//evil.example", "#\n", " #/cart", "javascript:x"]
    )
    def test_a_link_elsewhere_is_none(self, sent: str) -> None:
        assert to_cart_url(sent, HOSTS) == ""


class TestSafeProviderUrl:
    ORIGINS = ("https://pay.provider.example", "https://alt.example:8443")

    @pytest.mark.parametrize(
        "url",
        [
            "https://pay.provider.example/session/1?a=b",
            "https://alt.example:8443/",
            "https://pay.shop.example/checkout/payments/1/return/",
        ],
    )
    def test_a_link_to_a_provider_or_to_ourselves_is_kept(self, url: str) -> None:
        assert to_safe_provider_url(url, self.ORIGINS) == url

    @pytest.mark.parametrize(
        "url",
        [
            "https://provider.example/",
            "https://pay.provider.example:8443/",
            "http://pay.provider.example/",
            "https://pay.provider.example@evil.example/",
            "https://alt.example/",
            "/relative",
            "",
        ],
    )
    def test_a_link_anywhere_else_is_none(self, url: str) -> None:
        assert to_safe_provider_url(url, self.ORIGINS) == ""

    def test_an_origin_that_is_none_matches_nothing(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.remove("PUBLIC_URL")
        assert to_safe_provider_url("https://pay.provider.example/", ["", "pay.provider.example", "*"]) == ""


class TestOriginOf:
    @pytest.mark.parametrize(
        "url, origin",
        [
            ("https://A.example:443/x", "https://a.example"),
            ("https://a.example:8443", "https://a.example:8443"),
            ("http://a.example:80/", "http://a.example"),
            ("http://[::1]:8000/x", "http://[::1]:8000"),
            ("a.example", ""),
            ("", ""),
            ("https://u@a.example", ""),
        ],
    )
    def test_an_origin_is_scheme_host_and_unusual_port(self, url: str, origin: str) -> None:
        assert to_origin(url) == origin


class TestPublicUrl:
    def test_our_links_start_at_the_configured_address(self) -> None:
        assert (
            public_url("payment_methods", store="live")
            == "https://pay.shop.example/checkout/live/payment-methods/"
        )

    def test_a_path_in_the_configured_address_is_kept(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(PUBLIC_URL="https://shop.example/pay/")
        assert public_url("checkout", store="live") == "https://shop.example/pay/checkout/live/"

    def test_the_script_prefix_of_a_request_is_not_added_again(self, prefix: None) -> None:
        assert public_url("checkout", store="live") == "https://pay.shop.example/checkout/live/"
        assert get_script_prefix() == "/mounted/"

    @pytest.fixture
    def prefix(self) -> Iterator[None]:
        set_script_prefix("/mounted/")
        yield
        clear_script_prefix()

    def test_the_language_of_a_request_does_not_stand_in_the_link(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.test_links"
        with translation.override("fr"):
            link = public_url("checkout", store="live")
            assert translation.get_language() == "fr"
        assert link == "https://pay.shop.example/en/pay/live/"

    def test_a_command_and_a_request_write_the_same_link(self) -> None:
        written: list[str] = []
        thread = threading.Thread(target=lambda: written.append(public_url("checkout", store="live")))
        set_script_prefix("/mounted/")
        try:
            thread.start()
            thread.join()
            assert written == [public_url("checkout", store="live")]
        finally:
            clear_script_prefix()


class TestIconUrl:
    @pytest.mark.parametrize(
        "icon, url",
        [
            ("shop/card.svg", "https://pay.shop.example/static/shop/card.svg"),
            ("https://cdn.example/card.svg", "https://cdn.example/card.svg"),
            ("http://cdn.example/card.svg", ""),
            ("", ""),
        ],
    )
    def test_an_icon_is_an_absolute_link_over_https(self, icon: str, url: str) -> None:
        assert icon_url(icon) == url

    def test_static_files_elsewhere_are_linked_there(self, settings: Settings) -> None:
        settings.STATIC_URL = "https://cdn.example/s/"
        assert icon_url("card.svg") == "https://cdn.example/s/card.svg"

    def test_an_icon_that_the_manifest_does_not_know_hides_only_itself(self, settings: Settings) -> None:
        manifest = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": manifest}}
        settings.STATIC_ROOT = "/nonexistent"
        assert icon_url("shop/missing.svg") == ""


def _urlpatterns() -> list[Any]:
    from django.conf.urls.i18n import i18n_patterns
    from django.urls import include, path

    return i18n_patterns(path("pay/", include("snipcart_checkout.urls")))


urlpatterns = _urlpatterns()
