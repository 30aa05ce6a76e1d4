"""What Sentry and OpenTelemetry are sent holds no public token and no refund capability."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.utils.functional import SimpleLazyObject

from snipcart_checkout.contrib.scrub import HideSecrets, before_send
from snipcart_checkout.contrib.scrub.scrubbing import scrub
from tests.support.monitored_site import CAPABILITY

ROOT = Path(__file__).parent.parent
TOKEN = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXRva2Vu.s-_~+/=x"
OPAQUE = "not-a-jwt+but/secret=~all.the_same"


@cache
def watched(*arguments: str) -> dict[str, Any]:
    """Run the monitored site in a process of its own and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OTEL_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.monitored_site", *arguments],
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


class TestASiteThatIsWatched:
    @pytest.mark.parametrize("kind", ["sentry", "opentelemetry"])
    def test_without_the_hooks_its_secrets_would_leave(self, kind: str) -> None:
        site = watched(kind, "plain")
        sent = "\n".join(site["sent"])
        assert site["token"] in sent
        assert site["token"][::-1] in sent
        assert CAPABILITY in sent

    @pytest.mark.parametrize("kind, least", [("sentry", 10), ("opentelemetry", 8)])
    def test_with_the_hooks_everything_is_sent_but_them(self, kind: str, least: int) -> None:
        site = watched(kind)
        sent = "\n".join(site["sent"])
        assert site["statuses"] == [200, 409, 200, 404, 500]
        assert len(site["sent"]) >= least
        assert "publicToken=[hidden]" in sent
        assert "/refunds/[hidden]/" in sent
        assert "payment-session" in sent
        for secret in (site["token"], site["token"][::-1], CAPABILITY, site["token"].split(".")[1]):
            assert secret not in sent

    def test_sentry_still_learns_what_went_wrong(self) -> None:
        sent = "\n".join(watched("sentry")["sent"])
        assert "RuntimeError" in sent
        assert "/checkout/{store}/refunds/{capability}/" in sent
        assert "METHOD_FILTER failed" in sent


@pytest.mark.parametrize("token", [TOKEN, OPAQUE])
@pytest.mark.parametrize(
    "value, clean",
    [
        ("GET /checkout/?publicToken={} HTTP/1.1", "GET /checkout/?publicToken=[hidden] HTTP/1.1"),
        ("?a=1&PublicToken={}&b=2", "?a=1&PublicToken=[hidden]&b=2"),
        (
            "/login?next=%2Fcheckout%2F%3FpublicToken%3D{}",
            "/login?next=%2Fcheckout%2F%3FpublicToken%3D[hidden]",
        ),
        ('{{"publicToken": "{}", "mode": "live"}}', '{"publicToken": "[hidden]", "mode": "live"}'),
        ("<QueryDict: {{'publicToken': ['{}']}}>", "<QueryDict: {'publicToken': ['[hidden]']}>"),
        ("Order(public_token='{}', form={{}})", "Order(public_token='[hidden]', form={})"),
    ],
)
def test_a_token_inside_a_text_is_hidden(token: str, value: str, clean: str) -> None:
    assert scrub(value.format(token)) == clean


@pytest.mark.parametrize(
    "key",
    [
        "publicToken",
        "PublicToken",
        "public_token",
        "X-Snipcart-RequestToken",
        "HTTP_X_SNIPCART_REQUESTTOKEN",
        "http.request.header.x_snipcart_requesttoken",
        "capability",
        "API_KEYS",
        "STORE_SECRET_KEY",
        "api_key",
        "SECRET_KEY",
        "WEBHOOK_SECRET",
        "WEBHOOK_SECRETS",
        "client_secret",
        "HMAC_KEY",
        "PASSWORD",
        "access_token",
        "http.request.header.authorization",
    ],
)
def test_a_value_is_hidden_by_its_name_and_wherever_else_it_stands(key: str) -> None:
    event = {"vars": {key: f"'{OPAQUE}'", "copy": [f"'{OPAQUE}'"]}, "message": f"no answer for {OPAQUE}"}
    assert scrub(event) == {
        "vars": {key: "[hidden]", "copy": ["'[hidden]'"]},
        "message": "no answer for [hidden]",
    }


def test_a_token_is_found_in_a_url_as_it_is_escaped_there() -> None:
    clean = scrub({"public_token": "a+b/c=d+e/f=g+h/i=", "url": "/x?t=a%2Bb%2Fc%3Dd%2Be%2Ff%3Dg%2Bh%2Fi%3D"})
    assert clean["url"] == "/x?t=[hidden]"


@pytest.mark.parametrize(
    "url, clean",
    [
        (f"https://pay.shop.example/live/refunds/{CAPABILITY}/?x=1", "https://pay.shop.example/live/refunds/[hidden]/?x=1"),
        ("/api/requestvalidation/t0k3n", "/api/requestvalidation/[hidden]"),
        ("/checkout/{store}/refunds/{capability}/", "/checkout/{store}/refunds/{capability}/"),
    ],
)  # fmt: skip
def test_a_secret_part_of_a_path_is_hidden_and_a_route_stays(url: str, clean: str) -> None:
    assert scrub(url) == clean


