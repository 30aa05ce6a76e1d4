"""The logging of a site in production: ``from deploy.log_settings import *`` in your settings, or copy it.

The app writes one line of level ERROR for each case that needs review, and never the same case again; these lines are
mailed to ADMINS. Everything goes to standard error, where systemd or the container keeps it.
"""

from __future__ import annotations

from typing import Any

# A mail server that hangs must not hold a shopper for longer. Seconds.
EMAIL_TIMEOUT = 5

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name} {message}", "style": "{"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "people": {"class": "django.utils.log.AdminEmailHandler", "level": "ERROR"},
        "nobody": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Not propagated, so that no other handler of the site reports the same case once more.
        "snipcart_checkout": {"handlers": ["console", "people"], "level": "INFO", "propagate": False},
        # Django's mails about an error of the site show the request with its query, and so the public token.
        "django": {"handlers": [], "level": "INFO"},
        # Scanners of the internet ask for every host name.
        "django.security.DisallowedHost": {"handlers": ["nobody"], "propagate": False},
    },
}
