"""One call to Snipcart, with this app's exceptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from requests import PreparedRequest, Response

from snipcart_checkout.conf import Settings, get_settings
from snipcart_checkout.exceptions import BadAnswer, SnipcartError, SnipcartUnavailable
from snipcart_checkout.snipcart.transport.calls import NoAnswer, Reply, send
from snipcart_checkout.snipcart.transport.remotes import SNIPCART, get_remote

MAX_IGNORED_BODY: Final = 64 * 1024
"""The most bytes read of a body that is not used, so that its connection can be kept."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Snipcart answered. ``retry_after`` is in seconds, None when Snipcart named none."""

    status: int
    retry_after: int | None = None
    body: bytes = field(default=b"", repr=False)
    problem: SnipcartError | None = None

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def content(self) -> bytes:
        """Return the whole body, decompressed.

        Raises SnipcartUnavailable when it was cut off or too slow, BadAnswer when it is too large or
        cannot be decompressed.
        """
        if self.problem is not None:
            raise self.problem
        return self.body


def exchange(request: PreparedRequest, settings: Settings) -> Answer:
    """Send a request to Snipcart once and return the answer, whatever its status; redirects are not
    followed.

    Raises SnipcartUnavailable when no status arrived in time or when there is no slot for another
    call; its ``was_sent`` is true when Snipcart may have received the request.
    """
    try:
        reply = send(request, get_remote(SNIPCART, settings), settings, max_error_body=MAX_IGNORED_BODY)
    except NoAnswer as error:
        failure = error
    else:
        status = reply.response.status_code
        return Answer(
            status=status, retry_after=_retry_after(reply.response), body=reply.body, problem=_problem(reply)
        )
    raise SnipcartUnavailable(
        f"Snipcart: {failure}", was_sent=failure.was_sent, retry_after=failure.retry_after
    )


def warm() -> None:
    """Build now what the first call would build; nothing is sent.

    An unusable CA file or proxy is left for the first call to report.
    """
    try:
        get_remote(SNIPCART, get_settings()).adapter()
    except Exception:  # the library's text may contain the proxy's password
        return


def _problem(reply: Reply) -> SnipcartError | None:
    status = reply.response.status_code
    if reply.is_cut:
        return SnipcartUnavailable(f"Snipcart's answer broke off: {reply.problem}", status=status)
    return BadAnswer(f"Snipcart's answer: {reply.problem}", status=status) if reply.problem else None


def _retry_after(response: Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return min(int(text), 60) if text.isascii() and text.isdigit() and len(text) < 10 else None
