"""Settings of the example shop. Everything that differs between the sandbox and the real Snipcart comes from .env."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import environ
from django.utils.translation import gettext_lazy as _

from example_project.piggypay import account
from example_project.shop.products import PRODUCTS

BASE_DIR = Path(__file__).resolve().parent
env = environ.Env()
# Another file can be named, to have several configurations side by side.
env.read_env(os.environ.get("ENV_FILE", BASE_DIR / ".env"))

# Where the shop is reached; PORT is what `make demo` chose.
HERE = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
PUBLIC_URL = env.str("PUBLIC_URL", default=HERE)
SANDBOX = env.bool("SANDBOX", default=True)

SECRET_KEY = env.str("SECRET_KEY", default="only-for-trying-things-out-on-this-machine")
DEBUG = env.bool("DEBUG", default=True)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https:")
if env.bool("BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "collected-static"
USE_TZ = True
TIME_ZONE = "Europe/Paris"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]
STATICFILES_DIRS = [BASE_DIR / "static"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "snipcart_checkout",
    "example_project.shop",
    *(["example_project.piggypay", "snipcart_checkout.sandbox"] if SANDBOX else []),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps' own: templates/snipcart_checkout/base.html is the shop's theme.
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "example_project.shop.hooks.shop",
            ],
        },
    },
]

TRANSFER: dict[str, Any] = {
    "BACKEND": "snipcart_checkout.backends.manual.ManualBackend",
    "NAME": _("Bank transfer"),
    "CURRENCIES": ["EUR"],
    "OPTIONS": {
        "ACCOUNT_HOLDER": env.str("ACCOUNT_HOLDER", default="The Paper Lantern"),
        "IBAN": env.str("IBAN", default="FR76 3000 6000 0112 3456 7890 189"),
        "BIC": env.str("BIC", default="AGRIFRPP"),
        "EXPIRES_AFTER_DAYS": 14,
    },
}
# The shopper picks what comes of a payment: for trials, and never in a live store of the real Snipcart.
DUMMY: dict[str, Any] = {
    "BACKEND": "snipcart_checkout.backends.dummy.DummyBackend",
    "NAME": _("Dummy payment"),
}
# A provider that does not exist. It lives in the same project, but the shop speaks HTTP with it.
PIGGYPAY: dict[str, Any] = {
    "BACKEND": "example_project.piggypay.backend.PiggyPayBackend",
    "NAME": "PiggyPay",
    "ICON": "shop/piggy.svg",
    "MAX_AMOUNT": "1000000",
    "OPTIONS": {
        "URL": f"{HERE}/piggypay",
        "API_KEY": account.API_KEY,
        "NOTIFICATION_SECRET": account.NOTIFICATION_SECRET,
    },
}
METHODS: dict[str, dict[str, Any]] = {
    "live": {"example_transfer": TRANSFER},
    "test": {"example_transfer": TRANSFER, "example_dummy": DUMMY},
}
if SANDBOX:
    everything = {"example_piggypay": PIGGYPAY, "example_transfer": TRANSFER, "example_dummy": DUMMY}
    METHODS = {"live": everything, "test": everything}

# The sandbox's shop is on this very server, under both of its names.
HERE_AS_SHOP = [HERE.removeprefix("http://"), HERE.removeprefix("http://").replace("127.0.0.1", "localhost")]
SHOP_HOSTS = env.list("SHOP_HOSTS", default=HERE_AS_SHOP)


# What stands on every page of the checkout, in light and in dark, without a template of the shop's own.
BRAND: dict[str, Any] = {
    "NAME": "The Paper Lantern",
    "LOGO": "shop/logo.svg",
    "LOGO_DARK": "shop/logo-dark.svg",
    "ACCENT": "#7a1f5c",
    "CONTACT": "mailto:hello@shop.example",
}

# Two keys, so that one can be regenerated while the other is in use.
SANDBOX_KEYS = {
    mode: [f"sandbox-{mode}-first-key-of-two", f"sandbox-{mode}-second-key-of-two"]
    for mode in ("live", "test")
}


# Providers that are offered once their keys are in the environment: each option by the name of its variable, which has
# LIVE_ or TEST_ before it.
PROVIDERS: dict[str, dict[str, Any]] = {
    "example_card": {
        "BACKEND": "snipcart_checkout.backends.stripe.StripeBackend",
        "NAME": _("Card"),
        "OPTIONS": {"SECRET_KEY": "STRIPE_SECRET_KEY", "WEBHOOK_SECRETS": "STRIPE_WEBHOOK_SECRETS"},
    },
    "example_paypal": {
        "BACKEND": "snipcart_checkout.backends.paypal.PayPalBackend",
        "NAME": "PayPal",
        "OPTIONS": {
            "CLIENT_ID": "PAYPAL_CLIENT_ID",
            "CLIENT_SECRET": "PAYPAL_CLIENT_SECRET",
            "WEBHOOK_ID": "PAYPAL_WEBHOOK_ID",
        },
    },
    "example_mollie": {
        "BACKEND": "snipcart_checkout.backends.mollie.MollieBackend",
        "NAME": "Mollie",
        "OPTIONS": {"API_KEY": "MOLLIE_API_KEY"},
    },
    "example_lyra": {
        "BACKEND": "snipcart_checkout.backends.lyra.LyraBackend",
        "NAME": _("Card"),
        "OPTIONS": {
            "PLATFORM": "LYRA_PLATFORM",
            "SHOP_ID": "LYRA_SHOP_ID",
            "PASSWORD": "LYRA_PASSWORD",
            "HMAC_KEY": "LYRA_HMAC_KEY",
        },
    },
    "example_bitcoin": {
        "BACKEND": "snipcart_checkout.backends.btcpay.BTCPayBackend",
        "NAME": "Bitcoin",
        "OPTIONS": {
            "URL": "BTCPAY_URL",
            "STORE_ID": "BTCPAY_STORE_ID",
            "API_KEY": "BTCPAY_API_KEY",
            "WEBHOOK_SECRET": "BTCPAY_WEBHOOK_SECRET",
        },
    },
}
LISTS = {"WEBHOOK_SECRETS"}


def providers(mode: str) -> dict[str, dict[str, Any]]:
    """The providers of a half. One variable is enough to offer one: `manage.py check` then names what is missing."""
    methods = {}
    for method, provider in PROVIDERS.items():
        variables = {option: f"{mode.upper()}_{name}" for option, name in provider["OPTIONS"].items()}
        options = {
            option: env.list(variable) if option in LISTS else env.str(variable)
            for option, variable in variables.items()
            if env.str(variable, default="")
        }
        if options:
            methods[method] = {**provider, "OPTIONS": options}
    return methods


def store(mode: str) -> dict[str, Any]:
    """One half of Snipcart's configuration; its keys come from the environment, or are the sandbox's."""
    prefix = mode.upper()
    return {
        "MODE": mode,
        "API_KEYS": env.list(f"{prefix}_API_KEYS", default=SANDBOX_KEYS[mode]),
        "STORE_SECRET_KEY": env.str(
            f"{prefix}_STORE_SECRET_KEY", default=f"sandbox-{mode}-secret-of-the-store"
        ),
        "SHOP_HOSTS": SHOP_HOSTS,
        "BRAND": BRAND,
        "METHODS": {**providers(mode), **METHODS[mode]},
    }


SNIPCART_CHECKOUT: dict[str, Any] = {
    "PUBLIC_URL": PUBLIC_URL,
    "STORES": {"live": store("live"), "test": store("test")},
    "METHOD_FILTER": "example_project.shop.hooks.methods_for",
    "CONTEXT": "example_project.shop.hooks.page_context",
}
if SANDBOX:
    SNIPCART_CHECKOUT |= {"API_URL": f"{HERE}/sandbox/api", "APP_API_URL": f"{HERE}/sandbox/api"}

SNIPCART_SANDBOX: dict[str, Any] = {
    "STORES": {
        mode: {
            "PAYMENT_METHODS_URL": f"/pay/{mode}/payment-methods/",
            "API_KEYS": SANDBOX_KEYS[mode],
            "STORE_SECRET_KEY": f"sandbox-{mode}-secret-of-the-store",
        }
        for mode in ("live", "test")
    },
    "PRODUCTS": PRODUCTS,
    "SHOP_URL": "/",
}
