"""Tell Snipcart what came of a payment: stored first, sent in order, repeated byte for byte, never dropped silently."""

from __future__ import annotations

import hashlib
import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings as django_settings
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.views.decorators.debug import sensitive_variables

from snipcart_checkout.client import SnipcartClient
from snipcart_checkout.conf import Secret, Store, get_settings
from snipcart_checkout.exceptions import ConfirmationRefused, SnipcartError, SnipcartUnavailable
from snipcart_checkout.links import public_url, safe_shop_url
from snipcart_checkout.models import Confirmation, ConfirmationQuerySet, Payment
from snipcart_checkout.protocol import Confirmation as ConfirmationMessage
from snipcart_checkout.services.journal import alert, announce, commit, say, write_event
from snipcart_checkout.signals import confirmation_unresolved

__all__ = ["capability_hash", "deliver_due", "deliver_session", "is_given_up", "new_capability", "owe"]

_DELAYS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
)
_GIVE_UP_AFTER: Final = timedelta(hours=72)
_FINAL: Final = frozenset(
    {Confirmation.State.PROCESSED, Confirmation.State.FAILED, Confirmation.State.INVALIDATED}
)
# Stands in the stored body where the link's secret goes, so that the table holds no way to refund.
_CAPABILITY_PLACEHOLDER: Final = "0capability0"
_SALT: Final = "snipcart_checkout.refund_link"


def new_capability(payment: Payment, secret_key: str | bytes | None = None) -> str:
    """Return the secret part of a payment's refund link, derived and never stored."""
    return salted_hmac(_SALT, str(payment.reference), secret=secret_key, algorithm="sha256").hexdigest()


def capability_hash(capability: str) -> str:
    """Return what the ledger keeps of a refund link's secret part."""
    return hashlib.sha256(capability.encode()).hexdigest()


def _capability_of(payment: Payment) -> str:
    # SECRET_KEY may have been rotated since the payment was made.
    for key in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS):
        capability = new_capability(payment, key)
        if capability_hash(capability) == payment.capability_hash:
            return capability
    say(
        logging.ERROR,
        "payment %s: without the SECRET_KEY of its time its refund link cannot be made; refund it in the admin",
        payment.reference,
    )
    return ""


def owe(payment: Payment, state: str) -> None:
    """Store the confirmation that Snipcart is owed; call it in the commit that makes it true.

    A processing that was not told yet is dropped when the final word is owed. A state is told once.
    """
    if state in _FINAL:
        _drop_untold_processing(payment)
    message = ConfirmationMessage(
        session_id=payment.session_id,
        state=state,
        transaction_id=payment.transaction_id or str(payment.reference),
        instructions=payment.instructions if state in {"processed", "processing"} else "",
        refund_url=_refund_url(payment) if state in {"processed", "processing"} else "",
        error_code=payment.decline_code if state in {"failed", "invalidated"} else "",
        error_message=payment.decline_message if state in {"failed", "invalidated"} else "",
    )
    Confirmation.objects.get_or_create(
        payment=payment,
        state=state,
        defaults={"session_key": payment.session_key, "body": message.to_body()},
    )


def is_given_up(payment: Payment) -> bool:
    """Whether Snipcart was told, or is going to be, that the payment's session failed."""
    return Confirmation.objects.filter(
        session_key=payment.session_key, state=Confirmation.State.FAILED
    ).exists()


def _refund_url(payment: Payment) -> str:
    return public_url("refund", store=payment.store, capability=_CAPABILITY_PLACEHOLDER)


def _drop_untold_processing(payment: Payment) -> None:
    untold = Confirmation.objects.owed().filter(
        payment=payment, state=Confirmation.State.PROCESSING, lease_until__isnull=True
    )
    if untold.update(status=Confirmation.Status.DROPPED, finished_at=timezone.now()):
        write_event(payment, "telling_dropped", source="snipcart", state=Confirmation.State.PROCESSING)


def deliver_session(session_key: str, *, at_once: bool = False) -> int:
    """Send what a session is owed, in order, and return how many Snipcart heard.

    Stops at the first that did not arrive. ``at_once`` does not wait for the schedule of those before.
    """
    told = 0
    while (confirmation := _next_of(session_key)) is not None:
        ready = at_once or confirmation.due_at <= timezone.now()
        if not ready or not _lease(confirmation):
            break
        _send(confirmation)
        if confirmation.status == Confirmation.Status.OWED:
            break
        told += confirmation.status == Confirmation.Status.TOLD
    return told


