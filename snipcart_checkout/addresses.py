"""Postal addresses as their country writes them, from the fields that Snipcart sends.

The address decides the order of its lines; only the country's name follows the shopper's language.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from babel import Locale

from snipcart_checkout.protocol import Address

__all__ = ["address_lines", "country_name"]

# Lines are separated by "|". What stands before a field is written only where the line already has something. A field
# that a country does not use, but that was filled in, comes last.
_DEFAULT: Final = "name|street|postal_code city|region"
_PATTERNS: Final = {
    "name|street|city, region postal_code": "AS CO FM GU MH MP PR PW UM US VI",
    "name|street|city region postal_code": "AU CA CC CX NF",
    "name|street|city postal_code": "BM BN BT IL JO LB MV NP NZ SA SG SZ TT",
    "name|street|city postal_code|region": "IN KH NG PE",
    "name|street|city|postal_code": "JM KE LK LS MM ZA",
    "name|street|city|region|postal_code": "EG FK GB GG GI GS IE IM IO JE PN RU SH TC UA",
    "name|street|city|region postal_code": "ID TH VN",
    "name|street|city, region|postal_code": "HN PA VE",
    "name|street|city-region|postal_code": "BR",
    "name|street|city - postal_code|region": "BD",
    "name|street|city-postal_code|region": "PK",
    "name|street|postal_code city, region": "MX",
    "name|street|postal_code city region": "ES IT",
    "name|street|postal_code city/region": "TR",
    "name|street|postal_code region city": "RO",
    "name|street|city|region": "AE BS CI HK IQ KN MO",
    "name|street|region|city, postal_code": "LV",
    "name|city|street|postal_code": "HU",
    "postal_code|region city|street|name": "CN JP TW",
    "region city|street|name|postal_code": "KP KR",
    "postal_code|region|city|street|name": "KZ",
    "region|city|street|postal_code": "IR",
}
_BY_COUNTRY: Final = {
    country: pattern for pattern, countries in _PATTERNS.items() for country in countries.split()
}
_FIELD: Final = re.compile(r"([^a-z]*)([a-z_]+)")


def address_lines(address: Address, locale: str) -> tuple[str, ...]:
    """Return the lines of an address, the country's name last; empty fields leave no trace.

    ``locale`` is a locale as Babel spells it.
    """
    lines = [_line(fields, address) for fields in _layout(address.country)]
    return tuple(filter(None, (*lines, country_name(address.country, locale))))


def country_name(code: str, locale: str) -> str:
    """Return the name of a country in the language of a locale, or the code itself where there is none."""
    # Babel also names continents, by numbers.
    name = Locale.parse(locale).territories.get(code) if code.isalpha() else None
    return name if isinstance(name, str) else code


def _line(fields: tuple[tuple[str, str], ...], address: Address) -> str:
    line = ""
    for separator, name in fields:
        if value := getattr(address, name):
            line = f"{line}{separator}{value}" if line else value
    return line


@lru_cache(maxsize=256)
def _layout(country: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    pattern = _BY_COUNTRY.get(country, _DEFAULT)
    pattern = "|".join((pattern, *(field for field in ("region", "postal_code") if field not in pattern)))
    return tuple(
        tuple((match[1], match[2]) for match in _FIELD.finditer(line)) for line in pattern.split("|")
    )
