"""A sample is the same in each run, and loses no value."""

from __future__ import annotations

from itertools import product

import pytest

from tests.support.sampling import sampled, stride

LETTERS, NUMBERS, FLAGS = "abcdef", range(5), (True, False)
ALL = list(product(LETTERS, NUMBERS, FLAGS))


@pytest.fixture(autouse=True)
def by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FULL_PRODUCTS", raising=False)
    monkeypatch.delenv("TEST_DATABASE", raising=False)


@pytest.mark.parametrize("every", [2, 3, 4, 5, 7, 100])
def test_every_value_of_every_axis_is_there(every: int) -> None:
    kept = sampled(ALL, every=every)
    assert [set(axis) for axis in zip(*kept, strict=True)] == [set(LETTERS), set(NUMBERS), set(FLAGS)]
    assert len(kept) <= len(ALL) / every + sum(map(len, (LETTERS, NUMBERS, FLAGS)))


def test_the_first_the_last_and_the_corners_are_there_in_order() -> None:
    kept = sampled(ALL, every=4, corners=lambda case: case[0] == "c")
    assert kept == sorted(kept, key=ALL.index)
    assert {ALL[0], ALL[-1], *(case for case in ALL if case[0] == "c")} <= set(kept)


def test_two_axes_meet_in_turn() -> None:
    kept = sampled(product(range(8), range(4)), every=4)
    assert [[second for first, second in kept if first == row] for row in range(4)] == [[0], [3], [2], [1]]


def test_of_a_single_axis_every_nth_is_there() -> None:
    assert sampled(range(10), every=4, corners=lambda number: number == 7) == [0, 4, 7, 8, 9]


def test_values_that_cannot_be_hashed_and_named_cases_are_told_apart() -> None:
    cases = [pytest.param({"a": number}, flag, id=f"{number}-{flag}") for number in NUMBERS for flag in FLAGS]
    kept = sampled(cases, every=2)
    assert {case.values[0]["a"] for case in kept} == set(NUMBERS)  # type: ignore[index]
    assert len(kept) < len(cases)


def test_in_full_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULL_PRODUCTS", "1")
    assert sampled(ALL, every=10) == ALL


def test_moments_are_left_out_on_sqlite_alone_and_never_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stride(3) == 3
    monkeypatch.setenv("TEST_DATABASE", "mariadb")
    assert stride(3) == 1
    monkeypatch.setenv("TEST_DATABASE", "sqlite")
    monkeypatch.setenv("FULL_PRODUCTS", "1")
    assert stride(3) == 1
