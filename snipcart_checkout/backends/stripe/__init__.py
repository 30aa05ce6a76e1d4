"""Card and wallet payments on Stripe's own page: hosted Checkout, so that no card number ever meets this site."""

from __future__ import annotations

from snipcart_checkout.backends.stripe.backend import StripeBackend

__all__ = ["StripeBackend"]
