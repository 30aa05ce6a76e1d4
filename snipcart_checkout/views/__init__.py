"""What answers requests: the shopper's pages and the endpoints for machines.

The three pages may be subclassed by a site.
"""

from __future__ import annotations

from snipcart_checkout.views.checkout import CheckoutView
from snipcart_checkout.views.payment import PaymentReturnView, PaymentView

__all__ = ["CheckoutView", "PaymentReturnView", "PaymentView"]
