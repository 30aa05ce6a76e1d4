"""Where the test database lives, and which Chromium the browser tests drive."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from django.db import connection
from django.utils import translation

from tests.settings import RUN_DIRECTORY, SNIPCART_CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from playwright.sync_api import BrowserType

pytest_plugins = [
    "snipcart_checkout.testing",
    "tests.support.lyra_charges",
    "tests.support.no_skips",
    "tests.support.shop",
    "tests.support.btcpay_charges",
    "tests.support.stripe_charges",
]

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}
# The first is the same Chromium without a window, which takes half of the processor's time.
CHROMIUM_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
FONTS = Path(__file__).parent / "browser" / "fonts.conf"
CHROMIUM_ARGUMENTS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def pytest_configure() -> None:
    RUN_DIRECTORY.mkdir(exist_ok=True)


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(RUN_DIRECTORY, ignore_errors=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what uses the test database: a server's run takes these, the others need to run once only."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES:
        item.add_marker("database")


def uses_a_browser(item: pytest.Item) -> bool:
    return "playwright" in getattr(item, "fixturenames", ())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the browser's tests, which take longest, to the end: then all workers share them."""
    items.sort(key=uses_a_browser)


def pytest_collection_finish() -> None:
    """Keep the collector of garbage from walking through thousands of tests again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Hide Playwright's event loop, which goes on in this thread after a browser's test, from a test that needs none.

    asgiref starts no other one beside it, and gives connections of their own to what runs in it.
    """
    running = None if uses_a_browser(item) else asyncio._get_running_loop()
    if running is None:
        return (yield)
    asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        asyncio._set_running_loop(running)


@pytest.fixture(autouse=True)
def language_stays_the_usual_one() -> Iterator[None]:
    """Leave no language to the next test: LocaleMiddleware leaves the last request's to its thread."""
    yield
    translation.deactivate()


# On MySQL and MariaDB Django reads the keys first, so that only the other databases show the subquery.
UPDATE_THROUGH_KEYS = re.compile(r"UPDATE (\S*snipcart_checkout_\w+\S) .* IN \(SELECT .* FROM \1 ")
USUAL_SETTINGS = copy.deepcopy(SNIPCART_CHECKOUT)


@pytest.fixture(autouse=True)
def settings_stay_as_they_are() -> Iterator[None]:
    """Fail a test that changes what is inside of the usual settings, instead of the tests that come after it."""
    yield
    if SNIPCART_CHECKOUT != USUAL_SETTINGS:
        SNIPCART_CHECKOUT.clear()
        SNIPCART_CHECKOUT.update(copy.deepcopy(USUAL_SETTINGS))
        pytest.fail("This test changed the usual settings in place: give it settings of its own.")


@pytest.fixture(autouse=True)
def updates_hold_their_conditions() -> Iterator[None]:
    """Fail a test in which rows of the ledger are updated by a condition on another table.

    Django puts such conditions into a subquery of the rows' keys, which a database does not evaluate again when it had
    to wait for another process' update: both processes would believe that they were the first.
    """
    found: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and UPDATE_THROUGH_KEYS.search(sql):
            found.append(sql)
        return execute(sql, params, many, context)

    connection.execute_wrappers.append(watch)
    yield
    connection.execute_wrappers.remove(watch)
    if found:
        pytest.fail("The conditions of this update do not hold in a race: " + found[0])


def chromium(bundled: str) -> str | None:
    """The path of a Chromium that is installed here: the system's, or the one Playwright downloads."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    return found or (bundled if Path(bundled).exists() else None)


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], browser_type: BrowserType
) -> dict[str, Any]:
    executable = chromium(browser_type.executable_path)
    if executable is None:
        missing = "no Chromium found: install one (apt install chromium, or playwright install chromium)"
        pytest.skip(missing)
    # Playwright keeps an event loop running in this thread, in which Django would refuse every query from here on.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    # Chromium's own sandbox cannot be had by root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {
        **browser_type_launch_args,
        "executable_path": executable,
        "args": [*CHROMIUM_ARGUMENTS, *sandbox],
        "env": {**os.environ, "FONTCONFIG_FILE": str(FONTS)},
    }
