"""What is measured, and against which goals."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.ledger import compare_ledgers, deliver_pending
from bench.load import Report, Shopper, fetch, pay, visit, visit_while_others_wait
from bench.results import Row
from bench.servers import Site, StandIn, site

IS_FULL = "--full" in sys.argv
OURS, NAIVE, FLOOR = VIEWS = "checkout", "naive", "floor"

Measurement = Callable[[Path, StandIn], Iterator[Row]]

# The machine has other work too, and that only ever makes a figure worse: the best round is the nearest to the truth.
ROUNDS = 3


def path(view: str, lines: int = 5) -> str:
    return f"/{view}/?publicToken=lines-{lines}"


def warmed(running: Site) -> Site:
    for view in VIEWS:
        visit(running.port, path(view), pages=100, at_once=8).expect(200)
    return running


def by_turns(measure: Callable[[str], float]) -> dict[str, list[float]]:
    """Measure the views by turns, so that a slow moment of the machine meets all."""
    figures: dict[str, list[float]] = {view: [] for view in VIEWS}
    for view in VIEWS * ROUNDS:
        figures[view].append(measure(view))
    return figures


def cpu_per_page(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """Milliseconds of a worker's CPU."""
    snipcart.control(delay=0)
    with site(scratch, snipcart) as running:
        warmed(running)
        for lines, pages, share in ((5, 200, 0.45), (50, 60, 0.35), (500, 12, 0.25)):

            def spent(view: str, lines: int = lines, pages: int = pages) -> float:
                before = running.cpu()
                visit(running.port, path(view, lines), pages=pages, at_once=4).expect(200)
                return 1000 * (running.cpu() - before) / pages

            figures = by_turns(spent)
            yield Row(
                what=f"server CPU per page, {lines} lines",
                unit="ms",
                goal=share,
                is_share=True,
                ours=min(figures[OURS]),
                naive=min(figures[NAIVE]),
                floor=min(figures[FLOOR]),
            )


