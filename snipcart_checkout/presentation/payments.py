"""What became of a payment, for the page that knows nothing but its reference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from snipcart_checkout.conf.translation import gettext_lazy as _
from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.declines import decline_text
from snipcart_checkout.presentation.formats import format_date_time, format_money
from snipcart_checkout.presentation.languages import PageLanguage, page_language
from snipcart_checkout.presentation.redirects import find_next_step, find_redirect
from snipcart_checkout.presentation.transfers import TransferDisplay

_State = Payment.State


@dataclass(frozen=True, kw_only=True)
class PaymentDisplay:
    """A payment as its page shows it.

    ``state``, ``reference``, ``cart_id``, ``amount`` (Decimal) and ``currency`` are the ledger's. ``total``
    is the amount that was captured, else the one that was requested; ``total_label`` says which: paid, to be
    paid, or still to be paid. ``is_headline``: it may stand out, as an amount that was not taken may not.
    ``tone`` is ``good``, ``wait`` or ``bad``. ``language`` is the tag of the language that the backend's
    ``instructions`` are in. ``method`` is the name of the payment method, ``processed_by`` who processes it.
    ``next_url`` leads on to the provider or back to the shop. The page moves on at once to ``redirect_url``;
    where that is empty it stays. ``may_give_up``: the shopper may end a declined payment and go back to the
    shop. ``may_retry``: the order can be paid again from this page. ``retry_url`` leads to the cart where it
    cannot.
    """

    state: str
    language: str
    reference: str
    short_reference: str
    cart_id: str
    method: str
    processed_by: str
    amount: Decimal
    currency: str
    total: str
    total_label: str
    is_headline: bool
    tone: str
    title: str
    text: str
    advice: str
    created_at: str
    created_at_iso: str
    instructions: tuple[str, ...]
    transfer: TransferDisplay
    next_url: str
    next_label: str
    redirect_url: str
    is_waiting: bool
    may_give_up: bool
    may_retry: bool
    retry_url: str


def present_payment(
    payment: Payment,
    language: PageLanguage,
    *,
    has_ended: bool,
    may_forward: bool = True,
    can_retry: bool = False,
    transfer: TransferDisplay | None = None,
    method: str = "",
    processed_by: str = "",
) -> PaymentDisplay:
    """Return a payment in the number format of the page; its words are in the active translation.

    ``has_ended``: Snipcart was notified, or is going to be, that the order was not paid, so that a link is enough.
    ``may_forward``: the order is still the one that is paid at the provider, so that the page may lead there.
    ``can_retry``: the browser still holds what opens the order's page. ``transfer`` is how the shopper pays by themselves.
    """
    # A shopper who came back from the provider before it had an answer must not be sent there again.
    is_forwarded = may_forward and bool(payment.redirect_url) and not payment.redirect_ended
    tone, title, text, advice = _words(payment, language, is_forwarded=is_forwarded)
    next_url, next_label = find_next_step(payment, is_forwarded=is_forwarded)
    moment = to_local(payment.created_at)
    is_open = payment.state in _NOT_TAKEN and not has_ended
    transfer = transfer or TransferDisplay()
    instructions = transfer.instructions if transfer else _instructions(payment)
    return PaymentDisplay(
        state=payment.state,
        language=page_language(payment.language).html_lang,
        reference=str(payment.reference),
        short_reference=payment.display_reference,
        cart_id=payment.cart_id,
        method=method,
        processed_by=processed_by,
        amount=payment.amount,
        currency=payment.currency,
        total=_total(payment, language),
        total_label=str(_total_label(payment, is_forwarded=is_forwarded)),
        is_headline=payment.captured_amount is not None or (bool(instructions) and not transfer),
        tone=tone,
        title=str(title),
        text=str(text),
        advice=str(advice),
        created_at=format_date_time(moment, language.locale),
        created_at_iso=moment.isoformat(timespec="seconds"),
        instructions=instructions,
        transfer=transfer,
        next_url=next_url,
        next_label=str(next_label),
        redirect_url=find_redirect(
            payment, is_forwarded=is_forwarded, is_to_be_read=bool(instructions or transfer)
        ),
        is_waiting=_is_waiting(payment, is_forwarded=is_forwarded),
        may_give_up=payment.state == _State.DECLINED and not has_ended,
        may_retry=is_open and can_retry,
        retry_url=payment.cart_url if is_open and not can_retry else "",
    )


def present_decline(payment: Payment, language: PageLanguage) -> str:
    """Return why a payment was declined: what its backend said, or in another language what its code means."""
    if page_language(payment.language).code == language.code:
        return payment.decline_message
    return decline_text(payment.decline_code, language.code)


def to_local(moment: datetime) -> datetime:
    """Return a time of the ledger's as an aware datetime in the active zone."""
    # Without USE_TZ the ledger's times come without a zone, in that of the site.
    return timezone.localtime(moment) if timezone.is_aware(moment) else timezone.make_aware(moment)


