"""More sites of every kind: their languages, hosts, catch-alls, servers, middleware and libraries.

As in ``test_sites``, each is asked and paid as a whole; nothing of ours is faked.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf.urls.i18n import i18n_patterns
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client
from django.urls import include, path, re_path

from snipcart_checkout.checks import TAG
from snipcart_checkout.exceptions import SnipcartUnavailable
from snipcart_checkout.models import Payment
from snipcart_checkout.sandbox.core.bodies import methods_webhook
from snipcart_checkout.services import get_payment_session
from snipcart_checkout.snipcart.transport import connections as transport_connections
from snipcart_checkout.testing import CheckoutSettings, StandIn, ask_for_methods
from tests.test_mounting import CATCH_ALL
from tests.test_mounting import run as run_checks
from tests.test_sites import buy, urlconf
from tests.test_views import METHOD_PAGE, fields_of, get_page, press_pay, to_text

pytestmark = pytest.mark.django_db

OURS = path("pay/", include("snipcart_checkout.urls"))
METHODS_PATH = "/checkout/live/payment-methods/"


class TestLanguagesOfTheSite:
    @pytest.mark.parametrize("code", ["en", "en-us", "fr-fr", "FR", "pt-br", "zh-hans", "de-AT"])
    @pytest.mark.parametrize("prefix_default", [True, False])
    def test_under_i18n_patterns_with_any_language_code(
        self, snipcart: StandIn, settings: Any, code: str, prefix_default: bool
    ) -> None:
        settings.LANGUAGE_CODE = code
        settings.ROOT_URLCONF = urlconf(*i18n_patterns(OURS, prefix_default_language=prefix_default))
        client = Client(enforce_csrf_checks=True, headers={"accept-language": "it"})
        assert not [message for message in run_checks() if message.is_serious()]

        status = buy(snipcart, client, language="fr")

        assert status.status_code == 200
        assert status["Content-Language"] == "fr"

    @pytest.mark.parametrize("code", ["en", "fr-fr"])
    def test_a_page_without_a_cart_is_in_the_sites_language_not_the_browsers(
        self, settings: Any, code: str
    ) -> None:
        settings.LANGUAGE_CODE = code
        page = Client(headers={"accept-language": "de"}).get("/checkout/live/")
        assert page.status_code == 400
        assert page["Content-Language"].lower() == code

    def test_the_links_are_those_that_locale_middleware_understands(
        self, snipcart: StandIn, settings: Any
    ) -> None:
        settings.LANGUAGE_CODE = "fr-fr"
        settings.ROOT_URLCONF = urlconf(*i18n_patterns(OURS))
        (method,) = ask_for_methods(
            snipcart.session(), store="live", client=Client(headers={"accept-language": "de"})
        ).json()
        assert method["checkoutUrl"] == "https://pay.shop.example/fr/pay/live/methods/acme_card/"


class TestCatchAlls:
    @pytest.fixture(autouse=True)
    def _pages_of_a_cms(self, settings: Any) -> None:
        settings.ROOT_URLCONF = urlconf(OURS, *i18n_patterns(CATCH_ALL))

    def test_payments_are_taken_before_it(self, snipcart: StandIn) -> None:
        assert "Thank you" in to_text(buy(snipcart, language="en"))

    def test_the_sites_own_pages_are_left_to_it(self, client: Client) -> None:
        for address in ("/en/pay/", "/en/about/", "/en/pay/other/"):
            assert client.get(address).content == b"a page of the site's own"

    @pytest.mark.parametrize(
        "address, status",
        [
            ("/pay/live/?publicToken=unknown", 410),
            ("/pay/live/", 400),
            ("/pay/live/methods/nothing/?publicToken=x", 410),
            ("/pay/payments/00000000-0000-0000-0000-000000000000/", 410),
            ("/pay/payments/00000000-0000-0000-0000-000000000000/return/", 410),
        ],
    )
    def test_our_words_reach_the_shopper(self, snipcart: StandIn, address: str, status: int) -> None:
        answer = Client(headers={"accept-language": "fr"}).get(address)
        assert answer.status_code == status
        assert b"snipcart_checkout" in answer.content or b"sc-card" in answer.content

    @pytest.mark.parametrize("address", ["refunds/wrong/", "refunds/wrong", "notifications/nothing/"])
    def test_our_words_reach_a_machine_although_they_are_a_404(self, client: Client, address: str) -> None:
        answer = client.post(f"/pay/live/{address}", {}, content_type="application/json")
        assert answer.status_code == 404
        assert "not found" in answer.json()["error"]

    def test_a_404_of_the_site_itself_is_still_redirected(self, client: Client) -> None:
        assert client.get("/about/")["Location"] == "/en/about/"


class TestHosts:
    @pytest.mark.parametrize("host", ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"])
    def test_a_host_in_another_script(
        self, snipcart: StandIn, settings: Any, checkout_settings: CheckoutSettings, host: str
    ) -> None:
        settings.ALLOWED_HOSTS = ["xn--bcher-kva.example"]
        checkout_settings(PUBLIC_URL=f"https://{host}")
        checkout_settings.store(SHOP_HOSTS=[host])
        client = Client(enforce_csrf_checks=True, SERVER_NAME="xn--bcher-kva.example")
        session = snipcart.session(cart_url="https://bücher.example/#/cart")

        (method,) = ask_for_methods(session, store="live", client=client).json()
        page = client.get(METHOD_PAGE, {"publicToken": session.public_token})
        answer = client.post(
            METHOD_PAGE, fields_of(page), headers={"origin": "https://xn--bcher-kva.example"}
        )

        assert method["checkoutUrl"].startswith("https://xn--bcher-kva.example/checkout/")
        assert answer.status_code == 303
        assert session.state == "processed"

    def test_a_site_that_prepends_www_is_reached_at_www(
        self, snipcart: StandIn, settings: Any, checkout_settings: CheckoutSettings
    ) -> None:
        settings.PREPEND_WWW = True
        settings.ALLOWED_HOSTS = ["www.shop.example"]
        checkout_settings(PUBLIC_URL="https://www.shop.example")
        client = Client(enforce_csrf_checks=True, SERVER_NAME="www.shop.example")

        assert buy(snipcart, client).status_code == 200

    @pytest.mark.parametrize("debug", [True, False])
    def test_a_wrong_shop_host_is_named_in_the_log_and_with_debug_on_the_page(
        self, snipcart: StandIn, settings: Any, caplog: pytest.LogCaptureFixture, debug: bool
    ) -> None:
        settings.DEBUG = debug
        session = snipcart.session(cart_url="https://other.example?publicToken=secret#/cart")

        page = get_page(Client(), session)

        (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "'other.example', which is not among SHOP_HOSTS" in record.getMessage()
        assert page.status_code == 410
        assert ("other.example" in page.content.decode()) is debug
        assert "secret" not in page.content.decode() + caplog.text
        assert session.public_token not in page.content.decode() + caplog.text

    def test_a_shop_without_tls_is_not_called_a_wrong_host(
        self, snipcart: StandIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        session = snipcart.session(cart_url="http://shop.example/#/cart")

        assert get_page(Client(), session).status_code == 410

        (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "'shop.example' over http, and has to be https" in record.getMessage()


class TestChunkedBodies:
    def wsgi(self, body: bytes, **environ: Any) -> tuple[int, Any]:
        """Post to the payment-methods webhook as a server does that was sent chunks."""
        started: list[str] = []

        def start_response(status: str, *_: Any) -> Any:
            started.append(status)

        answer = WSGIHandler()(
            {
                "REQUEST_METHOD": "POST",
                "PATH_INFO": METHODS_PATH,
                "SERVER_NAME": "testserver",
                "SERVER_PORT": "80",
                "CONTENT_TYPE": "application/json",
                "HTTP_TRANSFER_ENCODING": "chunked",
                "wsgi.input": io.BytesIO(body),
                "wsgi.url_scheme": "https",
                **environ,
            },
            start_response,
        )
        code, _, _ = started[0].partition(" ")
        return int(code), json.loads(b"".join(answer))

    def test_a_server_that_takes_them_apart_is_read_from(self, snipcart: StandIn) -> None:
        body = self.body(snipcart)
        status, answer = self.wsgi(body, **{"wsgi.input_terminated": True})
        assert status == 200
        assert [method["id"] for method in answer] == ["acme_card"]

    def test_a_server_that_leaves_them_in_gets_411_and_a_line_in_the_log(
        self, snipcart: StandIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        status, answer = self.wsgi(b"5\r\nhello\r\n0\r\n\r\n")
        assert status == 411
        assert "Content-Length" in answer["error"]
        assert "a chunked request was refused" in caplog.text
        assert snipcart.calls == []

    def test_a_body_whose_length_is_named_is_read_by_it_whatever_the_server_does_to_chunks(
        self, snipcart: StandIn
    ) -> None:
        body = self.body(snipcart)
        status, _ = self.wsgi(body, CONTENT_LENGTH=str(len(body)))
        assert status == 200

    def test_they_end_at_the_limit_of_every_other_body(self, snipcart: StandIn) -> None:
        status, _ = self.wsgi(b"x" * (1024 * 1024 + 1), **{"wsgi.input_terminated": True})
        assert status == 413

    def test_a_sender_who_hangs_up_among_them_has_sent_nothing(self, snipcart: StandIn) -> None:
        class HungUp(io.BytesIO):
            def read(self, *_: object) -> bytes:
                raise OSError

        status, _ = self.wsgi(b"", **{"wsgi.input": HungUp(), "wsgi.input_terminated": True})
        assert (status, snipcart.calls) == (400, [])

    @pytest.mark.django_db(transaction=True)
    def test_an_asynchronous_server_reads_them(self, snipcart: StandIn) -> None:
        body = self.body(snipcart)
        sent: list[dict[str, Any]] = []
        parts = [
            {"type": "http.request", "body": body[:50], "more_body": True},
            {"type": "http.request", "body": body[50:], "more_body": False},
        ]

        @async_to_sync
        async def post() -> None:
            async def receive() -> dict[str, Any]:
                return parts.pop(0) if parts else await never()

            async def send(message: Any) -> None:
                sent.append(message)

            await ASGIHandler()(
                {
                    "type": "http",
                    "http_version": "1.1",
                    "method": "POST",
                    "path": METHODS_PATH,
                    "query_string": b"",
                    "scheme": "https",
                    "headers": [
                        (b"host", b"testserver"),
                        (b"content-type", b"application/json"),
                        (b"transfer-encoding", b"chunked"),
                    ],
                    "server": ("testserver", 443),
                },
                receive,
                send,
            )

        post()
        assert sent[0]["status"] == 200
        assert b"acme_card" in sent[1]["body"]

    def body(self, snipcart: StandIn) -> bytes:
        session = snipcart.session()
        webhook = methods_webhook(session.invoice, mode="live", token=session.public_token, place="body")
        return json.dumps(webhook).encode()


async def never() -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


class TestMiddleware:
    @pytest.mark.django_db(transaction=True)
    def test_a_transaction_around_requests_costs_no_money(self, snipcart: StandIn, settings: Any) -> None:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.test_mounting.RevisionLike"]
        client, session = Client(enforce_csrf_checks=True), snipcart.session()

        page = get_page(client, session)
        answer = press_pay(client, page)

        assert page.status_code == 200
        assert answer.status_code == 503
        assert "No money was taken" in to_text(answer)
        assert not Payment.objects.exists()
        assert session.state != "processed"
        assert "snipcart_checkout.E310" in [message.id for message in run_checks()]

    @pytest.mark.parametrize("address", ["/sandbox/", "/gallery/", "/checkout/live/"])
    def test_a_login_that_the_whole_site_demands_is_not_asked_for_here(
        self, settings: Any, address: str
    ) -> None:
        settings.DEBUG = True
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE,
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]
        assert Client().get(address).status_code != 302

    def test_a_login_is_not_asked_of_snipcart_and_providers(self, snipcart: StandIn, settings: Any) -> None:
        settings.MIDDLEWARE = [
            *settings.MIDDLEWARE,
            "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ]
        answer = Client().post("/checkout/live/notifications/acme_card/", {}, "application/json")
        assert answer.status_code == 400
        assert buy(snipcart).status_code == 200


class TestLogsOfTheSite:
    def test_a_line_about_the_sites_own_refunds_is_left_alone(self, caplog: pytest.LogCaptureFixture) -> None:
        Client().get("/dashboard/refunds/1234/")
        (record,) = [record for record in caplog.records if record.name == "django.request"]
        assert record.args == ("Not Found", "/dashboard/refunds/1234/")

    def test_a_line_about_our_refunds_hides_the_capability(
        self, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.ROOT_URLCONF = urlconf(re_path(r"^elsewhere/", include("snipcart_checkout.urls")))
        capability = "0a" * 32
        Client().get(f"/checkout/live/refunds/{capability}/")
        assert "/checkout/live/refunds/[hidden]/" in caplog.text
        assert capability not in caplog.text


class TestLibraries:
    @pytest.fixture
    def _urllib3_future(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As after ``pip install urllib3-future``, whose connections are no longer those of http.client."""
        monkeypatch.setattr(transport_connections, "HTTPConnection", object)

    @pytest.mark.usefixtures("_urllib3_future")
    def test_urllib3_future_is_one_clear_error(self, snipcart: StandIn) -> None:
        session = snipcart.session()
        with pytest.raises(SnipcartUnavailable, match="urllib3-future is installed over urllib3") as error:
            get_payment_session(session.public_token)
        assert not error.value.was_sent
        assert get_page(Client(), session).status_code == 503
        assert f"{TAG}.E312" in [message.id for message in run_checks()]
        assert snipcart.calls == []
