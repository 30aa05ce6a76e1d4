"""Measures the page and a naive view in the same run and prints both beside the goals.

Absolute figures move with the machine, and the load shares the cores with what it measures: compare the two columns.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from bench.measurements import MEASUREMENTS, ROUNDS
from bench.results import HEAD, find_lost, remember
from bench.servers import manage, stand_in


def main(names: list[str]) -> int:
    """Run every measurement, or those whose names are given; 1 when a goal that was met before is missed."""
    chosen = [measurement for measurement in MEASUREMENTS if not names or measurement.__name__ in names]
    rows = []
    with tempfile.TemporaryDirectory() as directory, stand_in(Path(directory)) as snipcart:
        scratch = Path(directory)
        manage(scratch, snipcart, "migrate", "--verbosity", "0")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; the best of {ROUNDS} rounds each\n")
        print(HEAD)
        for measurement in chosen:
            for row in measurement(scratch, snipcart):
                print(row, flush=True)
                rows.append(row)
    missed = [row for row in rows if not row.is_met]
    print(f"\n{len(rows) - len(missed)} of {len(rows)} goals are met.")
    lost = find_lost(rows)
    for what in lost:
        print(f"Was met before: {what}")
    if "--remember" in sys.argv:
        remember(rows)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main([name for name in sys.argv[1:] if not name.startswith("-")]))
