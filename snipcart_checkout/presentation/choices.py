"""What the shopper may choose from: payment methods and languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from snipcart_checkout.conf import Method, Store
from snipcart_checkout.languages import LANGUAGES, PageLanguage, language_tag, page_language
from snipcart_checkout.links import icon_url

__all__ = ["LanguageChoice", "MethodChoice", "present_languages", "present_methods", "with_query"]

# The parameter that holds the token travels in hidden fields of forms, never in the address they are sent to.
_SECRET: Final = "publicToken"  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class MethodChoice:
    """One payment method. ``href`` is its page, ``pay_url`` where its form is sent; both are paths of ours."""

    id: str
    name: str
    icon_url: str
    href: str
    pay_url: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class LanguageChoice:
    """One language with its own name. ``code`` is for ``lang``; ``href`` is relative to the page."""

    code: str
    name: str
    href: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class LanguageSwitch:
    """The languages that a page is to be had in: go through them, or place their ``links`` as they are.

    ``query`` is what an address of this page begins with, besides the language.
    """

    current: PageLanguage
    query: str

    def __iter__(self) -> Iterator[LanguageChoice]:
        for code, name, lang in _SWITCH:
            href = f"?{self.query}language={lang}"
            yield LanguageChoice(code=lang, name=name, href=href, current=code == self.current.code)

    @property
    def links(self) -> SafeString:
        """A list item with a link for each language.

        They differ from order to order in nothing but the query. As a loop in the template they would be a fifth
        of the time that a page takes.
        """
        return format_html(_links(self.current.code), query=self.query)


def present_methods(
    methods: Iterable[Method], store: Store, chosen: Method | None, query: Mapping[str, str]
) -> tuple[MethodChoice, ...]:
    """Return the methods with names in the active translation and links that carry the query."""
    chosen_id = chosen.id if chosen else ""
    return tuple(_present_method(method, store, chosen_id, query) for method in methods)


def _present_method(method: Method, store: Store, chosen: str, query: Mapping[str, str]) -> MethodChoice:
    path = reverse("snipcart_checkout:checkout", kwargs={"store": store.name, "method": method.id})
    return MethodChoice(
        id=method.id,
        name=str(method.name),
        icon_url=icon_url(method.icon),
        href=with_query(path, query),
        pay_url=with_query(path, {key: value for key, value in query.items() if key != _SECRET}),
        current=method.id == chosen,
    )


def with_query(path: str, query: Mapping[str, str]) -> str:
    """Return a path with a query, or without one where there is nothing to say."""
    return f"{path}?{urlencode(query)}" if query else path


def present_languages(current: PageLanguage, query: Mapping[str, str]) -> LanguageSwitch:
    """Return every language of ours, in the order of their own names as LANGUAGES lists them."""
    return LanguageSwitch(current=current, query=f"{urlencode(query)}&" if query else "")


@lru_cache(maxsize=len(LANGUAGES))
def _links(current: str) -> str:
    return "\n".join(
        _LINK.format(lang=lang, name=name, current=' aria-current="true"' if code == current else "")
        for code, name, lang in _SWITCH
    )


_LINK: Final = (
    '<li><a href="?{{query}}language={lang}" lang="{lang}" hreflang="{lang}"{current}>{name}</a></li>'
)
_SWITCH: Final = tuple(
    (code, name, page_language(language_tag(code)).html_lang) for code, name in LANGUAGES.items()
)
