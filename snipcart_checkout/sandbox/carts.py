"""The shopper's cart: what is in it, for whom, in which currency and language, and the invoice that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import uuid4

from babel.numbers import get_currency_precision

from snipcart_checkout.sandbox import storage
from snipcart_checkout.sandbox.conf import SandboxSettings, get_settings
from snipcart_checkout.sandbox.contract import Address, Invoice, Line

__all__ = ["Cart", "add_one_more", "get_cart", "invoice_of", "new_cart", "save_cart"]

_ADA: Final = Address(
    name="Ada", surname="Byron", street="12 rue des Écoles", postal_code="75005", city="Paris", country="FR"
)
_COUPON_NAMES: Final = {"en": "Coupon {code}, -{percent}%", "fr": "Code promo {code}, -{percent} %"}


@dataclass(frozen=True, kw_only=True)
class Cart:
    """A cart, and how Snipcart is to behave about it.

    ``session_id`` is empty until the payment step. ``ship_to`` is ``billing``, ``other`` or ``nobody``;
    ``webhook_style`` and ``shape`` are of the contract's TOKEN_PLACES and SHAPES.
    """

    id: str
    mode: str = "live"
    session_id: str = ""
    quantities: Mapping[str, int] = field(default_factory=dict)
    coupon: str = ""
    shipping: str = ""
    tax: str = ""
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


def new_cart(*, language: str) -> Cart:
    """Return an empty cart with the first currency, shipping and tax of the shop; it is not saved."""
    shop = get_settings()
    return Cart(
        id=str(uuid4()),
        language=language,
        currency=shop.currencies[0],
        shipping=next(iter(shop.shipping), ""),
        tax=next(iter(shop.taxes), ""),
    )


def get_cart(identifier: str) -> Cart | None:
    """Return a saved cart."""
    cart: Cart | None = storage.load(f"cart.{identifier}")
    return cart


def save_cart(cart: Cart) -> None:
    """Keep a cart."""
    storage.save(f"cart.{cart.id}", cart)


def add_one_more(identifier: str) -> None:
    """Put one more of the first product into a cart, as a shopper does in another tab."""
    with storage.lock:
        if cart := get_cart(identifier):
            first = next((key for key, quantity in cart.quantities.items() if quantity), "")
            product = first or next(iter(get_settings().products))
            quantities = {**cart.quantities, product: cart.quantities.get(product, 0) + 1}
            save_cart(replace(cart, quantities=quantities))


def invoice_of(cart: Cart) -> Invoice:
    """Return what the cart costs now. A currency or product that the shop no longer has counts as nothing."""
    shop = get_settings()
    lines = [*_goods(cart, shop), *_discount(cart, shop), *_shipping(cart, shop)]
    lines += _added_tax(cart, shop, sum(map(_amount, lines), Decimal(0)))
    return Invoice(
        amount=sum(map(_amount, lines), Decimal(0)),
        currency=cart.currency,
        email=cart.email,
        language=cart.language,
        target_id=cart.id,
        billing=cart.billing,
        shipping=cart.shipping_address,
        lines=lines if cart.lines_add_up else lines[:-1],
        float_noise=cart.float_noise,
    )


def _goods(cart: Cart, shop: SandboxSettings) -> list[Line]:
    return [
        Line(
            name=product.name(cart.language),
            unit_price=product.prices[cart.currency],
            quantity=cart.quantities[product.id],
            type=product.type,
            tax_included=_included_rate(cart, shop),
        )
        for product in shop.products.values()
        if cart.quantities.get(product.id) and cart.currency in product.prices
    ]


def _discount(cart: Cart, shop: SandboxSettings) -> list[Line]:
    percent = shop.coupons.get(cart.coupon.upper())
    goods = sum(map(_amount, _goods(cart, shop)), Decimal(0))
    if not percent or not goods:
        return []
    template = _COUPON_NAMES["fr" if cart.language.startswith("fr") else "en"]
    name = template.format(code=cart.coupon.upper(), percent=percent)
    return [Line(name=name, unit_price=-_rounded(goods * percent / 100, cart.currency), type="Discount")]


def _shipping(cart: Cart, shop: SandboxSettings) -> list[Line]:
    way = shop.shipping.get(cart.shipping)
    if way is None or not cart.count:
        return []
    return [
        Line(
            name=way.name(cart.language),
            unit_price=way.prices.get(cart.currency, Decimal(0)),
            type="Shipping",
            tax_included=_included_rate(cart, shop),
        )
    ]


def _added_tax(cart: Cart, shop: SandboxSettings, taxable: Decimal) -> list[Line]:
    tax = shop.taxes.get(cart.tax)
    if tax is None or tax.included or not tax.rate or not cart.count:
        return []
    amount = _rounded(taxable * tax.rate / 100, cart.currency)
    return [Line(name=tax.name(cart.language), unit_price=amount, type="Tax")]


def _included_rate(cart: Cart, shop: SandboxSettings) -> Decimal:
    tax = shop.taxes.get(cart.tax)
    return tax.rate if tax and tax.included else Decimal(0)


def _amount(line: Line) -> Decimal:
    return line.unit_price * line.quantity


def _rounded(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)), ROUND_HALF_UP)
