"""The order: lines, total, addresses."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from django.utils.translation import gettext, ngettext, pgettext

from snipcart_checkout.addresses import address_lines
from snipcart_checkout.formats import format_money, format_number
from snipcart_checkout.languages import PageLanguage
from snipcart_checkout.protocol import Address, Invoice, Item

__all__ = ["InvoiceView", "ItemView", "present_invoice"]

# More lines than this are folded on a narrow screen.
_LONG: Final = 8


class ItemView(NamedTuple):
    """One line of the order, in finished strings; what Snipcart does not send is empty.

    ``kind`` is ``goods``, ``discount``, ``shipping`` or ``tax``, and ``label`` says so in words, except for goods.
    ``each`` is "20,00 € each" where the unit price says more than the amount, else empty.

    A tuple, so that a template can take it apart in its ``for`` tag: at 500 lines, looking up names on each of
    them is a third of the page's time.
    """

    kind: str
    label: str
    name: str
    quantity: str
    unit_price: str
    each: str
    amount: str


@dataclass(frozen=True, kw_only=True)
class InvoiceView:
    """An order as the page shows it.

    ``amount`` (Decimal, major units), ``currency``, ``email``, ``language`` and ``cart_id`` are as Snipcart sent
    them; everything else is finished. ``goods`` and ``charges`` (discounts, shipping, taxes) are ``items`` told
    apart. Addresses are lines, none where there is no address. ``is_long`` says whether the lines are better
    folded on a narrow screen, ``adds_up`` whether they sum to the total, which is what is charged either way.
    """

    amount: Decimal
    currency: str
    email: str
    language: str
    cart_id: str
    total: str
    items: tuple[ItemView, ...]
    goods: tuple[ItemView, ...]
    charges: tuple[ItemView, ...]
    item_count: int
    count_text: str
    is_long: bool
    adds_up: bool
    billing_address: tuple[str, ...]
    shipping_address: tuple[str, ...]
    same_address: bool


def present_invoice(invoice: Invoice, language: PageLanguage) -> InvoiceView:
    """Return an order in the number format of the page; its words are in the active translation."""
    items = _present_items(invoice, language.locale)
    goods = tuple(item for item in items if item.kind == "goods")
    billing = _present_address(invoice.billing_address, language.locale)
    shipping = _present_address(invoice.shipping_address, language.locale)
    return InvoiceView(
        amount=invoice.amount,
        currency=invoice.currency,
        email=invoice.email,
        language=invoice.language,
        cart_id=invoice.cart_id,
        total=format_money(invoice.amount, invoice.currency, language.locale),
        items=items,
        goods=goods,
        charges=tuple(item for item in items if item.kind != "goods"),
        item_count=len(goods),
        count_text=_count_text(len(goods), language.locale),
        is_long=len(items) > _LONG,
        adds_up=sum((item.amount or Decimal(0) for item in invoice.items), Decimal(0)) == invoice.amount,
        billing_address=billing,
        shipping_address=shipping,
        same_address=bool(billing) and billing == shipping,
    )


def _count_text(count: int, locale: str) -> str:
    text = ngettext("{count} item", "{count} items", count)
    return text.format(count=format_number(Decimal(count), locale))


def _present_items(invoice: Invoice, locale: str) -> tuple[ItemView, ...]:
    currency, each = invoice.currency, pgettext("price of one piece", "{price} each")
    nameless = gettext("Item")
    labels = {"discount": gettext("Discount"), "shipping": gettext("Delivery"), "tax": gettext("Tax")}

    def present(item: Item) -> ItemView:
        kind, quantity, unit_price = item.kind, item.quantity, item.unit_price
        label = labels.get(kind, "")
        price = "" if unit_price is None else format_money(unit_price, currency, locale)
        return ItemView(
            kind,
            label,
            item.name or label or nameless,
            "" if quantity is None else format_number(quantity, locale),
            price,
            each.format(price=price) if price and quantity is not None and quantity != 1 else "",
            "" if item.amount is None else format_money(item.amount, currency, locale),
        )

    return tuple(map(present, invoice.items))


def _present_address(address: Address | None, locale: str) -> tuple[str, ...]:
    return address_lines(address, locale) if address else ()
