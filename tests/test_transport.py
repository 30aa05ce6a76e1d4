"""Limits, kept connections, TLS and who may call: over real sockets."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import ssl
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import trustme

from snipcart_checkout.conf import Settings
from snipcart_checkout.exceptions import BadAnswer, SnipcartUnavailable, TokenRefused
from snipcart_checkout.snipcart.client import SnipcartClient
from snipcart_checkout.snipcart.transport import (
    connections,
    exchange,
    install_log_scrubber,
    seconds_left,
    time_budget,
    warm,
)
from snipcart_checkout.snipcart.transport import limiter as limiter_module
from snipcart_checkout.snipcart.transport.breaker import CircuitBreaker
from snipcart_checkout.snipcart.transport.calls import NoAnswer, send
from snipcart_checkout.snipcart.transport.exchange import MAX_IGNORED_BODY
from snipcart_checkout.snipcart.transport.limiter import ConcurrencyLimiter
from snipcart_checkout.snipcart.transport.remotes import NoSlot, get_remote
from snipcart_checkout.snipcart.transport.time_limits import CallInProgress, current_call
from snipcart_checkout.testing import CheckoutSettings, StandIn
from snipcart_checkout.testing.server import Reply, Request, Server, Wire

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

    def test_nothing_is_kept_of_an_address_but_its_origin(self, stand_in: StandIn) -> None:
        settings = replace(settings_for(stand_in), max_calls_in_flight=33)
        read(settings, stand_in.session().public_token)
        (origin,) = get_remote("snipcart", settings).adapter()._pools
        assert "/".join(origin) == stand_in.api_url.removesuffix("/api")

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

    def test_more_hosts_than_pools_are_called_again_and_again(self) -> None:
        with ExitStack() as stack:
            hosts = [stack.enter_context(StandIn()) for _ in range(12)]
            sessions = [(settings_for(host), host.session()) for host in hosts]
            for _ in range(2):
                for settings, session in [*sessions, sessions[0]]:
                    assert read(settings, session.public_token) == session.id
        assert len(get_remote("snipcart", sessions[0][0]).adapter()._pools) <= 5

    def test_a_connection_that_was_idle_for_25_seconds_is_not_trusted(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.monotonic
        counts = []
        for passed in (0.0, 24.0, 50.0, 75.5):
            monkeypatch.setattr(time, "monotonic", lambda passed=passed: now() + passed)
            read(settings_for(stand_in), stand_in.session().public_token)
            counts.append(stand_in.connections)
        assert counts == [1, 1, 2, 3]

    def test_small_writes_are_not_held_back(self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        with sockets_seen(monkeypatch) as seen:
            read(replace(settings_for(stand_in), max_calls_in_flight=32), stand_in.session().public_token)
            assert [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in seen] == [1]

    def test_threads_get_their_own_answers(self, stand_in: StandIn) -> None:
        settings = replace(settings_for(stand_in), max_calls_in_flight=4)
        sessions = [stand_in.session() for _ in range(60)]
        with ThreadPoolExecutor(4) as threads:
            ids = list(threads.map(lambda session: read(settings, session.public_token), sessions))
        assert ids == [session.id for session in sessions]
        assert stand_in.connections <= 4


@contextmanager
def sockets_seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """The sockets that connect to somewhere."""
    seen: list[socket.socket] = []

    class Seen(socket.socket):
        def connect(self, address: Any) -> None:
            seen.append(self)
            super().connect(address)

    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", Seen)
        yield seen


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

    def test_a_server_that_reads_slowly_meets_the_total_limit(self) -> None:
        stopped = threading.Event()

        def read_slowly(client: socket.socket) -> None:
            while client.recv(65536) and not stopped.wait(0.005):
                pass

        with answering_with(read_slowly) as address:
            request = requests.Request("POST", f"http://{address}/", data=bytes(64_000_000)).prepare()
            settings = Settings(total_timeout=0.4)
            with seconds_at_most(1.5), pytest.raises(NoAnswer, match="too long") as caught:
                send(request, get_remote("snipcart", settings), settings)
            stopped.set()
        assert caught.value.was_sent

    def test_a_server_that_never_greets_meets_the_limit(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"https://127.0.0.1:{silent.getsockname()[1]}/api"
            with seconds_at_most(1.5), pytest.raises(SnipcartUnavailable, match="too long"):
                read(Settings(api_url=url, connect_timeout=5.0, total_timeout=0.3), TOKEN)

    def test_a_handshake_has_what_a_slow_connection_left_of_the_total_limit(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Slow(socket.socket):
            def connect(self, address: Any) -> None:
                time.sleep(0.7)
                super().connect(address)

        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"https://127.0.0.1:{silent.getsockname()[1]}/api"
            monkeypatch.setattr(socket, "socket", Slow)
            with seconds_at_most(1.2), pytest.raises(SnipcartUnavailable, match="too long"):
                read(Settings(api_url=url, connect_timeout=5.0, total_timeout=0.8), TOKEN)

    def test_many_deaf_addresses_share_the_total_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with full_listener() as address:
            found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address)] * 10
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
            settings = Settings(api_url="https://localhost/api", connect_timeout=0.2, total_timeout=0.5)
            with seconds_at_most(1.5), pytest.raises(SnipcartUnavailable, match="too long"):
                read(settings, TOKEN)

    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_each_address_is_tried(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, position: int
    ) -> None:
        session = stand_in.session()
        ports = [free_port() for _ in range(3)]
        ports[position] = int(stand_in.api_url.split(":")[2].split("/")[0])
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
        assert read(settings_for(stand_in), session.public_token) == session.id

    def test_an_ipv6_address_is_looked_up_without_its_brackets(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = stand_in.session()
        port = int(stand_in.api_url.split(":")[2].split("/")[0])
        hosts: list[object] = []

        def look_up(host: object, *_args: object, **_options: object) -> object:
            hosts.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        url = stand_in.api_url.replace("127.0.0.1", "[::1]")
        assert read(Settings(api_url=url, app_api_url=url), session.public_token) == session.id
        assert hosts == ["::1"]


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
        with pytest.raises(BadAnswer, match="answer: it is too large"):
            read(settings_for(stand_in), stand_in.session().public_token)

    @pytest.mark.parametrize("status, error", [(300, BadAnswer), (404, TokenRefused)])
    def test_of_a_refusal_no_more_is_read_than_keeps_its_connection(
        self, status: int, error: type[Exception]
    ) -> None:
        def refuse(_request: Request, wire: Wire) -> bool:
            wire.send(Reply(status=status).head(length=1_000_000) + b"x" * 70_000)
            wire.stopped.wait(10.0)
            return False

        with running(refuse) as url, seconds_at_most(2.0), pytest.raises(error):
            read(Settings(api_url=url, read_timeout=3.0), TOKEN)

    @pytest.mark.parametrize("size, connections_used", [(64 * 1024, 1), (64 * 1024 + 2, 2)])
    def test_a_refusal_of_64_kibibytes_keeps_its_connection(self, size: int, connections_used: int) -> None:
        def refuse(_request: Request, wire: Wire) -> bool:
            wire.send_reply(Reply(status=404, body=b"x" * size))
            return True

        server = Server(refuse)
        server.start()
        for _ in range(2):
            with pytest.raises(TokenRefused):
                read(Settings(api_url=server.url), TOKEN)
        assert server.connections == connections_used
        server.stop()

    def test_a_session_may_be_larger_than_what_is_read_of_a_refusal(self, stand_in: StandIn) -> None:
        session = stand_in.session(items=1000)
        assert len(json.dumps(session.to_json())) > MAX_IGNORED_BODY
        assert read(settings_for(stand_in), session.public_token) == session.id

    def test_a_compressed_session_is_read(self, stand_in: StandIn) -> None:
        session = stand_in.session(items=200)
        body = gzip.compress(Reply.of_json(200, session.to_json()).body)
        with serving(Reply(status=200, body=body, headers=(("Content-Encoding", "gzip"),))) as url:
            assert read(Settings(api_url=url), TOKEN) == session.id

    def test_an_answer_that_is_no_success_is_none_whatever_it_holds(self, stand_in: StandIn) -> None:
        with (
            serving(Reply.of_json(300, stand_in.session().to_json())) as url,
            pytest.raises(BadAnswer, match="answered 300"),
        ):
            read(Settings(api_url=url), TOKEN)

    def test_a_body_that_is_not_what_its_encoding_says_is_a_bad_answer(self) -> None:
        reply = Reply(status=200, body=b"{}", headers=(("Content-Encoding", "gzip"),))
        with serving(reply) as url, pytest.raises(BadAnswer, match="answer: it cannot be decompressed"):
            read(Settings(api_url=url), TOKEN)


@contextmanager
def serving(reply: Reply) -> Iterator[str]:
    def answer(_request: Request, wire: Wire) -> bool:
        wire.send_reply(reply)
        return False

    with running(answer) as url:
        yield url


@contextmanager
def running(answer: Callable[[Request, Wire], bool]) -> Iterator[str]:
    server = Server(answer)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@pytest.mark.parametrize(
    "header, seconds",
    [
        ("7", 7),
        ("0", 5),
        ("60", 60),
        ("86400", 60),
        ("9" * 9, 60),
        ("9" * 10, 5),
        ("-1", 5),
        ("٣", 5),
        ("Wed, 21 Oct 2026", 5),
    ],
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

    def test_no_other_protocol_than_http_1_1_is_offered(self, authority: trustme.CA, ca_bundle: str) -> None:
        chosen: list[str | None] = []

        class Watched(ssl.SSLSocket):
            def do_handshake(self, block: bool = False) -> None:
                super().do_handshake(block)
                chosen.append(self.selected_alpn_protocol())

        context = server_context(authority, "127.0.0.1")
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.sslsocket_class = Watched
        with StandIn(tls=context) as server:
            session = server.session()
            read(replace(settings_for(server), ca_bundle=ca_bundle), session.public_token)
        assert chosen == ["http/1.1"]

    def test_verification_cannot_be_switched_off(self, secure: StandIn) -> None:
        adapter = connections.PooledAdapter(ca_bundle=None, proxy=None, connections=1)
        request = requests.Request("GET", secure.api_url).prepare()
        current_call.set(CallInProgress(5.0))
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
        with pytest.raises(SnipcartUnavailable, match="CA_BUNDLE cannot be read") as caught:
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

    def test_a_proxy_is_told_the_whole_address_of_what_is_not_encrypted(self) -> None:
        seen: list[bytes] = []
        with (
            answering_with(lambda client: seen.append(client.recv(65536))) as address,
            pytest.raises(SnipcartUnavailable),
        ):
            read(Settings(api_url="http://127.0.0.1:1/api", proxy=f"http://{address}"), TOKEN)
        assert seen[0].startswith(b"GET http://127.0.0.1:1/api/")

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
        with suppress(OSError):  # either side may cut
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


class TestConcurrencyLimiter:
    def test_as_many_as_the_cap_are_let_through(self) -> None:
        limiter = ConcurrencyLimiter(2)
        assert limiter.acquire()
        assert limiter.acquire()
        assert not limiter.acquire()

    def test_waiting_takes_a_quarter_of_a_second_at_most(self) -> None:
        limiter = ConcurrencyLimiter(1)
        limiter.acquire()
        start = time.monotonic()
        assert not limiter.acquire()
        assert 0.2 < time.monotonic() - start < 1.0

    def test_who_waits_gets_the_slot_that_is_given_back(self) -> None:
        limiter = ConcurrencyLimiter(1)
        slot = limiter.acquire()
        assert slot
        threading.Timer(0.05, limiter.release, (slot,)).start()
        with seconds_at_most(0.24):
            assert limiter.acquire()

    def test_two_wait_and_the_others_are_refused_at_once(self) -> None:
        limiter = ConcurrencyLimiter(2)
        limiter.acquire()
        limiter.acquire()
        assert limiter.waiting == 0
        waiting = [in_thread(limiter.acquire) for _ in range(2)]
        assert eventually(lambda: limiter.waiting == 2)
        with seconds_at_most(0.1):
            assert not limiter.acquire()
        for thread in waiting:
            thread.join()
        assert limiter.waiting == 0

    def test_nobody_waits_while_the_oldest_call_is_older_than_a_second(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limiter = ConcurrencyLimiter(2)
        limiter.acquire()
        monkeypatch.setattr(limiter_module, "HANGING", 0.0)
        young = limiter.acquire()
        assert young
        with seconds_at_most(0.1):
            assert not limiter.acquire()
        limiter.release(young)
        assert limiter.acquire()

    def test_waiting_ends_when_the_oldest_call_turns_a_second_old(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limiter_module, "HANGING", 0.05)
        limiter = ConcurrencyLimiter(1)
        limiter.acquire()
        with seconds_at_most(0.2):
            assert not limiter.acquire()


class TestCircuitBreaker:
    def test_while_down_one_call_at_a_time_finds_out(self) -> None:
        breaker = CircuitBreaker()
        fail(breaker, "a", times=5)
        assert breaker.allow("a")
        assert not breaker.allow("a")
        breaker.record("a", answered=False)
        assert breaker.allow("a")

    def test_it_takes_five_failures_in_a_row(self) -> None:
        breaker = CircuitBreaker()
        for _ in range(2):
            fail(breaker, "a", times=4)
            assert breaker.allow("a")
            assert breaker.allow("a")
            breaker.record("a", answered=True)
            breaker.record("a", answered=True)

    def test_one_answer_closes_the_circuit(self) -> None:
        breaker = CircuitBreaker()
        fail(breaker, "a", times=9)
        breaker.allow("a")
        breaker.record("a", answered=True)
        assert all(breaker.allow("a") for _ in range(8))

    def test_who_calls_alone_is_never_refused(self) -> None:
        fail(CircuitBreaker(), "a", times=50)

    def test_one_origin_being_down_says_nothing_of_another(self) -> None:
        breaker = CircuitBreaker()
        fail(breaker, "a", times=9)
        assert breaker.allow("a")
        assert breaker.allow("b")
        assert breaker.allow("b")

    def test_ever_new_origins_do_not_fill_the_memory(self) -> None:
        breaker = CircuitBreaker()
        breaker.allow("in flight")
        for number in range(1000):
            fail(breaker, f"host-{number}", times=1)
        assert len(breaker._circuits) <= 65
        breaker.record("in flight", answered=True)


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5.0
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def fail(breaker: CircuitBreaker, origin: str, *, times: int) -> None:
    for _ in range(times):
        assert breaker.allow(origin)
        breaker.record(origin, answered=False)


class TestRemotes:
    def test_each_remote_has_a_cap_of_its_own(self) -> None:
        settings = Settings(max_calls_in_flight=1)
        with get_remote("snipcart", settings).slot(), get_remote("live/acme", settings).slot():
            pass

    def test_a_remote_is_the_same_for_every_caller(self) -> None:
        settings = Settings(max_calls_in_flight=1)
        with get_remote("live/acme", settings).slot():
            assert not in_another_thread(lambda: has_slot("live/acme", settings))
        assert in_another_thread(lambda: has_slot("live/acme", settings))

    def test_who_holds_a_slot_needs_no_second_one(self) -> None:
        settings = Settings(max_calls_in_flight=1)
        remote = get_remote("live/nested", settings)
        with remote.slot(), remote.slot():
            assert not in_another_thread(lambda: has_slot("live/nested", settings))
        assert in_another_thread(lambda: has_slot("live/nested", settings))

    def test_a_slot_is_given_back_whatever_is_raised(self) -> None:
        remote = get_remote("live/raising", Settings(max_calls_in_flight=1))
        with pytest.raises(KeyboardInterrupt), remote.slot():
            raise KeyboardInterrupt
        with remote.slot():
            pass


def has_slot(name: str, settings: Settings) -> bool:
    try:
        with get_remote(name, settings).slot():
            return True
    except NoSlot:
        return False


def in_another_thread(action: Callable[[], bool]) -> bool:
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(action).result()


class TestTimeBudget:
    def test_calls_share_it(self, stand_in: StandIn) -> None:
        stand_in.fail("payment-session", "hang", times=None)
        token = stand_in.session().public_token
        settings = replace(settings_for(stand_in), read_timeout=0.4)
        with seconds_at_most(0.9), time_budget(0.6):
            for _ in range(5):
                with pytest.raises(SnipcartUnavailable):
                    read(settings, token)

    def test_a_call_for_which_nothing_is_left_is_not_sent(self, stand_in: StandIn) -> None:
        with (
            time_budget(0.0),
            pytest.raises(SnipcartUnavailable, match="Snipcart: no time is left for it") as caught,
        ):
            read(settings_for(stand_in), TOKEN)
        assert not caught.value.was_sent
        assert stand_in.connections == 0

    def test_an_inner_one_can_only_shorten_it(self) -> None:
        with time_budget(1.0):
            with time_budget(60.0):
                assert seconds_left(8.0) <= 1.0
            with time_budget(0.1):
                assert seconds_left(8.0) <= 0.1
            assert 0.1 < seconds_left(8.0) <= 1.0
        assert seconds_left(8.0) == 8.0

    def test_it_never_lengthens_a_calls_own_limit(self, stand_in: StandIn) -> None:
        stand_in.fail("payment-session", "drip-body")
        settings = replace(settings_for(stand_in), total_timeout=0.3)
        with seconds_at_most(1.5), time_budget(60.0), pytest.raises(SnipcartUnavailable):
            read(settings, stand_in.session().public_token)


def was_sent(settings: Settings, token: str = TOKEN) -> bool:
    with pytest.raises(SnipcartUnavailable) as caught:
        read(settings, token)
    return caught.value.was_sent


@contextmanager
def answering_with(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that does something to each connection and then cuts it hard; yields its host and port."""

    def run() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                serve(client)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = in_thread(run)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5.0)


