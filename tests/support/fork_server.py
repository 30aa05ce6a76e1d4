"""A Python that has loaded what every Django project loads, but no settings; it forks for each project it is asked to run.

``tests.support.projects`` starts it, and writes one line of JSON for each run to its standard input. It answers each
with a line that holds the exit code.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import babel.numbers  # noqa: F401
import django.contrib.admin.options
import django.contrib.staticfiles.finders
import django.core.management.commands.check
import django.core.management.commands.migrate
import django.db.backends.sqlite3.base
import django.test
import django.views.generic  # noqa: F401
import requests  # noqa: F401
import stripe  # noqa: F401

_PATIENCE = 120  # seconds until a run that hangs is ended


def _become(run: dict[str, Any]) -> None:
    """Be the Python that ``python manage.py …`` would start, with an environment and a folder of its own."""
    output = os.open(run["output"], os.O_WRONLY | os.O_CREAT)
    errors = os.open(run["errors"], os.O_WRONLY | os.O_CREAT)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.environ.clear()
    os.environ.update(run["environment"])
    os.chdir(run["directory"])
    program, *_ = sys.argv = run["command"]
    path = [str(Path(program).resolve().parent), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
    sys.path[:1] = path
    signal.alarm(_PATIENCE)


def _run(run: dict[str, Any]) -> int:
    """Return the exit code."""
    try:
        _become(run)
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _serve() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            code = _run(json.loads(line))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
