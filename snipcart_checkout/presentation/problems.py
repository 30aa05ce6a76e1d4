"""Every way in which a page can fail the shopper, in words that say what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["Problem", "ProblemView", "present_problem"]


class Problem(Enum):
    """Why there is no page to show."""

    NO_TOKEN = auto()
    MALFORMED_TOKEN = auto()
    TOKEN_REFUSED = auto()
    """Expired, used up, or another shop's."""
    UNAVAILABLE = auto()
    """Snipcart, or our own database, cannot be reached or is busy."""
    BAD_ANSWER = auto()
    UNPAYABLE = auto()
    """The order's total or currency cannot be charged exactly."""
    NOT_CONFIGURED = auto()
    NO_SUCH_PAGE = auto()
    """An unknown store, method or payment."""
    METHOD_NOT_OFFERED = auto()
    CSRF = auto()
    UNEXPECTED = auto()


@dataclass(frozen=True, kw_only=True)
class ProblemView:
    """A problem in words: what it is, what happened, whether money was taken, what to do."""

    title: str
    text: str
    money: str
    advice: str


def present_problem(problem: Problem) -> ProblemView:
    """Return a problem in the active translation."""
    title, text, money, advice = map(str, _WORDS[problem])
    return ProblemView(title=title, text=text, money=money, advice=advice)


_NO_MONEY: Final = _("No money was taken.")
_FROM_THE_CART: Final = _("Go back to the shop, open your cart and choose how to pay again.")
_RELOAD: Final = _("Wait a minute, then reload this page. Your cart is kept.")
_OTHER_METHOD: Final = _("Go back to your cart and choose another way to pay, or ask the shop.")

_WORDS: Final[dict[Problem, tuple[Promise | str, ...]]] = {
    Problem.NO_TOKEN: (
        _("This page opens from your cart"),
        _("The address does not say which order is to be paid."),
        _NO_MONEY,
        _FROM_THE_CART,
    ),
    Problem.MALFORMED_TOKEN: (
        _("This payment link is damaged"),
        _("It was cut off or changed on its way here."),
        _NO_MONEY,
        _FROM_THE_CART,
    ),
    Problem.TOKEN_REFUSED: (
        _("This payment link is no longer valid"),
        _("It has expired, has been used already, or belongs to another shop."),
        _("No money was taken on this page."),
        _(
            "If you have already paid, look for the shop's confirmation before you pay again. Otherwise go back "
            "to the shop, open your cart and choose how to pay again."
        ),
    ),
    Problem.UNAVAILABLE: (
        _("Your order cannot be opened at the moment"),
        _("The shop's ordering service does not answer, or is very busy."),
        _NO_MONEY,
        _RELOAD,
    ),
    Problem.BAD_ANSWER: (
        _("Your order could not be read"),
        _("The shop's ordering service sent an answer that we do not understand."),
        _NO_MONEY,
        _RELOAD,
    ),
    Problem.UNPAYABLE: (
        _("This order cannot be paid here"),
        _("Its total cannot be charged exactly, or its currency is not known to us."),
        _NO_MONEY,
        _OTHER_METHOD,
    ),
    Problem.NOT_CONFIGURED: (
        _("Paying here is not possible yet"),
        _("The shop has not finished setting up this way to pay."),
        _NO_MONEY,
        _OTHER_METHOD,
    ),
    Problem.NO_SUCH_PAGE: (
        _("There is no such page"),
        _("The address is mistyped or out of date."),
        _NO_MONEY,
        _FROM_THE_CART,
    ),
    Problem.METHOD_NOT_OFFERED: (
        _("This order cannot be paid this way"),
        _("The payment method does not accept your country, your currency or this amount."),
        _NO_MONEY,
        _OTHER_METHOD,
    ),
    Problem.CSRF: (
        _("Please send the payment once more"),
        _("The page had been open for too long, or your browser does not keep cookies of this site."),
        _NO_MONEY,
        _("Go back, reload the page and try again. If that does not help, allow cookies for this site."),
    ),
    Problem.UNEXPECTED: (
        _("Something went wrong"),
        _("The mistake is ours, not yours, and it has been recorded."),
        _("We cannot tell here whether money was taken."),
        _("Ask the shop before you pay again, and give this reference."),
    ),
}
