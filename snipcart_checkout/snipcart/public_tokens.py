"""The public token: which texts may be one, and which one a request carries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from snipcart_checkout.exceptions import TokenMalformed

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")


def check_public_token(values: Iterable[object]) -> str:
    """Return the one public token from all the places where a request may carry it.

    Empty values and equal repeats are ignored; Snipcart adds its own parameter to URLs that may
    already have one. Raises TokenMalformed.
    """
    candidates = [value for value in values if value != ""]
    if not candidates:
        raise TokenMalformed("the request holds no public token", missing=True)
    token = candidates[0]
    if any(candidate != token for candidate in candidates):
        raise TokenMalformed("the request holds two different public tokens", contradictory=True)
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise TokenMalformed("the public token is malformed")
    return token
