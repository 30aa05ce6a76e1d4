"""Measures the page and a naive view in the same run and prints both beside the goals.

Absolute figures move with the machine, and the load shares the cores with what it measures: compare the two columns.
"""

from __future__ import annotations

import gzip
import re
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import snipcart_checkout
from bench.load import fetch, visit, visit_while_others_wait
from bench.servers import Site, StandIn, migrate, site, stand_in

OURS, NAIVE = "checkout", "naive"
STATIC = Path(snipcart_checkout.__file__).parent / "static"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured thing; figures are better when ``at_least`` is False and they are smaller."""

    what: str
    unit: str
    goal: float
    ours: float
    naive: float | None = None
    at_least: bool = False

    @property
    def verdict(self) -> str:
        over = self.ours / self.goal
        if over >= 1 if self.at_least else over <= 1:
            return "met"
        return f"missed by {abs(over - 1):.0%}"

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        naive = "" if self.naive is None else figure(self.naive)
        return f"{self.what:<52}{sign} {self.goal:<7g}{figure(self.ours):<9}{naive:<9}{self.unit:<7}{self.verdict}"


def figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


Measurement = Callable[[Path, StandIn], Iterator[Row]]


def path(view: str, lines: int = 5) -> str:
    return f"/{view}/?publicToken=lines-{lines}"


def warmed(running: Site) -> Site:
    for view in (OURS, NAIVE):
        visit(running.port, path(view), pages=100, at_once=8).expect(200)
    return running


def cpu_per_page(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """Milliseconds of a worker's CPU, the two views by turns so that a slow moment of the machine meets both."""
    snipcart.control(delay=0)
    with site(scratch, snipcart) as running:
        warmed(running)
        for lines, pages, goal in ((5, 200, 1.4), (50, 60, 2.5), (500, 12, 10)):
            spent = {OURS: 0.0, NAIVE: 0.0}
            for view in (OURS, NAIVE) * 3:
                before = running.cpu()
                visit(running.port, path(view, lines), pages=pages, at_once=4).expect(200)
                spent[view] += 1000 * (running.cpu() - before) / (3 * pages)
            ours, naive = spent[OURS], spent[NAIVE]
            yield Row(
                what=f"server CPU per page, {lines} lines", unit="ms", goal=goal, ours=ours, naive=naive
            )


