"""The options of the BTCPay backend as far as they are usable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from snipcart_checkout.conf.origins import base_url_problem

OPTIONS: Final = frozenset({"API_KEY", "STORE_ID", "URL", "WEBHOOK_SECRET"})

_STORE_ID: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{20,64}")
_API_KEY: Final = re.compile(r"[A-Za-z0-9_-]{20,128}")
_SHORTEST_SECRET: Final = 16


@dataclass(frozen=True, kw_only=True)
class BTCPayOptions:
    """The options, read; what is missing or unusable is empty. ``url`` has no slash at its end."""

    url: str
    store_id: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> BTCPayOptions:
        """Read the OPTIONS of a method."""
        url, secret = options.get("URL"), options.get("WEBHOOK_SECRET")
        return cls(
            url=url.rstrip("/") if isinstance(url, str) and not base_url_problem(url) else "",
            store_id=_matching(_STORE_ID, options.get("STORE_ID")),
            api_key=_matching(_API_KEY, options.get("API_KEY")),
            webhook_secret=secret if isinstance(secret, str) and len(secret) >= _SHORTEST_SECRET else "",
        )

    @property
    def missing(self) -> list[str]:
        """Names of the options without which BTCPay Server cannot be asked anything."""
        values = {"URL": self.url, "STORE_ID": self.store_id, "API_KEY": self.api_key}
        return [name for name, value in values.items() if not value]


def _matching(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
