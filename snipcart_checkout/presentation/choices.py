"""What the shopper may choose from: payment methods and languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlencode

from django.conf import settings as django_settings
from django.urls import get_resolver, get_script_prefix, get_urlconf, reverse
from django.utils.translation import get_language

from snipcart_checkout.backends import get_backend
from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.conf import Method, Store
from snipcart_checkout.conf.links import page_image_url
from snipcart_checkout.presentation.languages import LANGUAGES, PageLanguage, language_tag, page_language

# The parameter that holds the token travels in hidden fields of forms, never in the address they are sent to.
_SECRET: Final = "publicToken"  # noqa: S105


@dataclass(frozen=True, kw_only=True)
class MethodChoice:
    """One payment method. ``href`` is its page, ``pay_url`` where its form is sent; both are paths of ours.

    ``description`` is one line on what happens next, ``pay_label`` what the button says instead of "Pay …",
    ``processed_by`` who processes the payment; each may be empty. ``icon_urls`` are four at most.
    """

    id: str
    name: str
    description: str
    icon_urls: tuple[str, ...]
    pay_label: str
    processed_by: str
    href: str
    pay_url: str
    current: bool


class LanguageChoice(NamedTuple):
    """One language with its own name. ``code`` is for ``lang``, and what the parameter ``language`` is set to."""

    code: str
    name: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class LanguageSwitch:
    """The languages that a page is to be had in: the site's, as far as they are ours. False where there is no choice.

    ``query`` are name and value of what a request for another language carries besides.
    """

    choices: tuple[LanguageChoice, ...]
    query: tuple[tuple[str, str], ...]

    def __bool__(self) -> bool:
        return len(self.choices) > 1

    def __iter__(self) -> Iterator[LanguageChoice]:
        return iter(self.choices)


def present_methods(
    methods: Iterable[Method], store: Store, chosen: Method | None, query: Mapping[str, str]
) -> tuple[MethodChoice, ...]:
    """Return the methods with names in the active translation and links that carry the query."""
    chosen_id = chosen.id if chosen else ""
    return tuple(_present_method(method, store, chosen_id, query) for method in methods)


def _present_method(method: Method, store: Store, chosen: str, query: Mapping[str, str]) -> MethodChoice:
    where = (get_resolver(get_urlconf()), get_script_prefix(), get_language())
    path = _get_path(store.name, method.id, where)
    backend = _find_backend(store, method)
    return MethodChoice(
        id=method.id,
        name=str(method.name),
        description=str(method.description or (backend.description if backend else "")),
        icon_urls=tuple(filter(None, map(page_image_url, method.icons))),
        pay_label=str((backend and backend.pay_label) or ""),
        processed_by=str(backend.processed_by if backend else ""),
        href=with_query(path, query),
        pay_url=with_query(path, {key: value for key, value in query.items() if key != _SECRET}),
        current=method.id == chosen,
    )


@lru_cache(maxsize=256)
def _get_path(store_name: str, method_id: str, _where: tuple[object, ...]) -> str:
    return reverse("snipcart_checkout:checkout", kwargs={"store": store_name, "method": method_id})


def _find_backend(store: Store, method: Method) -> PaymentBackend | None:
    try:
        return get_backend(store, method)
    except Exception:  # a stranger's backend may raise anything while it is built
        return None


def with_query(path: str, query: Mapping[str, str]) -> str:
    """Return a path with a query, or without one where there is nothing to say."""
    return f"{path}?{urlencode(query)}" if query else path


def present_languages(current: PageLanguage, query: Mapping[str, str]) -> LanguageSwitch:
    """Return the site's LANGUAGES that are ours, and the page's own, in the order in which ours are listed."""
    codes = tuple([code for code, _name in django_settings.LANGUAGES])
    offered = _offered(codes, django_settings.LANGUAGE_CODE, django_settings.USE_I18N)
    choices = _choices(offered | {current.code}, current.code)
    return LanguageSwitch(choices=choices, query=tuple(query.items()))


@lru_cache(maxsize=16)
def _offered(codes: tuple[str, ...], _language_code: str, _use_i18n: bool) -> frozenset[str]:
    return frozenset(page_language(language_tag(code)).code for code in codes)


@lru_cache(maxsize=64)
def _choices(offered: frozenset[str], current: str) -> tuple[LanguageChoice, ...]:
    return tuple(
        LanguageChoice(page_language(language_tag(code)).html_lang, name, code == current)
        for code, name in LANGUAGES.items()
        if code in offered
    )
