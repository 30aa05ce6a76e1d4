"""What every endpoint of ours has in common: its headers, no transaction around it, nothing secret let out.

Answers of 400 and above are logged here, by reference, and not by Django: its log records carry the request, and its
error mails print the address with the token in it.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings as django_settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import connections, transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    QueryDict,
    UnreadablePostError,
)
from django.utils.decorators import classonlymethod
from django.views import View

from snipcart_checkout import services
from snipcart_checkout.exceptions import TokenMalformed
from snipcart_checkout.snipcart.transport import REQUEST_SECONDS, time_budget
from snipcart_checkout.views.security_headers import NOTHING_ALLOWED, put_headers

RETRY_AFTER: Final = 5
"""Seconds after which to try again what is out of order, where nobody has named another time."""

_SPECULATIVE: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


class NoLength(Exception):
    """The body of a request is chunked, and this server does not take it apart."""


class TooLarge(Exception):
    """The body of a request is larger than anything that its sender has to say."""


def is_speculative(request: HttpRequest) -> bool:
    """Return whether nobody looks at the answer yet: HEAD, or a browser that fetches or renders ahead."""
    purposes = " ".join(request.headers.get(name, "") for name in _SPECULATIVE).lower()
    return request.method == "HEAD" or any(word in purposes for word in ("prefetch", "prerender", "preview"))


def new_reference() -> str:
    """Return a reference for an answer that belongs to no payment; it stands on the page and in the log."""
    return uuid.uuid4().hex[:8]


def query_values(request: HttpRequest, name: str) -> list[str]:
    """Return all values of a query parameter, whatever the casing of its name.

    Raises TokenMalformed for a query of more parameters than Django reads.
    """
    try:
        return get_values(request.GET, name)
    except SuspiciousOperation:
        raise TokenMalformed("the query cannot be read") from None


def get_values(fields: QueryDict, name: str) -> list[str]:
    """Return all values of a field, whatever the casing of its name."""
    return [value for key, values in fields.lists() if key.lower() == name for value in values]


class Endpoint(View):
    """Base of our views.

    They are exempt from the site's CSRF check (pages make their own, see ``pages``), from a login that the site may
    demand, and from ATOMIC_REQUESTS, whose rollback would erase the record of money taken.
    """

    @classonlymethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:  # noqa: N805
        view: Any = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        view.csrf_exempt = True
        view.login_required = False
        return view  # type: ignore[no-any-return]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if probe := self.answer_probe(request):
            return Endpoint.finish(self, probe)
        try:
            with time_budget(REQUEST_SECONDS):
                response = self.render(self.respond(request, *args, **kwargs))
        except Exception as error:  # nothing may escape: Django would print the request, token and all
            response = self.answer_unexpected(request, error)
        return self.finish(response)

    def answer_probe(self, request: HttpRequest) -> HttpResponse | None:
        """Answer ``snipcart_doctor``, which asks whether it is this app that answers here; None for anybody else."""
        if request.method != "GET" or services.PROBE_PARAMETER not in request.META.get("QUERY_STRING", ""):
            return None
        try:
            nonce, host = request.GET.get(services.PROBE_PARAMETER, ""), request.get_host()
        except SuspiciousOperation:  # a host that ALLOWED_HOSTS does not hold, or a query that cannot be read
            return None
        view_name = request.resolver_match.url_name if request.resolver_match else None
        answer = services.answer_probe(
            nonce, view_name=view_name or "", host=host, is_secure=request.is_secure()
        )
        return JsonResponse(answer) if answer else None

    def respond(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer the request; whatever is raised here is answered by ``unexpected``."""
        return super().dispatch(request, *args, **kwargs)

    def policy(self) -> str:
        """Return the Content-Security-Policy."""
        return NOTHING_ALLOWED

    def render(self, response: HttpResponseBase) -> HttpResponseBase:
        """Render now what Django would render outside of our reach."""
        render = getattr(response, "render", None)
        return render() if callable(render) else response

    def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        """Put our headers on an answer."""
        put_headers(response, self.policy())
        response._has_been_logged = True  # type: ignore[attr-defined]
        if response.status_code == 404 and all(
            is_language_prefix_patterns_used(django_settings.ROOT_URLCONF)
        ):
            # LocaleMiddleware would replace our answer by a redirect into the site's catch-all; in a URLconf of this app
            # alone it finds no language that the address might have lacked.
            self.request.urlconf = "snipcart_checkout.urls"
        if response.status_code >= 400:
            # BrokenLinkEmailsMiddleware would mail the address of what was not found, and the token with it.
            self.request.META["QUERY_STRING"] = ""
        return response

    def answer_unexpected(self, request: HttpRequest, error: Exception) -> HttpResponseBase:
        """Log what nobody foresaw, and answer it even where the site's own templates are what is broken."""
        reference = _log_unexpected(error)
        try:
            return self.render(self.unexpected(request, error, reference))
        except Exception as another:
            _log_unexpected(another)
            return self.last_resort(reference)

    def unexpected(self, request: HttpRequest, error: Exception, reference: str) -> HttpResponseBase:
        """Answer what nobody foresaw."""
        return self.last_resort(reference)

    def last_resort(self, reference: str) -> HttpResponseBase:
        """Answer with nothing that could fail."""
        return HttpResponse(reference, status=500, content_type="text/plain; charset=utf-8")

    def read_body(self, limit: int) -> bytes:
        """Return the body of the request.

        Raises TooLarge beyond ``limit`` bytes, and NoLength for a chunked body where the server leaves the chunks in.
        """
        length = self.request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > limit:
            raise TooLarge
        try:
            body = self._read_chunks(limit) if self._is_chunked() else self.request.body
        except RequestDataTooBig:
            body = b" " * (limit + 1)
        except (UnreadablePostError, OSError):
            body = b""
        if len(body) > limit:
            raise TooLarge
        return body

    def _is_chunked(self) -> bool:
        # Under ASGI Django reads to the end of a body; under WSGI not one byte of a body whose length nobody named.
        meta = self.request.META
        chunked = "chunked" in meta.get("HTTP_TRANSFER_ENCODING", "").lower()
        return chunked and not meta.get("CONTENT_LENGTH") and "wsgi.input" in meta

    def _read_chunks(self, limit: int) -> bytes:
        meta = self.request.META
        if not meta.get("wsgi.input_terminated"):
            raise NoLength
        return bytes(meta["wsgi.input"].read(limit + 1))


def _log_unexpected(error: Exception) -> str:
    """Log where an error arose, without its text and its variables, which may hold a token."""
    reference = new_reference()
    frames = traceback.extract_tb(error.__traceback__)
    places = " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames[-6:])
    services.log(logging.ERROR, "unexpected %s at %s [%s]", type(error).__name__, places, reference)
    if django_settings.DEBUG:
        services.log(logging.ERROR, "%s", "".join(traceback.format_list(frames)))
    return reference
