"""Each mistake in the settings or the project is named once, with what to write instead, and no key is printed."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import translation
from django.utils.translation import gettext_lazy

import snipcart_checkout
from snipcart_checkout.backends.base import Charge, ChargeResult, PaymentBackend
from snipcart_checkout.checks import TAG
from snipcart_checkout.checks.secrets import is_placeholder
from snipcart_checkout.conf import RESERVED_METHOD_IDS, get_settings
from snipcart_checkout.testing import CheckoutSettings
from tests.settings import SNIPCART_CHECKOUT
from tests.support.backends import AcmeBackend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_django import Settings

SECRET = "sk_live_0123456789"
LIVE = SNIPCART_CHECKOUT["STORES"]["live"]
ACME = "STORES.live.METHODS.acme_card"


def run(**options: Any) -> list[checks.CheckMessage]:
    return checks.run_checks(tags=[TAG], **options)


def ids(**options: Any) -> list[str]:
    return [(message.id or "").removeprefix("snipcart_checkout.") for message in run(**options)]


@pytest.fixture(autouse=True)
def _debug_off(settings: Settings) -> None:
    settings.DEBUG = False


class Fragile(AcmeBackend):
    """Needs a number and says so in a way that prints the option."""

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        self.number = int(options["NUMBER"])


class Loquacious(AcmeBackend):
    def check(self) -> list[checks.CheckMessage]:
        return [checks.Warning(f"{self.options['API_KEY']} is odd", hint=str(self.options), id="acme.W001")]


class Crashing(AcmeBackend):
    def check(self) -> list[checks.CheckMessage]:
        raise ValueError(self.options["API_KEY"])


class Astray(AcmeBackend):
    redirect_origins = ("https://provider.example",)


class Partial(AcmeBackend):
    supports_partial_refund = True


class Unfinished(PaymentBackend):
    pass


class Scattering:
    """A router that keeps the ledger's tables in two databases."""

    def db_for_write(self, model: type, **_hints: object) -> str:
        return "other" if model.__name__ == "Event" else "default"

    db_for_read = db_for_write


class Odd:
    """A router that keeps the ledger where nobody tried to."""

    def db_for_write(self, model: type, **_hints: object) -> str:
        return "odd"

    db_for_read = db_for_write


def charge_elsewhere(charge: Charge) -> ChargeResult:
    raise NotImplementedError


