"""Sites of every kind that the app must work in and must not harm: their settings, middleware, URLconfs and servers.

Each test makes the whole round trip: Snipcart asks for the methods, a shopper opens the address and pays, Snipcart hears.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import django
import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client
from django.test.client import ClientHandler
from django.urls import clear_script_prefix, include, path, set_script_prefix
from django.utils.log import AdminEmailHandler

from snipcart_checkout.models import Payment
from snipcart_checkout.testing import CheckoutSettings, StandIn, ask_for_methods
from snipcart_checkout.views import CheckoutView
from snipcart_checkout.views.endpoints import Endpoint
from tests.support.sampling import sampled
from tests.test_views import METHOD_PAGE, fields_of, get_page, press_pay, to_text

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parent.parent
PEOPLE = ["ada@shop.example"] if django.VERSION >= (6, 0) else [("Ada", "ada@shop.example")]


def buy(snipcart: StandIn, client: Client | None = None, **order: Any) -> Any:
    """Pay a new order on the page that Snipcart was told of, and return the response that shows what became of it."""
    client = client or Client(enforce_csrf_checks=True)
    session = snipcart.session(**order)
    (method,) = ask_for_methods(session, store="live", client=client).json()
    address = urlsplit(method["checkoutUrl"]).path.removeprefix(script_name(client))
    page = client.get(address, {"publicToken": session.public_token})
    assert page.status_code == 200, page
    assert form_action(page).startswith(script_name(client))
    action = urlsplit(form_action(page)).path.removeprefix(script_name(client))
    answer = client.post(action, fields_of(page))
    assert answer.status_code == 303, answer
    assert session.state == "processed"
    return client.get(answer["Location"].removeprefix(script_name(client)))


class MountedHandler(ClientHandler):
    """A server that reaches Django under /app, and says so."""

    def __call__(self, environ: dict[str, Any]) -> Any:
        set_script_prefix("/app/")
        try:
            return super().__call__({**environ, "SCRIPT_NAME": "/app"})
        finally:
            clear_script_prefix()


def mounted(**defaults: Any) -> Client:
    client = Client(enforce_csrf_checks=True, SCRIPT_NAME="/app", **defaults)
    client.handler = MountedHandler(enforce_csrf_checks=True)
    return client


def script_name(client: Client) -> str:
    """The part of an address that a server takes off before Django reads the path."""
    return str(client.defaults.get("SCRIPT_NAME", ""))


def form_action(page: Any) -> str:
    return str(page.content.decode().split('method="post" action="', 1)[1].split('"', 1)[0])


def urlconf(*patterns: Any) -> Any:
    """A URLconf of its own for one test, which Django takes as it takes the name of a module."""
    return tuple(patterns)


class TestAProjectWithNothingElse:
    SETTINGS = """
SECRET_KEY = "only-for-this-test"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["snipcart_checkout"]
ROOT_URLCONF = "urls"
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}}]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}}}
STATIC_URL = "/static/"
{changed}
SNIPCART_CHECKOUT = {{
    "PUBLIC_URL": "https://pay.shop.example", "API_URL": "{api}", "APP_API_URL": "{api}",
    "STORES": {{"live": {{"API_KEYS": ["primary-key-for-tests"], "SHOP_HOSTS": ["shop.example"], "METHODS": {{
        "acme_transfer": {{"BACKEND": "snipcart_checkout.backends.manual.ManualBackend", "NAME": "Transfer"}}}}}}}},
}}
"""
    URLS = """
from django.urls import include, path
urlpatterns = [path("", include("snipcart_checkout.urls"))]
"""
    BUY = """
