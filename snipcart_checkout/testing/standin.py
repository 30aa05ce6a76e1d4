"""A stand-in for Snipcart that tests can order sessions from, break, and ask what it was told."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from snipcart_checkout.sandbox.contract import Line
from snipcart_checkout.testing.endpoints import ENDPOINTS, Endpoints, endpoint_of
from snipcart_checkout.testing.faults import FAULTS, Fault, Reply, Wire
from snipcart_checkout.testing.orders import StandInSession, new_invoice, new_session_id
from snipcart_checkout.testing.server import Request, Server

__all__ = ["Call", "StandIn"]

_T = TypeVar("_T")
_DEFAULT_SECONDS: Final = {"slow": 0.2}


@dataclass(frozen=True, kw_only=True)
class Call(Request):
    """A request that the stand-in got. ``endpoint`` is empty for a path that Snipcart does not have."""

    endpoint: str

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(kw_only=True)
class _Plan:
    fault: Fault | None = None
    seconds: float = 0.0
    times: int | None = 1
    action: Callable[[], object] | None = None


class StandIn:
    """Snipcart, played over real HTTP on a free loopback port; use it as a context manager.

    ``shop_url`` is where shoppers are sent back to. ``api_keys`` are the gateway's keys and
    ``secret_keys`` the store's; None takes any. With ``accepts_repeats`` off, a confirmation that was
    recorded already is refused with 400, also when it is the same. ``tls`` is a server-side context.
    """

    def __init__(
        self,
        *,
        shop_url: str = "https://shop.example",
        api_keys: Container[str] | None = None,
        secret_keys: Container[str] | None = None,
        accepts_repeats: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._snipcart = Endpoints(
            shop_url=shop_url, api_keys=api_keys, secret_keys=secret_keys, accepts_repeats=accepts_repeats
        )
        self._lock = threading.Lock()
        self._plans: dict[str, list[_Plan]] = {endpoint: [] for endpoint in ENDPOINTS}
        self._server = Server(self._answer, tls)
        self.calls: list[Call] = []

    def __enter__(self) -> StandIn:
        self._server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop()

    @property
    def api_url(self) -> str:
        """The base of Snipcart's URLs, for the settings API_URL and APP_API_URL."""
        return f"{self._server.url}/api"

    @property
    def settings(self) -> dict[str, str]:
        """What has to stand in SNIPCART_CHECKOUT for the site to talk to this stand-in."""
        return {"API_URL": self.api_url, "APP_API_URL": self.api_url}

    def session(
        self,
        *,
        amount: Decimal | str | int = "12.30",
        currency: str = "EUR",
        items: int | Sequence[Line] = 3,
        language: str = "en",
        return_url: str | None = None,
        payment_method: str = "",
        shape: str = "every_field",
        document: Mapping[str, Any] | None = None,
        **invoice: Any,
    ) -> StandInSession:
        """Order a session.

        ``items`` is a number of lines that add up to the amount, or the lines. Further arguments are
        fields of the sandbox's ``Invoice``, such as ``shipping=None``. ``shape`` is one of its SHAPES, and
        ``document`` replaces whole fields of the JSON that is answered, for what no order would hold.
        """
        session = StandInSession(
            id=new_session_id(),
            invoice=new_invoice(amount=amount, currency=currency, items=items, language=language, **invoice),
            return_url=f"{self._snipcart.shop_url}/#/checkout" if return_url is None else return_url,
            payment_method=payment_method,
            shape=shape,
            document=document or {},
        )
        with self._lock:
            self._snipcart.add(session)
        return session

    def change(self, session: StandInSession, **invoice: Any) -> None:
        """Change fields of the invoice, as a shopper does who edits the cart in another tab."""
        with self._lock:
            session.change(**invoice)

    def expire(self, session: StandInSession) -> None:
        """Let every token of the session die; it can still be confirmed."""
        session.expired = True

    def new_token(self, session: StandInSession) -> str:
        """Issue another public token; the one on the checkout page is not the webhook's."""
        with self._lock:
            return self._snipcart.new_token(session)

    def new_request_token(self) -> str:
        """Issue a value for the header X-Snipcart-RequestToken."""
        with self._lock:
            return self._snipcart.new_request_token()

    def revoke(self, key: str) -> None:
        """Refuse one of the gateway's keys with 401 from now on."""
        self._snipcart.revoked.add(key)

    def fail(
        self, endpoint: str, fault: str | int, *, times: int | None = 1, seconds: float | None = None
    ) -> None:
        """Make the next calls of an endpoint fail; several faults of one endpoint happen in turn.

        ``endpoint`` is one of validate, payment-session, payment, requestvalidation. ``fault`` is an HTTP
        status or a name of ``faults.FAULTS``. ``times`` None means until ``recover``. ``seconds`` is how
        long a slow answer takes, or how long the others hang or drip.
        """
        if isinstance(fault, int):
            plan = _Plan(fault=_status(fault), times=times)
        else:
            chosen = _known(fault, FAULTS, "fault")
            duration = _DEFAULT_SECONDS.get(fault, 30.0) if seconds is None else seconds
            plan = _Plan(fault=chosen, seconds=duration, times=times)
        self._add(endpoint, plan)

    def meanwhile(self, endpoint: str, action: Callable[[], object], *, times: int | None = 1) -> None:
        """Do something when the endpoint is called next, just before it answers.

        Faults and actions of one endpoint happen in the order in which they were planned, one per call.
        """
        self._add(endpoint, _Plan(times=times, action=action))

    def refuse_repeats(self) -> None:
        """Refuse with 400 from now on a confirmation that was recorded already, also when it is the same."""
        self._snipcart.accepts_repeats = False

    def recover(self) -> None:
        """Forget every fault that is still to come."""
        with self._lock:
            for plans in self._plans.values():
                plans.clear()

    def stop(self) -> None:
        """Close the port, so that connections are refused."""
        self._server.stop()

    def start(self) -> None:
        """Open the same port again."""
        self._server.start()

    @property
    def sessions(self) -> list[StandInSession]:
        """The sessions that were ordered, in order."""
        with self._lock:
            return list(self._snipcart.sessions.values())

    @property
    def confirmations(self) -> list[dict[str, Any]]:
        """The confirmations that were recorded, parsed; refused and repeated ones are only in ``calls``."""
        return self._snipcart.confirmations

    @property
    def connections(self) -> int:
        """How many connections were opened so far."""
        return self._server.connections

    def calls_to(self, endpoint: str) -> list[Call]:
        """Return the calls of one endpoint, in order."""
        return [call for call in self.calls if call.endpoint == endpoint]

    def _answer(self, request: Request, wire: Wire) -> bool:
        endpoint = endpoint_of(request)
        with self._lock:
            self.calls.append(Call(**vars(request), endpoint=endpoint))
            plan = self._next_plan(endpoint)
        if plan.action is not None:
            plan.action()
        with self._lock:
            acts = plan.fault is None or plan.fault.acts
            reply = self._snipcart.reply(request) if acts else Reply(status=200)
        if plan.fault is None:
            wire.send_reply(reply)
            return True
        plan.fault.send(wire, reply, plan.seconds)
        return plan.fault.keeps_connection

    def _add(self, endpoint: str, plan: _Plan) -> None:
        with self._lock:
            _known(endpoint, self._plans, "endpoint").append(plan)

    def _next_plan(self, endpoint: str) -> _Plan:
        plans = self._plans.get(endpoint, [])
        if not plans:
            return _Plan()
        plan = plans[0]
        if plan.times is not None:
            plan.times -= 1
            if plan.times < 1:
                plans.pop(0)
        return plan


def _known(name: str, table: Mapping[str, _T], kind: str) -> _T:
    if name not in table:
        raise ValueError(f"{name!r} is no {kind} of the stand-in; it has {', '.join(table)}")
    return table[name]


def _status(status: int) -> Fault:
    """A fault that answers nothing but an HTTP status; those that ask for patience say how much."""
    patience = (("Retry-After", "7"),) if status in {429, 503} else ()
    reply = Reply(
        status=status,
        body=b'{"message": "made to fail"}',
        headers=(("Content-Type", "application/json"), *patience),
    )
    return Fault(send=lambda wire, _reply, _seconds: wire.send_reply(reply), keeps_connection=True)
