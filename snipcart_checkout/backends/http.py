"""HTTP for backends: a requests.Session with the site's limits.

    answer = self.http.post("https://api.acme.example/v2/charges", json={...}, headers={...})
    if answer.status_code == 402: ...

An answer of any status is returned. Without an answer, or with an incomplete body,
ProviderUnavailable is raised, which is a ``requests.ConnectionError``; its ``was_sent`` is true
when the provider may have received the request.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from snipcart_checkout import __version__
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.origins import is_loopback
from snipcart_checkout.exceptions import ProviderBusy
from snipcart_checkout.snipcart.transport.calls import NoAnswer, Reply, send
from snipcart_checkout.snipcart.transport.remotes import NoSlot, Remote, get_remote
from snipcart_checkout.snipcart.transport.time_limits import seconds_left

__all__ = ["ProviderSession", "ProviderUnavailable", "provider_slot"]

_HEADERS: Final = {
    "User-Agent": f"django-snipcart-checkout/{__version__}",
    # Not br or zstd: whether urllib3 can decompress them depends on what else is installed.
    "Accept-Encoding": "gzip, deflate",
}


class ProviderUnavailable(requests.ConnectionError):
    """The provider gave no answer, or an incomplete one. The text contains at most the host, so it can
    be logged.

    ``was_sent`` is true from the moment that the first byte of the request was written to the
    network: then it is unknown whether the provider processed it.
    """

    def __init__(self, message: str = "", *, was_sent: bool = True) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class ProviderSession(requests.Session):
    """A session in which every call keeps to CONNECT_TIMEOUT, READ_TIMEOUT, TOTAL_TIMEOUT, PROXY and
    CA_BUNDLE.

    What is left of the request's time budget shortens TOTAL_TIMEOUT. At most MAX_CALLS_IN_FLIGHT calls of a method
    are in flight in a process. Only https is spoken, and http to a loopback address. No redirect is followed, no
    cookie is kept, nothing is taken from the environment, an answer ends at 2 MiB, and nothing is sent twice.
    ``timeout``, ``verify``, ``cert``, ``proxies`` and ``stream`` of a call have no effect.
    """

    def __init__(self, *, store: str, method: str) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.update(_HEADERS)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _ProviderAdapter(store, method))

    def get_redirect_target(self, resp: Response) -> None:
        """Follow no redirect: a 3xx is returned like any other answer."""


@contextmanager
def provider_slot(store_name: str, method_id: str) -> Iterator[None]:
    """Hold one of a method's slots for a whole call of its backend; calls of ``self.http`` inside
    share it.

    Raises ProviderBusy, before anything was sent, when MAX_CALLS_IN_FLIGHT calls are in flight and
    no slot became free (see ConcurrencyLimiter), or when nothing is left of the request's time
    budget. Both names have to be those of a configured store and method.
    """
    if seconds_left(1.0) <= 0:
        raise ProviderBusy("no time is left in this request; nothing was sent to the provider")
    with ExitStack() as stack:
        try:
            stack.enter_context(_remote(store_name, method_id).slot())
        except NoSlot:
            raise ProviderBusy(
                "too many calls to the provider are under way; nothing was sent to it"
            ) from None
        yield


class _ProviderAdapter(BaseAdapter):
    """Receives the prepared requests of the session."""

    def __init__(self, store_name: str, method_id: str) -> None:
        super().__init__()
        self._names = (store_name, method_id)

    def send(self, request: PreparedRequest, *_args: Any, **_limits: Any) -> Response:
        """Send one request; the limits that requests passes are ignored, ours apply."""
        if not _is_allowed(request.url or ""):
            raise ProviderUnavailable("only https is spoken with a provider", was_sent=False)
        try:
            reply = send(request, _remote(*self._names), get_settings())
        except NoAnswer as error:
            failure = error
        else:
            return _whole(reply)
        raise ProviderUnavailable(str(failure), was_sent=failure.was_sent)

    def close(self) -> None:
        """Close nothing: the connections belong to the process."""


def _remote(store_name: str, method_id: str) -> Remote:
    return get_remote(f"{store_name}/{method_id}", get_settings())


def _whole(reply: Reply) -> Response:
    if reply.problem:
        raise ProviderUnavailable(f"the provider's answer is not whole: {reply.problem}")
    # The body was already read within the limits; requests reads it again from memory.
    reply.response.raw = io.BytesIO(reply.body)
    return reply.response


def _is_allowed(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
