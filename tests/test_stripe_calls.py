"""Calls to Stripe: what they give away, and what limits they keep to."""

from __future__ import annotations

import logging
import time
import traceback
from typing import Any

import pytest
import stripe

from snipcart_checkout.backends.stripe.api import StripeTrouble, TimedClient
from snipcart_checkout.testing.faults import Wire
from snipcart_checkout.testing.server import Request, Server
from tests.stripe_account import LIVE_KEY, StripeAccount
from tests.stripe_charges import backend, charge, left, paid, refund_of


class TestSecrets:
    def test_a_failure_holds_neither_the_key_nor_stripes_words(self, account: StripeAccount) -> None:
        account.answer_next(500, {"type": "api_error", "message": f"It was {LIVE_KEY}, ada@example.org"})
        with pytest.raises(StripeTrouble) as caught:
            backend().charge(charge())
        error = caught.value
        printed = "".join(traceback.format_exception(error))
        assert (error.__cause__, error.__context__) == (None, None)
        assert LIVE_KEY not in printed
        assert "ada@example.org" not in printed

    def test_nothing_of_our_calls_is_logged_but_the_refusal(
        self, account: StripeAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        asked, transaction_id = paid(account)
        backend().refund(refund_of(asked, transaction_id))
        account.answer_next(401, {"type": "invalid_request_error", "message": f"Invalid key: {LIVE_KEY}"})
        backend().charge(charge())
        assert [record.name for record in caplog.records if "stripe" in record.name] == []
        (line,) = [record.getMessage() for record in caplog.records if record.name == "snipcart_checkout"]
        assert "AuthenticationError 401" in line
        assert LIVE_KEY not in caplog.text

    def test_what_the_site_itself_asks_of_stripe_is_still_logged(
        self, account: StripeAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        left(account)
        logging.getLogger("stripe").info("the site's own call")
        assert "the site's own call" in caplog.text

    def test_the_backend_is_printed_without_its_key(self) -> None:
        assert LIVE_KEY not in repr(backend())
        assert LIVE_KEY not in repr(vars(backend()._api).keys())

    def test_the_library_is_not_configured_for_the_whole_process(self, account: StripeAccount) -> None:
        before = (stripe.api_key, stripe.default_http_client, stripe.max_network_retries, stripe.app_info)
        left(account)
        after = (stripe.api_key, stripe.default_http_client, stripe.max_network_retries, stripe.app_info)
        assert before == after
        assert stripe.api_key is None


class TestNetwork:
    def serve(self, answer: bytes, *, drip: bool = False) -> Server:
        def send(_request: Request, wire: Wire) -> bool:
            wire.drip(answer) if drip else wire.send(answer)
            return False

        return Server(send)

    def get(self, server: Server, **limits: float) -> tuple[str, int]:
        server.start()
        try:
            with TimedClient(**limits) as client:
                body, status, _headers = client.request("get", f"{server.url}/v1/x", {})
        finally:
            server.stop()
        return body, status

    def test_an_answer_that_drips_meets_the_total_limit(self) -> None:
        server = self.serve(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3000 + b"\r\n\r\n", drip=True)
        started = time.monotonic()
        with pytest.raises(stripe.APIConnectionError):
            self.get(server, read=5, total=0.5)
        assert time.monotonic() - started < 30  # the whole answer takes a minute

    def test_a_redirect_is_not_followed(self) -> None:
        server = self.serve(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        assert self.get(server) == ("", 302)

    def test_an_answer_without_end_is_refused(self) -> None:
        huge = 3 * 1024 * 1024
        server = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % huge + b" " * huge)
        with pytest.raises(stripe.APIConnectionError, match="too large"):
            self.get(server)

    def test_the_environment_chooses_no_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        assert self.get(self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) == ("{}", 200)

    def test_the_sites_proxy_is_used(self, settings: Any) -> None:
        proxy = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")
        proxy.start()
        try:
            settings.SNIPCART_CHECKOUT = {"PROXY": proxy.url}
            with TimedClient() as client:
                body, _status, _headers = client.request("get", "http://api.stripe.example/v1/x", {})
        finally:
            proxy.stop()
        assert body == "proxy"
