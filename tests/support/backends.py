"""Backends as a stranger would write them, and the payment provider behind one of them.

``ScriptedBackend`` and ``Provider`` meet in a directory, so that tests, their threads and the processes that they start
or kill all see one provider: one file per capture and per refund, one line per call, and a script of what to do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.core.checks import CheckMessage, Error
from django.db import connection

from snipcart_checkout.backends.base import (
    Charge,
    ChargeResult,
    Declined,
    LookupResult,
    NotFound,
    Notification,
    Paid,
    PaymentBackend,
    Pending,
    Redirect,
    RefundDeclined,
    Refunded,
    RefundLookupResult,
    RefundRequest,
    RefundResult,
)
from snipcart_checkout.exceptions import NotificationRefused

PROVIDER_ORIGIN = "https://provider.example"
NOTIFICATION_KEY = b"notification-key-of-the-tests"


class AcmeBackend(PaymentBackend):
    """The smallest backend there can be: everything is paid at once, and nothing else is possible."""

    def charge(self, charge: Charge) -> ChargeResult:
        return Paid(f"acme-{charge.reference}", charge.amount, charge.currency)


class ObservantBackend(PaymentBackend):
    """Pays, and says in its instructions whether a transaction was open meanwhile."""

    def charge(self, charge: Charge) -> ChargeResult:
        seen = f"in a transaction: {connection.in_atomic_block}"
        return Paid(f"acme-{charge.reference}", charge.amount, charge.currency, seen)


class ProviderDown(Exception):
    """The provider's answer did not arrive."""


class Crashed(BaseException):
    """This process ends here, as far as anything that catches errors can tell."""


_FOLDERS: Final = ("captures", "orders", "refunds", "failed_refunds")
_meanwhile: Final[dict[str, Callable[[], object]]] = {}


