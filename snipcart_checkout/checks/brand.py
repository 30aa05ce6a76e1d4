"""Rules about BRAND of a store: name, logos, colours, contact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from django.core import checks
from django.utils.functional import Promise

from snipcart_checkout.checks.images import image_problem
from snipcart_checkout.checks.sections import Section, get_brand
from snipcart_checkout.checks.top_level import unknown_keys
from snipcart_checkout.conf import is_colour, is_contact
from snipcart_checkout.conf.translation import gettext as _

Messages = Iterator[checks.CheckMessage]


def brand(store: Section) -> Messages:
    part = get_brand(store)
    if part.values is None:
        return
    if not isinstance(part.values, Mapping):
        yield checks.Error(
            _("{place} is not a dict.").format(place=part.at()),
            hint=_('Write "BRAND": {"NAME": "The Paper Lantern", "LOGO": "shop/logo.svg"}, or remove it.'),
            id="snipcart_checkout.E112",
        )
    yield from unknown_keys(part)
    for rule in _RULES:
        yield from rule(part)


def _name(part: Section) -> Messages:
    if part.has("NAME") and not isinstance(part.get("NAME"), (str, Promise)):
        yield checks.Error(
            _("{place} is not a text.").format(place=part.at("NAME")),
            hint=_('Write "NAME": "The Paper Lantern", or remove it.'),
            id="snipcart_checkout.E113",
        )


def _logos(part: Section) -> Messages:
    for key in ("LOGO", "LOGO_DARK"):
        if part.has(key) and (problem := image_problem(part.get(key))):
            yield checks.Error(
                f"{part.at(key)} {_(problem)}.",
                hint=_(
                    "Write the path of a static file, such as 'shop/logo.svg', or an absolute https address."
                ),
                id="snipcart_checkout.E114",
            )


def _accents(part: Section) -> Messages:
    for key in ("ACCENT", "ACCENT_DARK"):
        if part.has(key) and not is_colour(part.get(key)):
            yield checks.Error(
                _("{place} is not a colour of the form #rgb or #rrggbb.").format(place=part.at(key)),
                hint=_('Write "{key}": "#7a1f3d", or remove it.').format(key=key),
                id="snipcart_checkout.E115",
            )


def _contact(part: Section) -> Messages:
    if part.has("CONTACT") and not is_contact(part.get("CONTACT")):
        yield checks.Error(
            _("{place} is not a link by which shoppers can reach the shop.").format(place=part.at("CONTACT")),
            hint=_('Write "CONTACT": "mailto:hello@shop.example", or a tel: or https: link, or remove it.'),
            id="snipcart_checkout.E116",
        )


_RULES: Final[tuple[Callable[[Section], Messages], ...]] = (_name, _logos, _accents, _contact)
