"""What the Lyra backend says of its options, and how it is asked whether they work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from snipcart_checkout.backends.lyra.checks import OPTIONS as NAMES
from snipcart_checkout.backends.lyra.platforms import PLATFORMS
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.testing import CheckoutSettings
from tests.support.lyra_account import HMAC_KEY, LIVE_PASSWORD, TEST_PASSWORD, LyraAccount
from tests.support.lyra_charges import OPTIONS, backend


def ids(store: str = "live", **options: Any) -> list[str]:
    messages = backend(store, **options).check()
    printed = "".join(f"{message.msg}{message.hint}" for message in messages)
    secrets = [
        value for value in {**OPTIONS, **options}.values() if isinstance(value, str) and len(value) > 15
    ]
    assert not [value for value in secrets if value in printed]
    return [(message.id or "").rpartition(".")[2] for message in messages]


class TestCheck:
    @pytest.mark.parametrize("platform", PLATFORMS)
    def test_good_options_pass(self, platform: str) -> None:
        assert ids(PLATFORM=platform, SESSION_MINUTES=30) == []

    def test_so_do_those_of_a_platform_that_has_no_name_here(self) -> None:
        pages = ["https://secure.payzen.lat"]
        assert ids(PLATFORM=None, API_URL="https://api.payzen.lat", PAGE_ORIGINS=pages) == []

    @pytest.mark.parametrize("platform", [None, "", "Systempay", "stripe", 7, ["payzen"]])
    def test_a_platform_that_is_missing_or_unknown_is_an_error(self, platform: Any) -> None:
        assert ids(PLATFORM=platform) == ["E251"]

    @pytest.mark.parametrize(
        "url", ["http://api.payzen.eu", "api.payzen.eu", "", None, 7, "https://a:b@c.example"]
    )
    def test_an_api_address_that_is_not_https_is_an_error(self, url: Any) -> None:
        assert ids(API_URL=url) == ["E252"]

    def test_a_loopback_address_is_none(self) -> None:
        assert ids(API_URL="http://127.0.0.1:8001", PAGE_ORIGINS=["http://127.0.0.1:8001"]) == []

    @pytest.mark.parametrize(
        "origins",
        [
            "https://secure.payzen.lat",
            [],
            None,
            ["http://secure.payzen.eu"],
            ["https://secure.payzen.eu/t/"],
            [7],
        ],
    )
    def test_page_origins_that_are_none_are_an_error(self, origins: Any) -> None:
        assert ids(PAGE_ORIGINS=origins) == ["E253"]

    @pytest.mark.parametrize("shop_id", [None, "", 69876357, "1234567", "12345678", "your-shop", "698763570"])
    def test_a_shop_id_that_is_missing_or_a_sample_is_an_error(self, shop_id: Any) -> None:
        assert ids(SHOP_ID=shop_id) == ["E254"]

    @pytest.mark.parametrize(
        "password",
        [
            None,
            "",
            "prodpassword_...",
            "prodpassword_",
            "testpublickey_DEMOPUBLICKEY95me92597fd28tGD4r5",
            HMAC_KEY,
            7,
        ],
    )
    def test_a_password_that_is_missing_or_none_is_an_error(self, password: Any) -> None:
        assert ids(PASSWORD=password) == ["E255"]

    @pytest.mark.parametrize("store, password", [("live", TEST_PASSWORD), ("trial", LIVE_PASSWORD)])
    def test_a_password_of_the_other_mode_is_an_error(
        self, checkout_settings: CheckoutSettings, store: str, password: str
    ) -> None:
        checkout_settings.store("trial", MODE="test")
        assert ids(store, PASSWORD=password) == ["E256"]

    @pytest.mark.parametrize("store, password", [("live", LIVE_PASSWORD), ("trial", TEST_PASSWORD)])
    def test_one_of_the_stores_own_mode_is_none(
        self, checkout_settings: CheckoutSettings, store: str, password: str
    ) -> None:
        checkout_settings.store("trial", MODE="test")
        assert ids(store, PASSWORD=password) == []

    @pytest.mark.parametrize("key", [None, ""])
    def test_a_missing_hmac_key_is_a_warning(self, key: Any) -> None:
        assert ids(HMAC_KEY=key) == ["W251"]

    @pytest.mark.parametrize("key", ["short", "your-hmac-key-from-the-back-office", LIVE_PASSWORD, 7])
    def test_an_hmac_key_that_is_none_is_an_error(self, key: Any) -> None:
        assert ids(HMAC_KEY=key) == ["E257"]

    @pytest.mark.parametrize("minutes", [0, 4, 1441, "30", 30.0, True, None])
    def test_minutes_out_of_range_are_an_error(self, minutes: Any) -> None:
        assert ids(SESSION_MINUTES=minutes) == ["E258"]

    def test_an_unknown_option_is_a_warning_that_names_the_nearest(self) -> None:
        messages = backend(PASWORD="x").check()
        assert [message.id for message in messages] == ["snipcart_checkout.W211"]
        assert "PASSWORD" in str(messages[0].hint)


class TestDocs:
    def test_they_name_every_option_and_platform(self) -> None:
        text = (Path(__file__).parent.parent / "docs/lyra.md").read_text()
        assert not [name for name in (*NAMES, *PLATFORMS) if f"`{name}`" not in text.replace('"', "")]


class TestPlatforms:
    @pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
    def test_addresses_are_origins_over_https(self, platform: Any) -> None:
        for address in (platform.api_url, *platform.page_origins):
            assert address.startswith("https://")
            assert to_origin(address) == address

    def test_the_line_under_the_methods_name_names_the_platform(self) -> None:
        assert "Systempay" in str(backend().description)


class TestPing:
    def test_good_credentials_pass_and_nothing_is_made(self, lyra: LyraAccount) -> None:
        backend().ping()
        assert [service for service, _ in lyra.requests] == ["Charge/SDKTest"]

    def test_a_wrong_password_is_said_without_naming_it(self, lyra: LyraAccount) -> None:
        lyra.modes = {}
        with pytest.raises(ImproperlyConfigured, match="SHOP_ID and PASSWORD") as caught:
            backend().ping()
        assert LIVE_PASSWORD not in repr(caught.value)

    def test_options_that_cannot_be_used_are_said_before_anything_is_sent(self, lyra: LyraAccount) -> None:
        with pytest.raises(ImproperlyConfigured):
            backend(SHOP_ID="").ping()
        assert lyra.requests == []

    @pytest.mark.parametrize("code", ["PSP_100", "PSP_999"])
    def test_any_other_error_is_named_by_its_code(self, lyra: LyraAccount, code: str) -> None:
        lyra.fail_next(code)
        with pytest.raises(ImproperlyConfigured, match=code):
            backend().ping()

    def test_an_answer_of_the_other_mode_is_no_good_sign(self, lyra: LyraAccount) -> None:
        lyra.change_next(lambda envelope: {**envelope, "mode": "TEST"})
        with pytest.raises(ImproperlyConfigured, match="mode"):
            backend().ping()

    def test_nor_is_another_echo(self, lyra: LyraAccount) -> None:
        lyra.change_next(lambda envelope: {**envelope, "answer": {"value": "else"}})
        with pytest.raises(ImproperlyConfigured):
            backend().ping()


def test_the_button_names_the_platform_that_it_leads_to() -> None:
    for platform, known in PLATFORMS.items():
        assert str(backend(PLATFORM=platform).pay_label) == f"Continue to {known.name}"
