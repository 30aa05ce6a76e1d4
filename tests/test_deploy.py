"""The files in deploy are taken by the programs that they are for, and do what they promise.

A program that is not installed here skips its tests; continuous integration installs them all.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import trustme

from snipcart_checkout.conf import Settings
from tests.support import projects
from tests.support.processes import wait_until

ROOT: Final = Path(__file__).parent.parent
DEPLOY: Final = ROOT / "deploy"
HOST: Final = "pay.shop.example"
TOKEN: Final = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0LXRva2Vu.s-_~x"
CAPABILITY: Final = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PYTHON_PROGRAMS: Final = Path(sys.executable).parent


def program(name: str) -> str:
    """Return where a program is; skip the test where it is not installed."""
    found = shutil.which(name, path=f"{PYTHON_PROGRAMS}:{os.environ['PATH']}:/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


def migrate(**environment: str) -> subprocess.CompletedProcess[str]:
    """Make the tables of the example project."""
    arguments = ("migrate", "--verbosity", "0")
    return projects.manage(ROOT / "manage.py", *arguments, environment={**os.environ, **environment})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(address: int | Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until something listens at a port of this machine or at a socket's path."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    for _ in range(200):
        assert process.poll() is None, f"{process.args!r} ended"
        with socket.socket(family) as probe:
            if probe.connect_ex(str(address) if isinstance(address, Path) else ("127.0.0.1", address)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens at {address}")


@contextmanager
def running(
    *command: str, log: Path, listens_at: int | Path, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output
        )
    try:
        wait_for(listens_at, process)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@dataclass(frozen=True)
class Site:
    """nginx with our configuration, on ports of its own."""

    directory: Path
    http_port: int
    https_port: int

    @property
    def socket(self) -> Path:
        return self.directory / "gunicorn.sock"

    @property
    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.directory.glob("*.log")))

    def ask(self, method: str, target: str, *, tls: bool = True) -> http.client.HTTPResponse:
        if tls:
            context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
            raw = socket.create_connection(("127.0.0.1", self.https_port), timeout=30)
            connection: http.client.HTTPConnection = http.client.HTTPConnection(HOST)
            connection.sock = context.wrap_socket(raw, server_hostname=HOST)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)
        is_json = "application/json" if method == "POST" else "text/plain"
        connection.request(
            method, target, b"{}" if method == "POST" else None, {"Host": HOST, "Content-Type": is_json}
        )
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Our nginx configuration with the paths and ports of a test, and a certificate for it."""
    return make_site(tmp_path)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """nginx before gunicorn, for all tests that need both."""
    site = make_site(tmp_path_factory.mktemp("served"))
    with nginx(site), gunicorn(site):
        yield site


def make_site(tmp_path: Path) -> Site:
    ca = trustme.CA()
    certificate = ca.issue_cert(HOST)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "fullchain.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "privkey.pem")
    made = Site(tmp_path, free_port(), free_port())
    text = (DEPLOY / "nginx.conf").read_text()
    for ours, here in (
        ("/etc/letsencrypt/live/pay.shop.example/", f"{tmp_path}/"),
        ("/var/log/nginx/", f"{tmp_path}/"),
        ("/run/snipcart-shop/gunicorn.sock", str(made.socket)),
        ("/srv/shop/static/", f"{ROOT}/snipcart_checkout/static/"),
        ("listen 80;", f"listen 127.0.0.1:{made.http_port};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{made.https_port} ssl;"),
        ("listen [::]:80;", ""),
        ("listen [::]:443 ssl;", ""),
    ):
        assert ours in text
        text = text.replace(ours, here)
    (tmp_path / "site.conf").write_text(text)
    paths = "".join(
        f"{name}_temp_path {tmp_path}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # pytest's directories are closed to others
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; {user} pid {tmp_path}/nginx.pid; error_log {tmp_path}/main.log;\n"
        f"events {{}} http {{ {paths} include {tmp_path}/site.conf; }}\n"
    )
    return made


@contextmanager
def nginx(site: Site) -> Iterator[None]:
    command = (
        program("nginx"),
        "-e",
        str(site.directory / "main.log"),
        "-c",
        str(site.directory / "nginx.conf"),
    )
    with running(*command, log=site.directory / "stderr.log", listens_at=site.https_port):
        yield


