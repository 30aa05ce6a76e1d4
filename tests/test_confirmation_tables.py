"""Every row of docs/confirmations.md, run against the services: the page says what the code does, and nothing is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from itertools import product
from typing import Any, Final

import pytest
from django.utils import timezone

from snipcart_checkout import services
from snipcart_checkout.models import Confirmation, Payment
from snipcart_checkout.testing import StandIn
from tests.support.backends import Provider
from tests.support.ledger import provider
from tests.support.ledger_invariants import let_time_pass
from tests.support.sampling import sampled
from tests.support.tables import Row, read_table, values_of
from tests.support.undelivered import Counter, Waiting, full_cap

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

PAGE: Final = "confirmations.md"
BEFORE: Final = read_table(PAGE, "Before it is sent")
ANSWERS: Final = read_table(PAGE, "What Snipcart's answer makes of it")
STAFF: Final = read_table(PAGE, "What staff can say")

YES_NO: Final = ("yes", "no")
MARKS: Final = ("not yet", "same", "accepted")
NOT_YET: Final = {"not yet": "", "same": "same", "accepted": "waived"}
SHOWN: Final[Mapping[str, tuple[str | int, ...]]] = {
    "same": ("as it is",),
    "changed": ("amount", "currency", "lines", "emptied"),
    "unread": ("cap", "redirect", 400, 408, 425, 429, 500, 503, "cut-before", "cut-body", "not-json"),
    "gone": (401, 403, 404, 410, "no token"),
}
OUTCOMES: Final = ("processing", "processed", "failed", "invalidated")
Case = tuple[str, str, str, str, str]
"""outcome, behind it, compared before, what Snipcart shows, processing delivered; "—" where it has no meaning."""


def all_cases() -> Iterator[Case]:
    """Every combination that can come about."""
    for behind, shown in product(("final", "nothing"), SHOWN):
        yield "processing", behind, "—", shown, "—"
    for mark, shown, delivered in product(MARKS, SHOWN, YES_NO):
        yield "processed", "—", mark, shown, delivered
    for outcome, behind, shown, delivered in product(
        ("failed", "invalidated"), ("final", "nothing"), SHOWN, YES_NO
    ):
        if outcome == "failed" or delivered == "yes":  # what is not processing expires unheard
            yield outcome, behind, "—", shown, delivered


def cases_of(row: Row) -> set[Case]:
    columns = {
        "outcome": tuple(OUTCOMES),
        "behind it": ("final", "nothing"),
        "compared before": MARKS,
        "Snipcart shows": tuple(SHOWN),
        "processing delivered": YES_NO,
    }
    return set(product(*(values_of(row, column, every) for column, every in columns.items())))  # type: ignore[arg-type]


def row_for(case: Case) -> Row:
    (row,) = [row for row in BEFORE if case in cases_of(row)]
    return row


def test_the_first_table_names_every_combination_once() -> None:
    named = [case for row in BEFORE for case in cases_of(row)]
    assert len(named) == len(set(named))
    assert set(all_cases()) <= set(named)


VARIANTS: Final = [
    (case, variant, BEFORE.index(row_for(case)))
    for case in all_cases()
    for variant in SHOWN[case[3]]
    # With a full cap nothing is sent either: a row of the second table.
    if not (variant == "cap" and "sent" in row_for(case)["what happens"])
]


@pytest.mark.parametrize("case, variant, row", sampled(VARIANTS, every=14), ids=str)
def test_before_it_is_sent(
    snipcart: StandIn,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    case: Case,
    variant: str | int,
    row: int,
) -> None:
    outcome, behind, mark, _shown, delivered = case
    what, _, unasked = BEFORE[row]["what happens"].partition(", ")
    waiting = Counter(snipcart, provider).wait(
        outcome, processing_delivered=delivered == "yes", final_behind=behind == "final"
    )
    if mark in NOT_YET:
        waiting.note(order_check=NOT_YET[mark])
    asked, sent = len(snipcart.calls_to("payment-session")), len(snipcart.calls_to("payment"))
    caplog.clear()

    with ExitStack() as conditions:
        show(snipcart, waiting, variant, conditions)
        if what != "superseded":
            # Whatever is sent arrives, and what comes behind it is another story.
            snipcart.fail("payment", 200)
        waiting.deliver()

    assert what_happened(waiting) == what
    is_sent = what == "sent"
    if what != "superseded":
        assert len(snipcart.calls_to("payment")) - sent == is_sent
    if unasked and what != "superseded":
        assert len(snipcart.calls_to("payment-session")) == asked
    if what.startswith("review"):
        assert waiting.payment.state == Payment.State.REVIEW
        assert f"needs review: {what.removeprefix('review ')}" in caplog.text
        assert services.payments_needing_attention().filter(pk=waiting.payment.pk).exists()


def show(snipcart: StandIn, waiting: Waiting, variant: str | int, conditions: ExitStack) -> None:
    """Have Snipcart show the order in one of the ways."""
    changes: dict[str | int, Callable[[], object]] = {
        "as it is": lambda: None,
        "amount": lambda: snipcart.change(waiting.session, amount="1001.00"),
        "currency": lambda: snipcart.change(waiting.session, currency="USD"),
        "lines": lambda: snipcart.change(waiting.session, lines=waiting.session.invoice.lines[:1]),
        "emptied": lambda: snipcart.change(waiting.session, amount="0", lines=[]),
        "cap": lambda: conditions.enter_context(full_cap()),
        "no token": lambda: Payment.objects.filter(pk=waiting.payment.pk).update(public_token=""),
    }
    if variant in changes:
        changes[variant]()
    else:
        snipcart.fail("payment-session", variant)


def what_happened(waiting: Waiting) -> str:
    status = waiting.confirmation.status
    if status == Confirmation.Status.REVIEW:
        return f"review {waiting.payment.review_reason}"
    words = {"delivered": "sent", "pending": "waits", "superseded": "superseded"}
    return words[status]


# The answers.

ANSWERED: Final[Mapping[str, tuple[str | int, ...]]] = {
    "2xx": (200, 201),
    "400": (400,),
    "409": (409,),
    "other 4xx": (404, 422),
    "401 of one key": ("one key",),
    "401": (401,),
    "403 of every key": (403,),
    "3xx": ("redirect", 307),
    "425": (425,),
    "429": (429,),
    "408": (408,),
    "5xx": (500, 503),
    "cut": ("cut-before", "cut-after"),
    "nothing was sent": ("refused",),
    "waits for 72 hours": (429, 503, "redirect"),
}
TRIES: Final = ("clear", "unclear")
ALERTED: Final = {"yes": ("processed", "failed"), "of processed": ("processed",), "no": ()}


def answers_of(row: Row) -> tuple[str, ...]:
    if row["answer"].startswith("401, 403"):
        return "401", "403 of every key"
    return values_of(row, "answer", tuple(ANSWERED))


def test_the_second_table_names_every_combination_once() -> None:
    named = [
        combination
        for row in ANSWERS
        for combination in product(
            answers_of(row),
            values_of(row, "earlier try", TRIES),
            values_of(row, "session ended before", YES_NO),
        )
    ]
    assert len(named) == len(set(named))
    assert set(named) == set(product(ANSWERED, TRIES, YES_NO))


def answer_cases() -> Iterator[Any]:
    for number, row in enumerate(ANSWERS):
        for answer, earlier, ended, outcome in product(
            answers_of(row),
            values_of(row, "earlier try", TRIES),
            values_of(row, "session ended before", YES_NO),
            ("processed", "failed"),
        ):
            for status in ANSWERED[answer]:
                name = f"{answer}-{status}-{earlier}-{ended}-{outcome}"
                yield pytest.param(number, answer, status, earlier, ended, outcome, id=name)


@pytest.mark.parametrize("number, answer, status, earlier, ended, outcome", sampled(answer_cases(), every=9))
def test_what_the_answer_makes_of_it(
    snipcart: StandIn,
    provider: Provider,
    caplog: pytest.LogCaptureFixture,
    number: int,
    answer: str,
    status: str | int,
    earlier: str,
    ended: str,
    outcome: str,
) -> None:
    row = ANSWERS[number]
    waiting = Counter(snipcart, provider).wait(
        outcome, processing_delivered=outcome == "failed", session_ended=ended == "yes"
    )
    created = timezone.now() - timedelta(hours=72 if answer == "waits for 72 hours" else 0)
    waiting.note(unclear=earlier == "unclear", created_at=created)
    caplog.clear()

    with ExitStack() as conditions:
        give(snipcart, waiting, status, conditions)
        waiting.deliver()

    confirmation = waiting.confirmation
    became = {"delivered": "delivered", "review": "review", "pending": "waits"}[confirmation.status]
    assert became == row["what becomes of it"]
    then = {"clear": False, "unclear": True, "as before": earlier == "unclear"}.get(row["then it is"])
    if answer == "waits for 72 hours":
        then = earlier == "unclear" or status == 503
    if then is not None:
        assert confirmation.unclear is then
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert bool(errors) is (outcome in ALERTED[row["staff are alerted"]])


def give(snipcart: StandIn, waiting: Waiting, status: str | int, conditions: ExitStack) -> None:
    """Have Snipcart answer the next confirmation in one of the ways."""
    if status == "one key":
        snipcart.fail("payment", 401)
        snipcart.fail("payment", 200)
    elif status == "refused":
        waiting.note(order_check="waived")  # so that nobody asks for the order before
        conditions.enter_context(full_cap())
    else:
        snipcart.fail("payment", status, times=None)


# The word of staff.


def withheld(counter: Counter, *, money: bool) -> Waiting:
    waiting = counter.wait("processed" if money else "processing")
    counter.snipcart.change(waiting.session, amount="1001.00")
    waiting.deliver()
    assert waiting.payment.state == Payment.State.REVIEW
    return waiting


def refused(counter: Counter) -> Waiting:
    waiting = counter.wait("processed")
    counter.snipcart.fail("payment", 422)
    waiting.deliver()
    return waiting


def late(counter: Counter) -> Waiting:
    waiting = counter.wait("processed")
    waiting.note(created_at=timezone.now() - timedelta(hours=1, minutes=1))
    return waiting


def changed_since(counter: Counter, waiting: Waiting) -> Waiting:
    counter.snipcart.change(waiting.session, amount="1001.00")
    return waiting


SITUATIONS: Final[Mapping[str, Callable[[Counter], Waiting]]] = {
    "withheld, money taken": lambda counter: withheld(counter, money=True),
    "withheld, no money taken": lambda counter: withheld(counter, money=False),
    "refused by Snipcart": refused,
    "refused by Snipcart, order changed since": lambda counter: changed_since(counter, refused(counter)),
    "undelivered for an hour": late,
    "undelivered for an hour, order changed since": lambda counter: changed_since(counter, late(counter)),
}


def act(waiting: Waiting, word: str) -> bool:
    """Have staff do something; whether it was possible."""
    waiting.refresh()
    payment = waiting.payment
    if word == "resend":
        return services.redeliver(waiting.confirmation, by="ada")
    if word == "refund":
        return services.refund_by_staff(payment, payment.minor_units, by="ada").state == "refunded"
    return services.resolve_review(payment, word, note="", by="ada")


@pytest.mark.parametrize("row", STAFF, ids=lambda row: "-".join(list(row.values())[:2]))
def test_what_staff_can_say(snipcart: StandIn, provider: Provider, row: Row) -> None:
    waiting = SITUATIONS[row["the case"]](Counter(snipcart, provider))
    provider.script()
    heard, asked = len(waiting.session.confirmations), len(snipcart.calls_to("payment-session"))

    *before, last = values_of(row, "staff's word", ())
    assert all(act(waiting, word) for word in before)
    done = act(waiting, last)

    let_time_pass(timedelta(hours=1))
    services.settle()  # a machine adds nothing to it
    waiting.refresh()
    states = [body["state"] for body in waiting.session.confirmations[heard:]]
    notified = row["Snipcart is notified"]
    assert done is (notified != "refused")
    assert states == ([] if notified in {"refused", "nothing"} else [notified])
    assert (len(snipcart.calls_to("payment-session")) > asked) is (row["the order is compared"] == "yes")
    assert (waiting.payment.live_key is None) is (row["the session"] == "free")


def test_the_third_table_names_every_case() -> None:
    assert {row["the case"] for row in STAFF} == set(SITUATIONS)
