"""Every language that we speak, on a telephone: nothing spills, nothing is left in English."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from snipcart_checkout.presentation.languages import LANGUAGES, language_tag, page_language
from tests.support.browser_site import STATES, Browse, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TELEPHONE = {"width": 320, "height": 640}
SHOWN = ("declined", "changed", "limit", "expired", "instructions", "review")
# What comes from the shop, and what names itself, stands in elements of its own.
OUR_SENTENCES = """() => {
  const texts = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode())
    if (!walk.currentNode.parentElement.closest("bdi, code, script, select, .sc-langs, .sc-instructions div"))
      texts.push(walk.currentNode.data.trim());
  return texts.filter(text => /\\w \\w/.test(text));
}"""


def spill(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    return int(page.evaluate("document.scrollingElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_a_language_fits_a_telephone_and_leaves_nothing_in_english(
    site: Site, browse: Browse, code: str
) -> None:
    language = page_language(language_tag(code))
    page = browse(viewport=TELEPHONE)
    for state in SHOWN:
        STATES[state](site, page, "en")
        english = set(page.evaluate(OUR_SENTENCES))
        site.reset()
        STATES[state](site, page, language.html_lang.lower())

        assert english, state
        assert english.isdisjoint(page.evaluate(OUR_SENTENCES)), state
        assert spill(page) <= 0, state
        assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [
            language.html_lang,
            language.direction,
        ], state
        site.reset()
