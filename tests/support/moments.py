"""The moments at which the end of a process can leave something else than its end a moment before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Moment:
    """A wrapper of statements that calls ``end`` before the nth one which writes, begins, or follows such a one.

    An end between two reads leaves what an end before the first of them leaves. A call to somebody else either
    follows a write, or comes before the write of its answer.
    """

    def __init__(self, number: int, end: Callable[[], object]) -> None:
        self.left = number
        self._end = end
        self._after_read = False

    def __call__(self, execute: Any, sql: str, *arguments: Any) -> Any:
        reads = sql.startswith("SELECT")
        if not (reads and self._after_read):
            self.left -= 1
            if not self.left:
                self._end()
        self._after_read = reads
        return execute(sql, *arguments)