def throughput(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """Pages per second with all threads busy."""
    with site(scratch, snipcart, workers=2) as running:
        warmed(running)
        for delay in (0.08, 0):
            snipcart.control(delay=delay)
            rates = by_turns(
                lambda view: visit(running.port, path(view), pages=800, at_once=64).expect(200).per_second
            )
            yield Row(
                what=f"pages/s, Snipcart at {1000 * delay:.0f} ms, 2 workers x 32 threads",
                unit="/s",
                goal=1.7,
                is_share=True,
                ours=max(rates[OURS]),
                naive=max(rates[NAIVE]),
                floor=max(rates[FLOOR]),
                at_least=True,
            )


def calls_and_connections(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    snipcart.control(delay=0.08)
    pages = 1500
    with site(scratch, snipcart, workers=2) as running:
        made = {}
        for view in (OURS, NAIVE):
            before = snipcart.control()
            visit(running.port, path(view), pages=pages, at_once=64).expect(200)
            after = snipcart.control()
            made[view] = {what: after[what] - before[what] for what in after}
        before = snipcart.control()
        pay(running.port, path(OURS, lines=4))  # an order that no other measurement opens
        # The page that the shopper pays on is a view like any other.
        paid = snipcart.control()["calls"] - before["calls"] - 1
    calls = {view: made[view]["calls"] / pages for view in made}
    yield Row(what="calls to Snipcart per page", unit="", goal=1, ours=calls[OURS], naive=calls[NAIVE])
    yield Row(what="calls to Snipcart per payment", unit="", goal=3, ours=paid)
    ours, naive = (made[view]["connections"] for view in (OURS, NAIVE))
    yield Row(
        what=f"new connections over {pages} pages (64 threads)", unit="", goal=64, ours=ours, naive=naive
    )


def added_latency(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    delay = 0.02
    snipcart.control(delay=delay)
    with site(scratch, snipcart) as running:
        warmed(running)
        added = by_turns(
            lambda view: (
                1000 * (visit(running.port, path(view), pages=50).expect(200).percentile(0.5) - delay)
            )
        )
    yield Row(
        what="added to Snipcart's own answer, one shopper",
        unit="ms",
        goal=0.45,
        is_share=True,
        ours=min(added[OURS]),
        naive=min(added[NAIVE]),
        floor=min(added[FLOOR]),
    )


def while_a_remote_hangs(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """The site's other pages while 100 shoppers are at the door of a remote that does not answer."""
    for remote in ("Snipcart", "a provider"):
        for cap, threads in ((4, 8), (8, 32)):
            with site(
                scratch, snipcart, calls_in_flight=cap, threads=threads, provider=remote != "Snipcart"
            ) as running:
                slow = others_while_hanging(running, snipcart, OURS, remote)
            naive = None
            if remote == "Snipcart":
                with site(scratch, snipcart, threads=threads) as running:
                    naive = others_while_hanging(running, snipcart, NAIVE, remote)
            what = f"other pages while {remote} hangs, cap {cap} of {threads} threads"
            for share, name, goal in ((0.95, "p95", 50), (1, "worst", 300)):
                yield Row(
                    what=f"{what}, {name}",
                    unit="ms",
                    goal=goal,
                    ours=1000 * slow.percentile(share),
                    naive=1000 * naive.percentile(share) if naive else None,
                )


def others_while_hanging(running: Site, snipcart: StandIn, view: str, remote: str) -> Report:
    snipcart.control(delay=0, provider=0)
    visit(running.port, path(view), pages=50, at_once=2).expect(200)
    snipcart.control(**({"delay": "hang"} if remote == "Snipcart" else {"provider": "hang"}))

    async def wait(shopper: Shopper, number: int) -> object:
        if remote == "Snipcart":
            return await shopper.get(path(view))
        return await shopper.pay(f"/{view}/live/methods/acme_remote/?publicToken=lines-5.{number + 1}")

    try:
        return visit_while_others_wait(running.port, "/other/", wait, shoppers=100, seconds=10)
    finally:
        snipcart.control(delay=0, provider=0)


def first_page(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """How much more of a worker's CPU than usual the very first page after a start takes."""
    snipcart.control(delay=0)

    def extra(view: str) -> float:
        with site(scratch, snipcart) as running:
            started = running.cpu()
            visit(running.port, path(view), pages=1).expect(200)
            first = running.cpu() - started
            visit(running.port, path(view), pages=50).expect(200)
            usual = (running.cpu() - started - first) / 50
        return 1000 * (first - usual)

    extras = by_turns(extra)
    yield Row(
        what="CPU of the first page after a start, over a usual one",
        unit="ms",
        goal=10,
        ours=min(extras[OURS]),
        naive=min(extras[NAIVE]),
        floor=min(extras[FLOOR]),
    )


def memory(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    snipcart.control(delay=0)
    with site(scratch, snipcart, empty=True) as running:
        visit(running.port, "/other/", pages=500, at_once=32).expect(200)
        empty = running.memory()
    used, grown = {}, {}
    pages = 20_000 if IS_FULL else 5000
    for view in (NAIVE, OURS):
        with site(scratch, snipcart) as running:
            visit(running.port, path(view), pages=1000, at_once=32).expect(200)
            used[view] = running.memory()
            # Each of the threads has an allocator of its own, which keeps what one page in hundreds needs at most:
            # only when all of them have met that page does a worker's size say what stays behind.
            visit(running.port, path(view), pages=8000, at_once=32).expect(200)
            settled = running.memory()
            visit(running.port, path(view), pages=pages, at_once=32).expect(200)
            grown[view] = running.memory() - settled
    what = "memory a worker adds to an empty project"
    yield Row(what=what, unit="MB", goal=20, ours=used[OURS] - empty, naive=used[NAIVE] - empty)
    yield Row(
        what="growth over 5000 more pages (20 000 with --full)",
        unit="MB",
        goal=0.5,
        ours=grown[OURS],
        naive=grown[NAIVE],
    )


def weight(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """What a browser has to load before it can show the page, read out of its HTML."""
    with site(scratch, snipcart) as running:
        html = {view: fetch(running.port, path(view)) for view in (OURS, NAIVE)}
    page = html[OURS].decode()
    awaited = re.findall(r'<link rel="stylesheet"|<img |<script(?![^>]* defer)[^>]*>', page)
    yield Row(what="requests before the page is whole", unit="", goal=1, ours=1 + len(awaited), naive=1)
    yield Row(
        what="the page compressed, everything in it, 5 lines",
        unit="bytes",
        goal=7000,
        ours=len(gzip.compress(html[OURS])),
        naive=len(gzip.compress(html[NAIVE])),
    )


def after_an_outage(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """One run of snipcart_settle over the confirmations that an outage of Snipcart has left."""
    yield from deliver_pending(scratch, snipcart, 100_000 if IS_FULL else 2000)


def ledger(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """What a ledger costs once a million payments are in it, on PostgreSQL and MariaDB where they are to be had."""
    yield from compare_ledgers(scratch, snipcart, 1_000_000 if IS_FULL else 100_000)


MEASUREMENTS: tuple[Measurement, ...] = (
    cpu_per_page,
    throughput,
    added_latency,
    calls_and_connections,
    while_a_remote_hangs,
    first_page,
    memory,
    weight,
    after_an_outage,
    ledger,
)
