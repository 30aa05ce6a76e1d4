"""Processes of the site under test: real ones, which race each other, are killed, and leave only what is on disk.

A server process is started once per test run and forked for each of them, which is much faster than starting Python
ten times. ``command`` starts a Python of its own, as cron does.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import django
from django.apps import apps

if not apps.ready:  # this is the server process
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from django.conf import settings
from django.db import connection

ROOT: Final = Path(__file__).parent.parent.parent
PATIENCE: Final = 120  # seconds, on a machine as busy as it likes

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.support.process_server"])

Work = tuple[Callable[..., Any], tuple[Any, ...]]
"""What a process does: a function of ``tests.support.shoppers`` and its arguments after ``ready``."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A process that has ended: how, with what result, and everything that it printed or logged."""

    exit_code: int
    result: Any
    output: str

    @property
    def was_killed(self) -> bool:
        return self.exit_code == -signal.SIGKILL


@dataclass(kw_only=True)
class Running:
    """A process on its way."""

    process: Any
    result: Path
    output: Path

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)

    def finish(self) -> Finished:
        """Wait for the end, which has to be a good one or SIGKILL."""
        self.process.join(PATIENCE)
        output = self.output.read_text() if self.output.exists() else ""
        if self.process.exitcode is None:
            self.kill()
            raise TimeoutError(f"a process does not end; it wrote:\n{output}")
        if self.process.exitcode not in {0, -signal.SIGKILL}:
            raise RuntimeError(f"a process failed; it wrote:\n{output}")
        result = json.loads(self.result.read_text()) if self.result.exists() else None
        return Finished(exit_code=self.process.exitcode, result=result, output=output)


@dataclass(kw_only=True)
class Processes:
    """Starts processes that are the same site as the test: its database, its settings."""

    directory: Path
    isolation: str = ""
    outputs: list[Path] = field(default_factory=list)

    def start(self, function: Callable[..., Any], *arguments: Any, gate: Any = None) -> Running:
        """Start one."""
        output = self._new_output()
        result = output.with_suffix(".json")
        site = (connection.settings_dict["NAME"], settings.SNIPCART_CHECKOUT, self.isolation)
        process = _context.Process(
            target=_run, args=(site, (function, arguments), output, result, gate), daemon=True
        )
        process.start()
        return Running(process=process, result=result, output=output)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Finished:
        """Run one to its end."""
        return self.start(function, *arguments).finish()

    def race(self, *works: Work) -> list[Finished]:
        """Run several, all of which are ready before the first one goes."""
        gate = _context.Barrier(len(works))
        running = [self.start(function, *arguments, gate=gate) for function, arguments in works]
        return [process.finish() for process in running]

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a management command in a Python of its own; its output is kept as the others' is."""
        output = self._new_output()
        with output.open("w") as stream:
            return subprocess.Popen(
                [sys.executable, "-m", "django", *arguments],
                cwd=ROOT,
                env={**os.environ, **self._environment()},
                stdout=stream,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def printed(self) -> str:
        """Everything that any of them printed or logged."""
        return "\n".join(output.read_text() for output in self.outputs if output.exists())

    def _environment(self) -> Mapping[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "tests.support.process_settings",
            "SNIPCART_TEST_DATABASE_NAME": str(connection.settings_dict["NAME"]),
            "SNIPCART_TEST_CHECKOUT": json.dumps(settings.SNIPCART_CHECKOUT),
        }

    def _new_output(self) -> Path:
        output = self.directory / f"process-{len(self.outputs)}.txt"
        self.outputs.append(output)
        return output


def wait_until(happened: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(0.01)


def finish_commands(commands: Sequence[subprocess.Popen[str]]) -> list[int]:
    """Wait for commands and return their exit codes."""
    return [command.wait(PATIENCE) for command in commands]


def _run(site: tuple[Any, Any, str], work: Work, output: Path, result: Path, gate: Any) -> None:
    """The life of a forked process."""
    _write_everything_to(output)
    _become(*site)
    function, arguments = work
    try:
        answer = function(gate.wait if gate else _no_gate, *arguments)
    except SystemExit as end:
        answer = end.code
    except BaseException:
        if gate:
            gate.abort()
        traceback.print_exc()
        raise
    draft = result.with_suffix(".draft")
    draft.write_text(json.dumps(answer, default=str))
    draft.replace(result)


def _no_gate(timeout: float | None = None) -> None:
    """Nobody to wait for."""


def _write_everything_to(output: Path) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    # DEBUG on the root logger: what any library says about a request is part of the output too.
    logging.basicConfig(stream=sys.stderr, level=logging.DEBUG, force=True)


def _isolation_level(name: str) -> Any:
    if connection.vendor != "postgresql":
        return name
    from django.db.backends.postgresql.psycopg_any import IsolationLevel

    return IsolationLevel[name.replace(" ", "_").upper()]


def _become(database: str, checkout: Mapping[str, Any], isolation: str) -> None:
    connection.settings_dict["NAME"] = database
    if isolation:
        connection.settings_dict["OPTIONS"] = {
            **connection.settings_dict["OPTIONS"],
            "isolation_level": _isolation_level(isolation),
        }
    settings.SNIPCART_CHECKOUT = checkout
    settings.DEBUG = False
