"""What the BTCPay backend says of its options, and what its server says of its key."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from snipcart_checkout.backends.btcpay import BTCPayBackend
from snipcart_checkout.backends.btcpay.api import BTCPayOutcomeUnknown
from snipcart_checkout.testing import CheckoutSettings
from tests.support.btcpay_charges import OPTIONS, backend, left
from tests.support.btcpay_server import STORE_ID, BTCPayServer

BACKEND = "snipcart_checkout.backends.btcpay.BTCPayBackend"


class TestCheck:
    def ids(self, store: str = "live", **options: Any) -> list[str]:
        values = {**OPTIONS, **options}
        messages = BTCPayBackend(store=store, method="bitcoin", options=values).check()
        printed = "".join(f"{message.msg}{message.hint}" for message in messages)
        assert not [
            text for text in values.values() if isinstance(text, str) and len(text) > 15 and text in printed
        ]
        return [(message.id or "").rpartition(".")[2] for message in messages]

    @pytest.mark.parametrize(
        "url", [OPTIONS["URL"], "https://shop.example/btcpay/", "https://btcpay.shop.example:8443"]
    )
    def test_good_options_pass(self, url: str) -> None:
        assert self.ids(URL=url) == []

    @pytest.mark.parametrize(
        "url",
        [
            None,
            "",
            7,
            "btcpay.example",
            "http://btcpay.shop.example",
            "https://a@b.example",
            "https://b/?x",
        ],
    )
    def test_a_url_that_is_not_https_is_an_error(self, url: Any) -> None:
        assert self.ids(URL=url) == ["E261"]

    @pytest.mark.parametrize("debug, expected", [(True, []), (False, ["E261"])])
    def test_a_server_on_this_machine_is_for_developing(
        self, settings: Any, debug: bool, expected: list[str]
    ) -> None:
        settings.DEBUG = debug
        assert self.ids(URL="http://127.0.0.1:14142") == expected

    @pytest.mark.parametrize(
        "store_id", [None, "", 7, "your-store-id", "a/b", f"{STORE_ID}?x=1", STORE_ID * 2]
    )
    def test_what_is_no_store_id_is_an_error(self, store_id: Any) -> None:
        assert self.ids(STORE_ID=store_id) == ["E262"]

    @pytest.mark.parametrize("key", [None, "", 7, "your-key", "key\nwith a line end of its own", "..."])
    def test_what_is_no_key_is_an_error(self, key: Any) -> None:
        assert self.ids(API_KEY=key) == ["E263"]

    @pytest.mark.parametrize(
        "secret, expected", [(None, "W261"), ("", "W261"), ("short", "E264"), (7, "E264")]
    )
    def test_a_missing_secret_is_a_warning_and_a_weak_one_an_error(self, secret: Any, expected: str) -> None:
        assert self.ids(WEBHOOK_SECRET=secret) == [expected]

    def test_a_misspelt_option_is_a_warning(self) -> None:
        assert self.ids(API_KEYS="x") == ["W211"]

    @pytest.mark.parametrize("mode, expected", [("live", []), ("test", ["E265"])])
    def test_one_store_at_btcpay_for_both_modes_is_an_error(
        self, checkout_settings: CheckoutSettings, mode: str, expected: list[str]
    ) -> None:
        method = {"BACKEND": BACKEND, "NAME": "Bitcoin", "OPTIONS": {**OPTIONS, "URL": OPTIONS["URL"] + "/"}}
        checkout_settings.store("other", MODE=mode, METHODS={"bitcoin": method})
        assert self.ids() == expected


class TestPing:
    def test_a_key_that_may_do_everything_passes(self, btcpay: BTCPayServer) -> None:
        left()
        backend().ping()

    @pytest.mark.parametrize(
        "granted",
        [
            ["unrestricted"],
            [f"btcpay.store.canmodifystoresettings:{STORE_ID}"],
            ["btcpay.store.canmodifyinvoices", f"btcpay.store.cancreatepullpayments:{STORE_ID}"],
        ],
    )
    def test_permissions_include_others(self, btcpay: BTCPayServer, granted: list[str]) -> None:
        btcpay.answer_next(200, {"permissions": granted})
        backend().ping()

    @pytest.mark.parametrize(
        "granted, lacking",
        [
            (["btcpay.store.canviewinvoices"], "btcpay.store.cancreateinvoice"),
            (["btcpay.store.canmodifyinvoices"], "btcpay.store.cancreatenonapprovedpullpayments"),
            (["btcpay.store.canmodifystoresettings:SomeOtherStore"], "btcpay.store.canviewinvoices"),
            (["btcpay.user.canviewprofile", "btcpay.server.unrestricted"], "btcpay.store.canmodifyinvoices"),
        ],
    )
    def test_what_the_key_lacks_is_named(
        self, btcpay: BTCPayServer, granted: list[str], lacking: str
    ) -> None:
        btcpay.answer_next(200, {"permissions": granted})
        with pytest.raises(ImproperlyConfigured, match=lacking):
            backend().ping()

    def test_a_key_that_is_unknown_is_told(self, btcpay: BTCPayServer) -> None:
        with pytest.raises(ImproperlyConfigured, match="401 unauthenticated"):
            backend(API_KEY="0" * 40).ping()

    def test_a_store_that_the_key_is_not_for_is_told(self, btcpay: BTCPayServer) -> None:
        with pytest.raises(ImproperlyConfigured, match="The API key lacks"):
            backend(STORE_ID="A" * 44).ping()

    def test_another_kind_of_server_is_told(self, btcpay: BTCPayServer) -> None:
        btcpay.answer_next(200, raw="<html></html>")
        with pytest.raises(BTCPayOutcomeUnknown, match="not JSON"):
            backend().ping()

    @pytest.mark.parametrize("address", ["bcrt1qabc", "tb1qabc"])
    def test_test_coins_in_a_live_store_are_told(self, btcpay: BTCPayServer, address: str) -> None:
        left()
        btcpay.address = address
        with pytest.raises(ImproperlyConfigured, match="test coins"):
            backend().ping()

    def test_real_coins_in_a_test_store_are_told(
        self, btcpay: BTCPayServer, checkout_settings: CheckoutSettings
    ) -> None:
        left()
        checkout_settings.store(MODE="test")
        with pytest.raises(ImproperlyConfigured, match="real coins"):
            backend().ping()
        btcpay.address = "bcrt1qabc"
        backend().ping()
