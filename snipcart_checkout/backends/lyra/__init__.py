"""Card payments on the payment page of PayZen, Systempay, Scellius and the other platforms of Lyra."""

from __future__ import annotations

from snipcart_checkout.backends.lyra.backend import LyraBackend

__all__ = ["LyraBackend"]
