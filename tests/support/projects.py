"""Runs the ``manage.py`` of projects that are not the one of these tests, each run in a process of its own.

The processes are forks of one Python, which has Django loaded: to start one each would take most of the tests' time.
"""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_SERVER = Path(__file__).with_name("fork_server.py")


def manage(
    program: Path, *arguments: str, environment: Mapping[str, str], directory: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a management command with nothing else in its environment, in the folder of ``manage.py`` or another."""
    server, command = _start(), [str(program), *arguments]
    assert server.stdin
    assert server.stdout
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        run = {
            "command": command,
            "environment": dict(environment),
            "directory": str(directory or program.parent),
            "output": str(output),
            "errors": str(errors),
        }
        server.stdin.write(f"{json.dumps(run)}\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(command, code, output.read_text(), errors.read_text())


@functools.cache
def _start() -> subprocess.Popen[str]:
    """Start the Python that forks, once in a run of the tests."""
    server = subprocess.Popen(
        [sys.executable, str(_SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(server.communicate)  # closes its input, which ends it
    return server
