"""The shopper's cart: what is in it, for whom, in which currency and language, and the invoice that comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import uuid4

from babel.numbers import get_currency_precision

from snipcart_checkout.sandbox.conf import get_settings
from snipcart_checkout.sandbox.core.invoices import Address, Invoice, Line

SHIPPING: Final[Mapping[str, Mapping[str, str]]] = {
    "pickup": {"en": "Pick up in the shop", "fr": "Retrait en boutique"},
    "post": {"en": "Post, 3 to 5 days", "fr": "Poste, 3 à 5 jours"},
    "express": {"en": "Express, tomorrow", "fr": "Express, demain"},
}
TAXES: Final[Mapping[str, Mapping[str, str]]] = {
    "none": {"en": "No tax", "fr": "Sans taxe"},
    "added": {"en": "VAT 20%", "fr": "TVA 20 %"},
    "included": {"en": "VAT 20% included", "fr": "TVA 20 % comprise"},
}
COUPONS: Final = {"WELCOME": 10, "FREE": 100}
"""Percent off by code."""

_TAX_RATE: Final = Decimal(20)  # percent
# A currency without a price costs nothing.
_SHIPPING_PRICES: Final[Mapping[str, Mapping[str, str]]] = {
    "pickup": {},
    "post": {"EUR": "4.9", "USD": "5.5", "CAD": "6.75", "JPY": "800", "KWD": "1.625"},
    "express": {"EUR": "12", "USD": "13", "CAD": "17.5", "JPY": "1900", "KWD": "3.95"},
}
_ADA: Final = Address(
    name="Ada", surname="Byron", street="12 rue des Écoles", postal_code="75005", city="Paris", country="FR"
)
_COUPON_NAMES: Final = {"en": "Coupon {code}, -{percent}%", "fr": "Code promo {code}, -{percent} %"}


@dataclass(frozen=True, kw_only=True)
class Cart:
    """A cart, and how Snipcart is to behave about it.

    ``session_ids`` are its payment sessions, the latest last. ``ship_to`` is ``billing``, ``other`` or ``nobody``;
    ``webhook_style`` and ``shape`` are of the contract's TOKEN_PLACES and SHAPES.
    """

    id: str
    mode: str = "live"
    session_ids: tuple[str, ...] = ()
    quantities: Mapping[str, int] = field(default_factory=dict)
    coupon: str = ""
    shipping: str = "pickup"
    tax: str = "none"
    currency: str = "EUR"
    language: str = "en"
    email: str = "ada@shop.example"
    billing: Address = _ADA
    other: Address = _ADA
    ship_to: str = "billing"
    webhook_style: str = "body"
    shape: str = "every_field"
    float_noise: bool = False
    lines_add_up: bool = True

    @property
    def shipping_address(self) -> Address | None:
        """Where the order goes; None for what is not sent."""
        return {"billing": self.billing, "other": self.other}.get(self.ship_to)

    @property
    def count(self) -> int:
        """How many things are in it."""
        return sum(self.quantities.values())

    def with_one_more(self, product: str = "") -> Cart:
        """Return the cart with one more of a product; of the first one in it, where none is named."""
        products = get_settings().products
        first = next((key for key, quantity in self.quantities.items() if quantity), next(iter(products)))
        added = product or first
        return replace(self, quantities={**self.quantities, added: self.quantities.get(added, 0) + 1})


def new_cart(*, language: str) -> Cart:
    """Return an empty cart in the first currency of the shop."""
    return Cart(id=str(uuid4()), language=language, currency=get_settings().currencies[0])


def get_name(names: Mapping[str, str], language: str) -> str:
    """Return a name in a language, or in English."""
    return names.get(language.partition("-")[0]) or names["en"]


def build_invoice(cart: Cart) -> Invoice:
    """Return what the cart costs now. A currency or product that the shop no longer has counts as nothing."""
    lines = [*_goods(cart), *_discount(cart), *_shipping(cart)]
    lines += _added_tax(cart, _total(lines))
    return Invoice(
        amount=_total(lines),
        currency=cart.currency,
        email=cart.email,
        language=cart.language,
        target_id=cart.id,
        billing=cart.billing,
        shipping=cart.shipping_address,
        lines=lines if cart.lines_add_up else lines[:-1],
        float_noise=cart.float_noise,
    )


def _goods(cart: Cart) -> list[Line]:
    return [
        Line(
            name=product.name(cart.language),
            unit_price=product.prices[cart.currency],
            quantity=cart.quantities[product.id],
            type=product.type,
            tax_included=_included_rate(cart),
        )
        for product in get_settings().products.values()
        if cart.quantities.get(product.id) and cart.currency in product.prices
    ]


def _discount(cart: Cart) -> list[Line]:
    percent = COUPONS.get(cart.coupon)
    goods = _total(_goods(cart))
    if not percent or not goods:
        return []
    template = get_name(_COUPON_NAMES, cart.language)
    name = template.format(code=cart.coupon, percent=percent)
    return [Line(name=name, unit_price=-_rounded(goods * percent / 100, cart.currency), type="Discount")]


def _shipping(cart: Cart) -> list[Line]:
    if not cart.count:
        return []
    name = get_name(SHIPPING[cart.shipping], cart.language)
    price = Decimal(_SHIPPING_PRICES[cart.shipping].get(cart.currency, 0))
    return [Line(name=name, unit_price=price, type="Shipping", tax_included=_included_rate(cart))]


def _added_tax(cart: Cart, taxable: Decimal) -> list[Line]:
    if cart.tax != "added" or not cart.count:
        return []
    amount = _rounded(taxable * _TAX_RATE / 100, cart.currency)
    return [Line(name=get_name(TAXES["added"], cart.language), unit_price=amount, type="Tax")]


def _included_rate(cart: Cart) -> Decimal:
    return _TAX_RATE if cart.tax == "included" else Decimal(0)


def _total(lines: Iterable[Line]) -> Decimal:
    return sum((line.unit_price * line.quantity for line in lines), Decimal(0))


def _rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)), ROUND_HALF_UP)
