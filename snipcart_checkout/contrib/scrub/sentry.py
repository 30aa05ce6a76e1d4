"""Hooks for ``sentry_sdk.init``; each has the name of the option that it is meant for.

Where there is a hook of your own, call ours last, with what yours returned. An error in a hook makes Sentry drop the
event, so that nothing leaves unread.
"""

from __future__ import annotations

from typing import Any, TypeVar

from snipcart_checkout.contrib.scrub.scrubbing import scrub

__all__ = [
    "before_breadcrumb",
    "before_send",
    "before_send_log",
    "before_send_span",
    "before_send_transaction",
]

_Event = TypeVar("_Event")


def before_send(event: _Event | None, hint: Any) -> _Event | None:
    """Return an error event without the secrets in its request, variables, messages and breadcrumbs."""
    return _scrub(event)


def before_send_transaction(event: _Event | None, hint: Any) -> _Event | None:
    """Return a transaction without the secrets in its request and in the spans of it."""
    return _scrub(event)


def before_breadcrumb(crumb: _Event | None, hint: Any) -> _Event | None:
    """Return a breadcrumb without the secrets in its message and data."""
    return _scrub(crumb)


def before_send_log(log: _Event | None, hint: Any) -> _Event | None:
    """Return a log record without the secrets in its text and attributes."""
    return _scrub(log)


def before_send_span(span: _Event | None, hint: Any) -> _Event | None:
    """Return a streamed span without the secrets in its name and attributes."""
    return _scrub(span)


def _scrub(event: _Event | None) -> _Event | None:
    clean: _Event | None = scrub(event)
    return clean
