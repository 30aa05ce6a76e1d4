"""A stand-in for Snipcart that tests can order sessions from, break, and ask what it was sent."""

from __future__ import annotations

import secrets
import ssl
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from snipcart_checkout.sandbox.core.api import Snipcart, get_endpoint
from snipcart_checkout.sandbox.core.fault_injection import PlannedFault
from snipcart_checkout.sandbox.core.invoices import Line
from snipcart_checkout.sandbox.core.memory import ProcessMemory
from snipcart_checkout.sandbox.core.tokens import Tokens
from snipcart_checkout.sandbox.core.wire import Reply, Request, Wire
from snipcart_checkout.testing.server import Server
from snipcart_checkout.testing.sessions import USUAL_AMOUNT, StandInSession, new_invoice

_SLOW: Final = 0.2  # seconds
_ENDLESS: Final = 30.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Call(Request):
    """A request that the stand-in got. ``endpoint`` is empty for a path that Snipcart does not have."""

    endpoint: str


@dataclass(kw_only=True)
class _Keys:
    """The keys that are accepted, of any mode; None takes any key."""

    api_keys: Collection[str] | None
    secret_keys: Collection[str] | None
    revoked: set[str] = field(default_factory=set)

    def accepts_api_key(self, key: str, mode: str) -> bool:
        return _is_known(key, self.api_keys) and key not in self.revoked

    def accepts_secret_key(self, key: str, mode: str) -> bool:
        return _is_known(key, self.secret_keys)


