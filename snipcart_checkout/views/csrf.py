"""The forms on the shopper's pages, and forms that other sites send: Django's check and Django's tokens."""

from __future__ import annotations

import os
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CSRF_ALLOWED_CHARS, CSRF_SECRET_LENGTH, CsrfViewMiddleware

from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.links import to_origin

_LETTERS: Final = len(CSRF_ALLOWED_CHARS)
# Bytes that stand for a letter, each letter as often as the others, and the few that are left over.
_USABLE: Final = 256 // _LETTERS * _LETTERS
_LETTER_OF_BYTE: Final = bytes(ord(CSRF_ALLOWED_CHARS[byte % _LETTERS]) for byte in range(256))
_LEFT_OVER: Final = bytes(range(_USABLE, 256))
_PLACES: Final = {letter: place for place, letter in enumerate(CSRF_ALLOWED_CHARS)}


class CsrfCheck(CsrfViewMiddleware):
    """Django's check, which tells us instead of showing the site's own page."""

    def _origin_verified(self, request: HttpRequest) -> bool:
        # Behind a proxy that Django was not told of, the request looks like http, and the browser's https origin
        # like a stranger's. PUBLIC_URL says what the site is called outside.
        ours = to_origin(get_settings().public_url)
        return request.META["HTTP_ORIGIN"] == ours or bool(super()._origin_verified(request))  # type: ignore[misc]

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(reason, status=403)


def get_form_token(request: HttpRequest) -> str:
    """Return what a form has to send back: like Django's ``get_token``, the cookie that it belongs to included.

    Django asks the system for each letter of its own. A token takes 64 of them, and in a server with several threads each
    hands Python's lock to another one. Here all are asked for at once.
    """
    letters = _draw_letters(2 * CSRF_SECRET_LENGTH)
    secret = request.META.get("CSRF_COOKIE") or letters[:CSRF_SECRET_LENGTH]
    request.META.update({"CSRF_COOKIE": secret, "CSRF_COOKIE_NEEDS_UPDATE": True})
    mask = letters[CSRF_SECRET_LENGTH:]
    moved = [_PLACES[letter] + _PLACES[by] for letter, by in zip(secret, mask, strict=False)]
    return mask + "".join([CSRF_ALLOWED_CHARS[place % _LETTERS] for place in moved])


def _draw_letters(count: int) -> str:
    """Return so many random letters, each as likely as any other."""
    letters = ""
    while len(letters) < count:
        letters = os.urandom(2 * count).translate(_LETTER_OF_BYTE, _LEFT_OVER).decode()
    return letters[:count]
