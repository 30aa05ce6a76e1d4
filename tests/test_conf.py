"""Settings are read anew, leniently, and without ever showing a key."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise, lazy
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from snipcart_checkout.conf import (
    RESERVED_METHOD_IDS,
    Method,
    Secret,
    Settings,
    Store,
    get_settings,
    get_store,
    load_hook,
)
from snipcart_checkout.services.methods import is_accepted
from snipcart_checkout.snipcart import Invoice
from snipcart_checkout.testing import CheckoutSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings as DjangoSettings

METHOD = {"BACKEND": "tests.support.backends.AcmeBackend", "NAME": "Card"}
STORE: dict[str, Any] = {
    "API_KEYS": ["first-key", "second-key"],
    "SHOP_HOSTS": ["shop.example"],
    "METHODS": {"acme_card": METHOD},
}


def a_method(**changes: Any) -> Method:
    store = a_store(METHODS={"acme_card": {**METHOD, **changes}})
    return store.methods["acme_card"]


def an_order(amount: str, currency: str, country: str) -> Invoice:
    address = {"country": country}
    return Invoice.from_json({"amount": Decimal(amount), "currency": currency, "billingAddress": address})


def a_store(name: str = "live", **changes: Any) -> Store:
    return read(STORES={name: {**STORE, **changes}}).stores[name]


def read(**changes: Any) -> Settings:
    from django.test import override_settings

    with override_settings(SNIPCART_CHECKOUT={"PUBLIC_URL": "https://pay.shop.example", **changes}):
        return get_settings()


class TestDefaults:
    def test_a_site_without_the_setting_has_no_stores(self, settings: DjangoSettings) -> None:
        del settings.SNIPCART_CHECKOUT
        assert get_settings() == Settings()

    @pytest.mark.parametrize("value", [None, "x", 5, [], [("STORES", {})]])
    def test_a_setting_that_is_no_dict_counts_as_none(self, settings: DjangoSettings, value: object) -> None:
        settings.SNIPCART_CHECKOUT = value
        assert get_settings() == Settings()

    def test_the_defaults_are_snipcarts_own_addresses_and_short_times(self) -> None:
        values = read()
        assert values.api_url == "https://payment.snipcart.com/api"
        assert values.app_api_url == "https://app.snipcart.com/api"
        assert (values.connect_timeout, values.read_timeout, values.total_timeout) == (3.05, 5.0, 8.0)
        assert values.max_calls_in_flight == 8
        assert (values.ca_bundle, values.proxy, values.method_filter, values.context) == (None,) * 4

    def test_a_store_is_live_unless_it_says_test(self) -> None:
        assert not a_store().is_test
        assert a_store(MODE="test").is_test
        assert a_store(MODE="TEST").is_test


class TestReading:
    def test_settings_are_read_when_used(self, checkout_settings: CheckoutSettings) -> None:
        before = get_settings()
        checkout_settings.set("STORES", {"other": STORE})
        assert set(get_settings().stores) == {"other"} != set(before.stores)

    def test_addresses_lose_their_trailing_slash(self) -> None:
        values = read(PUBLIC_URL="https://pay.shop.example/shop/", API_URL="http://127.0.0.1:8000/api/")
        assert (values.public_url, values.api_url) == (
            "https://pay.shop.example/shop",
            "http://127.0.0.1:8000/api",
        )

    @pytest.mark.parametrize("seconds", ["5", 0, -1, 3600, True, None, float("nan"), float("inf"), []])
    def test_a_time_that_is_none_is_the_default(self, seconds: object) -> None:
        assert read(READ_TIMEOUT=seconds).read_timeout == 5.0

    def test_a_time_may_be_an_integer(self) -> None:
        assert read(READ_TIMEOUT=2).read_timeout == 2.0

    @pytest.mark.parametrize("count", ["8", 0, -1, 2.5, True, None])
    def test_a_cap_that_is_none_is_the_default(self, count: object) -> None:
        assert read(MAX_CALLS_IN_FLIGHT=count).max_calls_in_flight == 8

    def test_a_ca_bundle_may_be_a_path_object(self) -> None:
        assert read(CA_BUNDLE=Path("ca") / "all.pem").ca_bundle == str(Path("ca") / "all.pem")

    def test_a_hook_may_be_a_path_or_a_function(self) -> None:
        assert load_hook(read(METHOD_FILTER="os.path.join").method_filter) is __import__("os").path.join
        assert load_hook(read(CONTEXT=sorted).context) is sorted
        assert load_hook(read().context) is None

    @pytest.mark.parametrize("path", ["nowhere", "os.path.nothing", "no.such.module"])
    def test_a_hook_that_leads_nowhere_is_an_import_error(self, path: str) -> None:
        with pytest.raises(ImportError):
            load_hook(path)

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=5)
            | st.binary(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        "PUBLIC_URL API_URL STORES live MODE API_KEYS SHOP_HOSTS METHODS acme_card BACKEND MIN_AMOUNT "
                        "CURRENCIES ICON OPTIONS READ_TIMEOUT CA_BUNDLE PROXY CONTEXT STORE_SECRET_KEY".split()
                    ),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=12,
        )
    )
    def test_reading_never_fails(self, value: Any) -> None:
        from django.test import override_settings

        with override_settings(SNIPCART_CHECKOUT=value):
            assert isinstance(get_settings(), Settings)


class TestStores:
    def test_a_store_with_all_it_needs_is_complete(self) -> None:
        assert a_store().complete

    @pytest.mark.parametrize(
        "changes",
        [
            {"API_KEYS": []},
            {"API_KEYS": ["", "  "]},
            {"API_KEYS": "first-key"},
            {"API_KEYS": [None]},
            {"SHOP_HOSTS": []},
            {"SHOP_HOSTS": "shop.example"},
            {"SHOP_HOSTS": ["https://shop.example"]},
            {"SHOP_HOSTS": ["shop.example/cart"]},
            {"SHOP_HOSTS": ["*.shop.example"]},
            {"SHOP_HOSTS": ["shop.example:port"]},
            {"METHODS": {}},
            {"METHODS": [METHOD]},
            {"METHODS": {"paypal": METHOD}},
            {"METHODS": {"acme card": METHOD}},
            {"METHODS": {"acme_card": {"NAME": "Card"}}},
            {"MODE": "staging"},
            {"MODE": None},
        ],
        ids=repr,
    )
    def test_a_store_that_lacks_something_is_incomplete(self, changes: dict[str, Any]) -> None:
        assert not a_store(**changes).complete

    @pytest.mark.parametrize("name", ["payments", "a b", "é", "", "x" * 101])
    def test_a_store_whose_name_cannot_stand_in_a_url_is_incomplete(self, name: str) -> None:
        assert not a_store(name).complete

    @pytest.mark.parametrize(
        "changes",
        [
            {"PUBLIC_URL": None},
            {"PUBLIC_URL": "pay.shop.example"},
            {"PUBLIC_URL": "http://pay.shop.example"},
            {"PUBLIC_URL": "https://user:password@pay.shop.example"},
            {"PUBLIC_URL": "https://pay.shop.example?"},
            {"PUBLIC_URL": "https://pay.shop.example/#x"},
            {"PUBLIC_URL": "https://pay.shop.example:0"},
            {"PUBLIC_URL": "https://pay.shop\n.example"},
            {"API_URL": "http://payment.snipcart.com/api"},
            {"API_URL": "http://127.evil.example/api"},
            {"APP_API_URL": "ftp://app.snipcart.com"},
        ],
        ids=repr,
    )
    def test_no_store_is_complete_while_an_address_is_unsafe(self, changes: dict[str, Any]) -> None:
        assert not read(STORES={"live": STORE}, **changes).stores["live"].complete

    @pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "127.8.0.1:1", "[::1]:8000"])
    def test_plain_http_is_enough_for_this_very_machine(self, host: str) -> None:
        addresses = dict.fromkeys(("PUBLIC_URL", "API_URL", "APP_API_URL"), f"http://{host}/x")
        assert read(STORES={"live": STORE}, **addresses).stores["live"].complete

    def test_one_store_in_disorder_leaves_the_other_alone(self) -> None:
        stores = read(STORES={"live": STORE, "trial": {}, "odd": None, 7: STORE}).stores
        assert {name: store.complete for name, store in stores.items()} == {
            "live": True,
            "trial": False,
            "odd": False,
        }

    def test_usable_hosts_are_kept_in_lower_case_and_order(self) -> None:
        hosts = a_store(SHOP_HOSTS=["Shop.Example", " b.example:8443 ", "*.c.example", 5]).shop_hosts
        assert hosts == ("shop.example", "b.example:8443")

    def test_a_method_in_disorder_is_left_out_and_the_others_stay(self) -> None:
        store = a_store(METHODS={"acme_card": METHOD, "card": METHOD, "bare": {}})
        assert list(store.methods) == ["acme_card"]
        assert store.complete

    @pytest.mark.parametrize("identifier", sorted(RESERVED_METHOD_IDS))
    def test_ids_that_the_cart_renames_are_no_methods(self, identifier: str) -> None:
        assert not a_store(METHODS={identifier: METHOD}).methods

    @pytest.mark.parametrize("value", ["yes", 1, None, "False"])
    def test_only_true_demands_a_refund_token(self, value: object) -> None:
        assert a_store(REQUIRE_REFUND_TOKEN=value).require_refund_token is False
        assert a_store(REQUIRE_REFUND_TOKEN=True).require_refund_token is True


class TestGetStore:
    def test_the_only_store_needs_no_name(self) -> None:
        assert get_store() == get_store("live")

    def test_one_of_several_has_to_be_named(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.store("trial", like="live")
        assert get_store("trial").name == "trial"
        with pytest.raises(ImproperlyConfigured):
            get_store()

    def test_no_store_at_all_is_improperly_configured(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.remove("STORES")
        with pytest.raises(ImproperlyConfigured):
            get_store()

    def test_an_unknown_name_is_improperly_configured(self) -> None:
        with pytest.raises(ImproperlyConfigured, match="elsewhere"):
            get_store("elsewhere")


class TestMethods:
    def test_a_method_without_limits_accepts_every_order(self) -> None:
        assert is_accepted(a_method(), an_order("0.01", "KWD", ""))

    @pytest.mark.parametrize(
        "amount, accepted", [("0.99", False), ("1", True), ("1.50", True), ("2000", True), ("2000.01", False)]
    )
    def test_limits_include_their_ends(self, amount: str, accepted: bool) -> None:
        method = a_method(MIN_AMOUNT="1", MAX_AMOUNT=2000)
        assert is_accepted(method, an_order(amount, "EUR", "FR")) is accepted

    def test_currencies_and_countries_are_read_in_any_case(self) -> None:
        method = a_method(CURRENCIES=["eur"], COUNTRIES=("fr", "BE"))
        assert is_accepted(method, an_order("1", "EUR", "FR"))
        assert not is_accepted(method, an_order("1", "USD", "FR"))
        assert not is_accepted(method, an_order("1", "EUR", "DE"))
        assert not is_accepted(method, an_order("1", "EUR", ""))

    @pytest.mark.parametrize(
        "changes",
        [
            {"MIN_AMOUNT": "one"},
            {"MAX_AMOUNT": 2000.5},
            {"MAX_AMOUNT": "NaN"},
            {"MIN_AMOUNT": True},
            {"CURRENCIES": "EUR"},
            {"COUNTRIES": [7]},
            {"BACKEND": ""},
            {"BACKEND": object},
        ],
        ids=repr,
    )
    def test_a_limit_that_cannot_be_read_does_not_count_as_no_limit(self, changes: dict[str, Any]) -> None:
        assert not a_store(METHODS={"acme_card": {**METHOD, **changes}}).methods

    def test_a_lazy_name_stays_lazy(self) -> None:
        assert isinstance(a_method(NAME=gettext_lazy("Card")).name, Promise)

    @pytest.mark.parametrize("name", [None, "", 5])
    def test_a_method_without_a_name_is_called_by_its_id(self, name: object) -> None:
        assert a_method(NAME=name).name == "Acme card"


class TestSecrets:
    def test_a_secret_is_never_printed(self) -> None:
        secret = Secret("hunter2")
        assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
        assert secret.reveal() == "hunter2"

    def test_settings_print_no_secret(self) -> None:
        values = read(
            PROXY="http://user:hunter2@proxy.example",
            STORES={
                "live": {
                    **STORE,
                    "API_KEYS": ["hunter2"],
                    "STORE_SECRET_KEY": "hunter2",
                    "METHODS": {"acme_card": {**METHOD, "OPTIONS": {"KEY": "hunter2"}}},
                }
            },
        )
        assert "hunter2" not in repr(values)

    def test_a_secret_is_read_without_the_line_end_of_its_file(self) -> None:
        assert Secret("hunter2\n") == Secret("hunter2")

    def test_equal_secrets_are_one(self) -> None:
        assert {Secret("hunter2"), Secret("hunter2 "), Secret("hunter3")} == {
            Secret("hunter2"),
            Secret("hunter3"),
        }
        assert Secret("hunter2") != "hunter2"

    @pytest.mark.parametrize("nothing", ["", " ", None, 5])
    def test_a_secret_of_nothing_is_false(self, nothing: object) -> None:
        assert not Secret(nothing)


class TestReadOnce:
    """The setting is parsed once, and again whenever it is another object or has other content."""

    def test_the_same_content_is_the_same_value(self) -> None:
        assert get_settings() is get_settings()

    def test_another_object_is_read_although_it_is_equal(self, checkout_settings: CheckoutSettings) -> None:
        before = get_settings()
        checkout_settings(PUBLIC_URL="https://pay.shop.example")
        assert get_settings() == before
        assert get_settings() is not before

    @pytest.mark.parametrize(
        "change",
        [
            lambda raw: raw.update(PUBLIC_URL="https://other.example"),
            lambda raw: raw["STORES"].update(other=STORE),
            lambda raw: raw["STORES"]["live"]["API_KEYS"].append("third-key"),
            lambda raw: raw["STORES"]["live"]["METHODS"]["acme_card"].pop("NAME"),
            lambda raw: raw["STORES"]["live"]["METHODS"]["acme_card"]["OPTIONS"].update(A=2),
            lambda raw: raw["STORES"]["live"]["METHODS"]["acme_card"]["OPTIONS"]["LIST"].append(1),
            lambda raw: raw["STORES"]["live"]["SHOP_HOSTS"][0].clear(),
            lambda raw: raw["STORES"]["live"]["BRAND"].update(NAME="Another"),
        ],
    )
    def test_a_change_in_place_is_noticed_at_every_depth(
        self, settings: DjangoSettings, change: Callable[[dict[str, Any]], object]
    ) -> None:
        method = {**METHOD, "OPTIONS": {"A": 1, "LIST": []}}
        changed = {
            **STORE,
            "API_KEYS": ["first-key"],
            "SHOP_HOSTS": ({"a"}, "shop.example"),
            "METHODS": {"acme_card": method},
            "BRAND": {"NAME": "One"},
        }
        settings.SNIPCART_CHECKOUT = {"PUBLIC_URL": "https://pay.shop.example", "STORES": {"live": changed}}
        before = get_settings()
        change(settings.SNIPCART_CHECKOUT)
        assert get_settings() is not before
        assert get_settings() is get_settings()

    def test_the_change_is_what_is_read(self, settings: DjangoSettings) -> None:
        settings.SNIPCART_CHECKOUT = {"STORES": {"live": {**STORE, "SHOP_HOSTS": ["a.example"]}}}
        assert get_store().shop_hosts == ("a.example",)
        settings.SNIPCART_CHECKOUT["STORES"]["live"]["SHOP_HOSTS"].append("b.example")
        assert get_store().shop_hosts == ("a.example", "b.example")

    def test_no_lazy_translation_is_evaluated_for_it(self, checkout_settings: CheckoutSettings) -> None:
        def fail() -> str:
            raise AssertionError

        checkout_settings.method("acme_card", NAME=lazy(fail, str)())
        assert get_settings() is get_settings()

    @pytest.mark.parametrize("odd", ["itself", "uncomparable"])
    def test_options_that_cannot_be_compared_are_read_anew(
        self, checkout_settings: CheckoutSettings, odd: str
    ) -> None:
        class Uncomparable(dict[str, Any]):
            def __eq__(self, other: object) -> bool:
                raise ValueError

            __hash__ = None

        options: dict[str, Any] = {} if odd == "itself" else Uncomparable()
        if odd == "itself":
            options["SELF"] = options
        checkout_settings.method("acme_card", OPTIONS=options)
        assert get_settings().stores["live"].methods["acme_card"].options is options
        assert get_settings().stores["live"].methods["acme_card"].options is options

    def test_what_is_remembered_shows_no_key(self) -> None:
        from snipcart_checkout.conf import settings as module

        get_settings()
        assert module._Reading.latest is not None
        assert "primary-key-for-tests" not in repr(module._Reading.latest)

    def test_nobody_changes_what_all_share(self) -> None:
        values = read(STORES={"live": STORE})
        with pytest.raises(TypeError):
            values.stores["other"] = values.stores["live"]  # type: ignore[index]
        with pytest.raises(TypeError):
            del values.stores["live"].methods["acme_card"]  # type: ignore[attr-defined]
