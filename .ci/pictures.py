"""Takes the pictures of the README: the example shop in a real Chromium (``make pictures``)."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT: Final = Path(__file__).parent.parent
IMAGES: Final = ROOT / "docs" / "images"
WIDE: Final[ViewportSize] = {"width": 1180, "height": 760}
SMALL: Final[ViewportSize] = {"width": 1040, "height": 760}
TELEPHONE: Final[ViewportSize] = {"width": 390, "height": 760}

sys.path.insert(0, str(ROOT))

from tests.conftest import FONTS, chromium  # noqa: E402
from tests.support.example_shop import example_shop  # noqa: E402


def main() -> None:
    """Write every picture into docs/images."""
    with (
        tempfile.TemporaryDirectory() as directory,
        example_shop(Path(directory)) as shop,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(
            executable_path=chromium(play.chromium.executable_path),
            env={**os.environ, "FONTCONFIG_FILE": str(FONTS)},
        )
        checkout = _reach_checkout(browser, shop.url, SMALL, language="en")
        _take(checkout, "checkout-wide")
        _pay(checkout)
        _take_dashboard(checkout, shop.url)
        telephone = _reach_checkout(browser, shop.url, TELEPHONE, language="fr", dark=True)
        _take(telephone, "checkout-telephone")
        _side_by_side("checkout", "checkout-wide", "checkout-telephone")
        for name, path in (
            ("shop", "/"),
            ("faults", "/sandbox/dashboard/faults/"),
            ("gallery", "/gallery/?language=en&order=five"),
        ):
            # Without emulation, so that the frames of the gallery are light and dark as they say.
            page = browser.new_page(viewport=WIDE, locale="en-GB", color_scheme="null")
            page.goto(shop.url + path)
            page.wait_for_load_state("networkidle")
            _take(page, name)
        browser.close()


def _reach_checkout(
    browser: Browser, url: str, viewport: ViewportSize, *, language: str, dark: bool = False
) -> Page:
    page = browser.new_page(viewport=viewport, locale=language, color_scheme="dark" if dark else "light")
    page.goto(url)
    for product in ("mug", "poster"):
        page.goto(url)
        page.locator(f"button[name=add][value={product}]").click()
    page.locator("button[name=do][value=pay]").click()
    page.locator("button[name=method][value=example_piggypay]").click()
    page.locator(".sc-form").wait_for()
    return page


def _pay(page: Page) -> None:
    page.locator(".sc-form button").first.click()
    page.locator("button[value=approve]").click()
    page.wait_for_url("**/sandbox/orders/**")


def _take_dashboard(page: Page, url: str) -> None:
    page.set_viewport_size(WIDE)
    page.goto(f"{url}/sandbox/dashboard/")
    page.locator("main a[href*='/dashboard/orders/']").first.click()
    page.wait_for_load_state("networkidle")
    _take(page, "dashboard")


def _take(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.png")


def _side_by_side(name: str, *parts: str) -> None:
    pictures = [Image.open(IMAGES / f"{part}.png") for part in parts]
    gap = 30
    width = sum(picture.width + gap for picture in pictures) + gap
    whole = Image.new("RGB", (width, max(picture.height for picture in pictures) + 2 * gap), "#c9cfcc")
    place = gap
    for picture in pictures:
        whole.paste(picture, (place, gap))
        place += picture.width + gap
    whole.quantize(128).save(IMAGES / f"{name}.png", optimize=True)
    for part in parts:
        (IMAGES / f"{part}.png").unlink()


if __name__ == "__main__":
    main()
