"""What the client sends to Snipcart, and what it makes of every answer; over real sockets."""

from __future__ import annotations

import http.client
import inspect
import itertools
import json
import re
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import urllib3.exceptions

from snipcart_checkout import __version__
from snipcart_checkout.conf import Secret, Settings
from snipcart_checkout.exceptions import (
    BadAnswer,
    ConfirmationRefused,
    SnipcartError,
    SnipcartUnavailable,
    TokenRefused,
)
from snipcart_checkout.snipcart.client import SnipcartClient
from snipcart_checkout.testing import StandIn
from tests.support.sampling import sampled

TOKEN = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXRva2Vu.s-_~+/=x"
KEY = Secret("gateway-key-of-the-tests")
BODY = b'{ "paymentSessionId": "s-1",\n "state":"failed" ,"error":{"code":"declined","message":"Refus\xc3\xa9e"}}'
LIVE_API = "https://payment.snipcart.com/api"
Call = Callable[[SnipcartClient], object]

READS: dict[str, Call] = {
    "validate": lambda client: client.validate_token(TOKEN),
    "payment-session": lambda client: client.fetch_session(TOKEN),
    "requestvalidation": lambda client: client.validate_request_token(TOKEN, KEY),
}
CALLS: dict[str, Call] = {**READS, "payment": lambda client: client.confirm(BODY, KEY)}


def client_of(stand_in: StandIn, fault: str | int = "") -> SnipcartClient:
    """A client with time to spare, also on a busy machine, unless the fault is meant to use it up."""
    endless = str(fault).startswith(("hang", "drip"))
    read, total = (0.15, 0.3) if endless else (10.0, 20.0)
    urls = stand_in.settings
    return SnipcartClient(
        Settings(
            api_url=urls["API_URL"], app_api_url=urls["APP_API_URL"], read_timeout=read, total_timeout=total
        )
    )


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn(shop_url="https://shop.example") as running:
        yield running


@pytest.fixture
def client(stand_in: StandIn) -> SnipcartClient:
    return client_of(stand_in)


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def confirmation(session_id: str, state: str = "processed") -> bytes:
    return json.dumps({"paymentSessionId": session_id, "state": state, "transactionId": "tr_1"}).encode()


class TestReads:
    def test_a_genuine_token_passes(self, stand_in: StandIn, client: SnipcartClient) -> None:
        client.validate_token(stand_in.session().public_token)
        assert [call.endpoint for call in stand_in.calls] == ["validate"]

    @pytest.mark.parametrize("fault", ["not-json", "huge", "gzip-bomb", "cut-body", "drip-body"])
    def test_a_genuine_token_passes_whatever_the_body_says(self, stand_in: StandIn, fault: str) -> None:
        stand_in.fail("validate", fault)
        client_of(stand_in, fault).validate_token(stand_in.session().public_token)

    def test_a_session_is_read_exactly(self, stand_in: StandIn, client: SnipcartClient) -> None:
        ordered = stand_in.session(amount="169.90", currency="EUR", items=2, language="fr-CA")
        session = client.fetch_session(ordered.public_token)
        assert session.id == ordered.id
        assert session.invoice.amount == Decimal("169.90")
        assert session.invoice.language == "fr-CA"
        assert len(session.invoice.items) == 2
        assert session.return_url == "https://shop.example/#/checkout"

    def test_the_token_arrives_as_it_was_given(self, stand_in: StandIn, client: SnipcartClient) -> None:
        token = "a+b/c=d~e.f-g_h&x=1#y %41"
        with pytest.raises(TokenRefused):
            client.fetch_session(token)
        assert stand_in.calls[0].query == {"publicToken": [token]}

    @pytest.mark.parametrize(
        "status, endpoint", sampled(itertools.product([400, 401, 403, 404, 410, 422, 451], READS), every=2)
    )
    def test_a_definite_4xx_means_refused(
        self, stand_in: StandIn, client: SnipcartClient, endpoint: str, status: int
    ) -> None:
        stand_in.fail(endpoint, status)
        with pytest.raises(TokenRefused) as caught:
            READS[endpoint](client)
        assert caught.value.status == status

    @pytest.mark.parametrize("fault", ["wrong-json", "truncated-json", "not-json", "huge", "gzip-bomb"])
    def test_an_unreadable_session_is_a_bad_answer(self, stand_in: StandIn, fault: str) -> None:
        stand_in.fail("payment-session", fault)
        with pytest.raises(BadAnswer) as caught:
            client_of(stand_in, fault).fetch_session(stand_in.session().public_token)
        assert caught.value.status == 200

    @pytest.mark.parametrize("fault", ["cut-body", "drip-body"])
    def test_a_session_that_breaks_off_may_be_asked_for_again(self, stand_in: StandIn, fault: str) -> None:
        session = stand_in.session()
        stand_in.fail("payment-session", fault)
        with pytest.raises(SnipcartUnavailable):
            client_of(stand_in, fault).fetch_session(session.public_token)
        assert client_of(stand_in).fetch_session(session.public_token).id == session.id

    @pytest.mark.parametrize("token", ["", "jeton-é", "\ud800"])
    @pytest.mark.parametrize("method", ["validate_token", "fetch_session"])
    def test_a_token_that_cannot_be_one_is_refused_unasked(
        self, stand_in: StandIn, client: SnipcartClient, method: str, token: str
    ) -> None:
        with pytest.raises(TokenRefused):
            getattr(client, method)(token)
        assert stand_in.calls == []