_BEING_CHECKED: Final = (
    "wait",
    _("Your payment is being checked"),
    _("We are waiting for confirmation from the payment provider."),
    _("Do not pay again. You can close this page: your payment continues without it."),
)
_AT_THE_PROVIDER: Final = (
    "wait",
    _("One more step"),
    _("You complete the payment on the payment provider's page."),
    _("If you are not redirected, use the button below."),
)
_WORDS: Final[dict[str, tuple[str, Promise | str, Promise | str, Promise | str]]] = {
    _State.CHARGING: _BEING_CHECKED,
    _State.UNKNOWN: _BEING_CHECKED,
    _State.PENDING: (
        "wait",
        _("Your payment is on its way"),
        _("Your order has been placed. We will let the shop know as soon as the money arrives."),
        _("Do not pay again. You can close this page."),
    ),
    _State.PAID: (
        "good",
        pgettext_lazy("snipcart_checkout: headline of a payment", "Paid"),
        _("Thank you. We have received your payment."),
        _("Do not pay again. Keep the payment reference until the shop confirms your order."),
    ),
    _State.DECLINED: (
        "bad",
        pgettext_lazy("snipcart_checkout: headline of a payment", "Declined"),
        _("The payment was declined. No money was taken."),
        "",
    ),
    _State.ABANDONED: (
        "bad",
        _("The payment was not completed"),
        _("It was interrupted before reaching the payment provider. No money was taken."),
        "",
    ),
    _State.REVIEW: (
        "wait",
        _("The shop is reviewing your payment"),
        _("Your payment was received, but the shop needs to review it."),
        _("Do not pay again. The shop will contact you. Have the payment reference ready."),
    ),
}
_IN_REVIEW: Final = (
    "wait",
    _("The shop is reviewing your payment"),
    _("The outcome of your payment is not known yet, so the shop needs to review it."),
    _("Do not pay again. The shop will contact you. Have the payment reference ready."),
)
_TO_PAY_YOURSELF: Final = (
    "wait",
    _("Your order is awaiting payment"),
    _("Your order has been placed. Please pay as described here."),
    _("You can close this page. Keep the payment reference."),
)


def _words(
    payment: Payment, language: PageLanguage, *, is_forwarded: bool
) -> tuple[str, Promise | str, Promise | str, Promise | str]:
    if payment.redirect_url:
        return _AT_THE_PROVIDER if is_forwarded else _BEING_CHECKED
    if payment.state == _State.PENDING and payment.instructions:
        return _TO_PAY_YOURSELF
    if payment.state == _State.REVIEW and payment.captured_at is None:
        return _IN_REVIEW
    tone, title, text, advice = _WORDS.get(payment.state, _BEING_CHECKED)
    if payment.state == _State.DECLINED:
        text = present_decline(payment, language) or text
    return tone, title, text, advice


def _total(payment: Payment, language: PageLanguage) -> str:
    captured = payment.captured_amount
    if captured is not None:
        return format_money(captured, payment.captured_currency, language.locale)
    return format_money(payment.amount, payment.currency, language.locale)


def _total_label(payment: Payment, *, is_forwarded: bool) -> Promise | str:
    if payment.captured_amount is not None:
        return _("Amount paid")
    if payment.state in _NOT_TAKEN:
        return _("Still to pay")
    is_to_be_paid = payment.state == _State.PENDING and (payment.instructions or is_forwarded)
    return _("Amount to pay") if is_to_be_paid else _("Amount")


def _instructions(payment: Payment) -> tuple[str, ...]:
    shown = payment.state in {_State.PENDING, _State.PAID}
    return tuple(filter(None, payment.instructions.splitlines())) if shown else ()


_NOT_TAKEN: Final = frozenset({_State.DECLINED, _State.ABANDONED})
# Older payments are not watched any more.
_WATCHED: Final = timedelta(hours=1)


def _is_waiting(payment: Payment, *, is_forwarded: bool) -> bool:
    """Return whether news of the payment may come while the shopper looks at its page."""
    if timezone.now() - payment.created_at > _WATCHED:
        return False
    if payment.redirect_url:
        return not is_forwarded
    # Paid, but Snipcart has not heard of it yet and has named no way on.
    is_undelivered = payment.state == _State.PAID and not payment.order_url
    is_on_its_way = payment.state == _State.PENDING and not payment.order_url and not payment.instructions
    return payment.state in {_State.CHARGING, _State.UNKNOWN} or is_undelivered or is_on_its_way
