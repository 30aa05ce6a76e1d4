"""Payments with PayPal, on PayPal's own page: Orders v2, captured when the shopper comes back."""

from __future__ import annotations

from snipcart_checkout.backends.paypal.backend import PayPalBackend

__all__ = ["PayPalBackend"]