def test_an_object_is_shown_without_the_secret_that_its_representation_holds() -> None:
    class Request:
        def __repr__(self) -> str:
            return f"<Request '/checkout/?publicToken={TOKEN}'>"

    assert scrub([Request()]) == ["<Request '/checkout/?publicToken=[hidden]'>"]


@pytest.mark.parametrize(
    "value, clean",
    [
        (f"x {TOKEN}", "x [hidden]"),
        (TOKEN.encode(), b"[hidden]"),
        (["a", TOKEN], ["a", "[hidden]"]),
        ({"a": TOKEN}, {"a": "[hidden]"}),
    ],
)
def test_a_lazy_object_is_read_as_what_it_stands_for(value: object, clean: object) -> None:
    assert scrub([SimpleLazyObject(lambda: value)]) == [clean]


def test_what_holds_no_secret_is_left_alone() -> None:
    event = {"a": [1, 2.5, None, True, "text", b"bytes", ("x",)], "capability": "", "public_token": None}
    assert scrub(event) == event


def test_the_original_is_not_changed() -> None:
    event = {"request": {"query_string": f"publicToken={TOKEN}"}}
    scrub(event)
    assert TOKEN in event["request"]["query_string"]


def test_an_event_that_another_hook_dropped_stays_dropped() -> None:
    assert before_send(None, {}) is None


class TestLogLines:
    def record(self, message: str, *args: object) -> logging.LogRecord:
        record = logging.LogRecord("server.access", logging.INFO, __file__, 1, message, args, None)
        assert HideSecrets().filter(record)
        return record

    def test_arguments_stay_apart_for_formatters_that_read_them_one_by_one(self) -> None:
        record = self.record('%s - "%s %s"', "127.0.0.1", "GET", f"/pay/?publicToken={TOKEN}")
        assert record.args == ("127.0.0.1", "GET", "/pay/?publicToken=[hidden]")

    def test_a_token_that_only_the_whole_message_shows_is_hidden(self) -> None:
        assert (
            self.record("GET /pay/?publicToken=%s", "opaque").getMessage() == "GET /pay/?publicToken=[hidden]"
        )

    def test_a_mapping_of_arguments_is_read_too(self) -> None:
        record = self.record("%(path)s", {"path": f"/live/refunds/{CAPABILITY}/"})
        assert record.getMessage() == "/live/refunds/[hidden]/"

    def test_a_record_that_cannot_be_formatted_is_left_to_its_handlers(self) -> None:
        assert self.record("%d", "no number").args == ("no number",)


class TestTheRecipesOfTheDocumentation:
    def python(self, name: str) -> str:
        text = (ROOT / "docs/operations.md").read_text()
        (found,) = re.findall(rf"^```python\n(# {name}\n.*?)^```", text, re.DOTALL | re.MULTILINE)
        return str(found)

    @contextmanager
    def serving(self, directory: Path, *command: str, port: int) -> Iterator[None]:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": f"{directory}:{ROOT}",
        }
        with (directory / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=directory, env=environment, stdout=log, stderr=log
            )
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)

    @pytest.mark.parametrize("server", ["gunicorn", "uvicorn"])
    def test_access_logs_hold_neither_secret(self, tmp_path: Path, server: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        (tmp_path / "asgi.py").write_text(self.python("asgi.py"))
        (tmp_path / "gunicorn_conf.py").write_text(self.python("gunicorn_conf.py"))
        (tmp_path / "wsgi.py").write_text(
            "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
        )
        commands = {
            "gunicorn": (
                "gunicorn",
                "-c",
                "gunicorn_conf.py",
                "--access-logfile=-",
                f"--bind=127.0.0.1:{port}",
                "wsgi",
            ),
            "uvicorn": ("uvicorn", f"--port={port}", "asgi:application"),
        }
        with self.serving(tmp_path, *commands[server], port=port):
            for target in (f"/checkout/gone/?publicToken={TOKEN}", f"/checkout/live/refunds/{CAPABILITY}/"):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", target)
                assert connection.getresponse().status in {404, 405, 410}
                connection.close()
        log = (tmp_path / "server.log").read_text()
        assert "/checkout/gone/" in log
        assert "/checkout/live/refunds/[hidden]/" in log
        assert TOKEN not in log
        assert CAPABILITY not in log


def test_a_settings_module_may_import_the_hooks_before_django_is_set_up(tmp_path: Path) -> None:
    (tmp_path / "site_settings.py").write_text(
        "from snipcart_checkout.contrib.scrub import before_send\n"
        "from snipcart_checkout.contrib.scrub.opentelemetry import ScrubbingSpanProcessor\n"
        "SECRET_KEY = 'x'\nINSTALLED_APPS = ['snipcart_checkout']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
