"""What the ledger costs: beside an empty one once it holds a million payments, and after an outage of Snipcart."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.results import Row
from bench.servers import Setup, StandIn, get_environment, manage

ENGINES = {"postgresql": "psycopg", "mariadb": "MySQLdb"}
FEW = 1000
ROUNDS = 3
LIMIT = 50


def deliver_pending(scratch: Path, snipcart: StandIn, confirmations: int) -> Iterator[Row]:
    """Let one run deliver what an outage has left, newest and oldest by turns, with one alert."""
    for delay in (0, 0.08):
        database = str(scratch / f"outage-{delay}.sqlite3")
        manage(scratch, snipcart, "migrate", "--verbosity", "0", database=database)
        probe(scratch, snipcart, "seed_pending", str(confirmations), database=database)
        snipcart.control(delay=delay)
        found = probe(scratch, snipcart, "deliver", str(LIMIT), database=database)
        snipcart.control(delay=0)
        what = f"after an outage, Snipcart at {1000 * delay:.0f} ms"
        yield Row(
            what=f"{what}: confirmations delivered per second",
            unit="/s",
            goal=20,
            ours=found["delivered"] / found["seconds"],
            at_least=True,
        )
        yield Row(
            what=f"{what}: share of the newest among those",
            unit="",
            goal=0.4,
            ours=found["newest"],
            at_least=True,
        )
        yield Row(what=f"{what}: alerts", unit="", goal=1, ours=found["alerts"])


def compare_ledgers(scratch: Path, snipcart: StandIn, payments: int) -> Iterator[Row]:
    """Do the same with few and with many payments in the ledger, by turns."""
    for engine, driver in ENGINES.items():
        try:
            with (
                seeded(scratch, snipcart, engine, FEW) as few,
                seeded(scratch, snipcart, engine, payments) as many,
            ):
                times = [
                    (measure(scratch, snipcart, few), measure(scratch, snipcart, many)) for _ in range(ROUNDS)
                ]
                staff = probe(scratch, snipcart, "staff", provider=True, staff=True, **many)
        except RuntimeError as error:
            print(f"{engine} is not measured: {error} (needs a server and {driver})")
            continue
        for what in times[0][0]:
            short, long = (min(pair[index][what] for pair in times) for index in (0, 1))
            yield Row(
                what=f"{engine}: {what}, {payments} payments over {FEW}",
                unit=f"{short:.1f} ms",
                goal=1.2,
                ours=long / short,
            )
        yield from wait_of_staff(engine, payments, staff)


def wait_of_staff(engine: str, payments: int, times: dict[str, float]) -> Iterator[Row]:
    """The slowest page of each kind in the admin, and what the CSV of everything needs."""
    megabytes = times.pop("megabytes")
    for kind in dict.fromkeys(what.split()[0] for what in times):
        slowest = max((what for what in times if what.startswith(f"{kind} ")), key=times.__getitem__)
        yield Row(
            what=f"{engine}: admin, slowest {kind}, {payments} payments",
            unit="ms",
            goal=300,
            ours=times[slowest],
            note=slowest,
        )
    what = f"{engine}: memory for the CSV of {payments} payments"
    yield Row(what=what, unit="MB", goal=60, ours=megabytes)


def measure(scratch: Path, snipcart: StandIn, database: dict[str, str]) -> dict[str, float]:
    """Return milliseconds by what was done."""
    return probe(scratch, snipcart, "visit", provider=True, **database)


@contextmanager
def seeded(scratch: Path, snipcart: StandIn, engine: str, payments: int) -> Iterator[dict[str, str]]:
    """A database of its own with so many payments, dropped afterwards."""
    database = {"engine": engine, "database": f"snipcart_bench_{uuid.uuid4().hex[:8]}"}
    administer(engine, f"CREATE DATABASE {database['database']}")
    try:
        manage(scratch, snipcart, "migrate", "--verbosity", "0", provider=True, staff=True, **database)
        probe(scratch, snipcart, "seed_ledger", str(payments), provider=True, **database)
        yield database
    finally:
        administer(engine, f"DROP DATABASE {database['database']}")


def administer(engine: str, statement: str) -> None:
    """Run a statement on the server, outside of any database of ours."""
    host, port, user, password = (
        os.environ.get(f"{engine.upper().replace('POSTGRESQL', 'POSTGRES')}_{name}", default)
        for name, default in (
            ("HOST", "127.0.0.1"),
            ("PORT", "5432" if engine == "postgresql" else "3306"),
            ("USER", "postgres" if engine == "postgresql" else "root"),
            ("PASSWORD", ""),
        )
    )
    try:
        if engine == "postgresql":
            import psycopg

            with psycopg.connect(
                host=host, port=port, user=user, password=password, dbname="postgres", autocommit=True
            ) as postgresql:
                postgresql.execute(statement)
        else:
            import MySQLdb  # type: ignore[import-untyped]

            mariadb = MySQLdb.connect(host=host, port=int(port), user=user, password=password)
            mariadb.cursor().execute(
                f"{statement} CHARACTER SET utf8mb4" if "CREATE" in statement else statement
            )
            mariadb.close()
    except Exception as error:
        raise RuntimeError(type(error).__name__) from error


def probe(scratch: Path, snipcart: StandIn, *command: str, **options: Any) -> dict[str, float]:
    """Do one thing in a process of its own, with Django set up for a database."""
    environment = get_environment(scratch, snipcart, Setup(**options))
    done = subprocess.run(
        [sys.executable, "-m", "bench.probe", *command], env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
