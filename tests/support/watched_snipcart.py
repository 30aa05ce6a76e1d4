"""A stand-in Snipcart that keeps a diary of which order it showed when, and for which order it was told what."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from snipcart_checkout.sandbox.core.api import Answer
from snipcart_checkout.sandbox.core.wire import Request, Wire
from snipcart_checkout.services import hash_order
from snipcart_checkout.snipcart import PaymentSession, read_json
from snipcart_checkout.testing import StandIn, StandInSession

GONE: Final = frozenset({401, 403, 404, 410})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line: ``what`` is ``shown``, ``gone``, ``unread`` or an outcome that was recorded.

    ``order`` is the digest of what was shown, or of what stood when it was recorded. ``capability`` is the secret part
    of the refund link in the body. ``at`` is in nanoseconds since the epoch.
    """

    at: int
    session: str
    what: str
    order: str = ""
    capability: str = ""


class WatchedStandIn(StandIn):
    """Writes a diary."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.diary: list[Entry] = []
        self._arrived: dict[int, int] = {}

    def _serve(self, request: Request, wire: Wire) -> bool:
        # What happens while it is on its way to Snipcart nobody here can know of.
        self._arrived[threading.get_ident()] = time.time_ns()
        return super()._serve(request, wire)

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        if answer.endpoint == "payment-session" and answer.session is not None:
            self._note_shown(answer, self.get_session(answer.session.id))
        return answer

    def _note_shown(self, answer: Answer, session: StandInSession | None) -> None:
        if session is None:
            return
        what = "gone" if answer.reply.status in GONE else "unread"
        if answer.planned is not None:
            what = "gone" if answer.planned.name in {str(status) for status in GONE} else "unread"
        elif answer.reply.status == 200:
            what = "shown"
        order = digest(session) if what == "shown" else ""
        self.diary.append(Entry(at=time.time_ns(), session=session.id, what=what, order=order))

    def _record(self, session: StandInSession, body: dict[str, Any], *, accepts_repeats: bool) -> None:
        known = len(session.confirmations)
        super()._record(session, body, accepts_repeats=accepts_repeats)
        if len(session.confirmations) == known:
            return
        link = body.get("links", {}).get("refunds", "")
        entry = Entry(
            at=self._arrived[threading.get_ident()],
            session=session.id,
            what=body["state"],
            order=digest(session),
            capability=link.rstrip("/").rpartition("/")[2],
        )
        self.diary.append(entry)


def digest(session: StandInSession) -> str:
    """What our own reader makes of a session, without asking Snipcart, who may be unwell."""
    try:
        return hash_order(PaymentSession.from_json(read_json(json.dumps(session.to_json()).encode())))
    except Exception as error:  # an order that nobody can pay
        return type(error).__name__
