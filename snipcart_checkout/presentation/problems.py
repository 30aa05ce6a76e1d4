"""Every way in which a page can fail the shopper, in words that say what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from django.utils.functional import Promise

from snipcart_checkout.conf.translation import gettext_lazy as _


class Problem(Enum):
    """Why there is no page to show; each has the HTTP status of the page that says so.

    A page that has to be read is no 404 where it can be helped: LocaleMiddleware would turn it into a redirect.
    """

    NO_TOKEN = auto(), 400
    MALFORMED_TOKEN = auto(), 400
    TOKEN_REFUSED = auto(), 410
    """Expired, used up, or another shop's."""
    UNAVAILABLE = auto(), 503
    """Snipcart, the provider or our own database cannot be reached or is busy."""
    BAD_ANSWER = auto(), 503
    UNPAYABLE = auto(), 503
    """The order's total or currency cannot be charged exactly."""
    NOT_CONFIGURED = auto(), 503
    NO_SUCH_PAGE = auto(), 404
    """The mount itself, where it does not belong to one store."""
    UNKNOWN_METHOD = auto(), 410
    UNKNOWN_PAYMENT = auto(), 410
    METHOD_NOT_OFFERED = auto(), 409
    PLAN_REFUSED = auto(), 409
    """The order holds a subscription, and PLANS of the store refuses those."""
    METHOD_NOT_ALLOWED = auto(), 405
    CSRF = auto(), 403
    UNEXPECTED = auto(), 500

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.value[1])


@dataclass(frozen=True, kw_only=True)
class ProblemDisplay:
    """A problem in words: what it is, what happened, whether money was taken, what to do."""

    title: str
    text: str
    money: str
    advice: str
    may_reload: bool


def present_problem(problem: Problem, *, is_get: bool = False) -> ProblemDisplay:
    """Return a problem in the active translation; a page that was asked for with GET may be asked for again."""
    title, text, money, advice = map(str, _WORDS[problem])
    passes = _WORDS[problem][-1] is _RELOAD
    return ProblemDisplay(title=title, text=text, money=money, advice=advice, may_reload=is_get and passes)


_NO_MONEY: Final = _("No money was taken.")
_FROM_THE_CART: Final = _("Go back to the shop, open your cart and choose a payment method again.")
_RELOAD: Final = _("Wait a minute, then reload this page. Your cart is saved.")
_OTHER_METHOD: Final = _("Go back to your cart and choose another payment method, or contact the shop.")

_NOT_FOUND: Final = (
    _("Page not found"),
    _("The link is wrong or out of date."),
    _NO_MONEY,
    _FROM_THE_CART,
)
_WORDS: Final[dict[Problem, tuple[Promise | str, ...]]] = {
    Problem.NO_TOKEN: (
        _("Please open this page from your cart"),
        _("The link does not say which order to pay for."),
        _NO_MONEY,
        _FROM_THE_CART,
    ),
    Problem.MALFORMED_TOKEN: (
        _("This payment link is broken"),
        _("Part of it is missing or was changed."),
        _NO_MONEY,
        _FROM_THE_CART,
    ),
    Problem.TOKEN_REFUSED: (
        _("This payment link is no longer valid"),
        _("It has expired, has been used already, or belongs to another shop."),
        _("No money was taken on this page."),
        _(
            "If you have already paid, look for the shop's confirmation before you pay again. Otherwise go "
            "back to the shop, open your cart and choose a payment method again."
        ),
    ),
    Problem.UNAVAILABLE: (
        _("Your order cannot be opened at the moment"),
        _("The shop's order system is not responding or is very busy."),
        _NO_MONEY,
        _RELOAD,
    ),
    Problem.BAD_ANSWER: (
        _("Your order could not be read"),
        _("The shop's order system sent a response that we could not read."),
        _NO_MONEY,
        _RELOAD,
    ),
    Problem.UNPAYABLE: (
        _("This order cannot be paid here"),
        _("Its exact total cannot be charged, or its currency is not supported."),
        _NO_MONEY,
        _OTHER_METHOD,
    ),
    Problem.NOT_CONFIGURED: (
        _("You cannot pay here yet"),
        _("The shop has not finished setting up this payment method."),
        _NO_MONEY,
        _OTHER_METHOD,
    ),
    Problem.NO_SUCH_PAGE: _NOT_FOUND,
    Problem.UNKNOWN_METHOD: _NOT_FOUND,
    Problem.METHOD_NOT_ALLOWED: _NOT_FOUND,
    Problem.UNKNOWN_PAYMENT: (
        _("Page not found"),
        _("The link is wrong or out of date."),
        _("We cannot tell from here whether money was taken."),
        _("Contact the shop before you pay again, and quote the payment reference."),
    ),
    Problem.METHOD_NOT_OFFERED: (
        _("This order cannot be paid this way"),
        _("The payment method isn't available in your country, in your currency or for this amount."),
        _NO_MONEY,
        _OTHER_METHOD,
    ),
    Problem.PLAN_REFUSED: (
        _("Subscriptions cannot be paid here"),
        _("Your order contains a subscription, and this payment page takes single payments only."),
        _NO_MONEY,
        _("Go back to your cart and take the subscription out, or contact the shop."),
    ),
    Problem.CSRF: (
        _("Please submit your payment again"),
        _("The page was open for too long, or your browser is blocking this site's cookies."),
        _NO_MONEY,
        _("Go back, reload the page and try again. If that does not help, allow cookies for this site."),
    ),
    Problem.UNEXPECTED: (
        _("Something went wrong"),
        _("This is our fault, and we have logged it."),
        _("We cannot tell from here whether money was taken."),
        _("Contact the shop before you pay again, and quote this reference."),
    ),
}