class TestRequestTokens:
    def test_a_known_token_passes_with_the_stores_key_as_user(self, client: SnipcartClient) -> None:
        with StandIn(secret_keys=["store-secret"]) as stand_in:
            client_of(stand_in).validate_request_token(stand_in.new_request_token(), Secret("store-secret"))

    def test_another_key_is_refused(self, client: SnipcartClient) -> None:
        with StandIn(secret_keys=["store-secret"]) as stand_in, pytest.raises(TokenRefused) as caught:
            client_of(stand_in).validate_request_token(stand_in.new_request_token(), Secret("other"))
        assert caught.value.status == 401

    @pytest.mark.parametrize("key", ["clé-\u20ac", "\ud800", "a:b"])
    def test_an_odd_key_is_refused_like_any_other(self, key: str) -> None:
        with StandIn(secret_keys=["store-secret"]) as stand_in, pytest.raises(TokenRefused):
            client_of(stand_in).validate_request_token("token", Secret(key))

    def test_the_token_is_one_segment_of_the_path(self, stand_in: StandIn, client: SnipcartClient) -> None:
        with pytest.raises(TokenRefused):
            client.validate_request_token("a/b?c=d#e", KEY)
        assert stand_in.calls[0].path == "/api/requestvalidation/a%2Fb%3Fc%3Dd%23e"
        assert stand_in.calls[0].query == {}

    @pytest.mark.parametrize("token", ["", ".", "..", "../other", "x/../../other", "x/.", "é"])
    def test_a_token_that_leads_elsewhere_is_refused_unasked(
        self, stand_in: StandIn, client: SnipcartClient, token: str
    ) -> None:
        with pytest.raises(TokenRefused):
            client.validate_request_token(token, KEY)
        assert stand_in.calls == []

    @pytest.mark.parametrize("token", [".", "..", "../other", "x/../../other", "x/."])
    def test_a_public_token_of_dots_stays_a_parameter(
        self, stand_in: StandIn, client: SnipcartClient, token: str
    ) -> None:
        with pytest.raises(TokenRefused):
            client.validate_token(token)
        assert [call.query for call in stand_in.calls] == [{"publicToken": [token]}]


