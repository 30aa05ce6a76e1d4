"""Rules about the site's middleware: what the app needs, and what must not surround our views."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from django.conf import settings as django_settings
from django.core import checks
from django.utils.module_loading import import_string

from snipcart_checkout.conf.translation import gettext as _

Messages = Iterator[checks.CheckMessage]

_SESSIONS: Final = "django.contrib.sessions.middleware.SessionMiddleware"


def is_middleware_installed(path: str) -> bool:
    """Return whether a middleware class, or a subclass of it, is in MIDDLEWARE."""
    wanted = import_string(path)
    return any(
        isinstance(middleware, type) and issubclass(middleware, wanted)
        for middleware in map(_load, django_settings.MIDDLEWARE)
    )


def csrf_sessions() -> Messages:
    if django_settings.CSRF_USE_SESSIONS and not is_middleware_installed(_SESSIONS):
        yield checks.Error(
            _("CSRF_USE_SESSIONS is on, but there is no session to keep the secret of a form."),
            hint=_("Add {path} to MIDDLEWARE, or remove CSRF_USE_SESSIONS.").format(path=repr(_SESSIONS)),
            id="snipcart_checkout.E304",
        )


def transactions() -> Messages:
    """Find middleware whose rollback would erase the record of money that was taken."""
    for path in django_settings.MIDDLEWARE:
        middleware = _load(path)
        if middleware is not None and (_is_marked_atomic(middleware) or _wraps_in_transaction(middleware)):
            yield checks.Error(
                _(
                    "{path} opens a transaction around every request, so that no payment can be recorded before its "
                    "money is taken: every payment is refused."
                ).format(path=path),
                hint=_(
                    "Use a subclass of it with atomic = False, or one that leaves out the addresses of "
                    "snipcart_checkout."
                ),
                id="snipcart_checkout.E310",
            )


def _load(path: str) -> Any:
    try:
        return import_string(path)
    except Exception:  # Django itself reports an invalid MIDDLEWARE
        return None


def _is_marked_atomic(middleware: Any) -> bool:
    # As in django-reversion: RevisionMiddleware.atomic.
    return isinstance(middleware, type) and getattr(middleware, "atomic", None) is True


def _wraps_in_transaction(middleware: Any) -> bool:
    # The functions in use, without those that a subclass overrides.
    if isinstance(middleware, type):
        return any(
            _calls_atomically(member) for _, member in inspect.getmembers(middleware, inspect.isfunction)
        )
    return inspect.isroutine(middleware) and _calls_atomically(middleware)


@cache
def _calls_atomically(function: Any) -> bool:
    """Return whether get_response is called inside ``with atomic()`` or ``@atomic``, or is wrapped by it."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        return False
    return any(_mentions_response(part) for node in ast.walk(tree) for part in _atomic_parts(node))


def _atomic_parts(node: ast.AST) -> Sequence[ast.AST]:
    """Return the nodes that run in a transaction opened by this node; none where it opens none."""
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return node.body if any(_is_atomic(item.context_expr) for item in node.items) else ()
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return node.body if any(map(_is_atomic, node.decorator_list)) else ()
    return node.args if isinstance(node, ast.Call) and _is_atomic(node.func) else ()


def _is_atomic(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return _is_atomic(node.func)
    return _get_name(node) == "atomic"


def _mentions_response(node: ast.AST) -> bool:
    return any(_get_name(inner) == "get_response" for inner in ast.walk(node))


def _get_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