def throughput(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """Pages per second with all threads busy; calls and connections to Snipcart are counted on the way."""
    with site(scratch, snipcart, workers=2) as running:
        warmed(running)
        for delay, goal in ((0.08, 600), (0, 600)):
            snipcart.control(delay=delay)
            rate = {
                view: visit(running.port, path(view), pages=pages, at_once=64).expect(200).per_second
                for view, pages in ((OURS, 2500), (NAIVE, 800))
            }
            what = f"pages/s, Snipcart at {1000 * delay:.0f} ms, 2 workers x 32 threads"
            yield Row(what=what, unit="/s", goal=goal, ours=rate[OURS], naive=rate[NAIVE], at_least=True)


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
    calls = {view: made[view]["calls"] / pages for view in made}
    yield Row(what="calls to Snipcart per page", unit="", goal=1, ours=calls[OURS], naive=calls[NAIVE])
    ours, naive = (made[view]["connections"] for view in (OURS, NAIVE))
    yield Row(
        what=f"new connections over {pages} pages (64 threads)", unit="", goal=64, ours=ours, naive=naive
    )


def added_latency(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    delay = 0.02
    snipcart.control(delay=delay)
    with site(scratch, snipcart) as running:
        warmed(running)
        added = {
            view: 1000 * (visit(running.port, path(view), pages=100).expect(200).percentile(0.5) - delay)
            for view in (OURS, NAIVE)
        }
    yield Row(
        what="added to Snipcart's own answer, one shopper",
        unit="ms",
        goal=2.5,
        ours=added[OURS],
        naive=added[NAIVE],
    )


def while_snipcart_hangs(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """The 95th percentile of the site's other pages while 20 shoppers a second come to a page that cannot be had."""
    slow = {}
    for view in (OURS, NAIVE):
        snipcart.control(delay=0)
        with site(scratch, snipcart, calls_in_flight=8) as running:
            warmed(running)
            snipcart.control(delay="hang")
            others = visit_while_others_wait(running.port, "/other/", path(view), per_second=20, seconds=6)
            slow[view] = 1000 * others.percentile(0.95)
    snipcart.control(delay=0)
    yield Row(
        what="other pages while Snipcart hangs, 95th percentile",
        unit="ms",
        goal=50,
        ours=slow[OURS],
        naive=slow[NAIVE],
    )


def first_page(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """How much longer than usual the very first page after a start takes, in the middle of three starts."""
    snipcart.control(delay=0)
    extra: dict[str, list[float]] = {OURS: [], NAIVE: []}
    for view in (OURS, NAIVE) * 3:
        with site(scratch, snipcart) as running:
            first = visit(running.port, path(view), pages=1).expect(200).percentile(0)
            usual = visit(running.port, path(view), pages=50).expect(200).percentile(0.5)
        extra[view].append(1000 * (first - usual))
    ours, naive = (statistics.median(extra[view]) for view in (OURS, NAIVE))
    yield Row(what="first page after a start, over the median", unit="ms", goal=10, ours=ours, naive=naive)


def memory(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    snipcart.control(delay=0)
    with site(scratch, snipcart, empty=True) as running:
        visit(running.port, "/other/", pages=500, at_once=32).expect(200)
        empty = running.memory()
    used = {}
    for view in (NAIVE, OURS):
        with site(scratch, snipcart) as running:
            visit(running.port, path(view), pages=1000, at_once=32).expect(200)
            used[view] = running.memory()
            if view == OURS:
                visit(running.port, path(view), pages=2000, at_once=32).expect(200)
                grown = running.memory() - used[view]
    what = "memory a worker adds to an empty project"
    yield Row(what=what, unit="MB", goal=15, ours=used[OURS] - empty, naive=used[NAIVE] - empty)
    yield Row(what="growth over 2000 more pages", unit="MB", goal=1, ours=grown)


def weight(scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    """What a browser has to load for the page, read out of its HTML."""
    with site(scratch, snipcart) as running:
        html = {view: fetch(running.port, path(view)) for view in (OURS, NAIVE)}
    assets = {
        view: re.findall(
            r'(?:<link[^>]+rel="stylesheet"[^>]+href|<(?:script|img)[^>]+src)="/static/([^"]+)"',
            html[view].decode(),
        )
        for view in html
    }
    styles = [(STATIC / asset).read_bytes() for asset in assets[OURS] if asset.endswith(".css")]
    bytes_ours = sum(len(gzip.compress(part)) for part in (html[OURS], *styles))
    yield Row(what="requests per page", unit="", goal=2, ours=1 + len(assets[OURS]), naive=1)
    yield Row(
        what="HTML and CSS compressed, 5 lines",
        unit="bytes",
        goal=6000,
        ours=bytes_ours,
        naive=len(gzip.compress(html[NAIVE])),
    )


MEASUREMENTS: tuple[Measurement, ...] = (
    cpu_per_page,
    throughput,
    added_latency,
    calls_and_connections,
    while_snipcart_hangs,
    first_page,
    memory,
    weight,
)


def main(names: list[str]) -> None:
    """Run every measurement, or those whose names are given."""
    chosen = [measurement for measurement in MEASUREMENTS if not names or measurement.__name__ in names]
    with tempfile.TemporaryDirectory() as directory, stand_in(Path(directory)) as snipcart:
        migrate(Path(directory), snipcart)
        print(f"{'':<52}{'goal':<10}{'ours':<9}{'naive':<9}")
        for measurement in chosen:
            for row in measurement(Path(directory), snipcart):
                print(row, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
