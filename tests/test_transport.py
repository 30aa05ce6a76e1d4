"""Limits, kept connections, TLS and who may call: over real sockets."""

from __future__ import annotations

import gzip
import logging
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import trustme
from django.test import override_settings

from snipcart_checkout.client import SnipcartClient
from snipcart_checkout.conf import Settings
from snipcart_checkout.exceptions import BadAnswer, SnipcartUnavailable, TokenRefused
from snipcart_checkout.testing import StandIn
from snipcart_checkout.testing.faults import Reply, Wire
from snipcart_checkout.testing.server import Request, Server
from snipcart_checkout.transport import connections, install_log_scrubber, warm
from snipcart_checkout.transport.gate import Gate, Outcome

TOKEN = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXRva2Vu.s-_~x"


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def settings_for(stand_in: StandIn) -> Settings:
    return Settings(api_url=stand_in.api_url, app_api_url=stand_in.api_url)


def read(settings: Settings, token: str) -> str:
    return SnipcartClient(settings).fetch_session(token).id


@contextmanager
def seconds_at_most(limit: float) -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < limit


class TestKeptConnections:
    def test_calls_in_a_row_share_one_connection(self, stand_in: StandIn) -> None:
        token = stand_in.session().public_token
        for _ in range(5):
            read(settings_for(stand_in), token)
        assert stand_in.connections == 1

    def test_a_refusal_costs_no_connection(self, stand_in: StandIn) -> None:
        for _ in range(3):
            with pytest.raises(TokenRefused):
                read(settings_for(stand_in), TOKEN)
        assert stand_in.connections == 1

    @pytest.mark.parametrize("fault", ["cut-body", "huge", "hang"])
    def test_a_connection_with_unread_bytes_is_not_used_again(self, stand_in: StandIn, fault: str) -> None:
        session = stand_in.session()
        stand_in.fail("payment-session", fault)
        with pytest.raises((SnipcartUnavailable, BadAnswer)):
            read(replace(settings_for(stand_in), read_timeout=0.2), session.public_token)
        assert read(settings_for(stand_in), session.public_token) == session.id
        assert stand_in.connections == 2

    def test_a_connection_that_the_server_closed_is_replaced(self, stand_in: StandIn) -> None:
        session = stand_in.session()
        read(settings_for(stand_in), session.public_token)
        stand_in.stop()
        stand_in.start()
        assert read(settings_for(stand_in), session.public_token) == session.id

    def test_an_old_connection_is_not_trusted(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connections, "MAX_IDLE", 0.0)
        for _ in range(3):
            read(settings_for(stand_in), stand_in.session().public_token)
        assert stand_in.connections == 3

    def test_threads_get_their_own_answers(self, stand_in: StandIn) -> None:
        settings = replace(settings_for(stand_in), max_calls_in_flight=4)
        sessions = [stand_in.session() for _ in range(60)]
        with ThreadPoolExecutor(4) as threads:
            ids = list(threads.map(lambda session: read(settings, session.public_token), sessions))
        assert ids == [session.id for session in sessions]
        assert stand_in.connections <= 4


