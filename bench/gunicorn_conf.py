"""gunicorn's configuration: a worker is ready once its application is loaded, and only the worker knows without being asked."""

from __future__ import annotations

import os
from pathlib import Path

worker_class = "gthread"
keepalive = 60
loglevel = "error"


def post_worker_init(worker: object) -> None:
    (Path(os.environ["BENCH_READY"]) / str(os.getpid())).touch()
