"""Every script of our pages, why it is there, and what it has to be (PCI DSS 4.0.1, 6.4.3).

``parts/scripts.html`` names the same integrity, so a browser refuses a file that was tampered with; a test compares
this list, the template and the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["SCRIPTS", "Script"]


@dataclass(frozen=True, kw_only=True)
class Script:
    """One script. ``path`` is its static path, ``integrity`` as in the attribute of that name."""

    path: str
    reason: str
    integrity: str


SCRIPTS: Final = (
    Script(
        path="snipcart_checkout/checkout.js",
        reason=(
            "Shows that a payment is being sent, keeps a second press from sending it again, and looks for news of "
            "a payment that is being checked. The pages work without it."
        ),
        integrity="sha384-bpYB3SUPi23E+R5SVoRXC9Quc/kXjW47Y15kxXz+iHm+GcqsSkJxKeoFS96QTGLP",
    ),
)
