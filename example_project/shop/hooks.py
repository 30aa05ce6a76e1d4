"""What the shop changes about snipcart_checkout: SNIPCART_CHECKOUT names these functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

SLOW_METHODS = {"example_transfer"}


def methods_for(methods: Sequence[Any], invoice: Any, store: Any) -> list[Any]:
    """METHOD_FILTER: whoever buys only downloads wants them at once, so there is no bank transfer for those."""
    goods = [item for item in invoice.items if item.type not in {"Discount", "Shipping", "Tax"}]
    only_downloads = all(item.type == "Digital" for item in goods)
    return [method for method in methods if not (only_downloads and method.id in SLOW_METHODS)]


def page_context(request: HttpRequest, session: Any, store: Any) -> dict[str, Any]:
    """CONTEXT: whom to ask about an order. Asked for every page, also where there is no order (session is None)."""
    return {"help_text": _("hello@shop.example, every day from 9 to 18")}


def shop(request: HttpRequest) -> dict[str, Any]:
    """A context processor, for every template of the project: the shop's name, and whether its theme is on."""
    return {"shop_name": "The Paper Lantern", "themed": request.COOKIES.get("theme") != "off"}