def deliver_due(limit: int = 200) -> int:
    """Send the confirmations whose time has come, at most ``limit`` sessions; return how many were heard."""
    due = Confirmation.objects.due().order_by("due_at").values_list("session_key", flat=True)[:limit]
    return sum(_deliver_apart(key) for key in dict.fromkeys(due))


def _deliver_apart(session_key: str) -> int:
    """Deliver one session; whatever is wrong with it must not keep the others from being told."""
    try:
        return deliver_session(session_key)
    except Exception as error:
        say(logging.ERROR, "session %s could not be told: %s", session_key, type(error).__name__)
        return 0


def _next_of(session_key: str) -> Confirmation | None:
    return (
        Confirmation.objects.owed()
        .filter(session_key=session_key)
        .select_related("payment")
        .order_by("pk")
        .first()
    )


def _lease(confirmation: Confirmation) -> bool:
    """Take the right to send; saves Snipcart from hearing the same from every host at once."""
    now = timezone.now()
    seconds = get_settings().total_timeout * 4 + 30
    free = Confirmation.objects.owed().filter(pk=confirmation.pk, tries=confirmation.tries)
    unleased = free.filter(lease_until__isnull=True) | free.filter(lease_until__lt=now)
    rows = commit(
        lambda: unleased.update(tries=confirmation.tries + 1, lease_until=now + timedelta(seconds=seconds))
    )
    if rows:
        if confirmation.lease_until is not None:
            # Whoever held the lease died on the way: Snipcart may have heard it.
            confirmation.unclear = True
        confirmation.tries += 1
    return bool(rows)


@dataclass(frozen=True, kw_only=True)
class _Reply:
    told: bool
    return_url: str = ""
    status: int | None = None
    unclear: bool = False
    definite: bool = False
    keys_refused: bool = False


def _send(confirmation: Confirmation) -> None:
    """Send once with each key until one is accepted; commit what came of it."""
    payment = confirmation.payment
    store = get_settings().stores.get(payment.store)
    reply = _ask_each_key(store, confirmation)
    if reply.told:
        _note_told(confirmation, store, reply)
    elif reply.definite and confirmation.unclear and not _follows_another_end(confirmation):
        # Snipcart refuses to settle a session twice, so the earlier try had arrived.
        _finish(confirmation, Confirmation.Status.TOLD, source="snipcart", event="told_before")
    elif reply.definite:
        _to_review(confirmation, "refused", reply.status)
    else:
        _schedule(confirmation, reply)


def _follows_another_end(confirmation: Confirmation) -> bool:
    """Whether the session had ended otherwise before, which Snipcart may refuse to change for that reason alone."""
    earlier = Confirmation.objects.filter(session_key=confirmation.session_key, pk__lt=confirmation.pk)
    return earlier.filter(state__in=_FINAL).exists()


@sensitive_variables()
def _body_to_send(confirmation: Confirmation) -> bytes:
    """Return the stored body with the refund link's secret part in its place, the same on every try."""
    # A quotation mark inside of a JSON text is escaped, so nothing that a backend wrote is taken for the link.
    before, links, after = confirmation.body.rpartition('"links":')
    if links:
        after = after.replace(_CAPABILITY_PLACEHOLDER, _capability_of(confirmation.payment))
    return f"{before}{links}{after}".encode()


@sensitive_variables()
def _ask_each_key(store: Store | None, confirmation: Confirmation) -> _Reply:
    body = _body_to_send(confirmation)
    reply = _Reply(told=False, keys_refused=True)
    for position, key in enumerate(store.api_keys if store else ()):
        reply = _ask(body, key)
        if not reply.keys_refused:
            break
        say(
            logging.WARNING,
            "Snipcart refused API key %d of store %s",
            position + 1,
            confirmation.payment.store,
        )
    return reply


@sensitive_variables()
def _ask(body: bytes, key: Secret) -> _Reply:
    try:
        answer = SnipcartClient(get_settings()).confirm(body, key)
    except ConfirmationRefused as error:
        refused = error.status in {401, 403}
        return _Reply(told=False, status=error.status, keys_refused=refused, definite=not refused)
    except SnipcartError as error:
        # 425 and 429 say that the request was not taken up; a redirect, that it did not arrive.
        arrived = isinstance(error, SnipcartUnavailable) and error.was_sent
        unclear = arrived and error.status not in {425, 429}
        return _Reply(told=False, status=error.status, unclear=unclear)
    return _Reply(told=True, return_url=answer.return_url)


