"""A state of a payment stands in many places; each that has forgotten one is named here in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.db.models import Q

import snipcart_checkout
from snipcart_checkout.contrib.gallery.samples import PAYMENT_STATES
from snipcart_checkout.models import TRANSITIONS, Event, Payment
from snipcart_checkout.presentation import payments as presentation
from snipcart_checkout.services import open_cases, pruning

PACKAGE = Path(snipcart_checkout.__file__).parent
DOCS = PACKAGE.parent / "docs"
CSS = (PACKAGE / "static/snipcart_checkout/admin.css").read_text()
# What no machine awaits any more: it has ended, or staff decide.
AT_REST = {Payment.State.PAID, Payment.State.DECLINED, Payment.State.ABANDONED, Payment.State.REVIEW}
FIRST = Payment.State.CHARGING
# The badge of these looks as every other.
PLAIN = {Payment.State.ABANDONED}


def forgotten(state: str) -> list[str]:
    """Return a sentence for each place that has forgotten a state."""
    reached = {FIRST, *(to for goes_to in TRANSITIONS.values() for to in goes_to)}
    shown = {columns["state"] for columns in PAYMENT_STATES.values()}
    places = {
        "Event.Name has no event of this name, which each change to it records.": state in Event.Name.values,
        "TRANSITIONS does not say what it may change to.": state in TRANSITIONS,
        "No transition leads to it.": state in reached,
        "presentation/payments.py has no words for its page.": state in presentation._WORDS,
        "The gallery does not show its page.": state in shown,
        "admin.css gives its badge no look, and PLAIN here does not say that it has none.": (
            f".snipcart-{state}" in CSS or state in PLAIN
        ),
        "services/open_cases.py does not await its outcome, and AT_REST here does not say that it has one.": (
            (state in open_cases._OPEN_STATES) is not (state in AT_REST)
        ),
        "services/pruning.py neither counts it as ended nor as unfinished.": (
            state in {*pruning._ENDED, *pruning._UNFINISHED, Payment.State.REVIEW}
        ),
        **{
            f"docs/{page} does not explain it.": f"\n| `{state}` |" in (DOCS / page).read_text()
            for page in ("ledger.md", "ledger.fr.md")
        },
    }
    return [sentence for sentence, is_there in places.items() if not is_there]


@pytest.mark.parametrize("state", Payment.State.values)
def test_no_place_has_forgotten_a_state(state: str) -> None:
    assert forgotten(state) == []


def test_every_place_would_miss_a_new_state() -> None:
    assert len(forgotten("brand_new")) == 10


def test_the_databases_constraints_name_states_that_there_are() -> None:
    conditions = [getattr(constraint, "condition", Q()) for constraint in Payment._meta.constraints]
    named = {state for condition in conditions for state in states_in(condition)}
    assert named == {"declined", "abandoned", "review", "paid"}
    assert named <= set(Payment.State.values)


def states_in(condition: Q) -> Iterable[str]:
    for child in condition.children:
        if isinstance(child, Q):
            yield from states_in(child)
        elif isinstance(child, tuple) and re.fullmatch(r"state(__in)?", child[0]):
            yield from [child[1]] if isinstance(child[1], str) else child[1]
