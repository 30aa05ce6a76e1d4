"""Rules about one payment method: its id, its limits, its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

from babel import Locale
from django.core import checks
from django.utils.functional import Promise

from snipcart_checkout.checks.backends import BACKEND_RULES
from snipcart_checkout.checks.images import image_problem
from snipcart_checkout.checks.secrets import is_placeholder, is_secret_name
from snipcart_checkout.checks.sections import Section, is_list
from snipcart_checkout.checks.top_level import unknown_keys
from snipcart_checkout.conf import (
    MOST_ICONS,
    RESERVED_METHOD_IDS,
    is_slug,
    read_amount,
)
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.snipcart.money import UnpayableAmount, to_currency_code

Messages = Iterator[checks.CheckMessage]


def identifier(method: Section) -> Messages:
    if not is_slug(method.name):
        yield checks.Error(
            _("The id of {place} cannot be part of an address.").format(place=method.at()),
            hint=_("Use at most 100 letters, digits, hyphens and underscores, such as 'acme_card'."),
            id="snipcart_checkout.E201",
        )


def reserved(method: Section) -> Messages:
    if method.name in RESERVED_METHOD_IDS:
        yield checks.Error(
            _("The id of {place} is one of Snipcart's own: the cart would show its own name for it.").format(
                place=method.at()
            ),
            hint=_("Put your name before it: {id}.").format(id=repr(f"acme_{method.name}")),
            id="snipcart_checkout.E202",
        )


def shape(method: Section) -> Messages:
    if not isinstance(method.values, Mapping):
        yield checks.Error(
            _("{place} is not a dict.").format(place=method.at()),
            hint=_('Write "{id}": {{"BACKEND": "...", "NAME": "..."}},').format(id=method.name),
            id="snipcart_checkout.E203",
        )


def name(method: Section) -> Messages:
    value = method.get("NAME")
    if isinstance(method.values, Mapping) and not (isinstance(value, (str, Promise)) and str(value).strip()):
        yield checks.Warning(
            _("{place} is missing or not a text; the cart shows the id instead.").format(
                place=method.at("NAME")
            ),
            hint=_('Write "NAME": _("Credit card"), with the words that follow "Checkout with".'),
            id="snipcart_checkout.W201",
        )


def currencies(method: Section) -> Messages:
    yield from _codes(method, "CURRENCIES", _is_currency, '["EUR", "USD"]', "snipcart_checkout.E205")


def countries(method: Section) -> Messages:
    yield from _codes(method, "COUNTRIES", _is_country, '["FR", "GB"]', "snipcart_checkout.E206")


def _codes(
    method: Section, key: str, is_known: Callable[[Any], bool], example: str, check_id: str
) -> Messages:
    codes = method.get(key)
    if codes is None:
        return
    if not is_list(codes) or not codes:
        problem = _("{place} is not a list, or is empty.").format(place=method.at(key))
    elif unknown := [repr(code) for code in codes if not is_known(code)]:
        problem = _("{place} contains codes that do not exist: {codes}.").format(
            place=method.at(key), codes=", ".join(sorted(unknown))
        )
    else:
        return
    hint = _('Write "{key}": {example}, or remove it to accept all.').format(key=key, example=example)
    yield checks.Error(problem, hint=hint, id=check_id)


def _is_currency(code: object) -> bool:
    try:
        return bool(to_currency_code(code))
    except UnpayableAmount:
        return False


def _is_country(code: object) -> bool:
    return isinstance(code, str) and code.upper() in _country_codes()


@cache
def _country_codes() -> frozenset[str]:
    # CLDR's list also contains unions, oceans, "unknown" and test regions.
    codes = {str(code) for code in Locale("en").territories}
    return frozenset(code for code in codes if len(code) == 2) - set("EU EZ QO UN XA XB ZZ".split())


def limits(method: Section) -> Messages:
    for key in ("MIN_AMOUNT", "MAX_AMOUNT"):
        value = method.get(key)
        amount = read_amount(value)
        if value is not None and (amount is None or amount < 0):
            yield checks.Error(
                _("{place} is not an amount.").format(place=method.at(key)),
                hint=_('Write it as a text, in major units: "{key}": "12.50",').format(key=key),
                id="snipcart_checkout.E207",
            )


def crossed_limits(method: Section) -> Messages:
    least, most = (read_amount(method.get(key)) for key in ("MIN_AMOUNT", "MAX_AMOUNT"))
    if least is not None and most is not None and least > most >= Decimal():
        yield checks.Error(
            _("{place} is more than MAX_AMOUNT, so no order can be paid.").format(
                place=method.at("MIN_AMOUNT")
            ),
            hint=_("Swap the two."),
            id="snipcart_checkout.E208",
        )


def description(method: Section) -> Messages:
    if method.has("DESCRIPTION") and not isinstance(method.get("DESCRIPTION"), (str, Promise)):
        yield checks.Error(
            _("{place} is not a text.").format(place=method.at("DESCRIPTION")),
            hint=_('Write "DESCRIPTION": _("You continue at …"), or remove it.'),
            id="snipcart_checkout.E219",
        )


def icons(method: Section) -> Messages:
    value = method.get("ICON")
    if not method.has("ICON"):
        return
    if not isinstance(value, (str, list, tuple)) or len(_icons(method)) > MOST_ICONS:
        yield checks.Error(
            _("{place} is neither a text nor a list of up to {most}.").format(
                place=method.at("ICON"), most=MOST_ICONS
            ),
            hint=_('Write "ICON": "shop/card.svg", or "ICON": ["shop/visa.svg", "shop/mastercard.svg"],'),
            id="snipcart_checkout.E220",
        )
        return
    for icon in _icons(method):
        if problem := image_problem(icon):
            yield checks.Warning(
                f"{method.at('ICON')} {_(problem)}: {icon!r}.",
                hint=_(
                    "Write the path of a static file, such as 'shop/card.svg', or an absolute https address."
                ),
                id="snipcart_checkout.W202",
            )


def _icons(method: Section) -> list[object]:
    value = method.get("ICON")
    return list(value) if isinstance(value, (list, tuple)) else [value]


def options(method: Section) -> Messages:
    value = method.get("OPTIONS")
    if value is not None and not isinstance(value, Mapping):
        yield checks.Error(
            _("{place} is not a dict.").format(place=method.at("OPTIONS")),
            hint=_('Write "OPTIONS": {}, or remove it.'),
            id="snipcart_checkout.E209",
        )


def placeholder_options(method: Section) -> Messages:
    value = method.get("OPTIONS")
    for key, text in value.items() if isinstance(value, Mapping) else ():
        if is_secret_name(key) and isinstance(text, str) and is_placeholder(text):
            yield checks.Error(
                _("{place} still contains a placeholder.").format(place=method.at("OPTIONS", key)),
                hint=_(
                    "Copy the value from the payment provider's dashboard, or read it from the environment."
                ),
                id="snipcart_checkout.E210",
            )


METHOD_RULES: Final[tuple[Callable[[Section], Messages], ...]] = (
    identifier,
    reserved,
    shape,
    unknown_keys,
    name,
    currencies,
    countries,
    limits,
    crossed_limits,
    description,
    icons,
    options,
    placeholder_options,
    *BACKEND_RULES,
)
