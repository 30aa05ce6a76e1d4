"""The payment session: the order, who pays it, and the link back ("Payment session" of Snipcart's
reference).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

from snipcart_checkout.exceptions import BadAnswer, UnpayableOrder
from snipcart_checkout.snipcart.money import UnpayableAmount, to_amount, to_currency_code, to_minor_units
from snipcart_checkout.snipcart.reading import MAX_ID, Fields, clean_text

# Prices of lines are binary floats; a difference this small is noise.
_SUM_NOISE: Final = Decimal("0.0001")
_MOST_ITEMS: Final = 2000


@dataclass(frozen=True, kw_only=True)
class Address:
    """A billing or shipping address; every field may be empty. ``country`` is two upper-case letters."""

    name: str = ""
    street: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""

    @classmethod
    def from_json(cls, value: object) -> Address | None:
        """Read an address; whatever is not one is None."""
        if not isinstance(value, dict):
            return None
        fields = Fields(value)
        return cls(
            name=_join_names(fields.text("name"), fields.text("surname")),
            street=fields.text("streetandnumber"),
            postal_code=fields.text("postalcode"),
            city=fields.text("city"),
            region=fields.text("region"),
            country=fields.text("country").upper(),
        )


def _join_names(name: str, surname: str) -> str:
    # In Snipcart's reference "name" is the full name; in its older text, the first name.
    if not surname or name == surname or name.endswith(f" {surname}"):
        return name
    if name and all(unicodedata.east_asian_width(part[0]) == "W" for part in (name, surname)):
        # In Chinese, Japanese and Korean the family name comes first.
        return name if name.startswith(surname) else f"{surname}{name}"
    return f"{name} {surname}".strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One line of an order, for display only: the lines need not add up to the amount.

    Amounts are in major units and may have any precision. ``type`` is Snipcart's own value.
    """

    name: str
    type: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal | None
    discount_amount: Decimal | None = None
    has_plan: bool = False

    @classmethod
    def from_json(cls, value: object) -> Item:
        """Read one line; a field of another type than it should have is as good as it can be read, or absent."""
        fields = Fields(value)
        return cls(
            name=fields.text("name"),
            type=fields.text("type", 40),
            quantity=fields.number("quantity"),
            unit_price=fields.number("unitprice"),
            amount=fields.number("amount"),
            discount_amount=fields.number("discountamount"),
            has_plan=fields.get("hasselectedplan") is True,
        )

    @property
    def kind(self) -> str:
        """``discount``, ``shipping``, ``tax`` or, for every other type, ``goods``."""
        kind = self.type.lower()
        return kind if kind in {"discount", "shipping", "tax"} else "goods"


@dataclass(frozen=True, kw_only=True)
class Invoice:
    """What is to be paid, by whom, for what.

    ``amount`` (major units, with exactly the currency's decimals) is the only amount to charge;
    ``minor_units`` is the same as an integer. ``currency`` is upper-case ISO 4217. ``cart_id`` is Snipcart's
    ``targetId``. ``has_plan`` says that the order holds a plan, of which Snipcart's reference says nothing: its ``plan``
    or a line's ``hasSelectedPlan``, as live traffic shows them.
    """

    amount: Decimal
    minor_units: int
    currency: str
    email: str = ""
    language: str = ""
    cart_id: str = ""
    billing_address: Address | None = None
    shipping_address: Address | None = None
    items: tuple[Item, ...] = ()
    has_plan: bool = False

    @classmethod
    def from_json(cls, value: object) -> Invoice:
        """Read an invoice; raise UnpayableOrder when its total cannot be charged exactly."""
        fields = Fields(value)
        units, currency = _payable(fields)
        items = tuple(
            Item.from_json(item) for item in fields.objects("items", _MOST_ITEMS) if isinstance(item, dict)
        )
        return cls(
            amount=to_amount(units, currency),
            minor_units=units,
            currency=currency,
            email=fields.text("email", 320),
            language=fields.text("language", 35),
            cart_id=fields.text("targetid", MAX_ID),
            billing_address=Address.from_json(fields.get("billingaddress")),
            shipping_address=Address.from_json(fields.get("shippingaddress")),
            items=items,
            has_plan=bool(fields.get("plan")) or any(item.has_plan for item in items),
        )

    @cached_property
    def adds_up(self) -> bool:
        """Whether the lines sum to the amount, which is what is charged either way; true without lines.

        Taxes that the prices hold already are not counted once more.
        """
        return not self.items or self._is_total(_sum(self.items)) or self.taxes_included

    @cached_property
    def taxes_included(self) -> bool:
        """Whether the lines sum to the amount only without the taxes, so that the prices hold those already."""
        if self._is_total(_sum(self.items)):
            return False
        others = [item for item in self.items if item.kind != "tax"]
        taxes = any(item.amount for item in self.items if item.kind == "tax")
        return taxes and self._is_total(_sum(others))

    def _is_total(self, total: Decimal) -> bool:
        return abs(total - self.amount) <= _SUM_NOISE

    @property
    def country(self) -> str:
        """The country of the billing address, else of the shipping address, else empty."""
        return next((a.country for a in (self.billing_address, self.shipping_address) if a and a.country), "")


def _sum(items: Iterable[Item]) -> Decimal:
    return sum([item.amount for item in items if item.amount], Decimal())


def _way_back(fields: Fields) -> str:
    name = "paymentauthorizationredirecturl"
    # What is there and no text is a way back that leads to none of our shops.
    return fields.link(name) if isinstance(fields.get(name), str | None) else "//(not a text)"


def _payable(fields: Fields) -> tuple[int, str]:
    amount, currency = fields.get("amount"), fields.get("currency")
    if isinstance(amount, bool) or not isinstance(amount, (int, Decimal)) or not isinstance(currency, str):
        raise BadAnswer("amount or currency is missing or of the wrong type")
    try:
        code = to_currency_code(currency)
        return to_minor_units(amount, code), code
    except UnpayableAmount as error:
        raise UnpayableOrder(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class PaymentSession:
    """Snipcart's payment session ("Payment session" of its reference).

    ``id`` is opaque and case-sensitive. ``return_url`` leads back to the cart. ``from_json`` leaves
    it unchecked, and it may be empty; from ``get_payment_session`` it is checked.
    ``payment_method`` is the id that the shopper chose in the cart, where Snipcart sends it.
    """

    id: str
    invoice: Invoice
    return_url: str = ""
    payment_method: str = ""

    @classmethod
    def from_json(cls, value: object) -> PaymentSession:
        """Read a session; raise BadAnswer, or its subclass UnpayableOrder."""
        fields = Fields(value)
        identifier = fields.get("id")
        if not isinstance(identifier, str) or not 0 < len(identifier) <= MAX_ID:
            raise BadAnswer("the session has no usable id")
        if clean_text(identifier) != identifier:
            raise BadAnswer("the session's id holds characters that no id has")
        return cls(
            id=identifier,
            invoice=Invoice.from_json(fields.get("invoice")),
            return_url=_way_back(fields),
            payment_method=fields.text("paymentmethod", MAX_ID),
        )