class TestTimeLimits:
    @pytest.mark.parametrize("fault", ["drip-headers", "drip-body"])
    def test_a_dripping_server_meets_the_total_limit(self, stand_in: StandIn, fault: str) -> None:
        stand_in.fail("payment-session", fault)
        settings = replace(settings_for(stand_in), read_timeout=5.0, total_timeout=0.3)
        with seconds_at_most(1.5), pytest.raises(SnipcartUnavailable, match="too long"):
            read(settings, stand_in.session().public_token)

    def test_a_silent_server_meets_the_read_limit(self, stand_in: StandIn) -> None:
        stand_in.fail("payment-session", "hang")
        with seconds_at_most(1.5), pytest.raises(SnipcartUnavailable, match="too long"):
            read(replace(settings_for(stand_in), read_timeout=0.2), stand_in.session().public_token)

    def test_a_server_that_never_greets_meets_the_limit(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"https://127.0.0.1:{silent.getsockname()[1]}/api"
            with seconds_at_most(1.5), pytest.raises(SnipcartUnavailable, match="too long"):
                read(Settings(api_url=url, connect_timeout=5.0, total_timeout=0.3), TOKEN)

    def test_many_deaf_addresses_share_the_total_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with full_listener() as address:
            found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address)] * 10
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
            settings = Settings(api_url="https://localhost/api", connect_timeout=0.2, total_timeout=0.5)
            with seconds_at_most(1.5), pytest.raises(SnipcartUnavailable, match="too long"):
                read(settings, TOKEN)

    def test_the_next_address_is_tried(self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        session = stand_in.session()
        port = int(stand_in.api_url.split(":")[2].split("/")[0])
        dead_and_alive = [("127.0.0.1", free_port()), ("127.0.0.1", port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in dead_and_alive]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
        assert read(settings_for(stand_in), session.public_token) == session.id


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


@contextmanager
def full_listener() -> Iterator[tuple[str, int]]:
    """An address at which connecting takes for ever, because the queue of connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        queued = [socket.socket() for _ in range(4)]
        for each in queued:
            each.setblocking(False)
            each.connect_ex(address)
        yield address
        for each in queued:
            each.close()


class TestSizeLimits:
    @pytest.mark.parametrize("fault", ["huge", "gzip-bomb"])
    def test_a_body_is_not_read_beyond_the_limit(self, stand_in: StandIn, fault: str) -> None:
        stand_in.fail("payment-session", fault)
        with pytest.raises(BadAnswer, match="too large"):
            read(settings_for(stand_in), stand_in.session().public_token)

    def test_a_compressed_session_is_read(self, stand_in: StandIn) -> None:
        session = stand_in.session(items=200)
        body = gzip.compress(Reply.of_json(200, session.to_json()).body)
        with serving(Reply(status=200, body=body, headers=(("Content-Encoding", "gzip"),))) as url:
            assert read(Settings(api_url=url), TOKEN) == session.id

    def test_a_body_that_is_not_what_its_encoding_says_is_a_bad_answer(self) -> None:
        reply = Reply(status=200, body=b"{}", headers=(("Content-Encoding", "gzip"),))
        with serving(reply) as url, pytest.raises(BadAnswer, match="decompressed"):
            read(Settings(api_url=url), TOKEN)


@contextmanager
def serving(reply: Reply) -> Iterator[str]:
    def answer(_request: Request, wire: Wire) -> bool:
        wire.send_reply(reply)
        return False

    server = Server(answer)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@pytest.mark.parametrize(
    "header, seconds", [("7", 7), ("0", 5), ("86400", 60), ("-1", 5), ("٣", 5), ("Wed, 21 Oct 2026", 5)]
)
def test_patience_is_asked_for_within_reason(header: str, seconds: int) -> None:
    reply = Reply(status=503, headers=(("Retry-After", header),))
    with serving(reply) as url, pytest.raises(SnipcartUnavailable) as caught:
        read(Settings(api_url=url), TOKEN)
    assert caught.value.retry_after == seconds


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[StandIn]:
    with StandIn(tls=server_context(authority, "127.0.0.1")) as running:
        yield running


class TestTLS:
    def test_a_configured_authority_is_trusted(self, secure: StandIn, ca_bundle: str) -> None:
        session = secure.session()
        settings = replace(settings_for(secure), ca_bundle=ca_bundle)
        assert read(settings, session.public_token) == session.id
        assert read(settings, session.public_token) == session.id
        assert secure.connections == 1

    def test_a_directory_of_authorities_is_trusted(self, secure: StandIn, ca_bundle: str) -> None:
        directory = Path(ca_bundle).parent
        subprocess.run(["openssl", "rehash", directory], check=True, capture_output=True)
        session = secure.session()
        settings = replace(settings_for(secure), ca_bundle=str(directory))
        assert read(settings, session.public_token) == session.id

    def test_an_unknown_authority_is_not(self, secure: StandIn) -> None:
        with pytest.raises(SnipcartUnavailable, match="no trusted TLS connection"):
            read(settings_for(secure), secure.session().public_token)
        assert secure.calls == []

    def test_a_certificate_for_another_host_is_not(self, authority: trustme.CA, ca_bundle: str) -> None:
        with (
            StandIn(tls=server_context(authority, "payment.snipcart.com")) as impostor,
            pytest.raises(SnipcartUnavailable, match="no trusted TLS connection"),
        ):
            read(replace(settings_for(impostor), ca_bundle=ca_bundle), TOKEN)

    def test_the_environment_cannot_replace_the_authority(
        self, secure: StandIn, ca_bundle: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = Path(ca_bundle).with_name("other.pem")
        trustme.CA().cert_pem.write_to_path(str(other))
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, str(other))
        session = secure.session()
        settings = replace(settings_for(secure), ca_bundle=ca_bundle, max_calls_in_flight=3)
        assert read(settings, session.public_token) == session.id

    def test_the_environment_cannot_add_an_authority(
        self, secure: StandIn, ca_bundle: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, ca_bundle)
        with pytest.raises(SnipcartUnavailable):
            read(replace(settings_for(secure), max_calls_in_flight=5), TOKEN)

    def test_the_environment_cannot_ask_for_the_session_keys(
        self, secure: StandIn, ca_bundle: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = Path(ca_bundle).with_name("keys")
        monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
        read(replace(settings_for(secure), ca_bundle=ca_bundle), secure.session().public_token)
        assert not keys.exists()

    def test_verification_cannot_be_switched_off(self, secure: StandIn) -> None:
        adapter = connections.PooledAdapter(ca_bundle=None, proxy=None, connections=1)
        request = requests.Request("GET", secure.api_url).prepare()
        connections.current_deadline.set(connections.Deadline(5.0))
        with pytest.raises(requests.exceptions.SSLError):
            adapter.send(request, timeout=(5.0, 5.0), verify=False)
        adapter.close()

    @pytest.mark.parametrize("content", [None, "not a certificate"])
    def test_an_unusable_ca_file_is_an_outage_of_ours(
        self, secure: StandIn, tmp_path: Path, content: str | None
    ) -> None:
        path = tmp_path / "broken.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(SnipcartUnavailable) as caught:
            read(replace(settings_for(secure), ca_bundle=str(path)), TOKEN)
        assert caught.value.__context__ is None


class TestProxy:
    def test_a_configured_proxy_sees_neither_token_nor_key(self, secure: StandIn, ca_bundle: str) -> None:
        session = secure.session()
        with tunnel() as (proxy, seen):
            settings = replace(settings_for(secure), ca_bundle=ca_bundle, proxy=proxy)
            assert read(settings, session.public_token) == session.id
        assert b"".join(seen).startswith(b"CONNECT 127.0.0.1:")
        assert session.public_token.encode() not in b"".join(seen)

    def test_a_proxys_password_is_not_told(self) -> None:
        settings = Settings(proxy=f"http://user:pass-word@127.0.0.1:{free_port()}")
        with pytest.raises(SnipcartUnavailable) as caught:
            read(settings, TOKEN)
        assert "pass-word" not in str(caught.value)

    @pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:1", "http://", "::"])
    def test_an_unusable_proxy_is_an_outage_of_ours(self, stand_in: StandIn, proxy: str) -> None:
        with pytest.raises(SnipcartUnavailable):
            read(replace(settings_for(stand_in), proxy=proxy), stand_in.session().public_token)
        assert stand_in.calls == []


@contextmanager
def tunnel() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy for one CONNECT, and everything it saw of what came from the client."""
    seen: list[bytes] = []

    def pump(source: socket.socket, target: socket.socket, record: list[bytes]) -> None:
        while chunk := source.recv(65536):
            record.append(chunk)
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        client, _ = listener.accept()
        head = client.recv(65536)
        seen.append(head)
        host, port = head.split()[1].decode().split(":")
        with client, socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, client, []), daemon=True)
            back.start()
            pump(client, server, seen)
            back.join()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen


