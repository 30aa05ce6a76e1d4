"""Where staff find an order on Snipcart's dashboard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from snipcart_checkout.models import Payment

_ORDERS: Final = "https://app.snipcart.com/dashboard/orders"
# Snipcart's order page in a shop names the order by its token, which is also its address on the dashboard.
_TOKEN: Final = re.compile(r"/order/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?![0-9a-zA-Z-])")


@dataclass(frozen=True, kw_only=True)
class OrderLink:
    """An address on Snipcart's dashboard; ``is_order`` is False where it is the list of all orders."""

    url: str
    is_order: bool


def get_order_link(payment: Payment) -> OrderLink:
    """Return the order of a payment on Snipcart's dashboard, or the list of orders while its token is unknown."""
    match = _TOKEN.search(payment.order_url)
    if match is None:
        return OrderLink(url=_ORDERS, is_order=False)
    return OrderLink(url=f"{_ORDERS}/{quote(match[1])}", is_order=True)