@contextmanager
def gunicorn(site: Site) -> Iterator[None]:
    environment = {
        "BIND": f"unix:{site.socket}",
        "WORKERS": "1",
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "ENV_FILE": str(site.directory / "no.env"),
        "SECRET_KEY": "a-key-for-the-test-of-the-deployment-that-is-long-enough",
        "SANDBOX": "off",
        "DEBUG": "off",
        "BEHIND_PROXY": "on",
        "PUBLIC_URL": f"https://{HOST}",
        "ALLOWED_HOSTS": HOST,
        "SHOP_HOSTS": "shop.example",
        "IBAN": "FR3330002005500000157841Z25",
        "DATABASE_URL": f"sqlite:///{site.directory / 'shop.sqlite3'}",
    }
    migrated = migrate(**environment)
    assert migrated.returncode == 0, migrated.stderr
    command = (program("gunicorn"), "--config", "deploy/gunicorn.conf.py", "example_project.wsgi")
    with running(*command, log=site.directory / "gunicorn.log", listens_at=site.socket, **environment):
        yield


def mount() -> str:
    """Where the example project has our pages, without the slashes around it."""
    text = (ROOT / "example_project/urls.py").read_text()
    found = re.search(r'path\("(\w+)/", include\("snipcart_checkout.urls"\)\)', text)
    assert found
    return found[1]


class TestNginx:
    def test_it_takes_the_configuration(self, site: Site) -> None:
        done = run(
            program("nginx"), "-t", "-e", site.directory / "main.log", "-c", site.directory / "nginx.conf"
        )
        assert done.returncode == 0, done.stderr
        assert "warn" not in done.stderr

    CHECKOUT = f"/{mount()}/live/?publicToken={TOKEN}"
    REFUND = f"/{mount()}/live/refunds/{CAPABILITY}/"

    def test_no_log_holds_a_token_or_a_capability_with_the_application_down(self, site: Site) -> None:
        with nginx(site):
            assert site.ask("GET", self.CHECKOUT, tls=False).status == 308
            assert site.ask("GET", self.CHECKOUT).status == 502
            assert site.ask("POST", self.REFUND).status == 502
        self.assert_kept(site)
        assert f'"GET /{mount()}/live/ HTTP/1.1" 502' in site.logs

    def test_no_log_holds_a_token_or_a_capability_with_the_application_up(self, served: Site) -> None:
        assert served.ask("GET", self.CHECKOUT.replace(TOKEN, "")).status == 400
        assert served.ask("POST", self.REFUND).status == 404
        assert served.ask("POST", self.REFUND.replace("refunds", "refund%73")).status == 404
        # nginx writes once it has answered.
        written = f'"POST /{mount()}/live/refunds/[hidden]/ HTTP/1.1" 404'
        wait_until(lambda: served.logs.count(written) >= 2)
        self.assert_kept(served)

    def assert_kept(self, site: Site) -> None:
        assert "unhandled" not in site.logs
        assert TOKEN not in site.logs
        assert CAPABILITY not in site.logs

    def test_http_leads_to_https_with_the_whole_address(self, site: Site) -> None:
        with nginx(site):
            answer = site.ask("GET", "/pay/?publicToken=t", tls=False)
        assert answer.headers["Location"] == f"https://{HOST}/pay/?publicToken=t"

    def test_the_application_knows_that_the_shopper_speaks_https(self, served: Site) -> None:
        answer = served.ask("GET", "/admin/login/")
        assert "; Secure" in answer.headers["Set-Cookie"]

    def test_static_files_do_not_ask_the_application(self, site: Site) -> None:
        with nginx(site):
            assert site.ask("GET", "/static/snipcart_checkout/checkout.css").status == 200

    def test_a_shopper_who_hammers_is_slowed_down_and_snipcart_is_not(self, site: Site) -> None:
        with nginx(site):
            pages = {site.ask("GET", f"/{mount()}/live/").status for _ in range(60)}
            calls = {site.ask("POST", f"/{mount()}/live/payment-methods/").status for _ in range(60)}
        assert pages == {502, 429}
        assert calls == {502}


class TestGunicorn:
    def test_it_takes_the_configuration_in_which_a_hanging_snipcart_leaves_threads_for_other_pages(
        self,
    ) -> None:
        done = run(
            program("gunicorn"),
            "--print-config",
            "--config",
            "deploy/gunicorn.conf.py",
            "example_project.wsgi",
        )
        assert done.returncode == 0, done.stderr
        shown = dict(re.findall(r"^(\w+)\s+= (.+)$", done.stdout, re.MULTILINE))
        assert shown["worker_class"] == "gthread"
        assert int(shown["threads"]) >= Settings().max_calls_in_flight + 2 + 2
        assert int(shown["timeout"]) > 20
        assert shown["control_socket_disable"] == "True"  # it would be written to a home directory


