"""The security headers of every answer, and its Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.http import HttpResponseBase

_HEADERS: Final = {
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "strict-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
NOTHING_ALLOWED: Final = "default-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
"""The policy of an answer that is no page."""


def build_page_policy(*, static_origin: str, styles: Iterable[str], icons: Iterable[str]) -> str:
    """Return the policy of a page: own files and styles only, no framing, forms to ourselves.

    ``static_origin`` is where the static files are served, empty for the site itself; ``styles`` are the hashes of the
    style blocks in the page, ``icons`` the origins of its icons.
    """
    files = " ".join(filter(None, ("'self'", static_origin)))
    return (
        f"default-src 'none'; style-src {' '.join((files, *styles))}; script-src {files}; font-src {files}; "
        f"img-src {' '.join((files, *icons))}; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def put_headers(response: HttpResponseBase, policy: str) -> None:
    """Put them on an answer, over whatever stands there."""
    for header, value in _HEADERS.items():
        response[header] = value
    response["Content-Security-Policy"] = policy