class TestConfirmations:
    def test_the_body_is_sent_byte_for_byte(self, stand_in: StandIn, client: SnipcartClient) -> None:
        stand_in.fail("payment", 400)
        with pytest.raises(ConfirmationRefused):
            client.confirm(BODY, KEY)
        (call,) = stand_in.calls
        assert call.body == BODY
        assert call.headers["content-type"] == "application/json"
        assert call.headers["authorization"] == f"Bearer {KEY.reveal()}"

    def test_a_recorded_outcome_gives_the_way_to_the_order(
        self, stand_in: StandIn, client: SnipcartClient
    ) -> None:
        session = stand_in.session()
        answer = client.confirm(confirmation(session.id), KEY)
        assert answer.return_url == f"https://shop.example/#/order/{session.id}"
        assert session.state == "processed"

    @pytest.mark.parametrize(
        "fault", ["not-json", "wrong-json", "truncated-json", "huge", "gzip-bomb", "cut-body", "drip-body"]
    )
    def test_a_2xx_means_recorded_whatever_the_body_says(self, stand_in: StandIn, fault: str) -> None:
        stand_in.fail("payment", fault)
        assert client_of(stand_in, fault).confirm(confirmation(stand_in.session().id), KEY).return_url == ""

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
    def test_a_definite_4xx_means_refused(
        self, stand_in: StandIn, client: SnipcartClient, status: int
    ) -> None:
        stand_in.fail("payment", status)
        with pytest.raises(ConfirmationRefused) as caught:
            client.confirm(BODY, KEY)
        assert caught.value.status == status

    @pytest.mark.parametrize("fault", ["cut-after", "hang-after", "drip-headers"])
    def test_an_outcome_may_be_recorded_without_our_knowing(self, stand_in: StandIn, fault: str) -> None:
        session = stand_in.session()
        stand_in.fail("payment", fault)
        with pytest.raises(SnipcartUnavailable) as caught:
            client_of(stand_in, fault).confirm(confirmation(session.id), KEY)
        assert caught.value.status is None
        assert eventually(lambda: session.state == "processed")
        assert len(stand_in.calls) == 1

    @pytest.mark.parametrize("key", ["key\r\nX-Injected: 1", "clé-\u20ac", "\ud800"])
    def test_a_key_that_cannot_be_a_header_is_not_sent(
        self, stand_in: StandIn, client: SnipcartClient, key: str
    ) -> None:
        with pytest.raises(SnipcartUnavailable):
            client.confirm(BODY, Secret(key))
        assert stand_in.calls == []