class TestSystemd:
    @pytest.fixture
    def units(self, tmp_path: Path) -> list[Path]:
        """The units, with the programs that they start where they exist."""
        here = tmp_path / "shop"
        (here / ".venv/bin").mkdir(parents=True)
        for name in ("python", "gunicorn"):
            (here / ".venv/bin" / name).symlink_to(sys.executable)
        copies = []
        for unit in sorted((DEPLOY / "systemd").iterdir()):
            copy = tmp_path / unit.name
            copy.write_text(unit.read_text().replace("/srv/shop", str(here)))
            copies.append(copy)
        return copies

    def test_it_takes_every_unit(self, units: list[Path]) -> None:
        assert len(units) == 3
        done = run(program("systemd-analyze"), "verify", "--man=no", *units)
        assert done.returncode == 0, done.stderr
        assert not done.stderr

    def test_the_timer_runs_every_minute(self) -> None:
        (calendar,) = re.findall(
            r"^OnCalendar=(.+)$", (DEPLOY / "systemd/snipcart-settle.timer").read_text(), re.MULTILINE
        )
        done = run(program("systemd-analyze"), "calendar", calendar)
        assert "*-*-* *:*:00" in done.stdout


class TestCron:
    def line(self, project: Path) -> str:
        """The command as cron would give it to the shell."""
        *_, entry = (DEPLOY / "snipcart-settle.cron").read_text().splitlines()
        schedule, user, command = re.fullmatch(r"((?:\S+ ){5})(\S+) (.+)", entry).groups()  # type: ignore[union-attr]
        assert (schedule, user) == ("* * * * * ", "snipcart-shop")
        assert "%" not in command  # cron would read a line break
        return command.replace("/srv/shop", str(project)).replace(".venv/bin/python", sys.executable)

    def environment(self, database: Path) -> dict[str, str]:
        return {
            "DATABASE_URL": f"sqlite:///{database}",
            "DJANGO_SETTINGS_MODULE": "example_project.settings",
            "ENV_FILE": os.devnull,
        }

    def test_a_run_that_needs_nobody_prints_nothing(self, tmp_path: Path) -> None:
        database = self.environment(tmp_path / "shop.sqlite3")
        migrate(**database)
        done = run("/bin/sh", "-c", self.line(ROOT), **database)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_a_run_that_fails_prints_why(self, tmp_path: Path) -> None:
        done = run("/bin/sh", "-c", self.line(ROOT), **self.environment(tmp_path / "no" / "shop.sqlite3"))
        assert done.stdout.strip()
        assert not done.stderr


class TestLogging:
    SCRIPT = """
import json, logging, django
from django.conf import settings
from deploy.log_settings import EMAIL_TIMEOUT, LOGGING
settings.configure(SECRET_KEY="x", LOGGING=LOGGING, EMAIL_TIMEOUT=EMAIL_TIMEOUT, ADMINS=[ADMIN],
    EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend")
django.setup()
from django.core import mail
mail.outbox = []
logging.getLogger("snipcart_checkout").error("payment %s went to review", "8572-A9BB")
logging.getLogger("snipcart_checkout").warning("payment declined")
logging.getLogger("django.request").error("Internal Server Error: /pay/")
logging.getLogger("django.security.DisallowedHost").error("Invalid HTTP_HOST header")
print(json.dumps([message.subject for message in mail.outbox]))
"""

    def test_a_case_reaches_people_once_and_nothing_else_does(self) -> None:
        import django

        admin = '"ops@shop.example"' if django.VERSION >= (6, 0) else '("Ops", "ops@shop.example")'
        done = run(sys.executable, "-c", f"ADMIN = {admin}\n{self.SCRIPT}", DJANGO_SETTINGS_MODULE="")
        assert done.returncode == 0, done.stderr
        (subject,) = json.loads(done.stdout)
        assert "8572-A9BB went to review" in subject
        assert done.stderr.count("8572-A9BB") == 1
        assert "payment declined" in done.stderr
        assert "Invalid HTTP_HOST" not in done.stderr


class TestContainers:
    def test_hadolint_finds_nothing_in_the_dockerfile(self) -> None:
        done = run(program("hadolint"), "--no-color", DEPLOY / "Dockerfile")
        assert (done.returncode, done.stdout) == (0, "")

    def test_the_compose_file_follows_its_schema(self) -> None:
        done = run(
            program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"
        )
        assert done.returncode == 0, done.stdout

    def test_all_that_the_dockerfile_copies_is_sent_to_it(self) -> None:
        text = (DEPLOY / "Dockerfile").read_text()
        copied = set(re.findall(r"^COPY (?!--from|\.)(\S+) ", text, re.MULTILINE))
        sent = set(re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
        assert copied
        assert copied <= sent
        assert {"setup.cfg", "pyproject.toml", "snipcart_checkout", "README.md", "LICENSE"} <= sent
        assert all((ROOT / name).exists() for name in sent)