def _note_told(confirmation: Confirmation, store: Store | None, reply: _Reply) -> None:
    payment = confirmation.payment
    url = safe_shop_url(reply.return_url, store.shop_hosts) if store and reply.return_url else ""
    if not url:
        say(logging.WARNING, "payment %s: Snipcart sent no usable returnUrl", payment.reference)
    _finish(confirmation, Confirmation.Status.TOLD, source="snipcart", event="told", return_url=url)


def _finish(
    confirmation: Confirmation,
    status: str,
    *,
    source: str,
    event: str,
    return_url: str = "",
    **changes: object,
) -> bool:
    """Commit a confirmation's new status with its event; False when another process was faster."""
    now = timezone.now()
    payment = confirmation.payment

    # Heard is heard, whoever sent it; anything else counts only as long as nobody else is sending.
    is_told = status == Confirmation.Status.TOLD
    owed = Confirmation.objects.owed().filter(pk=confirmation.pk) if is_told else _still_ours(confirmation)

    def work() -> bool:
        if not owed.update(status=status, lease_until=None, finished_at=now, due_at=now, **changes):
            return False
        if return_url:
            Payment.objects.filter(pk=payment.pk).update(return_url=return_url, updated_at=now)
            payment.return_url = return_url
        if status == Confirmation.Status.REVIEW:
            # A person may have closed the case before this came up.
            Payment.objects.filter(pk=payment.pk).update(resolved_at=None)
        write_event(payment, event, source=source, state=confirmation.state, tries=confirmation.tries)
        return True

    if not commit(work):
        confirmation.refresh_from_db()
        return False
    confirmation.status = status
    say(logging.INFO, "payment %s: %s %s (%s)", payment.reference, confirmation.state, event, source)
    return True


def _still_ours(confirmation: Confirmation) -> ConfirmationQuerySet:
    """The confirmation, unless its lease ran out and somebody else is sending or has sent it since."""
    return Confirmation.objects.owed().filter(pk=confirmation.pk, tries=confirmation.tries)


def _to_review(confirmation: Confirmation, reason: str, http_status: int | None) -> None:
    """Leave a confirmation to a person; the payment itself stays what it is."""
    finished = _finish(
        confirmation,
        Confirmation.Status.REVIEW,
        source="snipcart",
        event=f"telling_{reason}",
        last_status=http_status,
        alerted_at=timezone.now(),
    )
    if not finished:
        return
    alert(
        "payment %s: Snipcart was not told that it is %s (%s, answer %s); a person has to look",
        confirmation.payment.reference,
        confirmation.state,
        reason,
        http_status,
    )
    announce(confirmation_unresolved, payment=confirmation.payment)


def _schedule(confirmation: Confirmation, reply: _Reply) -> None:
    """Put the next try on the schedule, or end it in review after three days."""
    now = timezone.now()
    last_moment = confirmation.created_at + _GIVE_UP_AFTER
    if now >= last_moment:
        _to_review(confirmation, "gave_up", reply.status)
        return
    delay = _DELAYS[min(confirmation.tries, len(_DELAYS)) - 1]
    # Spread over the last twentieth, so that an outage is not followed by everybody at the same second.
    due = min(now + delay * random.uniform(0.95, 1), last_moment)  # noqa: S311
    keys_alert = reply.keys_refused and confirmation.alerted_at is None
    changes = {"alerted_at": now} if keys_alert else {}
    commit(
        lambda: _still_ours(confirmation).update(
            due_at=due,
            lease_until=None,
            last_status=reply.status,
            unclear=confirmation.unclear or reply.unclear,
            **changes,
        )
    )
    say(
        logging.WARNING,
        "payment %s: telling Snipcart %s did not succeed (answer %s), next try at %s",
        confirmation.payment.reference,
        confirmation.state,
        reply.status,
        due.isoformat(timespec="seconds"),
    )
    if keys_alert:
        alert("store %s: Snipcart refused every API key; replace them", confirmation.payment.store)
        announce(confirmation_unresolved, payment=confirmation.payment)
