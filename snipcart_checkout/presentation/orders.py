"""The order: lines, total, addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from django.utils.safestring import SafeString
from django.utils.translation import get_language, pgettext

from snipcart_checkout.conf.translation import gettext, ngettext
from snipcart_checkout.presentation.addresses import address_lines
from snipcart_checkout.presentation.formats import format_money, format_number
from snipcart_checkout.presentation.item_rows import ItemDisplay, build_rows
from snipcart_checkout.presentation.languages import PageLanguage
from snipcart_checkout.snipcart import Address, Invoice, Item


@dataclass(frozen=True, kw_only=True)
class InvoiceDisplay:
    """An order as the page shows it.

    ``amount`` (Decimal, major units), ``currency``, ``email``, ``language`` and ``cart_id`` are as Snipcart sent
    them; everything else is finished. ``goods``, ``charges`` (discounts, shipping, taxes) and ``included`` (taxes that
    the prices hold already) are ``items`` told apart. ``item_count`` counts pieces, as the cart does. Addresses are
    lines, none where there is no address. ``adds_up`` says whether the lines sum to the total, which is what is charged
    either way, ``has_plan`` whether the order holds a subscription, of which this payment is the first.
    """

    amount: Decimal
    currency: str
    email: str
    language: str
    cart_id: str
    total: str
    items: tuple[ItemDisplay, ...]
    goods: tuple[ItemDisplay, ...]
    charges: tuple[ItemDisplay, ...]
    included: tuple[ItemDisplay, ...]
    item_count: int
    count_text: str
    adds_up: bool
    has_plan: bool
    billing_address: tuple[str, ...]
    shipping_address: tuple[str, ...]
    same_address: bool

    @property
    def rows(self) -> SafeString:
        """What ``parts/item_rows.html`` makes of the lines, finished: as a loop in a template it takes ten times as long."""
        return build_rows(self.goods, self.charges)


def present_invoice(invoice: Invoice, language: PageLanguage) -> InvoiceDisplay:
    """Return an order in the number format of the page; its words are in the active translation."""
    items = _present_items(invoice, language.locale)
    goods = tuple(item for item in items if item.kind == "goods")
    extra = tuple(item for item in items if item.kind != "goods")
    included = tuple(item for item in extra if item.kind == "tax") if invoice.taxes_included else ()
    count = _count_pieces(
        one.quantity for one, item in zip(invoice.items, items, strict=True) if item.kind == "goods"
    )
    billing = _present_address(invoice.billing_address, language.locale)
    shipping = _present_address(invoice.shipping_address, language.locale)
    return InvoiceDisplay(
        amount=invoice.amount,
        currency=invoice.currency,
        email=invoice.email,
        language=invoice.language,
        cart_id=invoice.cart_id,
        total=format_money(invoice.amount, invoice.currency, language.locale),
        items=items,
        goods=goods,
        charges=tuple(item for item in extra if item not in included),
        included=included,
        item_count=count,
        count_text=_count_text(count, language.locale),
        adds_up=invoice.adds_up,
        has_plan=invoice.has_plan,
        billing_address=billing,
        shipping_address=shipping,
        same_address=bool(billing) and billing == shipping,
    )


def _count_pieces(quantities: Iterable[Decimal | None]) -> int:
    # Two and a half metres of fabric are one item.
    return sum([1 if one is None or one <= 0 or one % 1 else int(one) for one in quantities])


def _count_text(count: int, locale: str) -> str:
    text = ngettext("{count} item", "{count} items", count)
    return text.format(count=format_number(Decimal(count), locale))


def _present_items(invoice: Invoice, locale: str) -> tuple[ItemDisplay, ...]:
    currency = invoice.currency
    each, nameless, plan, labels = _get_texts(get_language())

    def present(item: Item) -> ItemDisplay:
        kind, quantity, unit_price, amount = item.kind, item.quantity, item.unit_price, item.amount
        label = plan if item.has_plan else labels.get(kind, "")
        price = "" if unit_price is None else format_money(unit_price, currency, locale)
        return ItemDisplay(
            kind,
            label,
            item.name or labels.get(kind, nameless),
            "" if quantity is None else format_number(quantity, locale),
            price,
            each.replace("{price}", price) if price and quantity is not None and quantity != 1 else "",
            "" if amount is None else format_money(amount, currency, locale),
        )

    return tuple(map(present, invoice.items))


@lru_cache(maxsize=64)
def _get_texts(_language: str | None) -> tuple[str, str, str, Mapping[str, str]]:
    """Return the texts of lines in the active translation: price of one piece, nameless, subscription, and the kinds."""
    each = pgettext("snipcart_checkout: price of one piece", "{price} each")
    labels = {"discount": gettext("Discount"), "shipping": gettext("Delivery"), "tax": gettext("Tax")}
    return each, gettext("Item"), gettext("Subscription"), labels


def _present_address(address: Address | None, locale: str) -> tuple[str, ...]:
    return address_lines(address, locale) if address else ()
