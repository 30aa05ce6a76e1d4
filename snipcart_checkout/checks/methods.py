"""Rules about one payment method: its id, its limits, its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

from babel import Locale
from django.apps import apps
from django.core import checks
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from snipcart_checkout.checks.backends import BACKEND_RULES
from snipcart_checkout.checks.parts import Part, is_list
from snipcart_checkout.checks.secrets import is_placeholder, is_secret_name
from snipcart_checkout.checks.site import unknown_keys
from snipcart_checkout.conf import RESERVED_METHOD_IDS, is_slug, read_amount
from snipcart_checkout.links import icon_url
from snipcart_checkout.money import UnpayableAmount, currency_code

__all__ = ["METHOD_RULES"]

Messages = Iterator[checks.CheckMessage]


def identifier(method: Part) -> Messages:
    if not is_slug(method.name):
        yield checks.Error(
            _("The id of {place} cannot stand in an address.").format(place=method.at()),
            hint=_("Use at most 100 letters, digits, hyphens and underscores, such as 'acme_card'."),
            id="snipcart_checkout.E201",
        )


def reserved(method: Part) -> Messages:
    if method.name in RESERVED_METHOD_IDS:
        yield checks.Error(
            _("The id of {place} is one of Snipcart's own: the cart would show its own name for it.").format(
                place=method.at()
            ),
            hint=_("Put your name before it: {id}.").format(id=repr(f"acme_{method.name}")),
            id="snipcart_checkout.E202",
        )


def shape(method: Part) -> Messages:
    if not isinstance(method.values, Mapping):
        yield checks.Error(
            _("{place} is not a dict.").format(place=method.at()),
            hint=_('Write "{id}": {{"BACKEND": "...", "NAME": "..."}},').format(id=method.name),
            id="snipcart_checkout.E203",
        )


def name(method: Part) -> Messages:
    value = method.get("NAME")
    if isinstance(method.values, Mapping) and not (isinstance(value, (str, Promise)) and str(value).strip()):
        yield checks.Warning(
            _("{place} is missing or not a text; the cart shows the id instead.").format(
                place=method.at("NAME")
            ),
            hint=_('Write "NAME": _("Credit card"), in the words that shall follow "Checkout with".'),
            id="snipcart_checkout.W201",
        )


def currencies(method: Part) -> Messages:
    yield from _codes(method, "CURRENCIES", _is_currency, '["EUR", "USD"]', "snipcart_checkout.E205")


def countries(method: Part) -> Messages:
    yield from _codes(method, "COUNTRIES", _is_country, '["FR", "GB"]', "snipcart_checkout.E206")


def _codes(method: Part, key: str, is_known: Callable[[Any], bool], example: str, check_id: str) -> Messages:
    codes = method.get(key)
    if codes is None:
        return
    if not is_list(codes) or not codes:
        problem = _("{place} is not a list, or is empty.").format(place=method.at(key))
    elif unknown := [repr(code) for code in codes if not is_known(code)]:
        problem = _("{place} holds codes that do not exist: {codes}.").format(
            place=method.at(key), codes=", ".join(sorted(unknown))
        )
    else:
        return
    hint = _('Write "{key}": {example}, or remove it to accept all.').format(key=key, example=example)
    yield checks.Error(problem, hint=hint, id=check_id)


def _is_currency(code: object) -> bool:
    try:
        return bool(currency_code(code))
    except UnpayableAmount:
        return False


def _is_country(code: object) -> bool:
    return isinstance(code, str) and code.upper() in _country_codes()


@cache
def _country_codes() -> frozenset[str]:
    # CLDR also names unions, the world's oceans, "unknown" and regions to test with.
    codes = {str(code) for code in Locale("en").territories}
    return frozenset(code for code in codes if len(code) == 2) - set("EU EZ QO UN XA XB ZZ".split())


def limits(method: Part) -> Messages:
    for key in ("MIN_AMOUNT", "MAX_AMOUNT"):
        value = method.get(key)
        amount = read_amount(value)
        if value is not None and (amount is None or amount < 0):
            yield checks.Error(
                _("{place} is not an amount.").format(place=method.at(key)),
                hint=_('Write it as a text, in major units: "{key}": "12.50",').format(key=key),
                id="snipcart_checkout.E207",
            )


def crossed_limits(method: Part) -> Messages:
    least, most = (read_amount(method.get(key)) for key in ("MIN_AMOUNT", "MAX_AMOUNT"))
    if least is not None and most is not None and least > most >= Decimal():
        yield checks.Error(
            _("{place} is more than MAX_AMOUNT, so no order can be paid.").format(
                place=method.at("MIN_AMOUNT")
            ),
            hint=_("Exchange the two."),
            id="snipcart_checkout.E208",
        )


def icon(method: Part) -> Messages:
    value = method.get("ICON")
    if not method.has("ICON"):
        return
    if not isinstance(value, str) or not icon_url(value) or value.lower().startswith("http:"):
        problem = _("{place} leads to no icon that may be shown on a page over https.")
    elif "://" not in value and not _is_static_file(value):
        problem = _("{place} is not among the static files.")
    else:
        return
    yield checks.Warning(
        problem.format(place=method.at("ICON")),
        hint=_("Write the path of a static file, such as 'shop/card.svg', or an absolute https address."),
        id="snipcart_checkout.W202",
    )


def _is_static_file(path: str) -> bool:
    if not apps.is_installed("django.contrib.staticfiles"):
        return True
    from django.contrib.staticfiles import finders

    return finders.find(path) is not None


def options(method: Part) -> Messages:
    value = method.get("OPTIONS")
    if value is not None and not isinstance(value, Mapping):
        yield checks.Error(
            _("{place} is not a dict.").format(place=method.at("OPTIONS")),
            hint=_('Write "OPTIONS": {}, or remove it.'),
            id="snipcart_checkout.E209",
        )


def placeholder_options(method: Part) -> Messages:
    value = method.get("OPTIONS")
    for key, text in value.items() if isinstance(value, Mapping) else ():
        if is_secret_name(key) and isinstance(text, str) and is_placeholder(text):
            yield checks.Error(
                _("{place} still holds a placeholder.").format(place=method.at("OPTIONS", key)),
                hint=_(
                    "Copy the value from the payment provider's dashboard, or read it from the environment."
                ),
                id="snipcart_checkout.E210",
            )


METHOD_RULES: Final[tuple[Callable[[Part], Messages], ...]] = (
    identifier,
    reserved,
    shape,
    unknown_keys,
    name,
    currencies,
    countries,
    limits,
    crossed_limits,
    icon,
    options,
    placeholder_options,
    *BACKEND_RULES,
)
