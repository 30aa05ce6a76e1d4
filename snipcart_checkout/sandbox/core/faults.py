"""Every way in which Snipcart can fail here: one list with names, an explanation for people, and what it does."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from django.utils.functional import Promise

from snipcart_checkout.sandbox.core.wire import Reply, Wire
from snipcart_checkout.sandbox.translation import gettext_lazy as _

ENDPOINTS: Final = ("validate", "payment-session", "payment", "requestvalidation")
"""The endpoints of Snipcart's API, by the last constant segment of their paths."""

CALLS_TO_SHOP: Final = ("payment-methods", "refund")
"""The calls that Snipcart makes to the merchant's server."""

PLACES: Final[Mapping[str, str | Promise]] = {
    "payment-methods": _("Snipcart asks the shop for payment methods"),
    "validate": _("The shop validates a token"),
    "payment-session": _("The shop reads the payment session"),
    "payment": _("The shop sends a confirmation"),
    "requestvalidation": _("The shop checks a request token"),
    "refund": _("Snipcart asks the shop for a refund"),
    "connection": _("The shop opens a connection"),
}
"""Where a fault can happen, in the order of a purchase. ``connection`` is before anything of a call was read."""

_HUGE: Final = 16 * 1024 * 1024
_READS_TOKEN: Final = ("validate", "payment-session")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to fail.

    ``words`` explain it to people. ``places`` are keys of PLACES. ``acts`` tells whether Snipcart does what it was
    asked, such as recording a confirmation, before it fails. With ``waits`` seconds pass before the answer.
    ``change`` replaces the reply. ``send`` takes the place of sending it; the connection is closed afterwards.
    """

    words: str | Promise
    places: tuple[str, ...] = ENDPOINTS
    acts: bool = True
    waits: bool = False
    change: Callable[[Reply], Reply] | None = None
    send: Callable[[Wire, Reply, float], None] | None = None

    def deliver(self, wire: Wire, reply: Reply, seconds: float) -> bool:
        """Send the reply, in the way of this fault; return whether the connection can still be used."""
        if self.waits:
            wire.wait(seconds)
        if self.send is None:
            wire.send_reply(reply)
            return True
        self.send(wire, reply, seconds)
        wire.cut()
        return False


def _send_nothing(_wire: Wire, _reply: Reply, _seconds: float) -> None:
    """The connection is cut afterwards anyway."""


def _reset(wire: Wire, _reply: Reply, _seconds: float) -> None:
    wire.reset()


def _cut_body(wire: Wire, reply: Reply, _seconds: float) -> None:
    wire.send(reply.head(length=len(reply.body)) + reply.body[: len(reply.body) // 2])


def _drip_headers(wire: Wire, reply: Reply, seconds: float) -> None:
    wire.send(reply.head(length=len(reply.body)).removesuffix(b"\r\n") + b"X-Drip: ")
    wire.drip_for(seconds)


def _drip_body(wire: Wire, reply: Reply, seconds: float) -> None:
    wire.send(reply.head(length=None))
    wire.drip_for(seconds)


def _redirect(_reply: Reply) -> Reply:
    return Reply(status=302, headers=(("Location", "/elsewhere"),))


def _wrong_json(reply: Reply) -> Reply:
    return Reply.of_json(reply.status, {"status": "ok"})


def _truncated_json(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _not_json(reply: Reply) -> Reply:
    html = (("Content-Type", "text/html"),)
    return Reply(status=reply.status, headers=html, body=b"<h1>Maintenance</h1>")


def _huge(reply: Reply) -> Reply:
    return replace(reply, body=b" " * _HUGE + reply.body)


def _gzip_bomb(reply: Reply) -> Reply:
    headers = (*reply.headers, ("Content-Encoding", "gzip"))
    return replace(reply, headers=headers, body=gzip.compress(b" " * _HUGE + reply.body))


def _status(status: int, words: str | Promise = "") -> Fault:
    """A fault that answers nothing but an HTTP status; those that mean "later" name the seconds."""
    patience = (("Retry-After", "7"),) if status in {429, 503} else ()
    message = Reply.of_json(status, {"message": f"A fault was switched on: {status}."})
    reply = replace(message, headers=(*message.headers, *patience))
    return Fault(words=words, acts=False, change=lambda _reply: reply)


FAULTS: Final[Mapping[str, Fault]] = {
    "slow": Fault(words=_("A good answer, but late"), waits=True),
    "hang": Fault(
        words=_("No answer at all, and nothing is done"),
        places=(*ENDPOINTS, "connection"),
        acts=False,
        waits=True,
        send=_send_nothing,
    ),
    "hang-after": Fault(words=_("No answer at all, although it was done"), waits=True, send=_send_nothing),
    "cut-before": Fault(
        words=_("The connection is cut, and nothing is done"),
        places=(*ENDPOINTS, "connection"),
        acts=False,
        send=_send_nothing,
    ),
    "cut-after": Fault(words=_("The connection is cut, although it was done"), send=_send_nothing),
    "cut-body": Fault(words=_("It is done, and the connection is cut within the answer"), send=_cut_body),
    "reset": Fault(
        words=_("The connection is reset, and nothing is done"),
        places=(*ENDPOINTS, "connection"),
        acts=False,
        send=_reset,
    ),
    "drip-headers": Fault(words=_("It is done, and the headers arrive byte by byte"), send=_drip_headers),
    "drip-body": Fault(words=_("It is done, and the answer arrives byte by byte"), send=_drip_body),
    "400": _status(400, _("Snipcart calls the request wrong (400)")),
    "401": _status(401, _("Snipcart does not accept the key or the token (401)")),
    "403": _status(403, _("Snipcart forbids it (403)")),
    "404": _status(404, _("Snipcart answers that nothing was found (404)")),
    "409": _status(409, _("Snipcart answers that it was settled before (409)")),
    "410": _status(410, _("The session looks dead once, and lives again (410)")),
    "429": _status(429, _("Too many calls: come back in seven seconds (429)")),
    "500": _status(500, _("Snipcart has an internal error (500)")),
    "503": _status(503, _("Snipcart is down for maintenance (503)")),
    "redirect": Fault(words=_("A redirect to another address"), acts=False, change=_redirect),
    "not-json": Fault(words=_("A web page instead of an answer"), change=_not_json),
    "wrong-json": Fault(words=_("An answer with other fields than it should have"), change=_wrong_json),
    "truncated-json": Fault(words=_("Only the first half of the answer"), change=_truncated_json),
    "huge": Fault(words=_("An answer of 16 megabytes"), change=_huge),
    "gzip-bomb": Fault(words=_("A small answer that unpacks to 16 megabytes"), change=_gzip_bomb),
    "session-expired": Fault(words=_("The payment session expires now, for good"), places=_READS_TOKEN),
    "cart-changed": Fault(
        words=_("The shopper changes the cart just before"), places=("payment-session", "payment")
    ),
    "cart-changed-after": Fault(
        words=_("The shopper changes the cart right afterwards"), places=("payment-session",)
    ),
    "currency-changed": Fault(
        words=_("The shopper chooses another currency just before"), places=("payment-session", "payment")
    ),
    "key-revoked": Fault(words=_("The shop's first key was revoked, the second works"), places=("payment",)),
    "repeat-refused": Fault(
        words=_("A confirmation that was recorded before is refused"), places=("payment",)
    ),
    "sent-twice": Fault(words=_("The request is sent twice"), places=CALLS_TO_SHOP),
    "no-request-token": Fault(words=_("The request carries no request token"), places=CALLS_TO_SHOP),
    "forged-request-token": Fault(
        words=_("The request carries a forged request token"), places=CALLS_TO_SHOP
    ),
}
"""Every fault by name. ``after`` in a name says that Snipcart had already done what it was asked."""


def get_fault(name: str | int, place: str) -> Fault:
    """Return a fault of a place by its name; a number is any HTTP status. Raises ValueError with what there is."""
    if place not in PLACES:
        raise ValueError(f"{place!r} is no endpoint of the stand-in; it has {', '.join(PLACES)}")
    if str(name).isdigit() and place in ENDPOINTS:
        return FAULTS.get(str(name)) or _status(int(name))
    possible = [name for name, fault in FAULTS.items() if place in fault.places]
    if name not in possible:
        raise ValueError(f"{name!r} is no fault of the stand-in's {place!r}; it has {', '.join(possible)}")
    return FAULTS[str(name)]
