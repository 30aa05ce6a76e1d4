"""Cards, iDEAL, Bancontact, bank transfer and more on Mollie's own page: no card number ever meets this site."""

from __future__ import annotations

from snipcart_checkout.backends.mollie.backend import MollieBackend

__all__ = ["MollieBackend"]
