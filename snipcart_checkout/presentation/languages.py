"""Which of our translations, which number format and which direction a page gets.

The cart alone decides ("language" of Snipcart's invoice), in whatever spelling its 65 label files use; a language
that we do not speak is answered in the nearest one that we do, or in the site's own.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from babel import Locale, UnknownLocaleError
from django.conf import settings as django_settings
from django.utils import translation
from django.utils.translation import get_language

LANGUAGES: Final[dict[str, str]] = {
    "ar": "العربية",
    "cs": "Čeština",
    "da": "Dansk",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fi": "Suomi",
    "fr": "Français",
    "he": "עברית",
    "it": "Italiano",
    "ja": "日本語",
    "nb": "Norsk",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português (Portugal)",
    "pt-br": "Português (Brasil)",
    "sv": "Svenska",
    "zh-hans": "简体中文",
    "zh-hant": "繁體中文",
}
"""Every language that we speak, as Django spells its code, with its own name."""

_RIGHT_TO_LEFT: Final = frozenset({"ar", "he"})
# Other names for our languages, and languages whose speakers are at home in one of ours. Snipcart's "br" is Breton, its
# "tl" Filipino. Ukrainian and Kazakh, which it also spells "ua" and "kz", are near to none.
_NEAREST: Final = {
    "br": "fr",
    "ca": "es",
    "cy": "en",
    "fil": "en",
    "ga": "en",
    "iw": "he",
    "mt": "en",
    "nn": "nb",
    "no": "nb",
    "sk": "cs",
    "tl": "en",
}
_SIMPLIFIED_CHINESE: Final = frozenset({"CN", "MY", "SG"})
_LONGEST_CODE: Final = 35
_CODE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, kw_only=True)
class PageLanguage:
    """The language of one page.

    ``code`` is one of LANGUAGES; ``locale`` is the name under which Babel knows the number format, with the
    cart's own region if it has one; ``html_lang`` is the same for the ``lang`` attribute.
    """

    code: str
    locale: str
    direction: Literal["ltr", "rtl"]
    html_lang: str

    @property
    def name(self) -> str:
        """The language's own name for itself."""
        return LANGUAGES[self.code]

    def active(self) -> AbstractContextManager[None]:
        """Translate into this language inside the context; one that is active already is not switched again."""
        return nullcontext() if get_language() == self.code else translation.override(self.code)


def page_language(cart_language: str) -> PageLanguage:
    """Return the language for what the cart asks for, in any casing and with ``-`` or ``_``.

    Whatever cannot be understood gives LANGUAGE_CODE of the site, or English where we do not speak that. Without
    USE_I18N nothing is translated, so it is English.
    """
    if not django_settings.USE_I18N:
        return _ENGLISH
    matched = _match(cart_language) if len(cart_language) <= _LONGEST_CODE else None
    return matched or _match(language_tag(django_settings.LANGUAGE_CODE)) or _ENGLISH


def language_tag(code: str) -> str:
    """Return Django's code of a language as ``page_language`` reads it: Django's ``pt`` is Portugal's."""
    return "pt-PT" if code == "pt" else code


@lru_cache(maxsize=256)
def _match(tag: str) -> PageLanguage | None:
    # Snipcart names one variant "de-CH@informal".
    plain = tag.partition("@")[0]
    if not _CODE.fullmatch(plain):
        return None
    language, *subtags = plain.replace("_", "-").split("-")
    language = _NEAREST.get(language.lower(), language.lower())
    subtags = [subtag.upper() for subtag in subtags]
    code = _translation(language, subtags)
    return _page_language(code, _region(subtags)) if code else None


def _translation(language: str, subtags: list[str]) -> str:
    if language == "zh":
        return _chinese(subtags)
    if language == "pt":
        # Without a region Snipcart's own texts are Brazilian, and so are CLDR's numbers.
        return "pt-br" if not subtags or "BR" in subtags else "pt"
    return language if language in LANGUAGES else ""


def _chinese(subtags: list[str]) -> str:
    if "HANS" in subtags or "HANT" in subtags:
        return "zh-hans" if "HANS" in subtags else "zh-hant"
    # Without a region Snipcart's own texts are in traditional characters.
    return "zh-hans" if _SIMPLIFIED_CHINESE.intersection(subtags) else "zh-hant"


def _region(subtags: list[str]) -> str:
    return next((subtag for subtag in subtags if len(subtag) == 2 or subtag.isdigit()), "")


def _page_language(code: str, region: str) -> PageLanguage:
    language, _, variant = code.partition("-")
    script = variant.title() if language == "zh" else ""
    locale = _locale(code, language, script, region)
    return PageLanguage(
        code=code,
        locale=str(locale),
        direction="rtl" if code in _RIGHT_TO_LEFT else "ltr",
        html_lang="-".join(filter(None, (language, script, locale.territory))),
    )


def _locale(code: str, language: str, script: str, region: str) -> Locale:
    try:
        return Locale(language, script=script or None, territory=region or None)
    except UnknownLocaleError:
        # To CLDR, too, Portuguese without a region is Brazil's.
        return Locale(language, script=script or None, territory="PT" if code == "pt" else None)


_ENGLISH: Final = PageLanguage(code="en", locale="en", direction="ltr", html_lang="en")
