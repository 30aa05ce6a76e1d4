"""Masks tokens and refund capabilities in the log lines of other packages."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

from snipcart_checkout.conf import get_settings

_LOGGERS: Final = (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.util.retry",
    "django.request",
    "django.server",
)
_HIDDEN: Final = "[hidden]"
# A token after its name, in a query, in JSON or in the representation of a Python value; a secret that is a part of a
# path. A token may hold a slash, a part of a path may not.
_SECRET: Final = re.compile(
    r"""((?:public|request)_?token(?:=|%3d|["']?\s*[:=]\s*\[?\s*b?["']))[\w.~+/=%-]+"""
    r"""|(/requestvalidation/)[^\s&?/#"'<>{}]+""",
    re.IGNORECASE,
)
_REFUND: Final = re.compile(r"""(?P<store>[-\w]*)(?P<path>/refunds/)(?P<secret>[^\s&?/#"'<>{}]+)""")
_CAPABILITY: Final = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def hide_secrets(text: str) -> str:
    """Return the text with ``[hidden]`` in place of each public token and refund capability.

    Of paths with ``/refunds/`` only our own are changed: those below a configured store, and those with a capability.
    """
    return _REFUND.sub(_hide_refund, _SECRET.sub(rf"\1\2{_HIDDEN}", text))


def _hide_refund(match: re.Match[str]) -> str:
    if _CAPABILITY.fullmatch(match["secret"]) or _is_store(match["store"]):
        return f"{match['store']}{match['path']}{_HIDDEN}"
    return match[0]


def _is_store(name: str) -> bool:
    try:
        return name in get_settings().stores
    except Exception:  # no settings yet, or broken ones: better hide too much
        return True


class _Scrubber(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except Exception:
            # A record that cannot be formatted is a bug of its caller. The handlers report it, and
            # must not print its unchecked arguments.
            record.msg, record.args = "a log record could not be formatted", ()
            return True
        if hide_secrets(message) != message:
            _hide_in_record(record)
        return True


def _hide_in_record(record: logging.LogRecord) -> None:
    """Mask each argument, because some formatters read them one by one, and the whole message if that
    is not enough.
    """
    if isinstance(record.args, tuple):
        record.args = tuple(map(_hide_in_argument, record.args))
    message = record.getMessage()
    if (clean := hide_secrets(message)) != message:
        record.msg, record.args = clean, ()


def _hide_in_argument(argument: Any) -> Any:
    if isinstance(argument, (int, float)):
        return argument
    text = str(argument)
    clean = hide_secrets(text)
    return argument if clean == text else clean


_scrubber: Final = _Scrubber()


def install_log_scrubber() -> None:
    """Add the filter to the loggers that write URLs unmasked; a second call changes nothing.

    They are urllib3's, which write the query of our calls at DEBUG (and of an answer with malformed
    headers at WARNING), and Django's own for requests and its development server.
    """
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_scrubber)
