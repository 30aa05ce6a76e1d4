"""Names of what is never shown: keys of forms, JSON, headers (also as environment or attribute), settings and variables."""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = re.compile(
    r"(public|request|access).?token$|^capability$|(api|secret|hmac).?keys?$|secrets?$|password$|authorization$",
    re.IGNORECASE,
)


def is_secret_name(key: object) -> bool:
    """Return whether the value under this key is a secret."""
    return _NAME.search(str(key)) is not None
