"""The time until the total is seen in Chromium, through a line with a delay. Run with ``make bench-browser``.

The line is a proxy of ours: what is sent arrives half a round trip later, and the first byte of a connection a whole one
more, which is what TCP's handshake takes. TLS is spoken between browser and site, so that its handshake pays by itself.
Snipcart takes 80 ms. A browser comes without a cache and without a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.results import HEAD, Row, find_lost, remember
from bench.servers import StandIn, manage, site, stand_in

SNIPCART = 0.08
ROUND_TRIPS = (0.0, 0.05, 0.15)
ROUNDS = 5
VIEWS = ("checkout", "naive", "floor")
NAMES = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
PAINTED = """() => new Promise(resolve => {
  const found = () => performance.getEntriesByName("first-contentful-paint")[0];
  const look = () => found() ? resolve(found().startTime) : setTimeout(look, 5);
  look();
})"""


class Line:
    """A proxy to a port of this machine, with a round trip of so many seconds."""

    def __init__(self, port: int, round_trip: float) -> None:
        self.port, self.round_trip = port, round_trip

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # hung up
            await asyncio.sleep(self.round_trip)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.gather(self.carry(reader, far_writer), self.carry(far_reader, writer))

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while content := await reader.read(65536):
                loop.call_later(self.round_trip / 2, writer.write, content)
        loop.call_later(self.round_trip / 2, writer.close)


@contextlib.contextmanager
def delayed(port: int, round_trip: float) -> Iterator[int]:
    """Open a line to a port; yields the port at this end."""
    loop = asyncio.new_event_loop()
    line = Line(port, round_trip)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    # Playwright's own loop runs in this thread.
    opened = asyncio.run_coroutine_threadsafe(asyncio.start_server(line.connect, "127.0.0.1", 0), loop)
    server = opened.result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(hang_up(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def hang_up() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def see(browser: Browser, url: str) -> tuple[float, int]:
    """Return milliseconds from navigation until the total is painted, and how many requests the page has made by then."""
    context = browser.new_context(locale="fr")
    try:
        page = context.new_page()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.resource_type))
        page.goto(url, wait_until="commit")
        page.get_by_text("90,00").locator("visible=true").first.wait_for()
        awaited = [kind for kind in requests if kind in {"document", "stylesheet", "font"}]
        return float(page.evaluate(PAINTED)), len(awaited)
    finally:
        context.close()


def measure(browser: Browser, scratch: Path, snipcart: StandIn) -> Iterator[Row]:
    with site(scratch, snipcart, tls=True) as running:
        for round_trip in ROUND_TRIPS:
            with delayed(running.port, round_trip) as port:
                best = dict.fromkeys(VIEWS, 1e9)
                requests = 0
                for _ in range(ROUNDS):
                    for view in VIEWS:
                        seen, made = see(browser, f"https://127.0.0.1:{port}/{view}/?publicToken=lines-5")
                        best[view] = min(best[view], seen)
                        requests = max(requests, made if view == "checkout" else 0)
            rtt = f"{1000 * round_trip:.0f} ms"
            yield Row(
                what=f"total visible at a round trip of {rtt}",
                unit="ms",
                goal=1000 * (3 * round_trip + SNIPCART) + 120,
                ours=best["checkout"],
                naive=best["naive"],
                floor=best["floor"],
            )
        yield Row(what="requests before the total is visible, in Chromium", unit="", goal=1, ours=requests)


def main() -> int:
    executable = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    # Playwright's own way to accept an unknown certificate connects a second time.
    arguments = [
        "--disable-gpu",
        "--no-first-run",
        "--ignore-certificate-errors",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    rows = []
    with tempfile.TemporaryDirectory() as directory, stand_in(Path(directory)) as snipcart:
        scratch = Path(directory)
        manage(scratch, snipcart, "migrate", "--verbosity", "0")
        snipcart.control(delay=SNIPCART)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=arguments)
            print(HEAD)
            for row in measure(browser, scratch, snipcart):
                print(row, flush=True)
                rows.append(row)
    lost = find_lost(rows)
    for what in lost:
        print(f"Was met before: {what}")
    if "--remember" in sys.argv:
        remember(rows)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
