"""Settings of the example shop. Everything that differs between the sandbox and the real Snipcart comes from .env."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

# Where the shop is reached; PORT is what `make demo` chose.
HERE = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
PUBLIC_URL = env.str("PUBLIC_URL", default=HERE)
SANDBOX = env.bool("SANDBOX", default=True)

SECRET_KEY = env.str("SECRET_KEY", default="only-for-trying-things-out-on-this-machine")
DEBUG = env.bool("DEBUG", default=True)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "example_project.urls"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "Europe/Paris"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "snipcart_checkout",
    *(["snipcart_checkout.sandbox"] if SANDBOX else []),
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

METHODS: dict[str, Any] = {
    "example_dummy": {
        "BACKEND": "snipcart_checkout.backends.dummy.DummyBackend",
        "NAME": _("Dummy payment"),
    },
    "example_transfer": {
        "BACKEND": "snipcart_checkout.backends.manual.ManualBackend",
        "NAME": _("Bank transfer"),
        "CURRENCIES": ["EUR"],
        "OPTIONS": {
            "ACCOUNT_HOLDER": "The Example Shop",
            "IBAN": "FR76 3000 6000 0112 3456 7890 189",
            "BIC": "AGRIFRPP",
        },
    },
}
SHOP_HOSTS = env.list("SHOP_HOSTS", default=[HERE.removeprefix("http://")])


def store(mode: str) -> dict[str, Any]:
    """One half of Snipcart's configuration; its keys come from the environment, or are the sandbox's."""
    prefix = mode.upper()
    return {
        "MODE": mode,
        "API_KEYS": env.list(f"{prefix}_API_KEYS", default=[f"sandbox-{mode}-first-key-of-two"]),
        "STORE_SECRET_KEY": env.str(
            f"{prefix}_STORE_SECRET_KEY", default=f"sandbox-{mode}-secret-of-the-store"
        ),
        "SHOP_HOSTS": SHOP_HOSTS,
        "METHODS": METHODS,
    }


SNIPCART_CHECKOUT: dict[str, Any] = {
    "PUBLIC_URL": PUBLIC_URL,
    "STORES": {"live": store("live"), "test": store("test")},
}
if SANDBOX:
    SNIPCART_CHECKOUT |= {"API_URL": f"{HERE}/sandbox/api", "APP_API_URL": f"{HERE}/sandbox/api"}

SNIPCART_SANDBOX: dict[str, Any] = {
    "STORES": {
        mode: {
            "PAYMENT_METHODS_URL": f"/checkout/{mode}/payment-methods/",
            "API_KEYS": [f"sandbox-{mode}-first-key-of-two", f"sandbox-{mode}-second-key-of-two"],
            "STORE_SECRET_KEY": f"sandbox-{mode}-secret-of-the-store",
        }
        for mode in ("live", "test")
    },
    "PRODUCTS": {
        "mug": {
            "NAME": {"en": "Mug", "fr": "Tasse"},
            "PRICES": {"EUR": "18", "USD": "19.5", "CAD": "24.95", "JPY": "2900", "KWD": "5.875"},
        },
        "poster": {
            "NAME": {"en": "Poster", "fr": "Affiche"},
            "PRICES": {"EUR": "12.5", "USD": "13.5", "CAD": "17.25", "JPY": "1980", "KWD": "4.125"},
        },
        "guide": {
            "NAME": {"en": "City guide (e-book)", "fr": "Guide de la ville (livre numérique)"},
            "TYPE": "Digital",
            "PRICES": {"EUR": "7.9", "USD": "8.5", "CAD": "11", "JPY": "1200", "KWD": "2.5"},
        },
    },
}
