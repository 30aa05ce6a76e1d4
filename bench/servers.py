"""Starts and stops the stand-in and the measured site, and reads what a worker used from /proc."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import trustme

GUNICORN = (sys.executable, "-m", "gunicorn", "--config", "python:bench.gunicorn_conf")


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """The running stand-in for Snipcart."""

    url: str
    ca_bundle: Path

    def control(self, **parameters: str | float) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/control", params=parameters, verify=str(self.ca_bundle), timeout=5)
        found: dict[str, Any] = answer.json()
        return found


@dataclass(frozen=True, kw_only=True)
class Site:
    """The measured site, started anew with its workers ready to answer."""

    port: int
    workers: tuple[int, ...]

    def cpu(self) -> float:
        """Seconds of CPU that the workers have used."""
        return sum(self._cpu(worker) for worker in self.workers)

    @staticmethod
    def _cpu(worker: int) -> float:
        # Counted in nanoseconds for each thread; /proc/<pid>/stat counts in hundredths of a second.
        threads = Path(f"/proc/{worker}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def memory(self) -> float:
        """Resident megabytes of all workers."""
        pages = [int(Path(f"/proc/{worker}/statm").read_text().split()[1]) for worker in self.workers]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def stand_in(scratch: Path) -> Iterator[StandIn]:
    authority = trustme.CA()
    certificate, ca_bundle = scratch / CERTIFICATE, scratch / "ca.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.cert_pem.write_to_path(str(ca_bundle))
    command = [sys.executable, "-m", "bench.snipcart", str(certificate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            yield StandIn(url=f"https://127.0.0.1:{port}", ca_bundle=ca_bundle)
        finally:
            process.terminate()


CERTIFICATE = "snipcart.pem"
"""In the scratch directory: key and certificate of the stand-in, and of a site that speaks TLS."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How the measured site is run. ``engine`` and ``database`` name a server's database; without them it is SQLite."""

    workers: int = 1
    threads: int = 32
    calls_in_flight: int = 32
    empty: bool = False
    provider: bool = False
    staff: bool = False
    tls: bool = False
    engine: str = "sqlite"
    database: str = ""


@contextmanager
def site(scratch: Path, snipcart: StandIn, **options: Any) -> Iterator[Site]:
    """Start gunicorn as ``Setup`` says; yields when every worker has loaded the application."""
    setup = Setup(**options)
    ready = Path(tempfile.mkdtemp(dir=scratch))
    environment = {**get_environment(scratch, snipcart, setup), "BENCH_READY": str(ready)}
    tls = (
        ["--certfile", str(scratch / CERTIFICATE), "--keyfile", str(scratch / CERTIFICATE)]
        if setup.tls
        else []
    )
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        handle = listener.fileno()
        command = [
            *(*GUNICORN, *tls, "--bind", f"fd://{handle}"),
            *("--workers", str(setup.workers), "--threads", str(setup.threads), "bench.site:application"),
        ]
        with subprocess.Popen(command, env=environment, pass_fds=[handle]) as process:
            try:
                yield Site(port=listener.getsockname()[1], workers=_ready(ready, setup.workers, process))
            finally:
                process.terminate()


def _ready(directory: Path, expected: int, process: subprocess.Popen[bytes]) -> tuple[int, ...]:
    while process.poll() is None:
        found = tuple(int(path.name) for path in directory.iterdir())
        if len(found) == expected:
            return found
        time.sleep(0.02)
    raise RuntimeError("gunicorn did not start")


def manage(scratch: Path, snipcart: StandIn, *command: str, **options: Any) -> str:
    """Run a command of the measured site; returns what it prints."""
    environment = get_environment(scratch, snipcart, Setup(**options))
    full = [sys.executable, "-m", "django", *command]
    done = subprocess.run(full, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


def get_environment(scratch: Path, snipcart: StandIn, setup: Setup) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bench.settings",
        "BENCH_SNIPCART": f"{snipcart.url}/api",
        "BENCH_CA_BUNDLE": str(snipcart.ca_bundle),
        "BENCH_CALLS_IN_FLIGHT": str(setup.calls_in_flight),
        "BENCH_ENGINE": setup.engine,
        "BENCH_DATABASE": setup.database or str(scratch / "db.sqlite3"),
        "BENCH_EMPTY": "1" if setup.empty else "",
        "BENCH_PROVIDER": "1" if setup.provider else "",
        "BENCH_STAFF": "1" if setup.staff else "",
    }
