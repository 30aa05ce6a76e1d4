"""The two calls that Snipcart makes to the merchant's server: which payment methods, and a refund."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.utils import timezone

from snipcart_checkout.sandbox.activity import log_activity
from snipcart_checkout.sandbox.calls import Exchange, post_json
from snipcart_checkout.sandbox.core.bodies import methods_webhook, refund_webhook
from snipcart_checkout.sandbox.core.contract import (
    method_problem,
    methods_problem,
    refund_answer_problem,
    url_problem,
)
from snipcart_checkout.sandbox.core.sessions import Refund
from snipcart_checkout.sandbox.snipcart import SandboxSession, get_snipcart
from snipcart_checkout.sandbox.translation import gettext as _

_TOO_SLOW: Final = 5.0


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


def request_payment_methods(session: SandboxSession, url: str, place: str) -> Offer:
    """POST the payment-methods webhook, and log what came of it. ``place`` says where its token stands: one of TOKEN_PLACES."""
    if problem := url_problem(url):
        return _failed_offer(session, f"The payment-methods URL {problem}.")
    token = get_snipcart().new_token(session)
    body = methods_webhook(session.invoice, mode=session.mode, token=token, place=place)
    if place == "query":
        url = with_query(url, publicToken=token)
    fault = _take_fault("payment-methods", session)
    exchanges = list(_post(url, body, session, fault))
    offer = _read_offer(exchanges[-1])
    kind = "methods_offered" if offer.methods else "methods_failed" if offer.problem else "methods_none"
    for exchange in exchanges:
        log_activity(
            kind,
            session,
            exchange=exchange.messages,
            milliseconds=exchange.milliseconds,
            fault=fault,
            remark=offer.problem,
            offered=", ".join(method["name"] for method in offer.methods),
        )
    return offer


def _failed_offer(session: SandboxSession, problem: str) -> Offer:
    log_activity("methods_failed", session, remark=problem)
    return Offer(explanation=_("Snipcart would not call the payment-methods URL."), problem=problem)


def _read_offer(exchange: Exchange) -> Offer:
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


def request_refund(session: SandboxSession, amount: Decimal) -> None:
    """POST a refund of major units to the address that the merchant gave, and record and log what came of it."""
    fault = _take_fault("refund", session)
    body = refund_webhook(payment_id=session.payment_id, amount=amount)
    for exchange in _post(session.refund_url, body, session, fault):
        problem = exchange.problem or refund_answer_problem(exchange.answer) or ""
        refund = Refund(
            time=timezone.now(),
            amount=amount,
            refund_id="" if problem else exchange.answer["refundId"],
            problem=problem,
        )
        log_activity(
            "refund_failed" if problem else "refund_done",
            session,
            exchange=exchange.messages,
            milliseconds=exchange.milliseconds,
            fault=fault,
            remark=problem,
            amount=amount,
            currency=session.invoice.currency,
        )
    get_snipcart().add_refund(session, refund)


def _take_fault(place: str, session: SandboxSession) -> str:
    planned = get_snipcart().faults.take(place, session.id)
    return planned.name if planned else ""


def _post(url: str, body: Mapping[str, Any], session: SandboxSession, fault: str) -> Iterator[Exchange]:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": "Snipcart-sandbox",
    }
    if fault != "no-request-token":
        token = get_snipcart().new_request_token(session)
        forged = fault == "forged-request-token"
        headers["X-Snipcart-RequestToken"] = token[:-6] + "forged" if forged else token
    for _time in range(2 if fault == "sent-twice" else 1):
        yield post_json(url, body, headers)


def with_query(url: str, **params: str) -> str:
    """Return a URL with more parameters; whatever its query holds stays."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(params))))
    return urlunsplit(parts._replace(query=query))
