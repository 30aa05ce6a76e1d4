"""What is measured against which goal, and which goals were met before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WIDTH = 75
REMEMBERED = Path(__file__).parent / "results.json"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured thing, beside the naive view and the hand-written floor where they do the same.

    ``goal`` is a figure or, with ``is_share``, a share of the naive view's figure in the same run. Figures are better when
    they are smaller, unless ``at_least``. ``note`` says more about it.
    """

    what: str
    unit: str
    goal: float
    ours: float
    naive: float | None = None
    floor: float | None = None
    is_share: bool = False
    at_least: bool = False
    note: str = ""

    @property
    def wanted(self) -> float:
        return self.goal * (self.naive or 0) if self.is_share else self.goal

    @property
    def is_met(self) -> bool:
        return self.ours >= self.wanted if self.at_least else self.ours <= self.wanted

    @property
    def verdict(self) -> str:
        share = f" ({self.ours / self.naive:.0%} of naive)" if self.is_share and self.naive else ""
        if self.is_met:
            return f"met{share}"
        by = f"by {abs(self.ours / self.wanted - 1):.0%}" if self.wanted else ""
        return f"MISSED {by}{share}"

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        goal = f"{self.goal:.0%} of naive" if self.is_share and not self.at_least else f"{self.goal:g}"
        goal = f"{self.goal:g} x naive" if self.is_share and self.at_least else goal
        others = "".join(
            f"{'' if figure is None else to_text(figure):<9}" for figure in (self.naive, self.floor)
        )
        found = f"{to_text(self.ours):<9}{others}{self.unit:<8}{self.verdict}"
        note = f", {self.note}" if self.note else ""
        return f"{self.what:<{WIDTH}}{f'{sign} {goal}':<17}{found}{note}"


HEAD = f"{'':<{WIDTH}}{'goal':<17}{'ours':<9}{'naive':<9}{'floor':<9}"


def to_text(figure: float) -> str:
    return f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def find_lost(rows: Sequence[Row]) -> list[str]:
    """Return the goals that were met when the results were last written down, and are missed now."""
    before = json.loads(REMEMBERED.read_text()) if REMEMBERED.exists() else {}
    return [row.what for row in rows if not row.is_met and before.get(row.what, {}).get("met")]


def remember(rows: Sequence[Row]) -> None:
    """Write down these results beside those of rows that were not measured this time."""
    before = json.loads(REMEMBERED.read_text()) if REMEMBERED.exists() else {}
    for row in rows:
        figures = {"ours": row.ours, "naive": row.naive, "floor": row.floor}
        before[row.what] = {
            "met": row.is_met,
            **{name: float(f"{figure:.4g}") for name, figure in figures.items() if figure is not None},
        }
    REMEMBERED.write_text(json.dumps(before, indent=2, sort_keys=True) + "\n")