import sys, django, re
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client, token = Client(enforce_csrf_checks=True, SERVER_NAME="localhost"), sys.argv[1]
page = client.get("/live/methods/acme_transfer/", {"publicToken": token})
fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.content.decode()))
answer = client.post("/live/methods/acme_transfer/", fields)
print(page.status_code, answer.status_code, client.get(answer["Location"]).status_code, page["Content-Language"])
"""

    @pytest.mark.parametrize(
        "changed",
        [
            "",
            "MIDDLEWARE = ['django.middleware.csrf.CsrfViewMiddleware']",
            "USE_TZ = False",
            "USE_I18N = False",
        ],
    )
    def test_it_takes_payments(self, snipcart: StandIn, tmp_path: Path, changed: str) -> None:
        session = snipcart.session(language="fr")
        settings = self.SETTINGS.format(changed=changed, api=snipcart.api_url)
        (tmp_path / "settings.py").write_text(settings)
        (tmp_path / "urls.py").write_text(self.URLS)
        program = f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n{self.BUY}"

        command = [sys.executable, "-W", "error", "-c", program, session.public_token]
        paths = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
        done = subprocess.run(command, cwd=tmp_path, env=paths, capture_output=True, text=True, timeout=60)

        language = "en" if "USE_I18N" in changed else "fr"
        assert done.stdout == f"200 303 200 {language}\n", done.stderr
        assert session.state == "processing"


class TestAddresses:
    @pytest.mark.parametrize("prefix", ["", "checkout/", "a/b/c/"])
    def test_it_may_be_mounted_anywhere(self, snipcart: StandIn, settings: Any, prefix: str) -> None:
        settings.ROOT_URLCONF = urlconf(path(prefix, include("snipcart_checkout.urls")))

        status = buy(snipcart)

        assert status.status_code == 200
        assert snipcart.confirmations[0]["links"]["refunds"].startswith(
            f"https://pay.shop.example/{prefix}live/refunds/"
        )

    @pytest.mark.parametrize("prefixed", ["tests.urls_i18n", "tests.urls_i18n_default"])
    def test_it_may_be_mounted_under_a_language(
        self, snipcart: StandIn, settings: Any, prefixed: str
    ) -> None:
        settings.ROOT_URLCONF = prefixed
        settings.LANGUAGE_CODE = "fr"
        client = Client(enforce_csrf_checks=True, headers={"accept-language": "de"})

        status = buy(snipcart, client, language="en")

        assert "Thank you" in to_text(status)
        prefix = "" if prefixed.endswith("default") else "fr/"
        refunds = snipcart.confirmations[0]["links"]["refunds"]
        assert refunds.startswith(f"https://pay.shop.example/{prefix}checkout/live/refunds/")

    @pytest.mark.parametrize(
        "urls, address, status, changed",
        [
            ("tests.urls", "/checkout/live/refunds/unknown/", 404, False),
            ("tests.urls_i18n", "/fr/checkout/live/payment-methods/", 400, False),
            ("tests.urls_i18n", "/fr/checkout/live/refunds/unknown/", 404, True),
        ],
    )
    def test_only_what_django_would_send_elsewhere_is_kept_from_its_way_of_finding_languages(
        self, snipcart: StandIn, settings: Any, urls: str, address: str, status: int, changed: bool
    ) -> None:
        settings.ROOT_URLCONF = urls

        answer = Client().post(f"{address}?a=b", {"amount": 1}, "application/json")

        assert (answer.status_code, hasattr(answer.wsgi_request, "urlconf")) == (status, changed)
        assert answer.wsgi_request.META["QUERY_STRING"] == ""

    def test_a_script_name_stands_once_in_every_address(
        self, snipcart: StandIn, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(PUBLIC_URL="https://pay.shop.example/app")
        client = mounted()

        (method,) = ask_for_methods(snipcart.session(), store="live", client=client).json()
        status = buy(snipcart, client)

        assert method["checkoutUrl"] == "https://pay.shop.example/app/checkout/live/methods/acme_card/"
        assert status.status_code == 200
        assert status.request["PATH_INFO"].startswith("/checkout/payments/")

    @pytest.mark.django_db(transaction=True)
    def test_a_command_writes_the_links_that_a_request_writes(
        self, snipcart: StandIn, settings: Any, checkout_settings: CheckoutSettings
    ) -> None:
        settings.ROOT_URLCONF = "tests.urls_i18n"
        checkout_settings(PUBLIC_URL="https://pay.shop.example/app")
        client = mounted(headers={"accept-language": "fr"})
        session = snipcart.session(language="fr")
        snipcart.fail("payment", 500)
        page = client.get("/en/checkout/", {"publicToken": session.public_token})
        press_pay(client, page, "/en/checkout/live/methods/acme_card/")
        Payment.objects.get().confirmations.update(due_at="2000-01-01T00:00Z")

        call_command("snipcart_settle", verbosity=0)

        first, second = (call.body for call in snipcart.calls_to("payment"))
        assert first == second
        assert b"https://pay.shop.example/app/en/checkout/live/refunds/" in first


class TestMiddleware:
    def test_a_cache_of_the_whole_site_keeps_nothing_of_ours(self, snipcart: StandIn, settings: Any) -> None:
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
        settings.MIDDLEWARE = [
            "django.middleware.cache.UpdateCacheMiddleware",
            *settings.MIDDLEWARE,
            "django.middleware.http.ConditionalGetMiddleware",
            "django.middleware.cache.FetchFromCacheMiddleware",
        ]
        session, client = snipcart.session(), Client()

        pages = [get_page(client, session) for _ in range(2)]

        assert len(snipcart.calls_to("payment-session")) == 2
        assert all(page["Cache-Control"] == "no-store, private" for page in pages)
        assert not any(page.has_header("ETag") or page.has_header("Expires") for page in pages)
        assert buy(snipcart).status_code == 200
        cache.clear()

    def test_the_cart_and_not_the_browser_chooses_the_language(self, snipcart: StandIn) -> None:
        client = Client(enforce_csrf_checks=True, headers={"accept-language": "fr"})

        page = get_page(client, snipcart.session(language="en"))

        assert page["Content-Language"] == "en"
        assert "Your order" in to_text(page)

    def test_a_login_that_the_whole_site_demands_is_not_asked_of_shoppers(
        self, snipcart: StandIn, settings: Any
    ) -> None:
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE,
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]

        assert buy(snipcart).status_code == 200

    @pytest.mark.parametrize(
        "changes",
        [
            {"CSRF_COOKIE_NAME": "__Host-csrf", "CSRF_COOKIE_SECURE": True, "CSRF_COOKIE_HTTPONLY": True},
            {"CSRF_COOKIE_PATH": "/checkout/", "CSRF_COOKIE_SAMESITE": "Strict"},
            {"CSRF_USE_SESSIONS": True},
            {"CSRF_FAILURE_VIEW": "nowhere.at_all"},
        ],
    )
    def test_the_sites_way_of_keeping_csrf_secrets_is_kept_to(
        self, snipcart: StandIn, settings: Any, changes: dict[str, Any]
    ) -> None:
        for name, value in changes.items():
            setattr(settings, name, value)
        client = Client(enforce_csrf_checks=True)

        assert buy(snipcart, client).status_code == 200
        page = get_page(client, snipcart.session())
        fields = {**fields_of(page), "csrfmiddlewaretoken": "x" * 64}
        assert client.post(METHOD_PAGE, fields).status_code == 403

    @pytest.mark.django_db(transaction=True)
    def test_atomic_requests_do_not_hold_the_ledger_in_one_transaction(
        self, snipcart: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

        assert buy(snipcart).status_code == 200
        assert Payment.objects.get().state == Payment.State.PAID

    def test_security_middleware_does_not_replace_the_referrer_policy(
        self, snipcart: StandIn, settings: Any
    ) -> None:
        settings.SECURE_REFERRER_POLICY = "no-referrer"
        settings.X_FRAME_OPTIONS = "SAMEORIGIN"
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE,
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ]

        page = get_page(Client(), snipcart.session())

        assert page["Referrer-Policy"] == "strict-origin"
        assert page["X-Frame-Options"] == "DENY"

    if django.VERSION >= (6, 0):

        def test_the_sites_content_security_policy_does_not_replace_ours(
            self, snipcart: StandIn, settings: Any
        ) -> None:
            settings.SECURE_CSP = {"default-src": ["'self'", "https://tracker.example"]}
            settings.MIDDLEWARE = ["django.middleware.csp.ContentSecurityPolicyMiddleware"]

            page = get_page(Client(), snipcart.session())

            assert page["Content-Security-Policy"].startswith("default-src 'none'; ")
            assert "tracker.example" not in page["Content-Security-Policy"]


class TestServers:
    @pytest.mark.django_db(transaction=True)
    def test_an_asynchronous_server_takes_payments(self, snipcart: StandIn) -> None:
        session = snipcart.session()

        @async_to_sync
        async def pay() -> list[Any]:
            client = AsyncClient(enforce_csrf_checks=True)
            page = await client.get(METHOD_PAGE, {"publicToken": session.public_token})
            answer = await client.post(METHOD_PAGE, fields_of(page))
            return [page, answer, await client.get(answer["Location"])]

        assert [answer.status_code for answer in pay()] == [200, 303, 200]
        assert session.state == "processed"

    @pytest.mark.parametrize("debug", [True, False])
    def test_a_page_works_whether_the_site_is_in_debug_or_not(
        self, snipcart: StandIn, settings: Any, debug: bool
    ) -> None:
        settings.DEBUG = debug

        assert buy(snipcart).status_code == 200


class TestStaticFilesWithAManifest:
    @pytest.fixture(autouse=True)
    def manifest(self, settings: Any, tmp_path: Path) -> None:
        storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        settings.STATIC_ROOT = str(tmp_path)
        settings.STORAGES = {**django_settings.STORAGES, "staticfiles": {"BACKEND": storage}}

    def test_the_page_links_the_files_by_their_hashed_names(self, snipcart: StandIn, tmp_path: Path) -> None:
        call_command("collectstatic", interactive=False, verbosity=0)

        page = get_page(Client(), snipcart.session()).content.decode()

        source, _, rest = page.split('<script src="/static/', 1)[1].partition('"')
        script = (tmp_path / source).read_bytes()
        assert source.count(".") == 2
        # What is served under the hashed name is what the integrity in the page was made of.
        assert base64.b64encode(hashlib.sha384(script).digest()).decode() in rest

    def test_files_that_were_never_collected_give_a_bare_page_of_ours(
        self, snipcart: StandIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        session = snipcart.session()

        page = get_page(Client(), session)

        assert page.status_code == 500
        assert "Something went wrong" in page.content.decode()
        assert page["Cache-Control"] == "no-store, private"
        assert session.public_token not in page.content.decode() + caplog.text


class TestTemplates:
    @pytest.mark.parametrize("path_of_own", ["base.html", "checkout.html"])
    def test_another_template_engine_may_stand_first(
        self, snipcart: StandIn, settings: Any, tmp_path: Path, path_of_own: str
    ) -> None:
        strings = {
            "BACKEND": "django.template.backends.dummy.TemplateStrings",
            "DIRS": [str(tmp_path)],
            "APP_DIRS": False,
            "OPTIONS": {},
        }
        (tmp_path / path_of_own).write_text("the site's own template of this name")
        settings.TEMPLATES = [strings, *settings.TEMPLATES]

        assert buy(snipcart).status_code == 200


class ShopsView(CheckoutView):
    """As a merchant changes the page: one more name for a template, which the URLconf names."""

    def get_context(self, *arguments: Any) -> dict[str, Any]:
        return {**super().get_context(*arguments), "slogan": "Mugs for everybody"}


def test_a_subclass_of_the_page_changes_template_and_context(
    snipcart: StandIn, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "snipcart_checkout").mkdir()
    (tmp_path / "snipcart_checkout" / "shops.html").write_text(
        '{% extends "snipcart_checkout/checkout.html" %}{% block footer %}{{ slogan }}{% endblock %}'
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    settings.ROOT_URLCONF = urlconf(
        path(
            "checkout/<slug:store>/methods/<slug:method>/",
            ShopsView.as_view(template_name="snipcart_checkout/shops.html"),
        ),
        path("checkout/", include("snipcart_checkout.urls")),
    )

    page = get_page(Client(), snipcart.session())

    assert "Mugs for everybody" in to_text(page)
    assert buy(snipcart).status_code == 200


class UnrenderedView(CheckoutView):
    """A merchant's answer that nobody has rendered yet, of a template with a bug."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> TemplateResponse:
        return TemplateResponse(request, "snipcart_checkout/shops.html")