class TestWasSent:
    """A call may have been received from the moment that its first byte was written, and not before."""

    def test_a_name_that_cannot_be_looked_up(self) -> None:
        assert not was_sent(Settings(api_url="https://does-not-exist.invalid/api"))

    def test_a_refused_connection(self) -> None:
        assert not was_sent(Settings(api_url=f"http://127.0.0.1:{free_port()}/api"))

    def test_a_connection_that_takes_too_long(self) -> None:
        with full_listener() as (host, port):
            assert not was_sent(Settings(api_url=f"http://{host}:{port}/api", connect_timeout=0.2))

    def test_a_cut_handshake(self) -> None:
        with answering_with(lambda client: client.recv(10)) as address:
            assert not was_sent(Settings(api_url=f"https://{address}/api"))

    def test_a_handshake_that_takes_too_long(self) -> None:
        with answering_with(lambda client: client.recv(65536) and client.recv(65536)) as address:
            assert not was_sent(Settings(api_url=f"https://{address}/api", total_timeout=0.2))

    def test_a_certificate_that_is_not_trusted(self, secure: StandIn) -> None:
        assert not was_sent(settings_for(secure))

    def test_a_proxy_that_refuses(self) -> None:
        refusal = b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
        with answering_with(lambda client: client.recv(65536) and client.send(refusal)) as address:
            assert not was_sent(Settings(proxy=f"http://{address}"))

    def test_a_proxy_that_does_not_answer(self) -> None:
        with answering_with(lambda client: client.recv(65536) and client.recv(65536)) as address:
            assert not was_sent(Settings(proxy=f"http://{address}", total_timeout=0.2))

    def test_a_proxy_that_leads_to_a_server_which_cuts(self, authority: trustme.CA, ca_bundle: str) -> None:
        with (
            StandIn(tls=server_context(authority, "127.0.0.1")) as cutting,
            tunnel() as (proxy, _seen),
        ):
            cutting.fail("payment-session", "cut-before")
            assert was_sent(replace(settings_for(cutting), ca_bundle=ca_bundle, proxy=proxy))

    def test_a_kept_connection_that_cannot_be_written_to(self) -> None:
        class Broken(socket.socket):
            def send(self, *_args: object) -> int:
                raise BrokenPipeError

        call = CallInProgress(1.0)
        token = current_call.set(call)
        connection = connections._TimedConnection("127.0.0.1", timeout=1.0)
        with Broken() as connection.sock, pytest.raises(BrokenPipeError):
            connection.send(b"GET / HTTP/1.1")
        current_call.reset(token)
        assert not call.was_sent

    def test_a_full_cap(self, stand_in: StandIn) -> None:
        settings = replace(settings_for(stand_in), max_calls_in_flight=1)
        with get_remote("snipcart", settings).slot(), ThreadPoolExecutor(1) as threads:
            assert not threads.submit(was_sent, settings).result()
            refused = threads.submit(read, settings, TOKEN).exception()
        assert isinstance(refused, SnipcartUnavailable)
        assert refused.retry_after == 1
        assert stand_in.connections == 0

    def test_an_open_circuit(self, stand_in: StandIn) -> None:
        settings = replace(settings_for(stand_in), max_calls_in_flight=29)
        origin = stand_in.api_url.split("/")[2]
        breaker = get_remote("snipcart", settings).breaker
        fail(breaker, origin, times=5)
        breaker.allow(origin)
        assert not was_sent(settings)
        assert stand_in.connections == 0

    def test_a_circuit_that_answers_which_broke_off_have_opened(self, stand_in: StandIn) -> None:
        settings = replace(settings_for(stand_in), max_calls_in_flight=27)
        token = stand_in.session().public_token
        stand_in.fail("payment-session", "cut-body", times=5)
        for _ in range(5):
            assert was_sent(settings, token)
        get_remote("snipcart", settings).breaker.allow(stand_in.api_url.split("/")[2])
        assert not was_sent(settings, token)

    def test_an_unusable_setting(self) -> None:
        assert not was_sent(Settings(ca_bundle="/no/such/file.pem"))
        assert not was_sent(Settings(api_url="http://payment.snipcart.example"))

    def test_a_reset_after_the_first_byte(self) -> None:
        with answering_with(lambda client: client.recv(1)) as address:
            assert was_sent(Settings(api_url=f"http://{address}/api"))

    def test_a_reset_after_the_first_byte_over_tls(self, secure: StandIn, ca_bundle: str) -> None:
        secure.fail("payment-session", "cut-before")
        assert was_sent(replace(settings_for(secure), ca_bundle=ca_bundle))

    @pytest.mark.parametrize("fault", ["cut-before", "cut-body", "hang", "drip-headers", "drip-body"])
    def test_a_server_that_got_it_and_does_not_answer(self, stand_in: StandIn, fault: str) -> None:
        stand_in.fail("payment-session", fault)
        hasty = replace(settings_for(stand_in), read_timeout=0.2, total_timeout=0.3)
        assert was_sent(hasty, stand_in.session().public_token)

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
    def test_an_answer(self, stand_in: StandIn, status: int) -> None:
        stand_in.fail("payment-session", status)
        assert was_sent(settings_for(stand_in))