class Provider:
    """The provider's side of ScriptedBackend: what it was told to do, and what it did.

    ``script`` replaces the script; what it leaves out has its default.

    ``charge``          paid (default), pending, redirect, declined, nonsense
    ``lookup``          recorded (default): the truth; or pending, declined, not_found, nonsense, raise
    ``ends``            a true value: a look-up of a pending payment that is no longer wanted ends it
    ``refund``          refunded (default), pending, declined, nonsense
    ``refund_lookup``   recorded (default): the truth, and that a refund may still fail; or refunded, declined, nonsense
    ``before, after``   what happens around a capture or refund: seconds to sleep, "wait" (for ``go_on``), "raise",
                        "crash" (a BaseException), "kill" (SIGKILL), "outside" (crash inside of a transaction), or a list
    ``looking``         what happens before a look-up is answered: the same
    ``amount, currency, transaction_id, refund_id, redirect_url, instructions, code, message``   said instead of the usual
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        if not (self.directory / _FOLDERS[-1]).exists():
            for folder in _FOLDERS:
                (self.directory / folder).mkdir(parents=True, exist_ok=True)

    def script(self, **knobs: Any) -> None:
        draft = self.directory / f"script-{uuid.uuid4()}"
        draft.write_text(json.dumps(knobs, default=str))
        draft.replace(
            self.directory / "script.json"
        )  # readers see the old one or the new one, never half of one

    def go_on(self) -> None:
        """Let go everything that waits."""
        (self.directory / "go").touch()

    def meanwhile(self, action: Callable[[], object]) -> None:
        """Do something, in this process, while it asks the provider the next time."""
        _meanwhile[str(self.directory)] = action

    def act(self, actions: Any) -> None:
        if action := _meanwhile.pop(str(self.directory), None):
            action()
        for action in actions if isinstance(actions, list) else [actions]:
            if action == "raise":
                raise ProviderDown
            if action == "crash" or (action == "outside" and connection.in_atomic_block):
                raise Crashed(action)
            if action == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if action == "wait":
                wait_for(self.directory / "go")
            if isinstance(action, (int, float)):
                time.sleep(action)

    def knobs(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.directory / "script.json").read_text()))
        except FileNotFoundError:
            return {}

    @property
    def captures(self) -> list[dict[str, Any]]:
        """Every time that money was taken."""
        return self._records("captures")

    @property
    def refunds(self) -> list[dict[str, Any]]:
        """Every time that money was given back."""
        return self._records("refunds")

    @property
    def failed_refunds(self) -> list[dict[str, Any]]:
        """Every refund that failed after it had been accepted."""
        return self._records("failed_refunds")

    def captured_at(self, reference: UUID) -> int:
        """When money was taken with a reference first, in nanoseconds since the epoch; 0 for never."""
        found = (self.directory / "captures").glob(f"{reference}*.json")
        return min((path.stat().st_mtime_ns for path in found), default=0)

    @property
    def calls(self) -> list[str]:
        """Every call that reached the provider: ``charge <reference>``, ``lookup <reference>``, ``refund <reference>``."""
        log = self.directory / "calls.log"
        return log.read_text().splitlines() if log.exists() else []

    def log(self, call: str, reference: UUID) -> None:
        """Write down that a call arrived, whose script has been read: from now on another one is for the next call."""
        with (self.directory / "calls.log").open("a") as log:
            log.write(f"{call} {reference}\n")

    def complete(self, reference: UUID) -> None:
        """The shopper pays at the provider, or the transfer arrives."""
        order = json.loads((self.directory / "orders" / f"{reference}.json").read_text())
        self._record("captures", str(reference), order)

    def capture(self, charge: Charge, *, once: bool) -> None:
        name = str(charge.reference) if once else f"{charge.reference}.{uuid.uuid4()}"
        self._record("captures", name, _order(charge))

    def order(self, charge: Charge) -> None:
        self._record("orders", str(charge.reference), _order(charge))

    def give_back(self, refund: RefundRequest, *, once: bool) -> None:
        name = str(refund.reference) if once else f"{refund.reference}.{uuid.uuid4()}"
        self._record(
            "refunds",
            name,
            {
                "reference": str(refund.reference),
                "charge": str(refund.charge.reference),
                "transaction_id": refund.transaction_id,
                "minor_units": refund.minor_units,
                "currency": refund.currency,
            },
        )

    def fail_refund(self, reference: UUID) -> None:
        """A refund that the provider had accepted fails: the money is with the merchant again."""
        for path in (self.directory / "refunds").glob(f"{reference}*.json"):
            path.replace(self.directory / "failed_refunds" / path.name)

    def find(self, folder: str, reference: UUID) -> dict[str, Any] | None:
        return next((r for r in self._records(folder) if r["reference"] == str(reference)), None)

    def notification(self, reference: UUID, *, dispute: bool = False) -> tuple[dict[str, str], bytes]:
        """The headers and body of a genuine notification about a charge."""
        body = json.dumps({"reference": str(reference), "dispute": dispute}).encode()
        return {"X-Provider-Signature": _signature(body)}, body

    def _record(self, folder: str, name: str, record: dict[str, Any]) -> None:
        draft = self.directory / f"draft-{uuid.uuid4()}"
        draft.write_text(json.dumps(record))
        try:
            os.link(draft, self.directory / folder / f"{name}.json")  # fails when it exists: once is once
        except FileExistsError:
            pass
        finally:
            draft.unlink()

    def _records(self, folder: str) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted((self.directory / folder).glob("*.json"))]


def _order(charge: Charge) -> dict[str, Any]:
    return {
        "reference": str(charge.reference),
        "amount": str(charge.amount),
        "minor_units": charge.minor_units,
        "currency": charge.currency,
        "session": charge.session.id if charge.session else None,
    }


def _signature(body: bytes) -> str:
    return hmac.new(NOTIFICATION_KEY, body, hashlib.sha256).hexdigest()


class ScriptedBackend(PaymentBackend):
    """Can do everything, and does what the script in ``OPTIONS["DIRECTORY"]`` says.

    Options in lower case are its attributes: ``{"can_lookup": False}`` takes a capability away.
    """

    supports_refund = True
    supports_partial_refund = True
    can_lookup = True
    repeat_is_safe = True
    redirect_origins = (PROVIDER_ORIGIN,)

    def __init__(self, *, store: str, method: str, options: Mapping[str, Any]) -> None:
        super().__init__(store=store, method=method, options=options)
        for name in filter(str.islower, options):
            setattr(self, name, options[name])

    @property
    def provider(self) -> Provider:
        return Provider(self.options["DIRECTORY"])

    def charge(self, charge: Charge) -> ChargeResult:
        knobs = self.provider.knobs()
        self.provider.log("charge", charge.reference)
        kind = knobs.get("charge", "paid")
        self.provider.act(knobs.get("before"))
        if kind == "paid":
            self.provider.capture(charge, once=self.repeat_is_safe)
        elif kind in {"pending", "redirect"}:
            self.provider.order(charge)
        self.provider.act(knobs.get("after"))
        if kind == "redirect":
            url = knobs.get("redirect_url", f"{PROVIDER_ORIGIN}/pay/{charge.reference}")
            return Redirect(url, f"order-{charge.reference}")
        result: ChargeResult = _result(kind, charge, knobs)
        return result

    def lookup(self, charge: Charge) -> LookupResult:
        knobs = self.provider.knobs()
        self.provider.log("lookup", charge.reference)
        self.provider.act(knobs.get("looking"))
        kind = knobs.get("lookup", "recorded")
        if kind == "recorded":
            kind = self._recorded(charge.reference)
        if kind == "pending" and charge.is_void and knobs.get("ends"):
            kind = "declined"
        result: LookupResult = _result(kind, charge, knobs)
        return result

    def refund(self, refund: RefundRequest) -> RefundResult:
        knobs = self.provider.knobs()
        self.provider.log("refund", refund.reference)
        kind = knobs.get("refund", "refunded")
        self.provider.act(knobs.get("before"))
        if kind in {"refunded", "pending"}:
            self.provider.give_back(refund, once=self.repeat_is_safe)
        self.provider.act(knobs.get("after"))
        results: dict[str, Any] = {
            "refunded": Refunded(knobs.get("refund_id", f"re-{refund.reference}")),
            "pending": Refunded(f"re-{refund.reference}", pending=True),
            "declined": RefundDeclined(knobs.get("code", "refused"), knobs.get("message", "")),
        }
        return results.get(kind, "nonsense")  # type: ignore[no-any-return]

    def lookup_refund(self, refund: RefundRequest) -> RefundLookupResult:
        knobs = self.provider.knobs()
        self.provider.log("lookup_refund", refund.reference)
        self.provider.act(knobs.get("looking"))
        results: dict[str, Any] = {
            "recorded": self._recorded_refund(refund.reference),
            "refunded": Refunded(f"re-{refund.reference}"),
            "declined": RefundDeclined(knobs.get("code", "refused")),
        }
        return results.get(knobs.get("refund_lookup", "recorded"), "nonsense")  # type: ignore[no-any-return]

    def read_notification(self, headers: Mapping[str, str], body: bytes) -> Notification:
        sent = {name.lower(): value for name, value in headers.items()}.get("x-provider-signature", "")
        if not hmac.compare_digest(sent.encode(), _signature(body).encode()):
            raise NotificationRefused("the signature is wrong")
        said = json.loads(body)
        return Notification(UUID(said["reference"]), dispute=said["dispute"])

    def check(self) -> list[CheckMessage]:
        if self.options.get("DIRECTORY"):
            return []
        return [Error("OPTIONS has no DIRECTORY.", id="tests.E001")]

    def _recorded_refund(self, reference: UUID) -> RefundLookupResult:
        if self.provider.find("failed_refunds", reference):
            return RefundDeclined("failed")
        is_known = self.provider.find("refunds", reference) is not None
        return Refunded(f"re-{reference}", pending=True) if is_known else NotFound()

    def _recorded(self, reference: UUID) -> str:
        if self.provider.find("captures", reference):
            return "paid"
        return "pending" if self.provider.find("orders", reference) else "not_found"


def wait_for(path: Path) -> None:
    """Wait until a file exists that another process makes."""
    deadline = time.monotonic() + 60
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody let go on: {path}")
        time.sleep(0.01)


def _result(kind: str, charge: Charge, knobs: Mapping[str, Any]) -> Any:
    if kind == "raise":
        raise ProviderDown
    transaction_id = knobs.get("transaction_id", f"tr-{charge.reference}")
    instructions = knobs.get("instructions", "")
    amount = Decimal(knobs.get("amount", charge.amount))
    results: dict[str, Any] = {
        "paid": Paid(transaction_id, amount, knobs.get("currency", charge.currency), instructions),
        "pending": Pending(transaction_id, instructions),
        "declined": Declined(knobs.get("code", "card_declined"), knobs.get("message", "")),
        "not_found": NotFound(),
    }
    return results.get(kind, "nonsense")
