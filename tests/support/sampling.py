"""A spread of a large product of parameters; all of it where FULL_PRODUCTS=1 is set, as CI does."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, TypeVar

import pytest

_Case = TypeVar("_Case")
_Param: Final = type(pytest.param())


def sampled(
    product: Iterable[_Case], *, every: int, corners: Callable[[_Case], bool] = lambda _case: False
) -> list[_Case]:
    """Return about one of ``every`` cases in their order, the same ones in each run.

    The cases of a product (tuples, or what ``pytest.param`` makes) run diagonally through its axes, so
    that values meet in turn, and each value of each axis is there at least once. The first case, the
    last, and all that are ``corners`` are there, also where the cases are no tuples.
    """
    cases = list(product)
    if os.environ.get("FULL_PRODUCTS"):
        return cases
    steps = _steps(cases)
    kept = {
        number
        for number, case in enumerate(cases)
        if sum(steps[number]) % every == 0 or number == len(cases) - 1 or corners(case)
    }
    if any(len(step) > 1 for step in steps):
        kept |= _missing(kept, steps)
    return [cases[number] for number in sorted(kept)]


def stride(step: int) -> int:
    """Return how far apart the moments are that a test tries one after the other.

    It is one of ``step``, but each of them where FULL_PRODUCTS=1 is set, and on a server's database, which hardly anybody
    but CI runs the tests on.
    """
    is_sqlite = os.environ.get("TEST_DATABASE", "sqlite") == "sqlite"
    return step if is_sqlite and not os.environ.get("FULL_PRODUCTS") else 1


def _missing(kept: set[int], steps: list[tuple[int, ...]]) -> set[int]:
    """Return the first case of each value that no kept case has."""
    missing = set()
    seen = {value for number in kept for value in enumerate(steps[number])}
    for number, step in enumerate(steps):
        if not seen.issuperset(enumerate(step)):
            missing.add(number)
            seen.update(enumerate(step))
    return missing


def _steps(cases: list[Any]) -> list[tuple[int, ...]]:
    """Number the values of each axis as they appear, and return each case in these numbers."""
    known: defaultdict[int, dict[Hashable, int]] = defaultdict(dict)
    return [
        tuple(
            known[axis].setdefault(_key(value), len(known[axis])) for axis, value in enumerate(_values(case))
        )
        for case in cases
    ]


def _values(case: Any) -> tuple[Any, ...]:
    if isinstance(case, _Param):
        return tuple(case.values)
    return case if isinstance(case, tuple) else (case,)


def _key(value: object) -> Hashable:
    """What tells values apart: 1 is not True, and what cannot be hashed is known by its text."""
    try:
        hash(value)
    except TypeError:
        return type(value), repr(value)
    return type(value), value
