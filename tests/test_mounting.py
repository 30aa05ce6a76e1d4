"""``manage.py check`` finds each address of ours, as Django would, and says what stands in its way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core import checks
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.utils.translation import gettext_lazy

from snipcart_checkout.checks import TAG
from snipcart_checkout.snipcart.transport import connections as transport_connections
from snipcart_checkout.testing import CheckoutSettings
from snipcart_checkout.views import CheckoutView
from tests.settings import SNIPCART_CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

OURS = path("pay/", include("snipcart_checkout.urls"))


def answer_everything(request: HttpRequest, **_: object) -> HttpResponse:
    return HttpResponse("a page of the site's own")


CATCH_ALL = re_path(r"^(?P<path>.*)$", answer_everything)


def run(**options: Any) -> list[checks.CheckMessage]:
    return checks.run_checks(tags=[TAG], **options)


def ids(**options: Any) -> list[str]:
    return [(message.id or "").removeprefix(f"{TAG}.") for message in run(**options)]


@pytest.fixture(autouse=True)
def _in_order(settings: Settings) -> None:
    settings.DEBUG = False
    settings.ROOT_URLCONF = (OURS,)


class TestResolving:
    @pytest.mark.parametrize("patterns", [(OURS,), (OURS, CATCH_ALL), (path("", include([OURS])),)])
    def test_addresses_that_lead_to_us_are_in_order(self, settings: Settings, patterns: Any) -> None:
        settings.ROOT_URLCONF = patterns
        assert ids() == []

    def test_a_catch_all_before_us_is_named(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = (CATCH_ALL, OURS)
        (message,) = run()
        assert message.id == "snipcart_checkout.E305"
        assert "/pay/live/payment-methods/" in message.msg
        assert "answer_everything" in message.msg
        assert message.hint == 'path("pay/", include("snipcart_checkout.urls")),  # before any catch-all'

    def test_a_single_address_that_is_taken_is_named_alone(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = (path("pay/live/", answer_everything), OURS)
        (message,) = run()
        assert "A request for /pay/live/ does not reach" in message.msg

    def test_a_subclass_of_our_view_may_stand_before_it(self, settings: Settings) -> None:
        class OwnView(CheckoutView):
            pass

        settings.ROOT_URLCONF = (path("pay/<slug:store>/methods/<slug:method>/", OwnView.as_view()), OURS)
        assert ids() == []

    def test_a_urlconf_that_cannot_be_loaded_is_no_traceback(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.nowhere_at_all"
        (message,) = run()
        assert message.id == "snipcart_checkout.E311"
        assert "ModuleNotFoundError" in message.msg

    def test_a_store_whose_name_cannot_stand_in_an_address_is_named_once(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.set("STORES", {"two words": SNIPCART_CHECKOUT["STORES"]["live"]})
        assert ids() == ["E101"]


class TestLanguages:
    @pytest.mark.parametrize(
        "code", ["en", "en-us", "fr-fr", "FR", "fr-FR", "en-gb", "zh-hans", "pt-br", "de"]
    )
    @pytest.mark.parametrize("prefix_default", [True, False])
    def test_a_mount_under_languages_is_in_order(
        self, settings: Settings, code: str, prefix_default: bool
    ) -> None:
        settings.LANGUAGE_CODE = code
        settings.ROOT_URLCONF = tuple(i18n_patterns(OURS, prefix_default_language=prefix_default))
        assert ids() == []

    def test_a_catch_all_within_the_language_is_found(self, settings: Settings) -> None:
        settings.LANGUAGE_CODE = "fr-fr"
        settings.ROOT_URLCONF = tuple(i18n_patterns(CATCH_ALL, OURS))
        (message,) = run()
        assert message.id == "snipcart_checkout.E305"
        assert "/fr/pay/live/" in message.msg

    def test_languages_in_addresses_need_the_middleware(self, settings: Settings) -> None:
        settings.LANGUAGE_CODE = "fr-fr"
        settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
        settings.ROOT_URLCONF = tuple(i18n_patterns(OURS))
        assert ids() == ["E305"]

    def test_a_translated_mount_is_found_in_the_language_of_the_links(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = (path(gettext_lazy("pay/"), include("snipcart_checkout.urls")),)
        assert ids() == []


class TestPublicUrl:
    def test_a_forced_script_name_has_to_be_in_it(
        self, settings: Settings, checkout_settings: CheckoutSettings
    ) -> None:
        settings.FORCE_SCRIPT_NAME = "/app"
        (message,) = run()
        assert message.id == "snipcart_checkout.E306"
        assert message.hint == '"PUBLIC_URL": "https://pay.shop.example/app",'
        checkout_settings(PUBLIC_URL="https://pay.shop.example/app")
        assert ids() == []

    def test_the_place_of_the_mount_is_no_part_of_it(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(PUBLIC_URL="https://shop.example/pay/")
        (message,) = run()
        assert message.id == "snipcart_checkout.W306"
        assert "/pay/pay/" in message.msg

    def test_a_prefix_that_the_server_takes_off_is_fine(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(PUBLIC_URL="https://shop.example/payment")
        assert ids() == []

    def test_a_site_that_prepends_www_is_redirected_away_from_it(
        self, settings: Settings, checkout_settings: CheckoutSettings
    ) -> None:
        settings.PREPEND_WWW = True
        (message,) = run()
        assert message.id == "snipcart_checkout.E307"
        assert message.hint == '"PUBLIC_URL": "https://www.pay.shop.example",'
        checkout_settings(PUBLIC_URL="https://www.pay.shop.example")
        assert ids() == []

    def test_without_the_middleware_nothing_is_prepended(self, settings: Settings) -> None:
        settings.PREPEND_WWW = True
        settings.MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]
        assert ids() == []

    @pytest.mark.parametrize(
        "url", ["https://bücher.example", "https://BÜCHER.example/", "https://xn--bcher-kva.example"]
    )
    def test_a_host_in_another_script_is_fine(
        self, settings: Settings, checkout_settings: CheckoutSettings, url: str
    ) -> None:
        checkout_settings(PUBLIC_URL=url)
        settings.ALLOWED_HOSTS = ["xn--bcher-kva.example"]
        settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
        assert ids(include_deployment_checks=True) == []

    @pytest.mark.parametrize(
        "path, value, error",
        [
            ("PUBLIC_URL", "https://straße.example", "E003"),
            ("STORES.live.SHOP_HOSTS", ["straße.example"], "E109"),
        ],
    )
    def test_a_host_that_browsers_may_spell_another_way_has_to_be_punycode(
        self, checkout_settings: CheckoutSettings, path: str, value: object, error: str
    ) -> None:
        checkout_settings.set(path, value)
        (message,) = run()
        assert message.id == f"snipcart_checkout.{error}"
        assert "punycode" in message.msg


class RevisionLike:
    """As django-reversion's middleware: an attribute says that a transaction is opened."""

    atomic = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            return self.get_response(request)


