"""Settings of the measured site.

BENCH_EMPTY=1 leaves the app out, to see what it adds. BENCH_STAFF=1 adds Django's admin, which no shopper's page is to pay for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SNIPCART = os.environ["BENCH_SNIPCART"]
CA_BUNDLE = os.environ["BENCH_CA_BUNDLE"]
IS_EMPTY = bool(os.environ.get("BENCH_EMPTY"))
HAS_STAFF = bool(os.environ.get("BENCH_STAFF"))

SECRET_KEY = "only-for-measuring"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "bench.site"
USE_TZ = True
INSTALLED_APPS = [] if IS_EMPTY else ["snipcart_checkout"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
CONTEXT_PROCESSORS: list[str] = []
if HAS_STAFF:
    INSTALLED_APPS += [
        f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "sessions", "messages")
    ]
    MIDDLEWARE += [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    CONTEXT_PROCESSORS += [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"libraries": {"naive": "bench.naive"}, "context_processors": CONTEXT_PROCESSORS},
    },
]
STATIC_URL = "/static/"
# A shop names the languages of its carts: they are loaded at start and not for its first shopper.
LANGUAGES = [("en", "English"), ("fr", "Français")]
# The stand-in is not Snipcart, and a hanging one fills the log.
SILENCED_SYSTEM_CHECKS = ["snipcart_checkout.W002"]
STATIC = Path(__file__).parent.parent / "snipcart_checkout" / "static"


def database() -> dict[str, Any]:
    """Kept open between requests, as a site with traffic has it."""
    name = os.environ["BENCH_DATABASE"]
    match os.environ.get("BENCH_ENGINE", "sqlite"):
        case "postgresql":
            return server("postgresql", "POSTGRES", name, port="5432", user="postgres")
        case "mariadb":
            return server("mysql", "MARIADB", name, port="3306", user="root", OPTIONS={"charset": "utf8mb4"})
        case _:
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "CONN_MAX_AGE": None}


def server(engine: str, prefix: str, name: str, *, port: str, user: str, **extra: Any) -> dict[str, Any]:
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "NAME": name,
        "HOST": os.environ.get(f"{prefix}_HOST", "127.0.0.1"),
        "PORT": os.environ.get(f"{prefix}_PORT", port),
        "USER": os.environ.get(f"{prefix}_USER", user),
        "PASSWORD": os.environ.get(f"{prefix}_PASSWORD", ""),
        "CONN_MAX_AGE": None,
        **extra,
    }


DATABASES = {"default": database()}
LOGGING = {
    "version": 1,
    "handlers": {"none": {"class": "logging.NullHandler"}},
    "root": {"handlers": ["none"]},
}

SNIPCART_CHECKOUT = {
    "PUBLIC_URL": "https://pay.shop.example",
    "API_URL": SNIPCART,
    "CA_BUNDLE": CA_BUNDLE,
    "MAX_CALLS_IN_FLIGHT": int(os.environ["BENCH_CALLS_IN_FLIGHT"]),
    "STORES": {
        "live": {
            "API_KEYS": ["a-key-that-opens-nothing"],
            "SHOP_HOSTS": ["shop.example"],
            "METHODS": {
                "acme_transfer": {
                    "BACKEND": "snipcart_checkout.backends.manual.ManualBackend",
                    "NAME": "Bank transfer",
                    "OPTIONS": {"INSTRUCTIONS": "Transfer the amount to the shop's account."},
                },
                **(
                    {"acme_remote": {"BACKEND": "bench.backends.RemoteBackend", "NAME": "Card"}}
                    if os.environ.get("BENCH_PROVIDER")
                    else {}
                ),
            },
        },
    },
}
