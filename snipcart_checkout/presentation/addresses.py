"""Postal addresses as their country writes them, from the fields that Snipcart sends.

The address decides the order of its lines; only the country's name follows the shopper's language.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from functools import lru_cache
from typing import Final

from babel import Locale

from snipcart_checkout.snipcart import Address

# Lines are separated by "|". What stands before a field is written only where the line already has something, except
# at the start of a line; "~" is a space that ideographs do without. A field that a country does not use, but that was
# filled in, comes last.
_DEFAULT: Final = "name|street|postal_code city|region"
_PATTERNS: Final = {
    "name|street|city, region postal_code": "BB GU PR SO US",
    "name|street|city region postal_code": "AS AU CA CC CX FM HM MH MP NF PW UM VI",
    "name|street|city postal_code": "BH BM BN BT IL JO KH LB LS MT MV NP NZ SA SG TT VC",
    "name|street|city postal_code|region": "IN NG PE",
    "name|street|city postal_code region": "PG",
    "name|street|city postal_code, region": "VE",
    "name|street|city, postal_code": "MM",
    "name|street|city - postal_code": "BD",
    "name|street|city-postal_code": "PK",
    "name|street|city|postal_code": "AC AF AI FK GI GS IO KE LK NA PN SD SH SZ TA TC VG ZA",
    "name|street|city|region|postal_code": "EG GB GG IE IM JE RU UA",
    "name|street|city|region postal_code": "ID JM KY MN TH VN",
    "name|street|city region|postal_code": "CU",
    "name|street|city, region, postal_code": "CO",
    "name|street|city, region|postal_code": "HN IQ",
    "name|street|city, region": "BS KN",
    "name|street|city-region|postal_code": "BR",
    "name|street|city|region": "AE CI HK KI MO NR PA SC SR TV",
    "name|street|postal_code city, region": "MX",
    "name|street|postal_code city region": "EE ES IT LT MZ PF UY",
    "name|street|postal_code city/region": "TR",
    "name|street|postal_code region city": "RO",
    "name|street|postal_code, city|region": "BY",
    "name|street|postal_code-city|region": "GT SV",
    "name|street|postal_code|city|region": "AL AM EC MU OM",
    "name|street|postal_code|city, region": "NI",
    "name|street|city|postal_code region": "PH",
    "name|street|region, city|postal_code": "CR",
    "name|street|region|city, postal_code": "LV",
    "name|city|street|postal_code": "HU",
    "name|region|city, street|postal_code": "IR",
    "〒postal_code|region~city|street|name": "JP",
    "postal_code|region~city|street|name": "CN TW",
    "region city|street|name|postal_code": "KR",
    "postal_code|region|city|street|name": "KP KZ",
}
_BY_COUNTRY: Final = {
    country: pattern for pattern, countries in _PATTERNS.items() for country in countries.split()
}
# Regions are shown as Snipcart sends them. One that only says the city again ("28001 Madrid, Madrid") is left out,
# except where a region belongs into every address.
_ALWAYS_WITH_REGION: Final = frozenset("AU BR CA GU IN MX NG PR US".split())
_FIELD: Final = re.compile(r"([^a-z]*)([a-z_]+)")


def address_lines(address: Address, locale: str) -> tuple[str, ...]:
    """Return the lines of an address, the country's name last; empty fields leave no trace.

    ``locale`` is a locale as Babel spells it.
    """
    if address.region.casefold() == address.city.casefold() and address.country not in _ALWAYS_WITH_REGION:
        address = replace(address, region="")
    lines = [_line(fields, address) for fields in _layout(address.country)]
    return tuple(filter(None, (*lines, country_name(address.country, locale))))


@lru_cache(maxsize=512)
def country_name(code: str, locale: str) -> str:
    """Return the name of a country in the language of a locale, or the code itself where there is none."""
    # Babel also names continents, by numbers.
    name = Locale.parse(locale).territories.get(code) if code.isalpha() else None
    return name if isinstance(name, str) else code


def _line(fields: tuple[tuple[str, str], ...], address: Address) -> str:
    line = ""
    for index, (separator, name) in enumerate(fields):
        value = getattr(address, name)
        if not value:
            continue
        if not line:
            line = value if index or value.startswith(separator) else separator + value
        elif separator == "~":
            line += value if _is_ideograph(line[-1]) and _is_ideograph(value[0]) else f" {value}"
        else:
            line += separator + value
    return line


def _is_ideograph(character: str) -> bool:
    return unicodedata.east_asian_width(character) == "W"


@lru_cache(maxsize=256)
def _layout(country: str) -> tuple[tuple[tuple[str, str], ...], ...]:
    pattern = _BY_COUNTRY.get(country, _DEFAULT)
    pattern = "|".join((pattern, *(field for field in ("region", "postal_code") if field not in pattern)))
    return tuple(
        tuple((match[1], match[2]) for match in _FIELD.finditer(line)) for line in pattern.split("|")
    )