class TestWhatFailed:
    def test_a_refused_connection(self) -> None:
        assert failure_at(f"127.0.0.1:{free_port()}") == "the connection was refused"

    def test_a_connection_that_failed_leaves_no_socket_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with sockets_seen(monkeypatch) as seen:
            failure_at(f"127.0.0.1:{free_port()}")
            assert [each.fileno() for each in seen] == [-1]

    def test_a_cut_connection(self) -> None:
        with answering_with(lambda client: client.recv(1)) as address:
            assert failure_at(address) == "the connection was cut"

    def test_something_that_is_no_answer_is_named_by_its_exception(self) -> None:
        with answering_with(lambda client: client.recv(65536) and client.send(b"SSH-2.0\r\n")) as address:
            assert failure_at(address) == "the connection failed (BadStatusLine)"

    def test_a_call_that_is_interrupted_counts_as_one_that_was_not_answered(
        self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = replace(settings_for(stand_in), max_calls_in_flight=31)

        def interrupt(*_args: object, **_options: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as interrupted:
            interrupted.setattr(socket, "getaddrinfo", interrupt)
            for _ in range(5):
                with pytest.raises(KeyboardInterrupt):
                    read(settings, TOKEN)
        get_remote("snipcart", settings).breaker.allow(stand_in.api_url.split("/")[2])
        with pytest.raises(SnipcartUnavailable, match="cannot be reached"):
            read(settings, TOKEN)

    def test_nothing_of_a_call_is_left_when_it_is_over(self, stand_in: StandIn) -> None:
        def has_nothing_left() -> bool:
            read(settings_for(stand_in), stand_in.session().public_token)
            return current_call.get(None) is None

        assert in_another_thread(has_nothing_left)


def failure_at(address: str) -> str:
    with pytest.raises(SnipcartUnavailable) as caught:
        read(Settings(api_url=f"http://{address}/api"), TOKEN)
    assert caught.value.retry_after == 5
    before, _, failure = str(caught.value).partition(f"no answer from {address}: ")
    assert before.endswith("Snipcart: ")
    return failure


class TestManyCallers:
    def test_a_hanging_snipcart_holds_no_more_threads_than_the_cap(self, stand_in: StandIn) -> None:
        stand_in.fail("payment-session", "hang", times=None)
        token = stand_in.session().public_token
        settings = replace(settings_for(stand_in), max_calls_in_flight=2, read_timeout=1.0)
        with ThreadPoolExecutor(12) as threads:
            durations = sorted(threads.map(lambda _: seconds_until_refused(settings, token), range(12)))
        assert len(stand_in.calls) == 2
        assert durations[7] < 0.2  # eight of twelve are sent away at once
        assert durations[9] < 0.5  # two have waited

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
    def test_a_forked_process_has_connections_and_slots_of_its_own(self, stand_in: StandIn) -> None:
        stand_in.fail("validate", "hang")
        sessions = [stand_in.session() for _ in range(2)]
        script = textwrap.dedent(
            """
            import os, sys, threading, time, warnings
            from django.conf import settings; settings.configure()
            from snipcart_checkout.snipcart.client import SnipcartClient
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

    def test_warming_calls_nobody_and_saves_the_first_call_the_certificates(
        self, stand_in: StandIn, checkout_settings: CheckoutSettings
    ) -> None:
        checkout_settings(API_URL=stand_in.api_url, MAX_CALLS_IN_FLIGHT=17)
        connections.tls_context.cache_clear()
        warm()
        before = connections.tls_context.cache_info().misses
        assert before == 1
        read(replace(settings_for(stand_in), max_calls_in_flight=17), stand_in.session().public_token)
        assert connections.tls_context.cache_info().misses == before
        assert stand_in.connections == 1

    def test_warming_leaves_a_bad_setting_to_the_check(self, checkout_settings: CheckoutSettings) -> None:
        checkout_settings(CA_BUNDLE="/no/such/file.pem")
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
            (f"/old-store/refunds/{'0a' * 32}/", "/old-store/refunds/[hidden]/"),
            ("/shop/?q=100%25", "/shop/?q=100%25"),
            ("/dashboard/orders/refunds/1234/", "/dashboard/orders/refunds/1234/"),
            ("/refunds/policy", "/refunds/policy"),
        ],
    )
    @pytest.mark.parametrize("logger", ["django.server", "django.request", "urllib3.connectionpool"])
    def test_lines_of_others_are_scrubbed(self, logger: str, path: str, shown: str) -> None:
        install_log_scrubber()
        with written_by(logger) as lines:
            logging.getLogger(logger).warning('"%s %s %s" %s %s', "GET", path, "HTTP/1.1", 200, 512)
        assert lines == [f'"GET {shown} HTTP/1.1" 200 512']

    def test_formatters_that_read_the_arguments_one_by_one_find_them_all(self) -> None:
        install_log_scrubber()
        logger = logging.getLogger("django.server")
        with written_by("django.server") as lines:
            record = logger.makeRecord(
                logger.name,
                logging.INFO,
                "",
                0,
                '%s - "%s %s HTTP/%s" %d',
                ("127.0.0.1", "GET", f"/checkout/live/?publicToken={TOKEN}", "1.1", 200),
                None,
            )
            logger.handle(record)
        assert record.args == ("127.0.0.1", "GET", "/checkout/live/?publicToken=[hidden]", "1.1", 200)
        assert TOKEN not in str(vars(record))
        assert lines == ['127.0.0.1 - "GET /checkout/live/?publicToken=[hidden] HTTP/1.1" 200']

    def test_what_was_answered_is_not_shown_with_the_body(self) -> None:
        request = requests.Request("GET", "https://payment.snipcart.example/").prepare()
        with responses.RequestsMock() as wire:
            wire.get(str(request.url), "private")
            answer = exchange(request, Settings())
            reply = send(request, get_remote("snipcart", Settings()), Settings())
        assert answer.content() == reply.body == b"private"
        assert "private" not in f"{answer!r} {reply!r}"

    def test_a_token_that_is_an_argument_of_its_own_is_hidden(self) -> None:
        install_log_scrubber()
        with written_by("django.server") as lines:
            logging.getLogger("django.server").warning("GET /?publicToken=%s", TOKEN)
        assert lines == ["GET /?publicToken=[hidden]"]

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


@pytest.mark.parametrize("age, waits", [(0.5, True), (1.1, False)])
def test_nobody_waits_while_the_oldest_call_is_older_than_a_second(age: float, waits: bool) -> None:
    limiter = ConcurrencyLimiter(1)
    slot = limiter.acquire()
    assert slot is not None
    slot.taken_at -= age
    began = time.monotonic()

    assert limiter.acquire() is None

    assert (time.monotonic() - began >= 0.2) is waits