@pytest.mark.parametrize("endpoint", CALLS)
class TestEveryCall:
    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 599])
    def test_these_answers_mean_try_again(
        self, stand_in: StandIn, client: SnipcartClient, endpoint: str, status: int
    ) -> None:
        stand_in.fail(endpoint, status)
        with pytest.raises(SnipcartUnavailable) as caught:
            CALLS[endpoint](client)
        assert caught.value.status == status
        assert caught.value.retry_after == (7 if status in {429, 503} else 5)

    @pytest.mark.parametrize("fault", ["hang", "cut-before", "drip-headers"])
    def test_no_answer_means_try_again(self, stand_in: StandIn, endpoint: str, fault: str) -> None:
        stand_in.fail(endpoint, fault)
        with pytest.raises(SnipcartUnavailable) as caught:
            CALLS[endpoint](client_of(stand_in, fault))
        assert caught.value.status is None

    def test_a_closed_port_means_try_again(
        self, stand_in: StandIn, client: SnipcartClient, endpoint: str
    ) -> None:
        stand_in.stop()
        with pytest.raises(SnipcartUnavailable):
            CALLS[endpoint](client)

    def test_a_redirect_is_not_followed(
        self, stand_in: StandIn, client: SnipcartClient, endpoint: str
    ) -> None:
        stand_in.fail(endpoint, "redirect")
        with pytest.raises(BadAnswer) as caught:
            CALLS[endpoint](client)
        assert caught.value.status == 302
        assert len(stand_in.calls) == 1

    @pytest.mark.parametrize("fault", [500, "cut-before", "cut-after", "hang"])
    def test_no_call_is_repeated(self, stand_in: StandIn, endpoint: str, fault: str | int) -> None:
        client_of(stand_in).validate_token(stand_in.session().public_token)  # a connection is kept
        stand_in.fail(endpoint, fault)
        with pytest.raises(SnipcartUnavailable):
            CALLS[endpoint](client_of(stand_in, fault))
        assert len(stand_in.calls) == 2

    def test_we_say_who_we_are(self, stand_in: StandIn, client: SnipcartClient, endpoint: str) -> None:
        stand_in.fail(endpoint, 404)
        with pytest.raises(SnipcartError):
            CALLS[endpoint](client)
        headers = stand_in.calls[0].headers
        assert headers["user-agent"] == f"django-snipcart-checkout/{__version__}"
        assert headers["accept-encoding"] == "gzip"
        assert "cookie" not in headers

    def test_the_environment_has_no_say(
        self, stand_in: StandIn, endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("default login mallory password secret\n")
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        stand_in.fail(endpoint, 404)
        with pytest.raises((TokenRefused, ConfirmationRefused)):
            CALLS[endpoint](client_of(stand_in))
        assert "mallory" not in str(stand_in.calls[0].headers)
        assert stand_in.calls[0].headers.get("authorization", "") in {
            "",
            f"Bearer {KEY.reveal()}",
            "Basic Z2F0ZXdheS1rZXktb2YtdGhlLXRlc3RzOg==",
        }

    @pytest.mark.parametrize(
        "url", ["http://payment.snipcart.com/api", "ftp://127.0.0.1/api", "payment.snipcart.com", ""]
    )
    @pytest.mark.parametrize("unsafe", ["api_url", "app_api_url", "both"])
    def test_nothing_is_sent_where_a_url_is_unsafe(self, endpoint: str, url: str, unsafe: str) -> None:
        urls: dict[str, Any] = dict.fromkeys(
            ("api_url", "app_api_url") if unsafe == "both" else (unsafe,), url
        )
        with responses.RequestsMock() as wire:
            with pytest.raises(SnipcartUnavailable, match="cannot be used") as raised:
                CALLS[endpoint](SnipcartClient(replace(Settings(), **urls)))
            assert len(wire.calls) == 0
        assert not raised.value.was_sent


def library_exceptions() -> list[Exception]:
    """One of each that the HTTP library, what it stands on, and the operating system may raise."""
    modules = (requests.exceptions, urllib3.exceptions, http.client, ssl)
    kinds = {
        kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    }
    kinds |= {
        OSError,
        TimeoutError,
        ConnectionResetError,
        UnicodeError,
        ValueError,
        TypeError,
        AttributeError,
    }
    return [
        made_up(kind) for kind in sorted(kinds, key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")
    ]


def made_up(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)  # their constructors want everything from a pool to a certificate
    error.args = (f"?publicToken={TOKEN}",)
    return error


EXCEPTIONS = library_exceptions()


def test_the_walk_finds_the_librarys_exceptions() -> None:
    kinds = {type(error) for error in EXCEPTIONS}
    assert {
        requests.ConnectTimeout,
        requests.exceptions.ContentDecodingError,
        urllib3.exceptions.MaxRetryError,
    } <= kinds


@pytest.mark.parametrize(
    "error, endpoint",
    sampled(itertools.product(EXCEPTIONS, CALLS), every=4),
    ids=lambda value: value if isinstance(value, str) else f"{type(value).__module__}.{type(value).__name__}",
)
def test_no_exception_of_the_library_escapes(endpoint: str, error: Exception) -> None:
    with responses.RequestsMock() as wire:
        method = responses.POST if endpoint == "payment" else responses.GET
        wire.add(method, re.compile("https://"), body=error)
        with pytest.raises(SnipcartUnavailable) as caught:
            CALLS[endpoint](SnipcartClient(Settings()))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert TOKEN not in report(caught.value)


def report(error: BaseException) -> str:
    """What the most talkative error report would print, but for the test's own frame."""
    own = error.__traceback__
    frames = traceback.TracebackException(
        type(error), error, own.tb_next if own else None, capture_locals=True, compact=False
    )
    return "".join(frames.format()) + repr(error) + str(error) + repr(vars(error))


def failure_of(call: Call, client: SnipcartClient) -> SnipcartError | None:
    try:
        call(client)
    except SnipcartError as error:
        return error
    return None


@pytest.mark.parametrize(
    "fault, endpoint",
    sampled(itertools.product([404, 503, "redirect", "cut-before", "hang", "drip-headers"], CALLS), every=2),
)
def test_what_escapes_holds_neither_token_nor_key(stand_in: StandIn, endpoint: str, fault: str | int) -> None:
    stand_in.fail(endpoint, fault)
    assert_blank(failure_of(CALLS[endpoint], client_of(stand_in, fault)))


@pytest.mark.parametrize("fault", ["not-json", "wrong-json", "gzip-bomb", "drip-body", "cut-body"])
def test_an_unreadable_session_shows_no_token(stand_in: StandIn, fault: str) -> None:
    session = stand_in.session()
    stand_in.fail("payment-session", fault)
    client = client_of(stand_in, fault)
    error = failure_of(lambda client: client.fetch_session(session.public_token), client)
    assert_blank(error, session.public_token)


def assert_blank(error: SnipcartError | None, token: str = TOKEN) -> None:
    assert error is not None
    assert error.__cause__ is None
    assert error.__context__ is None
    text = report(error)
    assert "client.py" in text
    assert token not in text
    assert KEY.reveal() not in text


def test_the_report_of_these_tests_would_show_a_token() -> None:
    def leaks(token: str) -> None:
        raise SnipcartError("no")

    with pytest.raises(SnipcartError) as caught:
        leaks(TOKEN)
    assert TOKEN in report(caught.value)


def test_no_cookie_is_kept() -> None:
    with responses.RequestsMock() as wire:
        for _ in range(2):
            wire.get(
                f"{LIVE_API}/public/custom-payment-gateway/validate", headers={"Set-Cookie": "a=b; Path=/"}
            )
            SnipcartClient(Settings()).validate_token(TOKEN)
        assert ["Cookie" in call.request.headers for call in wire.calls] == [False, False]


def test_the_default_addresses_are_snipcarts() -> None:
    with responses.RequestsMock() as wire:
        wire.get(f"{LIVE_API}/public/custom-payment-gateway/validate")
        wire.get("https://app.snipcart.com/api/requestvalidation/abc")
        SnipcartClient(Settings()).validate_token(TOKEN)
        SnipcartClient(Settings()).validate_request_token("abc", KEY)
        assert len(wire.calls) == 2


@pytest.mark.parametrize(
    "error, was_sent",
    [
        (requests.exceptions.ReadTimeout("read"), True),
        (requests.exceptions.Timeout("either"), True),
        (requests.exceptions.ChunkedEncodingError("cut"), True),
        (requests.exceptions.ConnectionError("cut", http.client.RemoteDisconnected("cut")), True),
        (requests.exceptions.ConnectTimeout("connect"), False),
        (requests.exceptions.SSLError("handshake"), False),
        (requests.exceptions.ProxyError("proxy"), False),
        (requests.exceptions.ConnectionError("refused"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_where_none_of_our_connections_sends_the_error_says_how_far_it_came(
    error: Exception, was_sent: bool
) -> None:
    with responses.RequestsMock() as wire:
        wire.post(f"{LIVE_API}/private/custom-payment-gateway/payment", body=error)
        with pytest.raises(SnipcartUnavailable) as caught:
            SnipcartClient(Settings()).confirm(b"{}", KEY)

    assert caught.value.was_sent is was_sent
