"""Makes what is written into the activity log readable, and takes the secrets out of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from snipcart_checkout.sandbox.core.tokens import JWT

_MAX_BODY: Final = 20_000
_LONG: Final = re.compile(r"[\w.~:+=-]{17,}")


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with every token and every one of the secrets shortened to its last four characters."""
    for secret in filter(None, secrets):
        text = text.replace(secret, _shortened(secret))
    return JWT.sub(lambda match: f"eyJ{_shortened(match[0])}", text)


def mask_link(url: str) -> str:
    """Return a link whose long parts, which may be proofs of something, are shortened to their first four characters."""
    parts = urlsplit(url)
    path, query = (_LONG.sub(lambda match: f"{match[0][:4]}…", part) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def readable_body(body: bytes | str, secrets: Iterable[str] = ()) -> str:
    """Return a body as text, indented where it is JSON, without secrets and without the proof in a refund link."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if len(text) > _MAX_BODY:
        return mask(text[:_MAX_BODY], secrets) + "…"
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return mask(text, secrets)
    return mask(json.dumps(_without_proof(value), indent=2, ensure_ascii=False), secrets)


def _without_proof(value: Any) -> Any:
    links = value.get("links") if isinstance(value, dict) else None
    refunds = links.get("refunds") if isinstance(links, dict) else None
    if not isinstance(refunds, str):
        return value
    return {**value, "links": {**links, "refunds": _link_or_nothing(refunds)}} if links else value


def _link_or_nothing(link: str) -> str:
    try:
        return mask_link(link)
    except ValueError:
        return "…"


def _shortened(secret: str) -> str:
    return f"…{secret[-4:]}"
