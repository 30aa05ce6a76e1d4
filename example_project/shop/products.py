"""What the shop sells. In a real shop Snipcart reads this from the pages; here it goes to the sandbox."""

from __future__ import annotations

from typing import Any

PRODUCTS: dict[str, dict[str, Any]] = {
    "mug": {
        "NAME": {"en": "Mug", "fr": "Tasse"},
        "PRICES": {"EUR": "18", "USD": "19.5", "CAD": "24.95", "JPY": "2900", "KWD": "5.875"},
    },
    "poster": {
        "NAME": {"en": "Poster", "fr": "Affiche"},
        "PRICES": {"EUR": "12.5", "USD": "13.5", "CAD": "17.25", "JPY": "1980", "KWD": "4.125"},
    },
    "guide": {
        "NAME": {"en": "City guide (e-book)", "fr": "Guide de la ville (livre numérique)"},
        "TYPE": "Digital",
        "PRICES": {"EUR": "7.9", "USD": "8.5", "CAD": "11", "JPY": "1200", "KWD": "2.5"},
    },
}
