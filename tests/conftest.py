"""Where the test database lives, and which Chromium the browser tests drive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.settings import RUN_DIRECTORY

if TYPE_CHECKING:
    from playwright.sync_api import BrowserType

pytest_plugins = ["snipcart_checkout.testing", "tests.no_skips", "tests.shop", "tests.stripe_charges"]

# A busy machine is no reason to fail.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the browser's tests to the end: once Playwright's event loop runs in this thread, asgiref refuses its own."""
    items.sort(key=lambda item: "playwright" in getattr(item, "fixturenames", ()))


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
    }
