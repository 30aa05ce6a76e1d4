"""The two calls that Snipcart makes to the merchant's server: which payment methods, and a refund."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.utils import timezone
from django.utils.translation import gettext as _

from snipcart_checkout.sandbox.calls import Exchange, post_json
from snipcart_checkout.sandbox.contract import (
    Invoice,
    method_problem,
    methods_problem,
    methods_webhook,
    refund_answer_problem,
    refund_webhook,
    url_problem,
)
from snipcart_checkout.sandbox.faults import take_fault
from snipcart_checkout.sandbox.sessions import Refund, Session, add_refund
from snipcart_checkout.sandbox.story import tell
from snipcart_checkout.sandbox.tokens import HOUR, Token, issue_token

__all__ = ["Offer", "Rejected", "ask_methods", "ask_refund"]

_TOO_SLOW: Final = 5.0
_SPOILERS: Final = ("repeated", "no_token", "forged_token")


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A method that the cart would not show as it is meant, and why."""

    label: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What the merchant answered: methods to show, those that cannot be, and what was wrong with all of it.

    ``explanation`` is for people and translated, ``problem`` technical and in English.
    """

    methods: list[Mapping[str, str]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    explanation: str = ""
    problem: str = ""
    milliseconds: int = 0

    @property
    def is_slow(self) -> bool:
        """Whether a shopper would not have waited."""
        return self.milliseconds > _TOO_SLOW * 1000


def ask_methods(session: Session, invoice: Invoice, url: str, place: str) -> Offer:
    """POST the payment-methods webhook, and tell the story of it."""
    if problem := url_problem(url):
        return _failed_offer(session, f"The payment-methods URL {problem}.")
    token = issue_token(Token(purpose="public", session_id=session.id, mode=session.mode))
    body = methods_webhook(invoice, mode=session.mode, token=token, place=place)
    fault = take_fault("methods", session.id, _SPOILERS)
    if place == "query":
        url = _with_query(url, publicToken=token)
    exchanges = list(_post(url, body, session, fault))
    offer = _read_offer(session, exchanges[-1])
    kind = "methods_offered" if offer.methods else "methods_failed" if offer.problem else "methods_none"
    for exchange in exchanges:
        tell(
            kind,
            session_id=session.id,
            number=session.number,
            exchange=exchange.messages,
            milliseconds=exchange.milliseconds,
            fault=fault,
            remark=offer.problem,
            offered=", ".join(method["name"] for method in offer.methods),
        )
    return offer


def _failed_offer(session: Session, problem: str) -> Offer:
    tell("methods_failed", session_id=session.id, number=session.number, remark=problem)
    return Offer(explanation=_("Snipcart would not call the payment-methods URL."), problem=problem)


def _read_offer(session: Session, exchange: Exchange) -> Offer:
    spent = exchange.milliseconds
    if exchange.problem:
        text = _("The shop's server did not answer as it should.")
        return Offer(explanation=text, problem=exchange.problem, milliseconds=spent)
    if not isinstance(exchange.answer, list):
        text = _("The shop's server answered something that is not a list of payment methods.")
        problem = methods_problem(exchange.answer) or ""
        return Offer(explanation=text, problem=problem, milliseconds=spent)
    methods, rejected = _sorted_out(exchange.answer)
    text = "" if exchange.answer else _("The shop's server answered an empty list: nothing fits this order.")
    problem = rejected[0].reason if rejected else ""
    return Offer(methods=methods, rejected=rejected, explanation=text, problem=problem, milliseconds=spent)


def _sorted_out(answer: list[Any]) -> tuple[list[Mapping[str, str]], list[Rejected]]:
    methods: list[Mapping[str, str]] = []
    rejected = []
    for method in answer:
        if problem := method_problem(method) or methods_problem([*methods, method]):
            label = method.get("name") if isinstance(method, dict) else method
            rejected.append(Rejected(label=str(label)[:80], reason=problem))
        else:
            methods.append(method)
    return methods, rejected


def ask_refund(session: Session, amount: Decimal) -> Refund:
    """POST a refund to the address that the merchant gave, write down what came of it, and tell the story of it."""
    fault = take_fault("refund", session.id, _SPOILERS)
    body = refund_webhook(payment_id=session.payment_id, amount=amount)
    for exchange in _post(session.refund_url, body, session, fault):
        problem = exchange.problem or refund_answer_problem(exchange.answer) or ""
        refund = Refund(
            time=timezone.now(),
            amount=amount,
            refund_id="" if problem else exchange.answer["refundId"],
            problem=problem,
        )
        tell(
            "refund_failed" if problem else "refund_done",
            session_id=session.id,
            number=session.number,
            exchange=exchange.messages,
            milliseconds=exchange.milliseconds,
            fault=fault,
            remark=problem,
            amount=amount,
            currency=session.current_invoice.currency,
        )
    add_refund(session.id, refund)
    return refund


def _post(url: str, body: Mapping[str, Any], session: Session, fault: str) -> Iterator[Exchange]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "Snipcart-sandbox",
    }
    if fault != "no_token":
        token = issue_token(Token(purpose="request", session_id=session.id, mode=session.mode), lifetime=HOUR)
        headers["X-Snipcart-RequestToken"] = token[:-6] + "forged" if fault == "forged_token" else token
    for _time in range(2 if fault == "repeated" else 1):
        yield post_json(url, body, headers)


def _with_query(url: str, **params: str) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(params))))
    return urlunsplit(parts._replace(query=query))
