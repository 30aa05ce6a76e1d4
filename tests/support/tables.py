"""The tables of a page of the documentation, for tests that are generated from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

DOCS: Final = Path(__file__).parent.parent.parent / "docs"
Row: TypeAlias = Mapping[str, str]


def read_table(page: str, heading: str) -> list[Row]:
    """Return the rows of the table under a heading, each by the names of its columns."""
    section = (DOCS / page).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in re.findall(r"^\|.+\|$", section, re.M)
    ]
    if not lines:
        raise LookupError(f"{page} has no table under {heading!r}")
    names, _rule, *rows = lines
    return [dict(zip(names, row, strict=True)) for row in rows]


def values_of(row: Row, column: str, every: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values that a cell stands for."""
    return every if row[column] == "any" else tuple(value.strip() for value in row[column].split(","))
