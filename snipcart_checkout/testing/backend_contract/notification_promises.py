"""Which notifications are believed, and what they name."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID, uuid4

import pytest
from django.http.request import HttpHeaders

from snipcart_checkout.backends.base import Notification
from snipcart_checkout.testing.backend_case import BackendCase, needs
from snipcart_checkout.testing.backend_contract.conditions import (
    attempt,
    notifies,
    notifies_of_disputes,
    notifies_of_refunds,
)

_FORGERIES = {
    "empty": b"",
    "empty JSON": b"{}",
    "JSON null": b"null",
    "a JSON list": b"[]",
    "no text": b"\xff",
    "JSON with a reference that is none": b'{"reference": "0"}',
    "JSON with a reference": b'{"reference": "%s", "id": "1", "status": "paid"}',
    "a form with a reference": b"reference=%s&id=1&status=paid&signature=",
    "nested too deep": b"[" * 50_000,
}


class NotificationContract(BackendCase):
    """What ``read_notification`` believes."""

    @pytest.mark.parametrize("body", _FORGERIES.values(), ids=_FORGERIES)
    def test_a_notification_that_cannot_be_verified_is_refused(self, body: bytes) -> None:
        named = str(uuid4()).encode()
        body = body.replace(b"%s", named)
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            self._assert_refused({"Content-Type": kind}, body, "anybody could have sent it")

    @needs(notifies)
    def test_a_forged_notification_is_refused(self) -> None:
        headers, body = self.notification(uuid4())
        forged = body.replace(b"-", b"0", 1) + b" "
        self._assert_refused(headers, forged, "its body was changed on the way")

    @needs(notifies)
    def test_a_genuine_notification_that_is_made_to_name_another_charge_is_not_believed(self) -> None:
        reference, other = uuid4(), uuid4()
        headers, body = self.notification(reference)
        forged = _rename(body, reference, other)
        renamed = {name: value.replace(str(reference), str(other)) for name, value in headers.items()}
        result = attempt(lambda: self.make_backend().read_notification(renamed, forged))
        is_believed = isinstance(result, Notification) and result.reference == other
        assert not is_believed, "A genuine notification was made to name another charge, and was believed."

    @needs(notifies)
    def test_a_genuine_notification_names_the_charge(self) -> None:
        reference = uuid4()
        headers, body = self.notification(reference)
        self._assert_names(reference, headers, body)

    @needs(notifies)
    def test_headers_are_read_as_django_hands_them_over(self) -> None:
        reference = uuid4()
        headers, body = self.notification(reference)
        meta = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        self._assert_names(reference, HttpHeaders(meta), body)

    @needs(notifies)
    def test_a_replayed_notification_names_the_same_charge_and_takes_no_money(self) -> None:
        reference = uuid4()
        headers, body = self.notification(reference)
        before = self.captures(reference)
        for _time in range(2):
            self._assert_names(reference, headers, body)
        assert self.captures(reference) == before, "Reading a notification took money."

    @needs(notifies_of_refunds)
    def test_a_genuine_notification_about_a_refund_names_the_refund(self) -> None:
        reference = uuid4()
        headers, body = self.refund_notification(reference)
        self._assert_names(reference, headers, body)

    @needs(notifies_of_disputes)
    def test_a_chargeback_is_a_dispute(self) -> None:
        reference = uuid4()
        headers, body = self.dispute_notification(reference)
        self._assert_names(reference, headers, body, dispute=True)

    def _assert_names(
        self, reference: UUID, headers: Mapping[str, str], body: bytes, *, dispute: bool = False
    ) -> None:
        result = attempt(lambda: self.make_backend().read_notification(headers, body))
        wanted = Notification(reference, dispute=dispute)
        assert result == wanted, f"A genuine notification was read as {result!r}, not as {wanted!r}."

    def _assert_refused(self, headers: Mapping[str, str], body: bytes, reason: str) -> None:
        result = attempt(lambda: self.make_backend().read_notification(headers, body))
        assert isinstance(result, Exception), (
            f"A notification was believed ({result!r}) although {reason}: verify it, and raise NotificationRefused."
        )


def _rename(body: bytes, reference: UUID, other: UUID) -> bytes:
    """Put another reference in place of one; JSON and forms write a UUID the same way."""
    for written, instead in ((str(reference), str(other)), (reference.hex, other.hex)):
        body = body.replace(written.encode(), instead.encode())
    return body
