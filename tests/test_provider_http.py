"""How backends call their providers: over real sockets, within the site's limits."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import responses

from snipcart_checkout import __version__
from snipcart_checkout.backends.http import ProviderSession, ProviderUnavailable, provider_slot
from snipcart_checkout.exceptions import ProviderBusy, SnipcartError
from snipcart_checkout.snipcart.transport import time_budget
from snipcart_checkout.testing import CheckoutSettings
from snipcart_checkout.testing.server import Reply, Request, Server, Wire
from tests.support.backends import AcmeBackend

Answer = Callable[[Request, Wire], bool]
OK = Reply.of_json(200, {"paid": True})


@pytest.fixture
def session() -> ProviderSession:
    return ProviderSession(store="live", method="acme_card")


@contextmanager
def provider(answer: Answer | Reply) -> Iterator[tuple[str, list[Request]]]:
    seen: list[Request] = []

    def record(request: Request, wire: Wire) -> bool:
        seen.append(request)
        if callable(answer):
            return answer(request, wire)
        wire.send_reply(answer)
        return True

    server = Server(record)
    server.start()
    try:
        yield server.url, seen
    finally:
        server.stop()


def hang(_request: Request, wire: Wire) -> bool:
    wire.stopped.wait(10.0)
    return False


class TestRequests:
    def test_any_status_is_returned(self, session: ProviderSession) -> None:
        for status in (200, 201, 302, 404, 429, 500):
            with provider(Reply.of_json(status, {"status": status})) as (url, _seen):
                answer = session.post(url, json={"amount": 1})
                assert answer.status_code == status
                assert answer.json() == {"status": status}

    def test_they_say_who_calls_and_what_it_reads(self, session: ProviderSession) -> None:
        with provider(OK) as (url, seen):
            session.post(url, json={"a": 1}, headers={"Idempotency-Key": "k"}, auth=("user", "password"))
        headers = seen[0].headers
        assert headers["user-agent"] == f"django-snipcart-checkout/{__version__}"
        assert headers["accept-encoding"] == "gzip, deflate"
        assert headers["idempotency-key"] == "k"
        assert headers["authorization"].startswith("Basic ")
        assert json.loads(seen[0].body) == {"a": 1}

    def test_a_compressed_answer_is_read(self, session: ProviderSession) -> None:
        body = gzip.compress(b'{"paid": true}')
        reply = Reply(status=200, body=body, headers=(("Content-Encoding", "gzip"),))
        with provider(reply) as (url, _seen):
            assert session.get(url).json() == {"paid": True}

    def test_connections_are_kept_between_uses_of_a_backend(self) -> None:
        with provider(OK) as (url, seen):
            for _ in range(4):
                with ProviderSession(store="live", method="acme_card") as session:
                    session.get(url)
        assert {request.connection for request in seen} == {1}

    def test_no_redirect_is_followed(self, session: ProviderSession) -> None:
        with provider(Reply(status=302, headers=(("Location", "/elsewhere"),))) as (url, seen):
            answer = session.get(url, allow_redirects=True)
        assert answer.status_code == 302
        assert len(seen) == 1

    def test_no_cookie_is_kept(self, session: ProviderSession) -> None:
        with provider(Reply(status=200, headers=(("Set-Cookie", "a=b; Path=/"),))) as (url, seen):
            session.get(url)
            session.get(url)
        assert "cookie" not in seen[1].headers

    def test_nothing_is_taken_from_the_environment(
        self, session: ProviderSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
        with provider(OK) as (url, _seen):
            assert session.get(url).ok

    def test_no_password_is_taken_from_a_netrc(
        self, session: ProviderSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login ada password for-another-service\n")
        monkeypatch.setenv("NETRC", str(netrc))
        with provider(OK) as (url, seen):
            session.get(url)
        assert "authorization" not in seen[0].headers

    def test_a_proxy_named_by_the_settings_is_used(
        self, session: ProviderSession, checkout_settings: CheckoutSettings
    ) -> None:
        with provider(OK) as (url, seen):
            checkout_settings(PROXY=url)
            session.get("http://127.0.0.1:1/charges")
        assert seen[0].path.endswith("/charges")

    @pytest.mark.parametrize("url", ["http://api.acme.example/", "http://10.0.0.1/"])
    def test_plain_http_is_spoken_with_this_machine_only(self, session: ProviderSession, url: str) -> None:
        with pytest.raises(ProviderUnavailable, match="only https") as caught:
            session.get(url)
        assert not caught.value.was_sent

    def test_no_other_scheme_is_spoken(self, session: ProviderSession) -> None:
        with pytest.raises(requests.exceptions.InvalidSchema):
            session.get("ftp://api.acme.example/")

    @responses.activate
    def test_tests_may_fake_the_wire_with_responses(self, session: ProviderSession) -> None:
        responses.get("https://api.acme.example/v1/charges", json={"paid": True})
        assert session.get("https://api.acme.example/v1/charges").json() == {"paid": True}


class TestLimits:
    def test_an_answer_of_two_mebibytes_is_whole(self, session: ProviderSession) -> None:
        with provider(Reply(status=200, body=b"x" * (2 * 1024 * 1024))) as (url, _seen):
            assert len(session.get(url).content) == 2 * 1024 * 1024

    def test_an_answer_ends_there(self, session: ProviderSession) -> None:
        with (
            provider(Reply(status=200, body=b"x" * (2 * 1024 * 1024 + 1))) as (url, _seen),
            pytest.raises(ProviderUnavailable, match="too large") as caught,
        ):
            session.get(url)
        assert caught.value.was_sent

    def test_a_compressed_answer_ends_there_too(self, session: ProviderSession) -> None:
        body = gzip.compress(b"x" * (8 * 1024 * 1024))
        with (
            provider(Reply(status=200, body=body, headers=(("Content-Encoding", "gzip"),))) as (url, _seen),
            pytest.raises(ProviderUnavailable, match="too large"),
        ):
            session.get(url)

    def test_a_silent_provider_meets_the_limit(
        self, session: ProviderSession, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(READ_TIMEOUT=0.2)
        with provider(hang) as (url, _seen):
            start = time.monotonic()
            with pytest.raises(ProviderUnavailable, match="too long") as caught:
                session.post(url, timeout=60)
        assert time.monotonic() - start < 1.0
        assert caught.value.was_sent

    def test_a_dripping_provider_meets_the_limit(
        self, session: ProviderSession, checkout_settings: CheckoutSettings
    ) -> None:
        def drip(_request: Request, wire: Wire) -> bool:
            wire.send(OK.head(length=1000))
            wire.drip(b"x" * 1000)
            return False

        checkout_settings(TOTAL_TIMEOUT=0.3)
        with (
            provider(drip) as (url, _seen),
            pytest.raises(ProviderUnavailable, match="not whole: it took too long"),
        ):
            session.get(url)

    def test_the_requests_budget_holds(self, session: ProviderSession) -> None:
        with provider(hang) as (url, seen):
            start = time.monotonic()
            with time_budget(0.3):
                for _ in range(3):
                    with pytest.raises(ProviderUnavailable) as caught:
                        session.get(url)
        assert time.monotonic() - start < 1.0
        assert not caught.value.was_sent
        assert len(seen) == 1

    def test_what_was_not_sent_says_so(self, session: ProviderSession) -> None:
        with pytest.raises(requests.ConnectionError) as caught:
            session.post("http://127.0.0.1:1/")
        assert isinstance(caught.value, ProviderUnavailable)
        assert not caught.value.was_sent

    def test_an_exception_holds_nothing_of_the_request(self, session: ProviderSession) -> None:
        url = "http://secret-key:secret@127.0.0.1:1/secret-path?key=secret"
        with pytest.raises(ProviderUnavailable) as caught:
            session.post(url, headers={"Authorization": "secret"})
        error = caught.value
        assert "secret" not in f"{error} {error!r} {error.__cause__} {error.__context__}"
        assert error.request is None


class TestSlots:
    def test_a_hanging_provider_holds_no_more_threads_than_the_cap_and_two(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(READ_TIMEOUT=1.0, TOTAL_TIMEOUT=1.0, MAX_CALLS_IN_FLIGHT=3)
        with provider(hang) as (url, seen), ThreadPoolExecutor(20) as threads:
            durations = sorted(threads.map(lambda _: seconds_until_refused(url), range(20)))
        assert len(seen) == 3
        assert durations[14] < 0.2
        assert durations[16] < 0.5

    def test_a_whole_call_of_a_backend_holds_one_slot(
        self, session: ProviderSession, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(MAX_CALLS_IN_FLIGHT=1)
        with provider(OK) as (url, _seen), provider_slot("live", "acme_card"):
            assert session.get(url).ok
            assert session.get(url).ok
            with provider_slot("live", "acme_card"):
                assert session.get(url).ok

    def test_without_a_slot_nothing_is_sent(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(MAX_CALLS_IN_FLIGHT=1)
        with provider_slot("live", "acme_card"), ThreadPoolExecutor(1) as threads:
            error = threads.submit(refusal_of_a_slot).result()
        assert "nothing was sent" in str(error)
        assert not isinstance(error, SnipcartError)

    def test_without_time_nothing_is_sent(self) -> None:
        with (
            time_budget(0.0),
            pytest.raises(ProviderBusy, match="nothing was sent"),
            provider_slot("live", "acme_card"),
        ):
            pytest.fail("the slot was given")

    def test_a_session_of_its_own_is_refused_too(
        self, session: ProviderSession, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(MAX_CALLS_IN_FLIGHT=1)
        with (
            provider(OK) as (url, seen),
            provider_slot("live", "acme_card"),
            ThreadPoolExecutor(1) as threads,
            pytest.raises(ProviderUnavailable, match="too many calls") as caught,
        ):
            threads.submit(session.get, url).result()
        assert not caught.value.was_sent
        assert seen == []

    def test_another_method_or_store_has_slots_of_its_own(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(MAX_CALLS_IN_FLIGHT=1)
        with provider_slot("live", "acme_card"), ThreadPoolExecutor(1) as threads:
            assert threads.submit(has_slot, "live", "transfer").result()
            assert threads.submit(has_slot, "trial", "acme_card").result()
            assert not threads.submit(has_slot, "live", "acme_card").result()

    def test_what_a_backend_raises_passes_as_it_is(self) -> None:
        with pytest.raises(ProviderUnavailable), provider_slot("live", "acme_card"):
            raise ProviderUnavailable("as it is")

    def test_a_provider_that_is_down_is_asked_by_one_call_at_a_time(
        self, checkout_settings: CheckoutSettings
    ) -> None:
        session = ProviderSession(store="live", method="down")
        down = threading.Event()

        def answer(request: Request, wire: Wire) -> bool:
            if down.is_set():
                return hang(request, wire)
            return False

        checkout_settings(READ_TIMEOUT=0.5)
        with provider(answer) as (url, seen), ThreadPoolExecutor(1) as threads:
            for _ in range(5):
                with pytest.raises(ProviderUnavailable):
                    session.get(url)
            down.set()
            probe = threads.submit(seconds_until_refused, url, "down")
            while len(seen) < 6:
                time.sleep(0.005)
            with pytest.raises(ProviderUnavailable, match="cannot be reached") as caught:
                session.get(url)
            probe.result()
        assert not caught.value.was_sent
        assert len(seen) == 6


def seconds_until_refused(url: str, method: str = "acme_card") -> float:
    start = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        ProviderSession(store="live", method=method).get(url)
    return time.monotonic() - start


def refusal_of_a_slot() -> ProviderBusy:
    with pytest.raises(ProviderBusy) as caught, provider_slot("live", "acme_card"):
        pytest.fail("the slot was given")
    return caught.value


def has_slot(store: str, method: str) -> bool:
    try:
        with provider_slot(store, method):
            return True
    except ProviderBusy:
        return False


def test_every_backend_has_its_session_at_hand() -> None:
    backend = AcmeBackend(store="live", method="acme_card", options={})
    assert backend.http is backend.http
    with provider(OK) as (url, _seen):
        assert backend.http.get(url).json() == {"paid": True}
