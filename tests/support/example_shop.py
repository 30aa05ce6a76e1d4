"""The example project as `make demo` starts it, on a port and with a database of its own, and somebody who visits it."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parent.parent.parent
STATIONS = ROOT / "test-results" / "stations"
A_BUSY_MACHINE = 30_000  # milliseconds
_START = 90  # seconds

expect.set_options(timeout=A_BUSY_MACHINE)


@dataclass(frozen=True, kw_only=True)
class ExampleShop:
    """A running server. ``url`` has no slash at its end."""

    url: str
    database: Path

    def payments(self, session_id: str) -> list[str]:
        """The states of the payments of a session, straight from the ledger's table."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as ledger:
            found = ledger.execute(
                "SELECT state FROM snipcart_checkout_payment WHERE session_id = ?", [session_id]
            )
            return [state for (state,) in found]


@contextmanager
def example_shop(directory: Path) -> Iterator[ExampleShop]:
    """Run the example project with its files in a directory."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    database = directory / "shop.sqlite3"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "ENV_FILE": os.devnull,
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{database}",
        "PYTHONWARNINGS": "ignore",
    }
    manage = [sys.executable, str(ROOT / "manage.py")]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], env=environment, cwd=ROOT, check=True)
    with (directory / "server.log").open("wb") as log:
        command = [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"]
        server = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(server, url, directory / "server.log")
            yield ExampleShop(url=url, database=database)
        finally:
            server.terminate()
            server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up = time.monotonic() + _START
    while time.monotonic() < give_up and server.poll() is None:
        if _answers(url):
            return
        time.sleep(0.1)
    raise AssertionError(f"the example shop did not start:\n{log.read_text()}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


class Visitor:
    """Somebody with a browser, who looks closely at every station of the way."""

    def __init__(self, page: Page, shop: ExampleShop) -> None:
        self.page = page
        self.shop = shop
        page.set_default_timeout(A_BUSY_MACHINE)
        page.set_default_navigation_timeout(A_BUSY_MACHINE)

    def look(self, name: str) -> None:
        """See that the page fits; on pages of the example and the sandbox, look for barriers too.

        With KEEP_PICTURES set a picture of it stays in test-results/stations.
        """
        self.page.wait_for_load_state("load")
        if os.environ.get("KEEP_PICTURES"):
            STATIONS.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=STATIONS / f"{name}.png", full_page=True)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
        # The checkout pages have their own tests of this, and the admin is Django's.
        if not re.search(r"//[^/]+/(?:checkout|admin)/", self.page.url):
            found = Axe().run(self.page)
            assert not found.violations_count, f"{name}: {found.generate_report()}"

    def open(self, path: str) -> None:
        self.page.goto(self.shop.url + path)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).click()

    def sees(self, *texts: str) -> None:
        for text in texts:
            expect(self.page.get_by_role("main")).to_contain_text(text)

    def sees_heading(self, text: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(text)

    def put_into_cart(self, product: str = "mug") -> None:
        """Buy something on the shop's front page, and arrive at the cart."""
        self.open("/")
        self.page.locator(f"button[name=add][value={product}]").click()
        self.page.wait_for_url("**/sandbox/")

    def go_to_payment(self) -> None:
        self.page.locator("button[name=do][value=pay]").click()
        self.page.wait_for_url("**/sandbox/payment/")

    def choose(self, method: str) -> None:
        """Choose a method at the payment step, and arrive at the checkout page."""
        self.page.locator(f"button[name=method][value={method}]").click()
        self.page.wait_for_url("**/pay/**")

    def arrive(self, method: str, product: str = "mug") -> None:
        """Go all the way to the checkout page."""
        self.put_into_cart(product)
        self.go_to_payment()
        self.choose(method)

    def pick(self, outcome: str) -> None:
        """Pick what the dummy backend is to make of the payment."""
        self.page.locator("select[name=outcome]").select_option(outcome)

    def pay(self) -> None:
        """Press the pay button. The page may show how much that is in any language, so it is found by its form."""
        self.page.locator("form[data-sc-form] button[type=submit]").first.click()

    def arrive_at_order(self) -> None:
        """Wait for the order's confirmation, to which the payment's page leads on by itself."""
        self.page.wait_for_url("**/sandbox/orders/**")

    def open_order(self) -> None:
        """Open the dashboard's page of the order, from its confirmation."""
        self.page.locator("ul.actions a[href*='/dashboard/orders/']").click()
        self.page.wait_for_url("**/sandbox/dashboard/orders/**")

    def open_latest_order(self) -> str:
        """Open the latest order on the dashboard; return the id of its session."""
        self.open("/sandbox/dashboard/")
        self.page.locator("main tbody a").first.click()
        self.page.wait_for_url("**/sandbox/dashboard/orders/*/")
        return self.page.url.rstrip("/").rpartition("/")[2]

    def tab_to(self, selector: str) -> None:
        """Go to something with the keyboard alone, as often as one has to press Tab for it."""
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"the keyboard does not reach {selector}")

    def refund(self, amount: str) -> None:
        self.page.locator("input[name=amount]").fill(amount)
        self.press("Refund")

    def switch_on(self, fault: str) -> None:
        """Let something go wrong the next time."""
        self.open("/sandbox/dashboard/faults/")
        for folded in self.page.locator("main summary").all():
            folded.click()
        self.page.locator(f"button[name=fault][value='{fault}']").click()
        expect(self.page.locator(".faults li")).to_have_count(1)

    def run_cron_job(self) -> None:
        self.open("/")
        self.press("Run it now")
        expect(self.page.get_by_role("status")).to_contain_text("payments looked up")
