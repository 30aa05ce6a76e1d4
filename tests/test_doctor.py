"""The doctor prints what to enter where, asks Snipcart, the site and the providers, and lists what is wrong."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import include, path
from django.utils import timezone, translation

from snipcart_checkout.models import Payment
from snipcart_checkout.services.diagnosis import Diagnosis, diagnose
from snipcart_checkout.testing import CheckoutSettings, StandIn
from snipcart_checkout.views import CheckoutView
from tests.support.backends import AcmeBackend
from tests.support.live_site import LiveSite
from tests.test_sites import urlconf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

pytestmark = pytest.mark.django_db

KEY = "sk_live_0123456789"


@pytest.fixture(autouse=True)
def site() -> Iterator[LiveSite]:
    with LiveSite() as live:
        yield live


@pytest.fixture(autouse=True)
def _healthy_site(
    settings: Settings, checkout_settings: CheckoutSettings, snipcart: StandIn, site: LiveSite
) -> None:
    settings.DEBUG = True
    checkout_settings(PUBLIC_URL=site.url, READ_TIMEOUT=10, TOTAL_TIMEOUT=20)
    checkout_settings.store(API_KEYS=[KEY])


def run(*arguments: str) -> tuple[int, str]:
    """The exit code and everything that was printed."""
    printed = io.StringIO()
    try:
        call_command("snipcart_doctor", *arguments, stdout=printed, stderr=printed)
    except SystemExit as end:
        return int(end.code or 0), printed.getvalue()
    return 0, printed.getvalue()


def connection_problem(diagnosis: Diagnosis) -> str:
    assert diagnosis.connection is not None
    return diagnosis.connection.problem


class TestAddresses:
    def test_each_store_has_a_url_to_paste(self, checkout_settings: CheckoutSettings, site: LiveSite) -> None:
        checkout_settings.store("trial", like="live", MODE="test", API_KEYS=["test-key"])
        code, printed = run()
        lines = [line.strip() for line in printed.splitlines()]
        assert code == 0
        assert "Store live, for the Live mode of Snipcart's configuration" in lines
        assert f"{site.url}/checkout/live/payment-methods/" in lines
        assert "Store trial, for the Test mode of Snipcart's configuration" in lines
        assert f"{site.url}/checkout/trial/payment-methods/" in lines

    def test_a_provider_that_sends_notifications_has_a_url_too(
        self, checkout_settings: CheckoutSettings, site: LiveSite, tmp_path: Any
    ) -> None:
        backend = "tests.support.backends.ScriptedBackend"
        checkout_settings.method("scripted", BACKEND=backend, OPTIONS={"DIRECTORY": str(tmp_path)})
        (store,) = diagnose().stores
        assert store.notification_urls == {"scripted": f"{site.url}/checkout/live/notifications/scripted/"}
        assert f"{site.url}/checkout/live/notifications/scripted/" in run()[1]

    def test_a_backend_that_cannot_be_built_has_no_url_for_notifications(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.method("acme_card", BACKEND="tests.support.backends.Missing")
        (store,) = diagnose(offline=True).stores
        assert store.notification_urls == {}

    def test_an_address_that_is_not_known_is_not_made_up(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(PUBLIC_URL="")
        code, printed = run()
        assert code == 1
        assert "not known yet" in printed
        assert "/payment-methods/" not in printed

    def test_addresses_that_are_not_mounted_are_named_as_such(self, settings: Settings) -> None:
        settings.ROOT_URLCONF = "tests.test_doctor"
        code, printed = run()
        assert code == 1
        assert "not known yet" in printed
        assert 'path("pay/", include("snipcart_checkout.urls")),' in printed


class TestConnection:
    def test_a_snipcart_that_refuses_the_token_is_reached(self, snipcart: StandIn) -> None:
        code, printed = run()
        assert code == 0
        assert "Snipcart answers at 127.0.0.1" in printed
        assert len(snipcart.calls_to("validate")) == 1

    def test_a_snipcart_that_is_down_is_wrong(self, checkout_settings: CheckoutSettings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        checkout_settings(API_URL=f"http://127.0.0.1:{port}/api")
        code, printed = run()
        assert code == 1
        assert "Snipcart cannot be used at 127.0.0.1" in printed
        assert printed.splitlines()[-1] == "1 thing is wrong."

    @pytest.mark.parametrize("fault", [500, 503, 302, "cut-before"])
    def test_a_snipcart_out_of_order_is_wrong(self, snipcart: StandIn, fault: str | int) -> None:
        snipcart.fail("validate", fault)
        assert connection_problem(diagnose())

    def test_what_is_wrong_with_the_connection_is_said_in_the_language_of_the_command(
        self, snipcart: StandIn
    ) -> None:
        snipcart.fail("validate", 503)
        with translation.override("fr"):
            assert connection_problem(diagnose()).startswith("la réponse porte le statut HTTP 503 (")

    def test_whoever_accepts_every_token_is_not_snipcart(self, snipcart: StandIn) -> None:
        snipcart.fail("validate", 200)
        diagnosis = diagnose()
        assert "cannot be genuine" in connection_problem(diagnosis)
        assert not diagnosis.is_healthy

    def test_offline_nobody_is_asked(self, snipcart: StandIn) -> None:
        code, printed = run("--offline")
        assert code == 0
        assert "was not tested" in printed
        assert snipcart.calls == []


class TestFindings:
    def test_a_site_in_order_is_told_so(self) -> None:
        assert run()[1].splitlines()[-1] == "Nothing is wrong in what was tested."

    def test_every_mistake_is_listed_with_its_hint(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(STORE={})
        checkout_settings.store(API_KEYS=KEY)
        code, printed = run()
        assert code == 1
        assert "snipcart_checkout.E002" in printed
        assert "    Write 'STORES' instead." in printed
        assert "snipcart_checkout.E104" in printed
        assert "It is incomplete and offers no payment method" in printed
        assert printed.splitlines()[-1] == "2 things are wrong."

    def test_the_last_line_counts_what_is_wrong_of_every_kind(
        self, checkout_settings: CheckoutSettings, snipcart: StandIn
    ) -> None:
        checkout_settings(STORE={})
        checkout_settings.method("acme_card", BACKEND="tests.test_doctor.Refusing")
        snipcart.fail("validate", 503)
        code, printed = run()
        assert code == 1
        for line in ("Snipcart cannot be used", "The payment provider of live/acme_card cannot", "Wrong: "):
            assert printed.count(line) == 1
        assert printed.splitlines()[-1] == "3 things are wrong."

    def test_a_mistake_is_told_in_french(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(STORE={})
        with translation.override("fr"):
            lines = run("--offline")[1].splitlines()
        assert any(line.startswith("À corriger\u00a0: ") for line in lines), lines
        assert lines[-1] == "1 chose est à corriger."

    def test_a_site_without_settings_is_shown_what_to_write(self, settings: Settings) -> None:
        settings.SNIPCART_CHECKOUT = None
        code, printed = run("--offline")
        assert code == 1
        assert "    SNIPCART_CHECKOUT = {" in printed

    def test_a_warning_is_listed_and_is_no_failure(self, settings: Settings) -> None:
        settings.DEBUG = False
        code, printed = run()
        assert code == 0
        assert "Worth a look" in printed
        assert "snipcart_checkout.W002" in printed

    def test_a_silenced_check_is_silent(
        self, settings: Settings, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(STORE={})
        settings.SILENCED_SYSTEM_CHECKS = ["snipcart_checkout.E002"]
        assert run()[0] == 0

    def test_nothing_printed_holds_a_key(
        self, checkout_settings: CheckoutSettings, snipcart: StandIn
    ) -> None:
        api_url = snipcart.settings["API_URL"].replace("//", f"//user:{KEY}@")
        checkout_settings(API_URL=api_url)
        checkout_settings.store(API_KEYS=KEY)
        code, printed = run()
        assert code == 1
        assert KEY not in printed


urlpatterns: list[Any] = []


def test_work_that_nobody_finishes_is_said() -> None:
    payment = Payment.objects.create(
        store="live",
        method="acme_card",
        session_id="s",
        session_key="k",
        live_key="k",
        state=Payment.State.UNKNOWN,
        minor_units=100,
        currency="EUR",
        capability_hash="c",
        claimed_at=timezone.now() - timedelta(minutes=20),
    )
    code, said = run("--offline")
    assert code == 1
    assert "snipcart_settle does not seem to run" in said

    Payment.objects.filter(pk=payment.pk).update(looked_up_at=timezone.now())
    assert run("--offline")[0] == 0


def test_a_database_that_is_down_is_said_without_a_traceback() -> None:
    def refuse(*_: Any) -> None:
        raise OperationalError("the password is hunter2")

    with connection.execute_wrapper(refuse):
        code, printed = run("--offline")

    assert code == 1
    assert "does not answer: OperationalError" in printed
    assert "hunter2" not in printed


def site_problems(diagnosis: Diagnosis) -> set[str]:
    return {answer.problem for answer in diagnosis.site if answer.problem}


class TestTheSiteItself:
    def test_every_address_that_is_handed_out_is_asked(self, site: LiveSite) -> None:
        diagnosis = diagnose()
        reference = "00000000-0000-0000-0000-000000000000"
        assert site.paths == [
            "/checkout/",
            "/checkout/live/payment-methods/",
            "/checkout/live/",
            "/checkout/live/methods/acme_card/",
            "/checkout/live/notifications/acme_card/",
            f"/checkout/live/refunds/{'0' * 64}/",
            f"/checkout/payments/{reference}/",
            f"/checkout/payments/{reference}/return/",
            "/static/snipcart_checkout/checkout.js",
        ]
        assert all(not answer.problem and not answer.remark for answer in diagnosis.site)
        assert diagnosis.is_healthy
        assert "This site answers at 9 addresses." in run()[1]

    def test_asking_touches_neither_the_ledger_nor_snipcart(self, snipcart: StandIn, caplog: Any) -> None:
        diagnose()
        assert len(snipcart.calls) == len(snipcart.calls_to("validate")) == 1
        assert not Payment.objects.exists()
        assert not [record for record in caplog.records if record.name.startswith("snipcart_checkout")]

    def test_offline_it_is_not_asked(self, site: LiveSite) -> None:
        assert diagnose(offline=True).site == []
        assert site.paths == []

    def test_a_site_that_is_down_is_said_once(self, checkout_settings: CheckoutSettings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        checkout_settings(PUBLIC_URL=f"http://127.0.0.1:{port}")
        code, printed = run()
        assert code == 1
        assert printed.count("This site cannot be used") == 1
        assert "the connection was refused: is the site running" in printed
        assert printed.splitlines()[-1] == "1 thing is wrong."

    def test_a_certificate_that_nobody_trusts_is_said(self, checkout_settings: CheckoutSettings) -> None:
        import trustme

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=shake_hands, args=(server, context), daemon=True).start()
            checkout_settings(PUBLIC_URL=f"https://127.0.0.1:{server.getsockname()[1]}")
            (problem,) = site_problems(diagnose())
        assert "no trusted TLS connection: its certificate is missing, expired, self-signed" in problem

    @pytest.mark.parametrize(
        "status, headers, words",
        [
            ("404 Not Found", [], "404, and not from this app: it is mounted elsewhere"),
            ("200 OK", [], "200, and not from this app: another page or a catch-all"),
            ("400 Bad Request", [], "does ALLOWED_HOSTS contain the host"),
            ("403 Forbidden", [], "a login, a firewall"),
            ("401 Unauthorized", [], "a login, a firewall"),
            ("502 Bad Gateway", [], "the server or a proxy before it is out of order"),
            ("302 Found", [("Location", "/accounts/login/?next=/checkout/")], "it asks for a login"),
            (
                "301 Moved",
                [("Location", "https://elsewhere.example/x?secret=1")],
                "redirects to 'https://elsewhere.example/x'",
            ),
        ],
    )
    def test_whoever_answers_instead_is_described(
        self, site: LiveSite, status: str, headers: list[tuple[str, str]], words: str
    ) -> None:
        site.respond(status, *headers)
        diagnosis = diagnose()
        problems = site_problems(diagnosis)
        assert not diagnosis.is_healthy
        assert all(words in problem for problem in problems)
        assert "secret" not in "".join(problems)

    def test_a_redirect_to_www_names_the_host_to_write(self, site: LiveSite) -> None:
        site.respond("301 Moved Permanently", ("Location", f"http://www.{site.host}/checkout/"))
        assert site_problems(diagnose()) == {
            f"it redirects to 'www.{site.host}': write this host into PUBLIC_URL"
        }

    def test_a_redirect_to_a_language_is_recognised(self, site: LiveSite) -> None:
        def to_french(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response("302 Found", [("Location", f"/fr{environ['PATH_INFO']}")])
            return []

        site.application = to_french
        assert all("looks like a language" in problem for problem in site_problems(diagnose()))

    def test_a_site_that_redirects_to_itself_has_a_proxy_that_drops_https(self, site: LiveSite) -> None:
        def to_itself(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            start_response(
                "301 Moved", [("Location", f"{site.url}{environ['PATH_INFO']}?{environ['QUERY_STRING']}")]
            )
            return []

        site.application = to_itself
        assert all("SECURE_PROXY_SSL_HEADER" in problem for problem in site_problems(diagnose()))

    def test_another_installation_of_this_app_is_not_this_one(self, site: LiveSite) -> None:
        body = b'{"proof": "0", "view": "checkout", "host": "", "secure": false}'
        site.respond("200 OK", ("Content-Type", "application/json"), body=body)
        assert all("its SECRET_KEY is not the one here" in problem for problem in site_problems(diagnose()))

    def test_another_view_of_this_app_is_not_the_one_that_the_address_is_for(self, site: LiveSite) -> None:
        site.change_requests(PATH_INFO="/checkout/live/")
        problems = {answer.url: answer.problem for answer in diagnose().site}
        assert problems[f"{site.url}/checkout/live/methods/acme_card/"] == ""
        assert (
            problems[f"{site.url}/checkout/live/payment-methods/"] == "another view of this app answers there"
        )

    def test_a_view_of_the_sites_own_that_has_no_name_is_in_order(
        self, settings: Settings, site: LiveSite
    ) -> None:
        nameless = path("checkout/live/methods/<slug:method>/", CheckoutView.as_view(), {"store": "live"})
        settings.ROOT_URLCONF = urlconf(nameless, path("checkout/", include("snipcart_checkout.urls")))
        assert site_problems(diagnose()) == set()

    def test_an_answer_of_last_time_is_no_answer(self, site: LiveSite) -> None:
        django = site.application
        kept: list[bytes] = []

        def replay(environ: dict[str, Any], start_response: Any) -> Any:
            if not kept:
                kept.append(b"".join(django(environ, lambda *_: None)))
            start_response("200 OK", [("Content-Type", "application/json")])
            return kept

        site.application = replay
        assert any("SECRET_KEY" in problem for problem in site_problems(diagnose()))

    def test_a_host_that_a_proxy_replaced_is_a_remark(self, site: LiveSite) -> None:
        site.change_requests(HTTP_HOST="localhost:8000")
        diagnosis = diagnose()
        assert diagnosis.is_healthy
        assert any("another host, 'localhost:8000'" in answer.remark for answer in diagnosis.site)
        assert run()[1].count("let the proxy pass on the Host header") == 1

    def test_a_site_that_does_not_allow_its_own_host_is_told_so(
        self, settings: Settings, site: LiveSite
    ) -> None:
        settings.ALLOWED_HOSTS = ["elsewhere.example"]
        assert all("does ALLOWED_HOSTS contain" in problem for problem in site_problems(diagnose()))

    def test_a_script_that_is_not_served_is_a_remark(self, site: LiveSite) -> None:
        site.application = WSGIHandler()
        diagnosis = diagnose()
        assert diagnosis.is_healthy
        assert "404: the static files are not served there" in diagnosis.site[-1].remark

    def test_a_script_on_another_host_needs_its_permission(self, settings: Settings, site: LiveSite) -> None:
        with LiveSite() as files:
            files.respond("200 OK")
            settings.STATIC_URL = f"{files.url}/static/"
            assert f"Access-Control-Allow-Origin: {site.url}" in diagnose().site[-1].remark
            files.respond("200 OK", ("Access-Control-Allow-Origin", site.url))
            assert diagnose().site[-1].remark == ""

    @pytest.mark.parametrize("nonce", ["", "0" * 31, "0" * 33, "G" * 32, "0" * 31 + "\n"])
    def test_what_is_no_nonce_is_answered_as_ever(self, client: Any, nonce: str) -> None:
        answer = client.get("/checkout/live/", {"doctor": nonce})
        assert answer.status_code == 400
        assert b"proof" not in answer.content

    def test_the_answer_is_ours_in_every_header_and_keeps_nothing(self, client: Any) -> None:
        answer = client.get("/checkout/live/", {"doctor": "0" * 32})
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "no-store, private"
        assert answer["Content-Type"] == "application/json"
        assert set(answer.json()) == {"proof", "view", "host", "secure"}
        assert not answer.cookies

    def test_a_probe_whose_host_the_site_does_not_allow_is_answered_like_any_request(
        self, client: Any, settings: Settings
    ) -> None:
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.endswith("CommonMiddleware")]
        headers = {"host": "elsewhere.example"}
        usual = client.get("/checkout/live/", headers=headers)
        answer = client.get("/checkout/live/", {"doctor": "0" * 32}, headers=headers)
        assert answer.status_code == usual.status_code == 400
        assert answer["Cache-Control"] == "no-store, private"
        assert b"proof" not in answer.content

    def test_a_probe_among_more_parameters_than_django_reads_gets_our_page(self, client: Any) -> None:
        answer = client.get(f"/checkout/live/?doctor={'0' * 32}{1001 * '&a=a'}")
        assert answer.status_code == 400
        assert answer["Cache-Control"] == "no-store, private"

    def test_a_view_that_no_address_led_to_has_no_name_for_a_probe(self) -> None:
        request = RequestFactory().get("/elsewhere/", {"doctor": "0" * 32})
        answer = CheckoutView.as_view()(request)
        assert isinstance(answer, HttpResponse)
        said = json.loads(answer.content)
        assert (said["view"], said["host"]) == ("", "testserver")

    def test_only_a_get_is_a_probe(self, client: Any) -> None:
        answer = client.post(f"/checkout/live/payment-methods/?doctor={'0' * 32}", {}, "application/json")
        assert b"proof" not in answer.content


def shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        while True:
            accepted, _ = server.accept()
            with contextlib.suppress(OSError), context.wrap_socket(accepted, server_side=True):
                pass


class Answering(AcmeBackend):
    def ping(self) -> None:
        return


class Refusing(AcmeBackend):
    def ping(self) -> None:
        raise ImproperlyConfigured("SECRET_KEY is refused by Acme.")


class Crashing(AcmeBackend):
    def ping(self) -> None:
        raise ValueError(KEY)


class TestProviders:
    def test_a_provider_that_accepts_the_credentials_is_named(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.method("acme_card", BACKEND="tests.test_doctor.Answering")
        code, printed = run()
        assert code == 0
        assert "The payment provider of live/acme_card accepts the credentials." in printed
        assert "the credentials of live/acme_card" not in printed

    def test_a_provider_that_refuses_them_is_wrong(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.method("acme_card", BACKEND="tests.test_doctor.Refusing")
        code, printed = run()
        assert code == 1
        assert "live/acme_card cannot be used: SECRET_KEY is refused by Acme." in printed
        assert printed.splitlines()[-1] == "1 thing is wrong."

    def test_of_any_other_exception_only_the_type_is_shown(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings.method("acme_card", BACKEND="tests.test_doctor.Crashing")
        code, printed = run()
        assert code == 1
        assert "it cannot be requested: ValueError" in printed
        assert KEY not in printed

    def test_a_backend_with_nothing_to_ask_was_not_tested(self) -> None:
        code, printed = run()
        assert code == 0
        assert "  the credentials of live/acme_card: its backend has no test for them" in printed.splitlines()


class TestWhatWasNotTested:
    def test_keys_that_snipcart_is_never_asked_about_are_named(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings.store(STORE_SECRET_KEY="st_secret")
        printed = run()[1]
        assert "  API_KEYS of live: " in printed
        assert "  STORE_SECRET_KEY of live: " in printed
        assert KEY not in printed

    def test_offline_that_includes_everybody_else(self) -> None:
        assert "  the connection to Snipcart, the addresses of this site" in run("--offline")[1]


class TestJson:
    def test_the_report_is_one_object(self, site: LiveSite) -> None:
        code, printed = run("--json")
        report = json.loads(printed)
        assert code == 0
        assert report["is_healthy"] is True
        assert report["stores"][0]["payment_methods_url"] == f"{site.url}/checkout/live/payment-methods/"
        assert report["snipcart"]["problem"] == ""
        assert len(report["site"]) == 9
        assert report["providers"][0] == {
            "store": "live",
            "method": "acme_card",
            "was_asked": False,
            "problem": "",
        }
        assert report["not_tested"]
        assert report["messages"] == []

    def test_what_is_wrong_is_in_it_with_its_id(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(STORE={})
        code, printed = run("--json", "--offline")
        report = json.loads(printed)
        assert code == 1
        assert report["snipcart"] is None
        assert report["messages"][0]["id"] == "snipcart_checkout.E002"
        assert report["messages"][0]["is_serious"] is True
        assert KEY not in printed
