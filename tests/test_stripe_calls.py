"""Calls to Stripe: what they give away, and what limits they keep to."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import stripe

from snipcart_checkout.backends.http import provider_slot
from snipcart_checkout.backends.stripe.api import API_VERSION, StripeHttpClient, StripeOutcomeUnknown
from snipcart_checkout.snipcart.transport import time_budget
from snipcart_checkout.testing import CheckoutSettings
from snipcart_checkout.testing.server import Reply, Request, Server, Wire
from tests.support.stripe_account import LIVE_KEY, StripeAccount
from tests.support.stripe_charges import backend, charge, left, paid, refund_of


class TestSecrets:
    def test_a_failure_holds_neither_the_key_nor_stripes_words(self, account: StripeAccount) -> None:
        account.answer_next(500, {"type": "api_error", "message": f"It was {LIVE_KEY}, ada@example.org"})
        with pytest.raises(StripeOutcomeUnknown) as caught:
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
    """Limits of every provider's calls are tested in test_provider_http; these are that Stripe's go the same way."""

    def test_every_call_names_the_version_of_the_api(self, account: StripeAccount) -> None:
        asked, transaction_id = paid(account)
        backend().refund(refund_of(asked, transaction_id))
        assert {headers["Stripe-Version"] for headers in account.headers} == {API_VERSION}

    def test_without_a_slot_under_the_cap_nothing_is_sent(
        self, account: StripeAccount, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(MAX_CALLS_IN_FLIGHT=1)
        with (
            provider_slot("live", "card"),
            ThreadPoolExecutor(1) as threads,
            pytest.raises(StripeOutcomeUnknown, match="too many calls"),
        ):
            threads.submit(backend().charge, charge()).result()
        assert account.requests == []

    def test_without_time_nothing_is_sent(self, account: StripeAccount) -> None:
        with time_budget(0.0), pytest.raises(StripeOutcomeUnknown, match="no time is left"):
            backend().charge(charge())
        assert account.requests == []

    @pytest.mark.parametrize(
        "reply, problem",
        [
            (Reply(status=200, body=b" " * (2 * 1024 * 1024 + 1)), "too large"),
            (Reply(status=200, body=b"\xff"), "UnicodeDecodeError"),
        ],
    )
    def test_an_answer_that_cannot_be_read_says_why(self, reply: Reply, problem: str) -> None:
        with serving(reply) as url:
            client = StripeHttpClient(backend().http)
            with pytest.raises(stripe.APIConnectionError):
                client.request("get", f"{url}/v1/x", {})
        assert problem in client.problem

    def test_any_status_is_handed_to_the_library(self) -> None:
        reply = Reply(status=302, body=b"{}", headers=(("Location", "/elsewhere"),))
        with serving(reply) as url:
            body, status, headers = StripeHttpClient(backend().http).request("post", f"{url}/v1/x", {}, "a=b")
        assert (body, status, headers["location"]) == ("{}", 302, "/elsewhere")


@contextmanager
def serving(reply: Reply) -> Iterator[str]:
    def answer(_request: Request, wire: Wire) -> bool:
        wire.send_reply(reply)
        return True

    server = Server(answer)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()