def test_an_answer_that_a_subclass_leaves_unrendered_is_rendered_where_its_bugs_are_answered(
    snipcart: StandIn, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "snipcart_checkout").mkdir()
    (tmp_path / "snipcart_checkout" / "shops.html").write_text("{% url 'no such view' %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    settings.ROOT_URLCONF = urlconf(
        path("checkout/<slug:store>/methods/<slug:method>/", UnrenderedView.as_view()),
        path("checkout/", include("snipcart_checkout.urls")),
    )
    session = snipcart.session()

    page = get_page(Client(), session)

    assert page.status_code == 500
    assert "Contact the shop before you pay again" in page.content.decode()
    assert session.public_token not in page.content.decode()


def raise_bug(request: HttpRequest) -> dict[str, Any]:
    """A context processor with a bug, whose text and frame hold the token."""
    address = request.get_full_path()
    raise ZeroDivisionError(address)


def never(request: HttpRequest) -> HttpResponse:
    """A site's own page for errors, which must not be asked to explain ours."""
    raise AssertionError(request.path)


class TestBrokenSites:
    def test_a_context_processor_with_a_bug_gives_a_bare_page_of_ours(
        self, snipcart: StandIn, settings: Any
    ) -> None:
        options = {"context_processors": ["tests.test_sites.raise_bug"]}
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]
        session = snipcart.session(language="fr")

        page = get_page(Client(enforce_csrf_checks=True), session)

        assert page.status_code == 500
        assert "Contact the shop before you pay again" in page.content.decode()
        assert page["Content-Security-Policy"].startswith("default-src 'none'")
        assert session.public_token not in page.content.decode()

    @pytest.mark.parametrize("debug", [True, False])
    def test_each_bug_is_logged_by_where_it_arose_and_with_debug_by_every_line_on_the_way(
        self, snipcart: StandIn, settings: Any, caplog: pytest.LogCaptureFixture, debug: bool
    ) -> None:
        settings.DEBUG = debug
        options = {"context_processors": ["tests.test_sites.raise_bug"]}
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]
        session = snipcart.session()

        get_page(Client(), session)

        page, error_page = (line for line in caplog.messages if line.startswith("unexpected "))
        for line in (page, error_page):
            places = r"(?:\w+\.py:\d+ > ){5}test_sites\.py:\d+"
            assert re.fullmatch(rf"unexpected ZeroDivisionError at {places} \[[0-9a-f]{{8}}\]", line)
        frame = r' +File "[^"]+", line \d+, in \w+\n(?:    .*\n)+'
        ways = [line for line in caplog.messages if re.fullmatch(f"(?:{frame})+", line)]
        assert ["in raise_bug" in way for way in ways] == [True, True] * debug
        assert session.public_token not in caplog.text

    def test_a_log_handler_that_fails_costs_no_page(self, snipcart: StandIn, monkeypatch: Any) -> None:
        class Broken(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                raise OSError("the mail server is down")

        monkeypatch.setattr(logging.getLogger("snipcart_checkout"), "handlers", [Broken()])
        snipcart.fail("payment-session", 500)

        assert Client().get(METHOD_PAGE, {"publicToken": "t"}).status_code == 503

    def test_the_sites_error_pages_are_left_in_peace(self, snipcart: StandIn, settings: Any) -> None:
        settings.ROOT_URLCONF = "tests.urls_with_error_pages"
        client = Client(enforce_csrf_checks=True)
        snipcart.fail("payment-session", 500)

        statuses = [
            client.get(METHOD_PAGE, {"publicToken": "t"}).status_code,
            client.get(METHOD_PAGE, {"publicToken": "t"}).status_code,
            client.get(METHOD_PAGE).status_code,
            client.post(METHOD_PAGE).status_code,
        ]

        assert statuses == [503, 410, 400, 403]

    @pytest.mark.parametrize(
        "query, content_type, body",
        [
            ("", "application/x-www-form-urlencoded", b"a=" + b"x" * 3_000_000),
            ("", "application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(1100))),
            ("", "application/x-www-form-urlencoded; charset=utf-16", b"a=%ff"),
            ("", "multipart/form-data", b"no boundary"),
            ("&".join("a=1" for _ in range(1100)), "application/x-www-form-urlencoded", b""),
        ],
        ids=["too large", "too many fields", "not UTF-8", "no boundary", "too long a query"],
    )
    def test_a_form_that_cannot_be_read_is_the_senders_mistake(
        self, snipcart: StandIn, query: str, content_type: str, body: bytes
    ) -> None:
        answer = Client().generic("POST", METHOD_PAGE, body, content_type=content_type, QUERY_STRING=query)

        assert answer.status_code == 400
        assert snipcart.calls == []

    def test_a_site_without_a_csrf_check_takes_payments_and_ours_still_refuses_a_strangers_form(
        self, snipcart: StandIn, settings: Any
    ) -> None:
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Csrf" not in name]

        client = Client(enforce_csrf_checks=True)
        page = get_page(client, snipcart.session())
        get_page(client, snipcart.session())  # in another tab

        assert press_pay(client, page).status_code == 303
        assert client.post(METHOD_PAGE).status_code == 403

    def test_a_form_whose_sender_hangs_up_is_the_senders_mistake(self, snipcart: StandIn) -> None:
        class HungUp(io.BytesIO):
            def read(self, *_: object) -> bytes:
                raise OSError

        sent: dict[str, Any] = {"wsgi.input": HungUp(), "CONTENT_LENGTH": "10"}
        form = "application/x-www-form-urlencoded"
        answer = Client().generic("POST", METHOD_PAGE, content_type=form, **sent)

        assert answer.status_code == 400
        assert snipcart.calls == []


class TestTokensStayHidden:
    @pytest.fixture
    def root(self, caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
        """The root logger at DEBUG, mailing everything with all that Django knows of the request."""
        root, handler = logging.getLogger(), AdminEmailHandler(include_html=True)
        root.addHandler(handler)
        with caplog.at_level("DEBUG"):
            yield root
        root.removeHandler(handler)

    # Django 6.1 asks sites to move to another setting for mail.
    @pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
    @pytest.mark.parametrize(
        "fault, debug",
        sampled(
            product([None, 404, 500, "redirect", "not-json", "cut-before", "huge"], [True, False]),
            every=2,
            corners=lambda case: case == (None, False),
        ),
    )
    def test_from_logs_and_mails(
        self,
        snipcart: StandIn,
        settings: Any,
        root: logging.Logger,
        caplog: pytest.LogCaptureFixture,
        mailoutbox: list[Any],
        fault: str | int | None,
        debug: bool,
    ) -> None:
        settings.DEBUG, settings.ADMINS, settings.MANAGERS = debug, PEOPLE, PEOPLE
        settings.MIDDLEWARE = [
            "django.middleware.common.BrokenLinkEmailsMiddleware",
            *settings.MIDDLEWARE,
        ]
        options = {"context_processors": ["tests.test_sites.raise_bug"]}
        if fault is None:
            settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": options}]
        else:
            snipcart.fail("payment-session", fault)
        session = snipcart.session()

        page = Client(headers={"referer": "https://shop.example/"}).get(
            METHOD_PAGE, {"publicToken": session.public_token}
        )

        mails = [str(mail.message()) + str(mail.alternatives) for mail in mailoutbox]
        records = [str(vars(record)) for record in caplog.records]
        assert page.status_code >= 400
        assert records
        assert mails
        for text in (page.content.decode(), caplog.text, *records, *mails):
            assert session.public_token not in text

    # Django 6.1 asks sites to move to another setting for mail.
    @pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
    def test_from_the_mail_about_an_address_of_ours_that_there_is_not(
        self,
        snipcart: StandIn,
        checkout_settings: CheckoutSettings,
        settings: Any,
        mailoutbox: list[Any],
    ) -> None:
        settings.MANAGERS = PEOPLE
        checkout_settings.store("other", like="live")
        settings.MIDDLEWARE = [
            "django.middleware.common.BrokenLinkEmailsMiddleware",
            *settings.MIDDLEWARE,
        ]
        token = snipcart.session().public_token

        # Of several stores, the address has to name one.
        page = Client(headers={"referer": "https://shop.example/"}).get("/checkout/", {"publicToken": token})

        assert page.status_code == 404
        (mail,) = mailoutbox
        assert "Requested URL: /checkout/\n" in mail.body
        assert token not in str(mail.message())

    def test_from_addresses_that_another_site_is_told(self, snipcart: StandIn) -> None:
        page = get_page(Client(), snipcart.session())

        # Only scheme and host of this page travel on to the shop and the provider.
        assert page["Referrer-Policy"] == "strict-origin"

    def test_from_everything_but_the_checkout_page(self, snipcart: StandIn) -> None:
        client, session = Client(enforce_csrf_checks=True), snipcart.session()
        page = get_page(client, session)
        answer = press_pay(client, page)
        status = client.get(answer["Location"])

        for response in (answer, status):
            assert session.public_token not in response.content.decode() + json.dumps(dict(response.items()))
        base = "https://pay.shop.example/checkout/"
        for link in (part.split('"', 1)[0] for part in page.content.decode().split('href="')[1:]):
            if session.public_token in link:
                assert urljoin(base, link).startswith("https://pay.shop.example/checkout/")


def test_no_database_of_the_site_has_a_transaction_around_our_views(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings, "analytics", {**connections.settings["default"]})

    view: Any = Endpoint.as_view()

    assert view._non_atomic_requests == {"default", "analytics"}
