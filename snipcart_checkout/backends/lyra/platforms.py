"""The platforms that Lyra runs under other names: one API, one payment page, a host each.

The API hosts are those of Lyra's own examples (https://github.com/lyra/flask-embedded-form-examples, `.env.example`);
the Back Office shows a shop's own under Settings, Shop, REST API keys. The pages' hosts are those of the hosted form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.origins import base_url_problem


@dataclass(frozen=True)
class Platform:
    """Where a platform is: ``api_url`` without a path, and the origins of its payment page."""

    name: str
    api_url: str
    page_origins: tuple[str, ...]


PLATFORMS: Final[Mapping[str, Platform]] = {
    "clicandpay": Platform(
        "Clic&Pay", "https://api-clicandpay.groupecdn.fr", ("https://clicandpay.groupecdn.fr",)
    ),
    "lyra": Platform("Lyra Collect", "https://api.lyra.com", ("https://secure.lyra.com",)),
    "osb": Platform("OSB", "https://api.secure.osb.pf", ("https://secure.osb.pf",)),
    "payzen": Platform("PayZen", "https://api.payzen.eu", ("https://secure.payzen.eu",)),
    "scellius": Platform(
        "Scellius",
        "https://api.scelliuspaiement.labanquepostale.fr",
        ("https://scelliuspaiement.labanquepostale.fr",),
    ),
    "sogecommerce": Platform(
        "Sogecommerce",
        "https://api-sogecommerce.societegenerale.eu",
        ("https://sogecommerce.societegenerale.eu",),
    ),
    "systempay": Platform("Systempay", "https://api.systempay.fr", ("https://paiement.systempay.fr",)),
}


def get_platform(options: Mapping[str, Any]) -> Platform | None:
    """Return the platform that the options name, None where they name none that can be used.

    ``API_URL`` and ``PAGE_ORIGINS`` replace what the table says, for a platform that is not in it.
    """
    named = options.get("PLATFORM")
    known = PLATFORMS.get(named) if isinstance(named, str) else None
    if named is not None and known is None:
        return None
    api_url = options.get("API_URL", known.api_url if known else "")
    origins = options.get("PAGE_ORIGINS", known.page_origins if known else ())
    if base_url_problem(api_url) or not is_list_of_origins(origins) or not origins:
        return None
    return Platform(known.name if known else "Lyra", str(api_url).rstrip("/"), tuple(origins))


def is_list_of_origins(value: object) -> bool:
    """Return whether a value is a list of https origins, or of loopback ones."""
    return isinstance(value, (list, tuple)) and all(_is_origin(entry) for entry in value)


def _is_origin(entry: object) -> bool:
    return isinstance(entry, str) and not base_url_problem(entry) and to_origin(entry) == entry
