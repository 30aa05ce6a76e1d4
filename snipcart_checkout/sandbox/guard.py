"""What every view of the sandbox has in common: it runs with DEBUG only, and outside of any transaction."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.db import connections, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

__all__ = ["View", "debug_only"]

View = Callable[..., HttpResponse]


def debug_only(view: View) -> View:
    """Let a view answer 404 with DEBUG off: whoever reaches it could order without paying.

    It is kept out of caches, and out of ATOMIC_REQUESTS, because it waits for the server whose database that locks.
    """

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: object) -> HttpResponse:
        if not settings.DEBUG:
            raise Http404("The sandbox runs with DEBUG only.")
        return view(request, **kwargs)

    for alias in connections:
        guarded = transaction.non_atomic_requests(using=alias)(guarded)
    return guarded
