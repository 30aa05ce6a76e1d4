"""A plain Django site around the app. TEST_DATABASE picks sqlite (the default), postgresql or mariadb."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

# Inherited by xdist's workers and by the processes which the race tests start, so that all of them meet in one database
# while two runs on one machine never do.
RUN = os.environ.setdefault("SNIPCART_TEST_RUN", secrets.token_hex(4))
RUN_DIRECTORY = Path(tempfile.gettempdir()) / f"snipcart-checkout-tests-{RUN}"


def _server(engine: str, prefix: str, *, port: str, user: str, **extra: Any) -> dict[str, Any]:
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "HOST": os.environ.get(f"{prefix}_HOST", "127.0.0.1"),
        "PORT": os.environ.get(f"{prefix}_PORT", port),
        "USER": os.environ.get(f"{prefix}_USER", user),
        "PASSWORD": os.environ.get(f"{prefix}_PASSWORD", ""),
        **extra,
    }


def _database() -> dict[str, Any]:
    match os.environ.get("TEST_DATABASE", "sqlite"):
        case "sqlite":
            # A file, because processes that race or crash have to share it. The transaction mode stays Django's default,
            # the one a stranger's project has.
            return {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": RUN_DIRECTORY / "db.sqlite3",
                "OPTIONS": {"timeout": 30, "init_command": "PRAGMA synchronous=OFF"},
                "TEST": {"NAME": RUN_DIRECTORY / "test.sqlite3"},
            }
        case "postgresql":
            return _server(
                "postgresql",
                "POSTGRES",
                port="5432",
                user="postgres",
                NAME="postgres",
                TEST={"NAME": f"snipcart_{RUN}"},
            )
        case "mariadb":
            return _server(
                "mysql",
                "MARIADB",
                port="3306",
                user="root",
                NAME="mysql",
                OPTIONS={"charset": "utf8mb4"},
                TEST={"NAME": f"snipcart_{RUN}", "CHARSET": "utf8mb4"},
            )
        case unknown:
            raise ValueError(f"TEST_DATABASE is {unknown!r}; it may be sqlite, postgresql or mariadb.")


SECRET_KEY = "only-for-the-tests-of-this-package"
# The sandbox refuses to load without it; pytest-django turns it off for the tests themselves.
DEBUG = True
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1", "pay.shop.example"]
DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "Europe/Paris"
LANGUAGE_CODE = "en"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.admin",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "snipcart_checkout",
    *(
        ["snipcart_checkout.sandbox"]
        if (Path(__file__).parent.parent / "snipcart_checkout/sandbox/apps.py").exists()
        else []
    ),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"

SNIPCART_CHECKOUT: dict[str, Any] = {
    "PUBLIC_URL": "https://pay.shop.example",
    "STORES": {
        "live": {
            "API_KEYS": ["primary-key-for-tests", "secondary-key-for-tests"],
            "SHOP_HOSTS": ["shop.example", "example.com"],
            "METHODS": {
                "acme_card": {"BACKEND": "tests.support.backends.AcmeBackend", "NAME": "Credit card"},
            },
        },
    },
}