class TestGoodSettings:
    def test_the_least_that_works_has_no_message(self) -> None:
        assert run() == []

    def test_every_setting_in_use_has_no_message(
        self, checkout_settings: CheckoutSettings, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "ca.pem"
        import trustme

        trustme.CA().cert_pem.write_to_path(str(bundle))
        checkout_settings(
            API_URL="https://payment.snipcart.com/api",
            APP_API_URL="https://app.snipcart.com/api/",
            CONNECT_TIMEOUT=1,
            READ_TIMEOUT=2.5,
            TOTAL_TIMEOUT=8.0,
            MAX_CALLS_IN_FLIGHT=4,
            CA_BUNDLE=bundle,
            PROXY="http://user:secret@proxy.example:3128",
            METHOD_FILTER="os.path.join",
            CONTEXT=charge_elsewhere,
        )
        checkout_settings.method("acme-2", like="acme_card")
        checkout_settings.method(
            "acme_card",
            NAME=gettext_lazy("Card"),
            ICON="https://cdn.example/card.svg",
            CURRENCIES=["EUR", "usd"],
            COUNTRIES=("FR", "gb"),
            MIN_AMOUNT="1",
            MAX_AMOUNT=2000,
            OPTIONS={"API_KEY": SECRET},
        )
        checkout_settings.store("test", like="live", MODE="test", API_KEYS=("test-key",), STORE_SECRET_KEY="")
        checkout_settings.store(
            "live",
            MODE="live",
            STORE_SECRET_KEY=SECRET,
            SHOP_HOSTS=["shop.example", "shop.example:8443", "localhost:8000", "[::1]:1", "bücher.example"],
            REQUIRE_REFUND_TOKEN=True,
        )
        assert run() == []

    def test_a_directory_of_certificates_is_one_that_calls_can_use(
        self, checkout_settings: CheckoutSettings, tmp_path: Path
    ) -> None:
        import trustme

        trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        checkout_settings(CA_BUNDLE=str(tmp_path))
        assert [message.id for message in run()] == ["snipcart_checkout.E007"]

        subprocess.run(["openssl", "rehash", tmp_path], check=True, capture_output=True)
        assert run() == []

    def test_what_is_left_empty_counts_as_left_out(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(**dict.fromkeys(("CA_BUNDLE", "PROXY", "METHOD_FILTER", "CONTEXT")))
        checkout_settings.store(STORE_SECRET_KEY=None)
        assert run() == []

    def test_loopback_addresses_are_fine_with_debug(
        self, settings: Settings, checkout_settings: CheckoutSettings
    ) -> None:
        settings.DEBUG = True
        addresses = dict.fromkeys(("PUBLIC_URL", "API_URL", "APP_API_URL"), "http://127.0.0.1:8000/x")
        checkout_settings(**addresses)
        assert run() == []

    @pytest.mark.parametrize("options", [{"DEBUG": True}, {"MODE": "test"}])
    def test_the_dummy_backend_is_fine_where_no_money_is_expected(
        self, settings: Settings, checkout_settings: CheckoutSettings, options: dict[str, Any]
    ) -> None:
        settings.DEBUG = options.get("DEBUG", False)
        checkout_settings.store(MODE=options.get("MODE", "live"))
        checkout_settings.method("acme_card", BACKEND="snipcart_checkout.backends.dummy.DummyBackend")
        assert run() == []


class TestSite:
    @pytest.mark.parametrize("value", [None, "x", 5, [], [("STORES", {})]])
    def test_a_setting_that_is_missing_or_no_dict_is_one_message(
        self, settings: Settings, value: object
    ) -> None:
        settings.SNIPCART_CHECKOUT = value
        assert ids() == ["E001"]

    def test_the_hint_for_a_missing_setting_can_be_pasted(self, settings: Settings) -> None:
        del settings.SNIPCART_CHECKOUT
        (message,) = run()
        pasted: dict[str, Any] = {"env": lambda name: f"value-of-{name.lower()}"}
        exec(message.hint or "", pasted)
        settings.SNIPCART_CHECKOUT = pasted["SNIPCART_CHECKOUT"]
        assert run() == []

    @pytest.mark.parametrize(
        "changes, expected",
        [
            ({"PUBLIC_URL": None}, "E003"),
            ({"PUBLIC_URL": ""}, "E003"),
            ({"PUBLIC_URL": "pay.shop.example"}, "E003"),
            ({"PUBLIC_URL": "http://pay.shop.example"}, "E003"),
            ({"PUBLIC_URL": "https://pay.shop.example/?a=b"}, "E003"),
            ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "W001"),
            ({"PUBLIC_URL": "https://localhost"}, "W001"),
            ({"API_URL": "http://payment.snipcart.com/api"}, "E004"),
            ({"API_URL": 5}, "E004"),
            ({"APP_API_URL": "app.snipcart.com"}, "E004"),
            ({"API_URL": "http://127.0.0.1:8000/api"}, "W002"),
            ({"API_URL": "https://snipcart.com.evil.example"}, "W002"),
            ({"APP_API_URL": "https://evilsnipcart.com"}, "W002"),
            ({"CONNECT_TIMEOUT": "3"}, "E005"),
            ({"READ_TIMEOUT": 0}, "E005"),
            ({"TOTAL_TIMEOUT": None}, "E005"),
            ({"TOTAL_TIMEOUT": True}, "E005"),
            ({"TOTAL_TIMEOUT": 4.9}, "W003"),
            ({"MAX_CALLS_IN_FLIGHT": 0}, "E006"),
            ({"MAX_CALLS_IN_FLIGHT": "8"}, "E006"),
            ({"MAX_CALLS_IN_FLIGHT": True}, "E006"),
            ({"CA_BUNDLE": "/nonexistent/ca.pem"}, "E007"),
            ({"CA_BUNDLE": __file__}, "E007"),
            ({"CA_BUNDLE": str(Path(__file__).parent)}, "E007"),
            ({"CA_BUNDLE": 5}, "E007"),
            ({"CA_BUNDLE": False}, "E007"),
            ({"PROXY": "proxy.example:3128"}, "E008"),
            ({"PROXY": "socks5://proxy.example"}, "E008"),
            ({"PROXY": {"https": "http://proxy.example"}}, "E008"),
            ({"METHOD_FILTER": "nowhere.at.all"}, "E009"),
            ({"METHOD_FILTER": "os.sep"}, "E009"),
            ({"CONTEXT": "no_dots"}, "E009"),
            ({"CONTEXT": 5}, "E009"),
            ({"STORES": {}}, "E010"),
            ({"STORES": None}, "E010"),
            ({"STORES": [{}]}, "E010"),
        ],
        ids=repr,
    )
    def test_each_mistake_has_its_own_id(
        self, checkout_settings: CheckoutSettings, changes: dict[str, Any], expected: str
    ) -> None:
        for name, value in changes.items():
            checkout_settings.set(name, value)
        assert ids() == [expected]

    def test_a_missing_public_url_is_named(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.remove("PUBLIC_URL")
        (message,) = run()
        assert "SNIPCART_CHECKOUT['PUBLIC_URL'] is missing" in message.msg

    def test_one_key_in_two_stores_is_named_once(self, checkout_settings: CheckoutSettings) -> None:
        keys = ["secondary-key-for-tests ", "third-key"]
        checkout_settings.store("test", like="live", MODE="test", API_KEYS=keys)
        (message,) = run()
        assert message.id == "snipcart_checkout.E011"
        assert "['test']" in message.msg
        assert "['live']" in message.msg

    def test_a_hook_that_breaks_its_import_is_no_crash(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(CONTEXT="antigravity_that_does_not_exist.f")
        assert ids() == ["E009"]


class TestUnknownKeys:
    @pytest.mark.parametrize(
        "path, value, hint",
        [
            ("STORE", {}, "Write 'STORES' instead."),
            ("public_url", "x", "Write 'PUBLIC_URL' instead."),
            ("API_KEYS", [SECRET], "It belongs in a store."),
            ("BACKEND", "x", "It belongs in a method of a store."),
            ("COLOUR", "red", "API_URL, APP_API_URL"),
            ("STORES.live.API_KEY", "x", "Write 'API_KEYS' instead."),
            ("STORES.live.SECRET_KEY", "x", "Write 'STORE_SECRET_KEY' instead."),
            ("STORES.live.PUBLIC_URL", "x", "It belongs at the top level."),
            ("STORES.live.COMPLETE", True, "API_KEYS, BRAND, METHODS"),
            (f"{ACME}.CURRENCY", "EUR", "Write 'CURRENCIES' instead."),
            (f"{ACME}.SHOP_HOSTS", [], "It belongs in a store."),
            (f"{ACME}.ID", "x", "BACKEND, COUNTRIES"),
            ("5", 1, "Remove it"),
        ],
    )
    def test_the_nearest_known_key_is_named_at_every_level(
        self, checkout_settings: CheckoutSettings, path: str, value: object, hint: str
    ) -> None:
        checkout_settings.set(path, value)
        (message,) = run()
        assert message.id == "snipcart_checkout.E002"
        assert hint in (message.hint or "")

    def test_the_place_is_spelt_as_in_a_settings_file(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.method("acme_card", CURRENCY="EUR")
        (message,) = run()
        assert "SNIPCART_CHECKOUT['STORES']['live']['METHODS']['acme_card']['CURRENCY']" in message.msg

    def test_a_key_that_is_no_text_is_no_crash(self, settings: Settings) -> None:
        settings.SNIPCART_CHECKOUT = {**settings.SNIPCART_CHECKOUT, 5: 1}
        assert ids() == ["E002"]


class TestStores:
    @pytest.mark.parametrize(
        "changes, expected",
        [
            ({"MODE": "staging"}, "E103"),
            ({"MODE": None}, "E103"),
            ({"API_KEYS": "first-key"}, "E104"),
            ({"API_KEYS": []}, "E104"),
            ({"API_KEYS": None}, "E104"),
            ({"API_KEYS": ["", " "]}, "E104"),
            ({"API_KEYS": [None]}, "E104"),
            ({"API_KEYS": ["first-key", ""]}, "W101"),
            ({"API_KEYS": ["changeme"]}, "E105"),
            ({"API_KEYS": ["first-key", "<your key>"]}, "E105"),
            ({"API_KEYS": ["two words"]}, "E105"),
            ({"API_KEYS": ["clé"]}, "E105"),
            ({"STORE_SECRET_KEY": "your-secret-key"}, "E106"),
            ({"STORE_SECRET_KEY": ["key"]}, "E106"),
            ({"STORE_SECRET_KEY": "primary-key-for-tests"}, "E107"),
            ({"SHOP_HOSTS": "shop.example"}, "E108"),
            ({"SHOP_HOSTS": []}, "E108"),
            ({"SHOP_HOSTS": None}, "E108"),
            ({"SHOP_HOSTS": ["https://shop.example"]}, "E109"),
            ({"SHOP_HOSTS": ["shop.example/cart"]}, "E109"),
            ({"SHOP_HOSTS": ["*"]}, "E109"),
            ({"SHOP_HOSTS": ["*.shop.example"]}, "E109"),
            ({"SHOP_HOSTS": ["shop.example:"]}, "E109"),
            ({"SHOP_HOSTS": ["shop.example:99999"]}, "E109"),
            ({"SHOP_HOSTS": ["user@shop.example"]}, "E109"),
            ({"SHOP_HOSTS": ["shop.example", ""]}, "E109"),
            ({"SHOP_HOSTS": ["shop.example", None]}, "E109"),
            ({"REQUIRE_REFUND_TOKEN": "yes"}, "E110"),
            ({"REQUIRE_REFUND_TOKEN": 1}, "E110"),
            ({"REQUIRE_REFUND_TOKEN": None}, "E110"),
            ({"REQUIRE_REFUND_TOKEN": True}, "W102"),
            ({"METHODS": {}}, "E111"),
            ({"METHODS": None}, "E111"),
            ({"METHODS": ["acme_card"]}, "E111"),
        ],
        ids=repr,
    )
    def test_each_mistake_has_its_own_id(
        self, checkout_settings: CheckoutSettings, changes: dict[str, Any], expected: str
    ) -> None:
        for name, value in changes.items():
            checkout_settings.set(f"STORES.live.{name}", value)
        assert ids() == [expected]

    @pytest.mark.parametrize("name", ["payments", "a b", "é", "", "x" * 101, 7])
    def test_a_name_that_cannot_stand_in_our_addresses_is_refused(
        self, checkout_settings: CheckoutSettings, name: object
    ) -> None:
        checkout_settings.set("STORES", {name: LIVE})
        assert ids() == ["E101"]

    def test_a_string_of_keys_is_one_message_and_not_one_per_letter(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.store(API_KEYS=SECRET, SHOP_HOSTS="shop.example")
        assert ids() == ["E104", "E108"]

    def test_a_store_that_is_no_dict_is_told_what_it_lacks(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(STORES={"live": None})
        assert ids() == ["E102", "E104", "E108", "E111"]

    def test_every_store_is_checked(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.store("trial", like="live", API_KEYS=["k"], MODE="x")
        (message,) = run()
        assert "['trial']['MODE']" in message.msg


class TestMethods:
    @pytest.mark.parametrize(
        "changes, expected",
        [
            ({"BACKEND": None}, "E204"),
            ({"BACKEND": ""}, "E204"),
            ({"BACKEND": AcmeBackend}, "E204"),
            ({"NAME": None}, "W201"),
            ({"NAME": " "}, "W201"),
            ({"NAME": 5}, "W201"),
            ({"CURRENCIES": "EUR"}, "E205"),
            ({"CURRENCIES": []}, "E205"),
            ({"CURRENCIES": ["EUR", "EURO"]}, "E205"),
            ({"CURRENCIES": [978, "EUR"]}, "E205"),
            ({"COUNTRIES": "FR"}, "E206"),
            ({"COUNTRIES": ["FR", "UK"]}, "E206"),
            ({"COUNTRIES": ["France"]}, "E206"),
            ({"COUNTRIES": ["EU"]}, "E206"),
            ({"MIN_AMOUNT": "one"}, "E207"),
            ({"MIN_AMOUNT": "-1"}, "E207"),
            ({"MAX_AMOUNT": 12.5}, "E207"),
            ({"MAX_AMOUNT": "NaN"}, "E207"),
            ({"MIN_AMOUNT": "20", "MAX_AMOUNT": "10"}, "E208"),
            ({"ICON": "http://cdn.example/card.svg"}, "W202"),
            ({"ICON": "shop/missing.svg"}, "W202"),
            ({"ICON": 5}, "E220"),
            ({"OPTIONS": [1]}, "E209"),
            ({"OPTIONS": "x"}, "E209"),
            ({"OPTIONS": {"API_KEY": "<key>"}}, "E210"),
            ({"BACKEND": "nowhere.Backend"}, "E211"),
            ({"BACKEND": "tests.support.backends.Missing"}, "E211"),
            ({"BACKEND": "tests.support.backends"}, "E211"),
            ({"BACKEND": "uuid.UUID"}, "E211"),
            ({"BACKEND": "tests.test_checks.Unfinished"}, "E212"),
            ({"BACKEND": "tests.test_checks.Fragile", "OPTIONS": {"NUMBER": SECRET}}, "E212"),
            ({"BACKEND": "snipcart_checkout.backends.dummy.DummyBackend"}, "E212"),
            ({"BACKEND": "tests.test_checks.Astray"}, "E213"),
            ({"BACKEND": "tests.test_checks.Partial"}, "E213"),
            ({"BACKEND": "tests.test_checks.Crashing", "OPTIONS": {"API_KEY": SECRET}}, "E214"),
        ],
        ids=repr,
    )
    def test_each_mistake_has_its_own_id(
        self, checkout_settings: CheckoutSettings, changes: dict[str, Any], expected: str
    ) -> None:
        checkout_settings.method("acme_card", **changes)
        assert ids() == [expected]

    @pytest.mark.parametrize("identifier", sorted(RESERVED_METHOD_IDS))
    def test_an_id_of_snipcarts_own_is_refused(
        self, checkout_settings: CheckoutSettings, identifier: str
    ) -> None:
        checkout_settings.method(identifier, like="acme_card")
        (message,) = run()
        assert message.id == "snipcart_checkout.E202"
        assert f"'acme_{identifier}'" in (message.hint or "")

    @pytest.mark.parametrize("identifier", ["acme card", "é", "", "x" * 101])
    def test_an_id_that_cannot_stand_in_our_addresses_is_refused(
        self, checkout_settings: CheckoutSettings, identifier: str
    ) -> None:
        checkout_settings.method(identifier, like="acme_card")
        assert ids() == ["E201"]

    def test_a_method_that_is_no_dict_is_one_message(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.set(ACME, "tests.support.backends.AcmeBackend")
        assert ids() == ["E203"]

    def test_a_backend_whose_library_is_missing_says_which(
        self, checkout_settings: CheckoutSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "acme_gateway.py").write_text("import acme_sdk_that_is_not_installed")
        monkeypatch.syspath_prepend(tmp_path)
        checkout_settings.method("acme_card", BACKEND="acme_gateway.Backend")
        (message,) = run()
        assert message.id == "snipcart_checkout.E211"
        assert "'acme_sdk_that_is_not_installed'" in (message.hint or "")

    def test_a_backend_whose_module_is_broken_is_no_crash(
        self, checkout_settings: CheckoutSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "acme_broken.py").write_text("raise ZeroDivisionError")
        monkeypatch.syspath_prepend(tmp_path)
        checkout_settings.method("acme_card", BACKEND="acme_broken.Backend")
        (message,) = run()
        assert message.id == "snipcart_checkout.E211"
        assert "ZeroDivisionError" in message.msg

    def test_the_dummy_backend_says_why_it_does_not_load(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.method("acme_card", BACKEND="snipcart_checkout.backends.dummy.DummyBackend")
        (message,) = run()
        assert "takes no money" in message.msg

    def test_a_static_icon_that_exists_is_fine(
        self, settings: Settings, checkout_settings: CheckoutSettings, tmp_path: Path
    ) -> None:
        (tmp_path / "card.svg").touch()
        settings.STATICFILES_DIRS = [tmp_path]
        checkout_settings.method("acme_card", ICON="card.svg")
        assert run() == []

    def test_an_icon_is_not_looked_for_where_static_files_are_not_django_s(
        self, settings: Settings, checkout_settings: CheckoutSettings
    ) -> None:
        settings.INSTALLED_APPS = [
            app for app in settings.INSTALLED_APPS if app != "django.contrib.staticfiles"
        ]
        checkout_settings.method("acme_card", ICON="shop/card.svg")
        assert run() == []

    def test_what_a_backend_says_of_its_options_is_passed_on(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.method(
            "acme_card",
            BACKEND="snipcart_checkout.backends.manual.ManualBackend",
            OPTIONS={"IBANN": "x", "BANK": "Acme"},
        )
        (message,) = run()
        assert message.id == "snipcart_checkout.W211"
        assert "'IBAN'" in (message.hint or "")


class TestSecrets:
    @pytest.mark.parametrize(
        "changes",
        [
            {"STORES.live.API_KEYS": SECRET},
            {"STORES.live.API_KEYS": [f"two {SECRET}"]},
            {"STORES.live.API_KEYS": [SECRET], "STORES.live.STORE_SECRET_KEY": SECRET},
            {"STORES.live.STORE_SECRET_KEY": [SECRET]},
            {"STORES.live.API_KEYS": [SECRET], "STORES.other.API_KEYS": [SECRET]},
            {"PROXY": f"socks5://user:{SECRET}@proxy.example"},
            {"PUBLIC_URL": f"https://user:{SECRET}@pay.shop.example"},
            {"API_URL": f"https://user:{SECRET}@payment.snipcart.com"},
        ],
    )
    def test_no_message_holds_a_key(
        self, checkout_settings: CheckoutSettings, changes: dict[str, Any]
    ) -> None:
        for path, value in changes.items():
            checkout_settings.set(path, value)
        messages = run()
        assert messages
        assert SECRET not in "".join(map(str, messages))

    @pytest.mark.parametrize(
        "backend, options",
        [
            ("Fragile", {"NUMBER": SECRET}),
            ("Loquacious", {"API_KEY": SECRET}),
            ("Loquacious", {"API_KEY": "-", "LIVE": {"TOKEN": SECRET}}),
            ("Loquacious", {"API_KEY": [SECRET, 5]}),
            ("Crashing", {"API_KEY": SECRET}),
        ],
    )
    def test_no_message_about_a_backend_holds_a_key(
        self, checkout_settings: CheckoutSettings, backend: str, options: dict[str, Any]
    ) -> None:
        checkout_settings.method("acme_card", BACKEND=f"tests.test_checks.{backend}", OPTIONS=options)
        messages = run()
        assert messages
        assert SECRET not in "".join(map(str, messages))

    @pytest.mark.parametrize(
        "text",
        "changeme CHANGE-ME change_this replace-me your-api-key YOUR_KEY insert-key-here <key> [key] ${KEY} {key} "
        "sk_live_... whsec_… $KEY xxx xxxxxxxx *** ... … TODO none placeholder".split(),
    )
    def test_what_stands_for_a_key_is_a_placeholder(self, text: str) -> None:
        assert is_placeholder(text)

    @pytest.mark.parametrize(
        "text",
        "key test-key live_key_1 sk_test_51Nx ST_YzNk first-key secret my-key dummy k a1b2c3 0123456789abcdef mykey".split(),
    )
    def test_what_may_be_a_key_is_no_placeholder(self, text: str) -> None:
        assert not is_placeholder(text)


class TestProject:
    def test_addresses_that_are_not_mounted_come_with_the_line_to_paste(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.test_checks"
        (message,) = run()
        assert message.id == "snipcart_checkout.E301"
        assert message.hint == 'path("pay/", include("snipcart_checkout.urls")),  # before any catch-all'

    def test_templates_that_are_not_found_are_named(self, settings: Settings) -> None:
        settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
        assert ids() == ["E302"]

    def test_a_copied_template_older_than_ours_is_named(self, settings: Settings, tmp_path: Path) -> None:
        copy = tmp_path / "snipcart_checkout" / "payment.html"
        copy.parent.mkdir()
        copy.write_text("{# snipcart_checkout template version: 0 #}")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
        (message,) = run()
        assert message.id == "snipcart_checkout.W305"
        assert str(copy) in message.msg

    def test_a_ledger_in_two_databases_is_refused(self, settings: Settings) -> None:
        settings.DATABASE_ROUTERS = ["tests.test_checks.Scattering"]
        assert ids() == ["E303"]

    def test_a_ledger_in_which_nothing_stays_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(connections["default"].settings_dict, "AUTOCOMMIT", False)
        (message,) = run()
        assert message.id == "snipcart_checkout.E314"
        assert message.hint == "Take AUTOCOMMIT out of DATABASES['default']."

    def test_a_database_that_nobody_tried_is_a_warning(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        odd = {**connections.settings["default"], "ENGINE": "django.db.backends.dummy"}
        monkeypatch.setitem(connections.settings, "odd", odd)
        settings.DATABASE_ROUTERS = ["tests.test_checks.Odd"]
        try:
            assert ids() == ["W301"]
        finally:
            del connections["odd"]

    def test_pages_that_cannot_follow_the_cart_are_a_warning(self, settings: Settings) -> None:
        settings.USE_I18N = False
        assert ids() == ["W302"]

    def test_csrf_in_sessions_needs_sessions(self, settings: Settings) -> None:
        settings.CSRF_USE_SESSIONS = True
        assert ids() == []
        settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
        assert ids() == ["E304"]

    def test_what_a_proxy_may_break_is_said_before_deployment_only(self, settings: Settings) -> None:
        settings.ALLOWED_HOSTS = ["elsewhere.example"]
        assert ids() == []
        assert ids(include_deployment_checks=True) == ["W303", "W304"]

    def test_a_site_that_knows_its_proxy_is_fine(self, settings: Settings) -> None:
        settings.ALLOWED_HOSTS = [".shop.example"]
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        assert ids(include_deployment_checks=True) == []


# Django 6.1 asks the database whether it can hold the ledger's constraints.
@pytest.mark.django_db
class TestRunning:
    def test_the_checks_are_part_of_the_projects(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.remove("PUBLIC_URL")
        with pytest.raises(CommandError, match=r"snipcart_checkout\.E003"):
            call_command("check")

    def test_another_apps_checks_leave_ours_out(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.remove("PUBLIC_URL")
        assert ids(app_configs=[apps.get_app_config("auth")]) == []
        assert "E003" in ids(app_configs=[apps.get_app_config("snipcart_checkout")])

    def test_messages_are_written_in_the_language_of_whoever_runs_them(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.remove("PUBLIC_URL")
        with translation.override("fr"):
            assert all(isinstance(message.msg, str) for message in run())

    @pytest.mark.parametrize(
        "path, value",
        [
            ("STORES", {}),
            ("PUBLIC_URL", "http://pay.shop.example"),
            ("API_URL", "x"),
            ("STORES", {"payments": LIVE}),
            ("STORES.live.MODE", "x"),
            ("STORES.live.API_KEYS", []),
            ("STORES.live.SHOP_HOSTS", ["*"]),
            ("STORES.live.METHODS", {"paypal": LIVE["METHODS"]["acme_card"]}),
            (f"{ACME}.MAX_AMOUNT", "a lot"),
        ],
    )
    def test_no_store_is_incomplete_without_an_error(
        self, checkout_settings: CheckoutSettings, path: str, value: object
    ) -> None:
        checkout_settings.set(path, value)
        assert not any(store.complete for store in get_settings().stores.values())
        assert any(message.level >= checks.ERROR for message in run())


urlpatterns: list[Any] = []


def test_no_id_belongs_to_two_rules() -> None:
    package = Path(snipcart_checkout.__file__).parent
    found = Counter(
        identifier
        for path in package.rglob("*.py")
        for identifier in re.findall(r'id="(snipcart_checkout\.[EWI]\d{3})"', path.read_text())
    )
    assert [identifier for identifier, count in found.items() if count > 1] == []
