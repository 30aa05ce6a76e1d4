"""A site that a browser can reach, and browsers that can reach nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page
from pytest_django.live_server_helper import LiveServer
from pytest_playwright.pytest_playwright import CreateContextCallback

from snipcart_checkout.testing import CheckoutSettings, StandIn
from tests.support.backends import Provider
from tests.support.browser_site import Browse, Site, answer_for_others


@pytest.fixture
def site(
    live_server: LiveServer,
    snipcart: StandIn,
    settings: Any,
    checkout_settings: CheckoutSettings,
    tmp_path: Path,
) -> Site:
    """The site, which takes what is said to be paid as paid until the test scripts its provider."""
    checkout_settings(PUBLIC_URL=live_server.url)
    made = Site(live_server.url, snipcart, Provider(tmp_path), settings, checkout_settings)
    made.use("tests.support.backends.ScriptedBackend")
    return made


@pytest.fixture
def browse(new_context: CreateContextCallback) -> Iterator[Browse]:
    """Open a page in a context of its own; options are those of Playwright's contexts.

    Whatever a page does, it may break neither its own policy nor its own script.
    """
    wrong: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "integrity" in message.text:
            wrong.append(message.text)

    def open_page(**options: Any) -> Page:
        usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
        context = new_context(**{**usual, **options})
        # A busy machine is no reason to fail.
        context.set_default_timeout(60_000)
        answer_for_others(context)
        context.on("console", hear)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        return context.new_page()

    yield open_page
    assert not wrong