def in_thread(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


class TestGate:
    def test_as_many_as_the_cap_are_let_through(self) -> None:
        gate = Gate(2)
        gate.enter("a")
        gate.enter("b")
        with pytest.raises(SnipcartUnavailable, match="too many"):
            gate.enter("a")

    def test_waiting_takes_a_quarter_of_a_second_at_most(self) -> None:
        gate = Gate(1)
        gate.enter("a")
        start = time.monotonic()
        with pytest.raises(SnipcartUnavailable):
            gate.enter("a")
        assert 0.2 < time.monotonic() - start < 1.0

    def test_who_waits_gets_the_place_that_is_given_back(self) -> None:
        gate = Gate(1)
        gate.enter("a")
        threading.Timer(0.05, gate.leave, ("a", Outcome.ANSWERED)).start()
        with seconds_at_most(0.24):
            gate.enter("a")

    def test_as_many_as_the_cap_wait_and_the_others_do_not(self) -> None:
        gate = Gate(2)
        gate.enter("a")
        gate.enter("a")
        waiting = [in_thread(lambda: entered_or_not(gate)) for _ in range(2)]
        assert eventually(lambda: gate._waiting == 2)
        with seconds_at_most(0.1), pytest.raises(SnipcartUnavailable) as caught:
            gate.enter("a")
        assert caught.value.retry_after == 1
        for thread in waiting:
            thread.join()

    def test_nobody_waits_while_the_last_call_timed_out(self) -> None:
        gate = Gate(1)
        gate.enter("a")
        gate.leave("a", Outcome.TIMED_OUT)
        gate.enter("a")
        with seconds_at_most(0.1), pytest.raises(SnipcartUnavailable):
            gate.enter("a")

    def test_a_timeout_lets_go_of_those_who_still_wait(self) -> None:
        gate = Gate(2)
        gate.enter("a")
        gate.enter("a")
        with ThreadPoolExecutor(2) as threads, seconds_at_most(0.2):
            waiting = [threads.submit(entered_or_not, gate) for _ in range(2)]
            assert eventually(lambda: gate._waiting == 2)
            gate.leave("a", Outcome.TIMED_OUT)  # its place goes to one of them
            assert sorted(each.result() for each in waiting) == [False, True]

    def test_while_down_one_call_at_a_time_finds_out(self) -> None:
        gate = Gate(8)
        fail(gate, "a", times=5)
        gate.enter("a")
        with seconds_at_most(0.1), pytest.raises(SnipcartUnavailable, match="cannot be reached"):
            gate.enter("a")
        gate.leave("a", Outcome.LOST)
        gate.enter("a")

    def test_one_answer_opens_the_gate(self) -> None:
        gate = Gate(8)
        fail(gate, "a", times=9)
        gate.enter("a")
        gate.leave("a", Outcome.ANSWERED)
        for _ in range(8):
            gate.enter("a")

    def test_who_calls_alone_is_never_refused(self) -> None:
        gate = Gate(1)
        fail(gate, "a", times=50)

    def test_one_origin_being_down_says_nothing_of_another(self) -> None:
        gate = Gate(8)
        fail(gate, "a", times=9)
        gate.enter("a")
        gate.enter("b")
        gate.enter("b")


def entered_or_not(gate: Gate) -> bool:
    try:
        gate.enter("a")
    except SnipcartUnavailable:
        return False
    return True


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def fail(gate: Gate, origin: str, *, times: int) -> None:
    for number in range(times):
        gate.enter(origin)
        gate.leave(origin, Outcome.LOST if number % 2 else Outcome.TIMED_OUT)


class TestManyCallers:
    def test_a_hanging_snipcart_holds_no_more_threads_than_the_cap(self, stand_in: StandIn) -> None:
        stand_in.fail("payment-session", "hang", times=None)
        token = stand_in.session().public_token
        settings = replace(settings_for(stand_in), max_calls_in_flight=2, read_timeout=1.0)
        with ThreadPoolExecutor(12) as threads:
            durations = sorted(threads.map(lambda _: seconds_until_refused(settings, token), range(12)))
        assert len(stand_in.calls) <= 4  # the two, and the one or two for whom a place got free just in time
        assert durations[7] < 0.3  # eight of twelve are sent away at once

    def test_calls_in_a_row_are_all_made_however_many_fail(self, stand_in: StandIn) -> None:
        stand_in.fail("payment-session", "cut-before", times=12)
        session = stand_in.session()
        for _ in range(12):
            with pytest.raises(SnipcartUnavailable):
                read(settings_for(stand_in), session.public_token)
        assert read(settings_for(stand_in), session.public_token) == session.id
        assert len(stand_in.calls) == 13


def seconds_until_refused(settings: Settings, token: str) -> float:
    start = time.monotonic()
    with pytest.raises(SnipcartUnavailable):
        read(settings, token)
    return time.monotonic() - start


class TestProcesses:
    def test_a_forked_process_has_connections_and_places_of_its_own(self, stand_in: StandIn) -> None:
        stand_in.fail("validate", "hang")
        sessions = [stand_in.session() for _ in range(2)]
        script = textwrap.dedent(
            """
            import os, sys, threading, time, warnings
            from django.conf import settings; settings.configure()
            from snipcart_checkout.client import SnipcartClient
            from snipcart_checkout.conf import Settings
            warnings.simplefilter("ignore", DeprecationWarning)  # forking beside a thread is the point
            url, mine, my_token, other, other_token = sys.argv[1:]
            client = SnipcartClient(Settings(api_url=url, max_calls_in_flight=2))
            assert client.fetch_session(my_token).id == mine
            threading.Thread(target=client.validate_token, args=(my_token,), daemon=True).start()
            time.sleep(0.1)
            child = os.fork()
            token, expected = (my_token, mine) if child else (other_token, other)
            right = all(client.fetch_session(token).id == expected for _ in range(20))
            if not child:
                os._exit(0 if right else 1)
            os._exit(0 if right and os.waitpid(child, 0)[1] == 0 else 1)
            """
        )
        pairs = [text for session in sessions for text in (session.id, session.public_token)]
        done = subprocess.run([sys.executable, "-c", script, stand_in.api_url, *pairs], timeout=30)
        assert done.returncode == 0

    def test_warming_calls_nobody_and_saves_the_first_call_the_certificates(self, stand_in: StandIn) -> None:
        settings = {"API_URL": stand_in.api_url, "MAX_CALLS_IN_FLIGHT": 17}
        with override_settings(SNIPCART_CHECKOUT=settings):
            warm()
        before = connections.tls_context.cache_info().misses
        read(replace(settings_for(stand_in), max_calls_in_flight=17), stand_in.session().public_token)
        assert connections.tls_context.cache_info().misses == before
        assert stand_in.connections == 1

    def test_warming_leaves_a_bad_setting_to_the_check(self) -> None:
        with override_settings(SNIPCART_CHECKOUT={"CA_BUNDLE": "/no/such/file.pem"}):
            warm()


class TestLogs:
    @pytest.mark.parametrize("fault", ["cut-before", "hang", "drip-headers", 404, 503, "redirect"])
    def test_no_line_holds_the_token(
        self, stand_in: StandIn, caplog: pytest.LogCaptureFixture, fault: str | int
    ) -> None:
        token = stand_in.session().public_token
        stand_in.fail("payment-session", fault)
        hasty = replace(settings_for(stand_in), read_timeout=0.2, total_timeout=0.3)
        client = SnipcartClient(replace(hasty, max_calls_in_flight=23))
        with caplog.at_level(logging.DEBUG), pytest.raises((SnipcartUnavailable, TokenRefused, BadAnswer)):
            client.fetch_session(token)
        assert "Starting new HTTP connection" in caplog.text
        assert token not in caplog.text

    def test_the_line_about_an_answer_is_kept_without_the_token(
        self, stand_in: StandIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            read(settings_for(stand_in), stand_in.session().public_token)
        assert "payment-session?publicToken=[hidden] HTTP/1.1" in caplog.text

    def test_an_answer_with_broken_headers_does_not_show_the_token(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        reply = Reply(status=200, headers=(("A", "1\r\nbroken header without a colon"),))
        with serving(reply) as url, caplog.at_level(logging.DEBUG), pytest.raises(BadAnswer):
            read(Settings(api_url=url), TOKEN)
        assert "Failed to parse headers" in caplog.text
        assert TOKEN not in caplog.text

    @pytest.mark.parametrize(
        "path, shown",
        [
            (f"/checkout/live/?publicToken={TOKEN}&x=1", "/checkout/live/?publicToken=[hidden]&x=1"),
            (f"/checkout/live/?PublicToken={TOKEN}", "/checkout/live/?PublicToken=[hidden]"),
            ("/checkout/live/refunds/c4p4b1l1ty/", "/checkout/live/refunds/[hidden]/"),
            ("/requestvalidation/t0k3n", "/requestvalidation/[hidden]"),
            ("/shop/?q=100%25", "/shop/?q=100%25"),
        ],
    )
    @pytest.mark.parametrize("logger", ["django.server", "django.request", "urllib3.connectionpool"])
    def test_lines_of_others_are_scrubbed(self, logger: str, path: str, shown: str) -> None:
        install_log_scrubber()
        with written_by(logger) as lines:
            logging.getLogger(logger).warning('"%s %s %s" %s %s', "GET", path, "HTTP/1.1", 200, 512)
        assert lines == [f'"GET {shown} HTTP/1.1" 200 512']

    def test_installing_twice_filters_once(self) -> None:
        install_log_scrubber()
        before = len(logging.getLogger("django.server").filters)
        install_log_scrubber()
        assert len(logging.getLogger("django.server").filters) == before

    def test_a_record_that_cannot_be_formatted_does_not_stop_anybody(self) -> None:
        with written_by("urllib3.connectionpool") as lines:
            logging.getLogger("urllib3.connectionpool").warning("%d", f"publicToken={TOKEN}")
        assert lines == ["a log record could not be formatted"]


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def written_by(logger: str) -> Iterator[list[str]]:
    handler = Lines()
    logging.getLogger(logger).addHandler(handler)
    yield handler.lines
    logging.getLogger(logger).removeHandler(handler)