@dataclass(kw_only=True)
class _Hook:
    """Something to do when an endpoint is called: after ``skip`` calls, ``times`` times."""

    endpoint: str
    action: Callable[[], object]
    skip: int
    times: int | None

    def takes(self) -> bool:
        """Whether this call is one of those; counts it."""
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class StandIn(Snipcart[StandInSession]):
    """Snipcart, played over real HTTP on a free loopback port; use it as a context manager.

    ``calls`` are the requests that arrived, and ``confirmations`` the ones that were recorded, parsed; refused and
    repeated ones are only in ``calls``. ``shop_url`` is where shoppers are sent back to; left out, the first of
    the site's SHOP_HOSTS. ``api_keys`` are the gateway's keys and ``secret_keys`` the store's; None takes any. With
    ``accepts_repeats`` off, a confirmation that was recorded already is refused with 400, also when it is the same.
    ``tls`` is a server-side context.
    """

    def __init__(
        self,
        *,
        shop_url: str = "",
        api_keys: Collection[str] | None = None,
        secret_keys: Collection[str] | None = None,
        accepts_repeats: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._keys = _Keys(api_keys=api_keys, secret_keys=secret_keys)
        super().__init__(
            memory=ProcessMemory(),
            tokens=Tokens(secrets.token_hex()),
            gateway=self._keys,
            accepts_repeats=accepts_repeats,
        )
        self._shop_url = shop_url or f"https://{_first_shop_host()}"
        self._lock = threading.Lock()
        self._before: list[_Hook] = []
        self._after: list[_Hook] = []
        self._server = Server(self._serve, tls, on_connection=self._greet)
        self.calls: list[Call] = []
        self.confirmations: list[dict[str, Any]] = []
        self._errors: list[BaseException] = []

    def __enter__(self) -> StandIn:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._server.stop()
        if self._errors and kind is None:
            raise self._errors[0]

    @property
    def api_url(self) -> str:
        """The base of Snipcart's URLs, for the settings API_URL and APP_API_URL."""
        return f"{self._server.url}/api"

    @property
    def settings(self) -> dict[str, str]:
        """What has to stand in SNIPCART_CHECKOUT for the site to talk to this stand-in."""
        return {"API_URL": self.api_url, "APP_API_URL": self.api_url}

    @property
    def connections(self) -> int:
        """How many connections were opened so far."""
        return self._server.connections

    def session(
        self,
        *,
        amount: Decimal | str | int = USUAL_AMOUNT,
        currency: str = "EUR",
        items: int | Sequence[Line] = 3,
        language: str = "en",
        mode: str = "live",
        cart_url: str | None = None,
        payment_method: str = "",
        shape: str = "every_field",
        document: Mapping[str, Any] | None = None,
        same_cart_as: StandInSession | None = None,
        **invoice: Any,
    ) -> StandInSession:
        """Order a session.

        ``amount`` is in major units. ``items`` is a number of lines that add up to the amount, or the lines. Further
        arguments are fields of ``Invoice``, such as ``shipping=None``. ``shape`` is one of SHAPES, and ``document``
        replaces whole fields of the JSON that is answered, for what no order would hold. With ``same_cart_as`` it is
        a second session of the cart of another one.
        """
        if same_cart_as is not None:
            invoice.setdefault("target_id", same_cart_as.invoice.target_id)
        session = StandInSession(
            invoice=new_invoice(amount=amount, currency=currency, items=items, language=language, **invoice),
            cart_url=f"{self._shop_url}/#/checkout" if cart_url is None else cart_url,
            mode=mode,
            payment_method=payment_method,
            shape=shape,
            document=document or {},
        )
        session.order_url = f"{self._shop_url}/#/order/{session.id}"
        session.public_token = self.new_token(session)
        self.add(session)
        return session

    def revoke(self, key: str) -> None:
        """Refuse one of the gateway's keys with 401 from now on."""
        self._keys.revoked.add(key)

    def refuse_repeats(self) -> None:
        """Refuse with 400 from now on a confirmation that was recorded already, also when it is the same."""
        self.accepts_repeats = False

    def fail(
        self,
        endpoint: str,
        fault: str | int,
        *,
        times: int | None = 1,
        nth: int = 1,
        seconds: float | None = None,
        session: StandInSession | None = None,
    ) -> None:
        """Make the next calls of an endpoint fail; several faults of one endpoint happen in turn.

        ``endpoint`` is validate, payment-session, payment or requestvalidation; ``connection`` is before any of them:
        the next connection fails before anything was read, with TLS before the handshake. ``fault`` is an HTTP status
        or a name of FAULTS. ``nth`` counts calls from now on. ``times`` None means until ``recover``. ``seconds`` is
        how long a slow answer takes, or how long the others hang or drip. With ``session`` only its calls fail.
        """
        self.faults.plan(
            endpoint, fault, nth=nth, times=times, seconds=seconds, session_id=session.id if session else ""
        )
        if endpoint == "connection":
            self._server.drop_connections()

    def recover(self) -> None:
        """Forget every fault that is still to come."""
        self.faults.cancel()

    def before(
        self, endpoint: str, action: Callable[[], object], *, nth: int = 1, times: int | None = 1
    ) -> None:
        """Do something when the endpoint is called, before Snipcart does what it is asked.

        ``nth`` counts calls from now on, and ``times`` None means at every call from that one on. The caller waits
        meanwhile. An exception cuts its connection, and is raised again when the stand-in ends.
        """
        self._hook(self._before, endpoint, action, nth, times)

    def after(
        self, endpoint: str, action: Callable[[], object], *, nth: int = 1, times: int | None = 1
    ) -> None:
        """Do something when the endpoint is called, after Snipcart did it and before the answer leaves."""
        self._hook(self._after, endpoint, action, nth, times)

    def _record(self, session: StandInSession, body: dict[str, Any], *, accepts_repeats: bool) -> None:
        """Record a confirmation, as Snipcart does."""
        known = len(session.confirmations)
        super()._record(session, body, accepts_repeats=accepts_repeats)
        self.confirmations += session.confirmations[known:]

    def stop(self) -> None:
        """Close the port, so that connections are refused."""
        self._server.stop()

    def start(self) -> None:
        """Open the same port again."""
        self._server.start()

    def calls_to(self, endpoint: str) -> list[Call]:
        """Return the calls of one endpoint, in order."""
        return [call for call in self.calls if call.endpoint == endpoint]

    def _hook(
        self, hooks: list[_Hook], endpoint: str, action: Callable[[], object], nth: int, times: int | None
    ) -> None:
        with self._lock:
            hooks.append(_Hook(endpoint=endpoint, action=action, skip=nth - 1, times=times))

    def _greet(self, wire: Wire) -> bool:
        """Return whether a new connection is good; let it fail, if that was planned."""
        planned = self.faults.take("connection")
        if planned is None:
            return True
        # A client that is reset before it has begun finds no connection at all, and Python's own loses a socket there.
        wire.wait_for_bytes()
        planned.fault.deliver(wire, Reply(status=200), _seconds(planned))
        return False

    def _serve(self, request: Request, wire: Wire) -> bool:
        """Answer a request, and return whether the connection stays open."""
        endpoint = get_endpoint(request)
        with self._lock:
            self.calls.append(Call(**vars(request), endpoint=endpoint))
        self._run(self._before, endpoint)
        answer = self.answer(request)
        self._run(self._after, endpoint)
        if answer.planned is None:
            wire.send_reply(answer.reply)
            return True
        return answer.planned.fault.deliver(wire, answer.reply, _seconds(answer.planned))

    def _run(self, hooks: list[_Hook], endpoint: str) -> None:
        with self._lock:
            due = [hook for hook in hooks if hook.endpoint == endpoint and hook.takes()]
            hooks[:] = [hook for hook in hooks if hook.times != 0]
        for hook in due:
            try:
                hook.action()
            except BaseException as error:
                self._errors.append(error)
                raise


def _seconds(planned: PlannedFault) -> float:
    if planned.seconds is not None:
        return planned.seconds
    return _SLOW if planned.name == "slow" else _ENDLESS


def _is_known(key: str, known: Collection[str] | None) -> bool:
    return bool(key) and (known is None or key in known)


def _first_shop_host() -> str:
    try:
        site: Mapping[str, Any] = getattr(django_settings, "SNIPCART_CHECKOUT", {})
    except ImproperlyConfigured:  # not in a Django project
        site = {}
    stores = site.get("STORES", {}).values()
    return str(next((host for store in stores for host in store.get("SHOP_HOSTS", ())), "shop.example"))
