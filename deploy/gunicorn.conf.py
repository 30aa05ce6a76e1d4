"""gunicorn's configuration: ``gunicorn --config deploy/gunicorn.conf.py yourproject.wsgi``."""

from __future__ import annotations

import os
from typing import Any

from gunicorn.glogging import Logger

from snipcart_checkout.contrib.scrub import HideSecrets

bind = os.environ.get("BIND", "unix:/run/snipcart-shop/gunicorn.sock")
# The web server runs as another user.
umask = 0o007
workers = int(os.environ.get("WORKERS", "2"))
worker_class = "gthread"
# MAX_CALLS_IN_FLIGHT (8) calls to each remote and the two that may wait for their turn leave threads for the other pages.
threads = int(os.environ.get("THREADS", "12"))
# The outside calls of a request end within 20 seconds; a worker that is told to stop lets them end.
timeout = graceful_timeout = 30
keepalive = 5
worker_tmp_dir = "/dev/shm"  # noqa: S108
# It would be made in the home directory, which a service has not got. systemd does the reloading.
control_socket_disable = True

accesslog = "-"
errorlog = "-"
access_log_format = '%({x-forwarded-for}i)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(M)sms'


class MaskingLogger(Logger):
    """gunicorn's logger, without public tokens and refund capabilities in either of its logs."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.addFilter(HideSecrets())


logger_class = MaskingLogger