class NotAtomic(RevisionLike):
    atomic = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class Unmarked:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            return self.get_response(request)


class Decorated:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    @transaction.atomic
    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class Wrapping:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.respond = transaction.atomic(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.respond(request)


def as_a_function(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        with transaction.atomic(using="default"):
            return get_response(request)

    return middleware


class Counting:
    """Opens a transaction of its own, and closes it before the request goes on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            pass
        return self.get_response(request)


class TestTransactions:
    @pytest.mark.parametrize("name", ["RevisionLike", "Unmarked", "Decorated", "Wrapping", "as_a_function"])
    def test_middleware_that_holds_one_around_requests_is_refused(
        self, settings: Settings, name: str
    ) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"tests.test_mounting.{name}"]
        (message,) = run()
        assert message.id == "snipcart_checkout.E310"
        assert f"tests.test_mounting.{name}" in message.msg

    @pytest.mark.parametrize("name", ["NotAtomic", "Counting"])
    def test_middleware_that_holds_none_is_fine(self, settings: Settings, name: str) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"tests.test_mounting.{name}"]
        assert ids() == []

    def test_middleware_that_cannot_be_imported_is_djangos_to_name(self, settings: Settings) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_mounting.Nothing"]
        assert ids() == []


class Greedy:
    """A template engine that takes every file for its own, and fails at ours."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.name = params["NAME"]

    def get_template(self, name: str) -> Any:
        raise SyntaxError(name)


class Lenient(Greedy):
    def get_template(self, name: str) -> Any:
        template = type("Template", (), {})()
        template.backend = self
        return template


class TestTemplateEngines:
    @pytest.mark.parametrize("engine", ["Greedy", "Lenient"])
    def test_another_engine_that_takes_our_templates_is_an_error(
        self, settings: Settings, engine: str
    ) -> None:
        settings.TEMPLATES = [{"BACKEND": f"tests.test_mounting.{engine}"}, *settings.TEMPLATES]
        (message,) = run()
        assert message.id == "snipcart_checkout.E308"
        assert "snipcart_checkout/checkout.html" in message.msg

    def test_another_engine_behind_djangos_is_fine(self, settings: Settings) -> None:
        settings.TEMPLATES = [*settings.TEMPLATES, {"BACKEND": "tests.test_mounting.Greedy"}]
        assert ids() == []

    def test_autoescape_has_to_be_on(self, settings: Settings) -> None:
        options = {**settings.TEMPLATES[0]["OPTIONS"], "autoescape": False}
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]
        assert ids() == ["E309"]

    def test_autoescape_off_in_an_engine_for_mails_is_fine(self, settings: Settings, tmp_path: Path) -> None:
        mails = {
            "NAME": "mails",
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [tmp_path],
            "OPTIONS": {"autoescape": False},
        }
        settings.TEMPLATES = [mails, *settings.TEMPLATES]
        assert ids() == []

    def test_an_override_with_a_mistake_is_an_error_and_no_traceback(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        (tmp_path / "snipcart_checkout").mkdir()
        (tmp_path / "snipcart_checkout" / "error.html").write_text("{% nonsense %}")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
        (message,) = run()
        assert message.level == checks.ERROR
        assert "snipcart_checkout/error.html" in message.msg


class TestStaticFiles:
    def test_files_of_another_host_need_its_permission(self, settings: Settings) -> None:
        settings.STATIC_URL = "https://cdn.example/static/"
        (message,) = run()
        assert message.id == "snipcart_checkout.W307"
        assert message.hint == "Have that server send: Access-Control-Allow-Origin: https://pay.shop.example"

    def test_files_of_the_sites_own_host_need_none(self, settings: Settings) -> None:
        settings.STATIC_URL = "https://pay.shop.example/static/"
        assert ids() == []


def test_a_library_in_place_of_urllib3_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_connections, "HTTPConnection", object)
    (message,) = run()
    assert message.id == "snipcart_checkout.E312"
    assert "--force-reinstall" in (message.hint or "")
