"""What became of a payment, for the page that knows nothing but its reference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from snipcart_checkout.declines import decline_text
from snipcart_checkout.formats import format_date_time, format_money
from snipcart_checkout.languages import PageLanguage, page_language
from snipcart_checkout.models import Confirmation, Payment

__all__ = ["PaymentView", "present_decline", "present_payment"]

_State = Payment.State


@dataclass(frozen=True, kw_only=True)
class PaymentView:
    """A payment as its page shows it.

    ``state``, ``reference``, ``amount`` (Decimal) and ``currency`` are the ledger's; ``total`` is the finished
    amount. ``tone`` is ``good``, ``wait`` or ``bad``. ``language`` is the tag of the language that the backend's
    ``instructions`` are in. ``next_url`` leads on to the provider or back to the shop.
    The page moves by itself after ``refresh_seconds``, to ``refresh_url`` or, where that is empty, to itself;
    None means that it stays. ``may_give_up``: the shopper may end a declined payment and go back to the shop.
    """

    state: str
    language: str
    reference: str
    short_reference: str
    amount: Decimal
    currency: str
    total: str
    tone: str
    title: str
    text: str
    advice: str
    created_at: str
    created_at_iso: str
    instructions: tuple[str, ...]
    next_url: str
    next_label: str
    refresh_seconds: int | None
    refresh_url: str
    may_give_up: bool

    @property
    def is_moving(self) -> bool:
        """Whether the page waits for news."""
        return self.refresh_seconds is not None and not self.refresh_url


def present_payment(payment: Payment, language: PageLanguage) -> PaymentView:
    """Return a payment in the number format of the page; its words are in the active translation."""
    tone, title, text, advice = _words(payment, language)
    next_url, next_label = _next(payment)
    seconds, refresh_url = _refresh(payment)
    moment = _local(payment.created_at)
    return PaymentView(
        state=payment.state,
        language=page_language(payment.language).html_lang,
        reference=str(payment.reference),
        short_reference=payment.short_reference,
        amount=payment.amount,
        currency=payment.currency,
        total=format_money(payment.amount, payment.currency, language.locale),
        tone=tone,
        title=str(title),
        text=str(text),
        advice=str(advice),
        created_at=format_date_time(moment, language.locale),
        created_at_iso=moment.isoformat(timespec="seconds"),
        instructions=_instructions(payment),
        next_url=next_url,
        next_label=str(next_label),
        refresh_seconds=seconds,
        refresh_url=refresh_url,
        may_give_up=payment.state == _State.DECLINED and not _is_given_up(payment),
    )


def present_decline(payment: Payment, language: PageLanguage) -> str:
    """Return why a payment was declined: what its backend said, or in another language what its code means."""
    if page_language(payment.language).code == language.code:
        return payment.decline_message
    return decline_text(payment.decline_code, language.code)


def _is_given_up(payment: Payment) -> bool:
    """Whether Snipcart was told, or is going to be, that this order was not paid: then a link is enough."""
    ended = (Confirmation.State.FAILED, Confirmation.State.INVALIDATED)
    return Confirmation.objects.filter(session_key=payment.session_key, state__in=ended).exists()


def _local(moment: datetime) -> datetime:
    # Without USE_TZ the ledger's times come without a zone, in that of the site.
    return timezone.localtime(moment) if timezone.is_aware(moment) else timezone.make_aware(moment)


_TO_THE_SHOP: Final = _("Back to the shop")
_TO_THE_ORDER: Final = _("Continue to your order")
_TO_THE_PROVIDER: Final = _("Continue to the payment")
_BEING_CHECKED: Final = (
    "wait",
    _("Your payment is being checked"),
    _("We are waiting for the answer of the payment service."),
    _("Do not pay again. You may close this page: your payment goes on without it."),
)
_AT_THE_PROVIDER: Final = (
    "wait",
    _("One more step"),
    _("The payment is completed on the page of the payment service."),
    _("If you are not taken there in a moment, continue with the button."),
)
_WORDS: Final[dict[str, tuple[str, Promise | str, Promise | str, Promise | str]]] = {
    _State.CHARGING: _BEING_CHECKED,
    _State.UNKNOWN: _BEING_CHECKED,
    _State.WAITING: (
        "wait",
        _("Your payment is on its way"),
        _("Your order is placed. We will let the shop know as soon as the money has arrived."),
        _("Do not pay a second time. You may close this page."),
    ),
    _State.PAID: (
        "good",
        pgettext_lazy("headline of a payment", "Paid"),
        _("Thank you. We have received your payment."),
        _("Do not pay again. Keep the reference until you have the shop's confirmation."),
    ),
    _State.DECLINED: (
        "bad",
        pgettext_lazy("headline of a payment", "Declined"),
        _("The payment was declined. No money was taken."),
        _("Go back to the shop to try again or to pay another way."),
    ),
    _State.ABANDONED: (
        "bad",
        _("The payment was not completed"),
        _("It was broken off before it reached the payment service. No money was taken."),
        _("Go back to the shop to try again or to pay another way."),
    ),
    _State.REVIEW: (
        "wait",
        _("The shop is looking at your payment"),
        _("Your payment was received, but something about it needs a person to look at it."),
        _("Do not pay again. The shop will get in touch; have the reference at hand."),
    ),
}
_TO_PAY_YOURSELF: Final = (
    "wait",
    _("Your order is waiting for your payment"),
    _("Your order is placed. Please pay it as described here."),
    _("You may close this page. Keep the reference."),
)


def _words(
    payment: Payment, language: PageLanguage
) -> tuple[str, Promise | str, Promise | str, Promise | str]:
    if payment.redirect_url:
        return _BEING_CHECKED if payment.asked_at else _AT_THE_PROVIDER
    if payment.state == _State.WAITING and payment.instructions:
        return _TO_PAY_YOURSELF
    tone, title, text, advice = _WORDS.get(payment.state, _BEING_CHECKED)
    if payment.state == _State.DECLINED:
        text = present_decline(payment, language) or text
    return tone, title, text, advice


def _instructions(payment: Payment) -> tuple[str, ...]:
    shown = payment.state in {_State.WAITING, _State.PAID}
    return tuple(filter(None, payment.instructions.splitlines())) if shown else ()


def _next(payment: Payment) -> tuple[str, Promise | str]:
    if payment.redirect_url:
        return payment.redirect_url, _TO_THE_PROVIDER
    if payment.return_url:
        return payment.return_url, _TO_THE_ORDER if payment.state in _ORDERED else _TO_THE_SHOP
    return payment.back_url, _TO_THE_SHOP


_ORDERED: Final = frozenset({_State.WAITING, _State.PAID, _State.REVIEW})
_SOON: Final = 1
_TIME_TO_READ: Final = 4
# How often the page looks for news of a payment that is so young. Older ones are not watched any more.
_LOOKS: Final = ((timedelta(minutes=10), 10), (timedelta(hours=1), 60))


def _time_to_look_again(payment: Payment) -> int | None:
    age = timezone.now() - payment.created_at
    return next((seconds for limit, seconds in _LOOKS if age < limit), None)


def _refresh(payment: Payment) -> tuple[int | None, str]:
    """Return after how many seconds the page moves, and where to."""
    if payment.redirect_url and not payment.asked_at:
        return _SOON, payment.redirect_url
    # A shopper who came back from the provider before it had an answer must not be sent there again.
    if payment.redirect_url or payment.state in {_State.CHARGING, _State.UNKNOWN}:
        return _time_to_look_again(payment), ""
    if payment.state == _State.REVIEW or _instructions(payment):
        # To be read, and written down.
        return None, ""
    if payment.return_url:
        return _TIME_TO_READ, payment.return_url
    # Snipcart has not heard of it yet and has named no way on.
    return _time_to_look_again(payment) if payment.state in {_State.PAID, _State.WAITING} else None, ""
