"""The cart's language decides translation, number format and direction of a page."""

from __future__ import annotations

from typing import Any

import pytest
from babel import Locale
from django.utils import translation
from django.utils.translation import trans_real

from snipcart_checkout.backends.base import PaymentBackend
from snipcart_checkout.backends.btcpay import BTCPayBackend
from snipcart_checkout.backends.manual import ManualBackend
from snipcart_checkout.backends.mollie import MollieBackend
from snipcart_checkout.backends.paypal import PayPalBackend
from snipcart_checkout.backends.stripe import StripeBackend
from snipcart_checkout.presentation.languages import LANGUAGES, PageLanguage, language_tag, page_language

SITES_OWN = ("it", "it", "it")

# Snipcart's label files, as listed in snipcart/snipcart-l10n in March 2026, with translation, locale and lang attribute.
LABEL_FILES = {
    "ar": ("ar", "ar", "ar"),
    "az": SITES_OWN,
    "bg": SITES_OWN,
    "bn": SITES_OWN,
    "br-FR": ("fr", "fr_FR", "fr-FR"),
    "bs": SITES_OWN,
    "ca": ("es", "es", "es"),
    "cs": ("cs", "cs", "cs"),
    "cy": ("en", "en", "en"),
    "da": ("da", "da", "da"),
    "de": ("de", "de", "de"),
    "de-CH": ("de", "de_CH", "de-CH"),
    "el": SITES_OWN,
    "en": ("en", "en", "en"),
    "en-AU": ("en", "en_AU", "en-AU"),
    "en-GB": ("en", "en_GB", "en-GB"),
    "en-US": ("en", "en_US", "en-US"),
    "es": ("es", "es", "es"),
    "et": SITES_OWN,
    "fi": ("fi", "fi", "fi"),
    "fr": ("fr", "fr", "fr"),
    "fr-CA": ("fr", "fr_CA", "fr-CA"),
    "fr-FR": ("fr", "fr_FR", "fr-FR"),
    "ga": ("en", "en", "en"),
    "he": ("he", "he", "he"),
    "hi": SITES_OWN,
    "hr": SITES_OWN,
    "hu": SITES_OWN,
    "id": SITES_OWN,
    "is": SITES_OWN,
    "it": ("it", "it", "it"),
    "ja": ("ja", "ja", "ja"),
    "ka": SITES_OWN,
    "kk": SITES_OWN,
    "ko": SITES_OWN,
    "kz": SITES_OWN,
    "lt": SITES_OWN,
    "lv": SITES_OWN,
    "mk": SITES_OWN,
    "ms": SITES_OWN,
    "mt": ("en", "en", "en"),
    "nl": ("nl", "nl", "nl"),
    "no": ("nb", "nb", "nb"),
    "pl": ("pl", "pl", "pl"),
    "pt": ("pt-br", "pt", "pt"),
    "pt-BR": ("pt-br", "pt_BR", "pt-BR"),
    "pt-PT": ("pt", "pt_PT", "pt-PT"),
    "ro": SITES_OWN,
    "ru": SITES_OWN,
    "sk": ("cs", "cs", "cs"),
    "sl": SITES_OWN,
    "sq": SITES_OWN,
    "sr": SITES_OWN,
    "sv": ("sv", "sv", "sv"),
    "th": SITES_OWN,
    "tl": ("en", "en", "en"),
    "tr": SITES_OWN,
    "ua": SITES_OWN,
    "uk": SITES_OWN,
    "uz": SITES_OWN,
    "vi": SITES_OWN,
    "zh": ("zh-hant", "zh_Hant", "zh-Hant"),
    "zh-CN": ("zh-hans", "zh_Hans_CN", "zh-Hans-CN"),
    "zh-TW": ("zh-hant", "zh_Hant_TW", "zh-Hant-TW"),
    "zh-hk": ("zh-hant", "zh_Hant_HK", "zh-Hant-HK"),
}
# Names of older label files, of merchants' own, and the spellings of other systems.
OTHERS = {
    "de-CH@informal": ("de", "de_CH", "de-CH"),
    "de-ch": ("de", "de_CH", "de-CH"),
    "vn": SITES_OWN,
    "zh-HK": ("zh-hant", "zh_Hant_HK", "zh-Hant-HK"),
    "zh-SG": ("zh-hans", "zh_Hans_SG", "zh-Hans-SG"),
    "zh-Hans-HK": ("zh-hans", "zh_Hans_HK", "zh-Hans-HK"),
    "zh_Hant": ("zh-hant", "zh_Hant", "zh-Hant"),
    "zh-Hans": ("zh-hans", "zh_Hans", "zh-Hans"),
    "FR_ca": ("fr", "fr_CA", "fr-CA"),
    "es-419": ("es", "es_419", "es-419"),
    "ar-EG": ("ar", "ar_EG", "ar-EG"),
    "pt-AO": ("pt", "pt_AO", "pt-AO"),
    "pt-ZZ": ("pt", "pt_PT", "pt-PT"),
    "fr-ZZ": ("fr", "fr", "fr"),
    "en-Latn-GB": ("en", "en_GB", "en-GB"),
    "nn-NO": ("nb", "nb_NO", "nb-NO"),
    "iw": ("he", "he", "he"),
    "fil-PH": ("en", "en_PH", "en-PH"),
}
NONSENSE = [
    "",
    " ",
    "xx",
    "e",
    "english",
    "fr-",
    "-fr",
    "../en",
    "fr\n",
    "fr\x00",
    "🙂",
    "en" * 20,
    "fr-CA" + "-x" * 40,
]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.LANGUAGE_CODE = "it"


def parts(language: PageLanguage) -> tuple[str, str, str]:
    return language.code, language.locale, language.html_lang


def test_there_are_65_label_files() -> None:
    assert len(LABEL_FILES) == 65


@pytest.mark.parametrize("asked,expected", [*LABEL_FILES.items(), *OTHERS.items()])
def test_a_language_of_the_cart_gets_the_nearest_that_we_speak(
    asked: str, expected: tuple[str, str, str]
) -> None:
    assert parts(page_language(asked)) == expected


@pytest.mark.parametrize("asked", NONSENSE, ids=ascii)
def test_nonsense_gets_the_language_of_the_site(asked: str) -> None:
    assert parts(page_language(asked)) == SITES_OWN


@pytest.mark.parametrize(
    "site_language,expected",
    [
        ("en-us", ("en", "en_US", "en-US")),
        ("pt", ("pt", "pt_PT", "pt-PT")),
        ("pt-br", ("pt-br", "pt_BR", "pt-BR")),
        ("zh-hans", ("zh-hans", "zh_Hans", "zh-Hans")),
        ("uk", ("en", "en", "en")),
    ],
)
def test_the_language_of_the_site_is_spelt_as_django_spells_it(
    settings: Any, site_language: str, expected: tuple[str, str, str]
) -> None:
    settings.LANGUAGE_CODE = site_language
    assert parts(page_language("uk")) == expected


def test_arabic_and_hebrew_run_from_right_to_left() -> None:
    assert {code for code in LANGUAGES if page_language(code).direction == "rtl"} == {"ar", "he"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_leads_back_to_itself(code: str) -> None:
    assert page_language(language_tag(code)).code == code


@pytest.mark.parametrize("code", LANGUAGES)
def test_babel_knows_the_locale_of_a_language(code: str) -> None:
    language = page_language(language_tag(code))
    assert str(Locale.parse(language.locale)) == language.locale


@pytest.mark.parametrize("code", LANGUAGES)
def test_django_has_its_own_texts_in_a_language(code: str) -> None:
    # Django merges what a language has; forms take the words of their errors from its catalogue.
    required = "This field is required."
    assert code == "en" or trans_real.translation(code).gettext(required) != required


# What the law of the country calls the duty to pay: directive 2011/83/EU, article 8 (2).
ORDERS = {
    "fr": "obligation de paiement",
    "de": "Zahlungspflichtig bestellen",
    "es": "obligación de pago",
    "it": "obbligo di pagare",
    "nl": "betaalverplichting",
    "pt": "obrigação de pagar",
    "pl": "obowiązkiem zapłaty",
    "cs": "povinností platby",
    "sv": "köp",
    "da": "køb",
    "nb": "kjøp",
    "fi": "maksullinen",
}


@pytest.mark.parametrize("language, words", ORDERS.items())
@pytest.mark.parametrize("options", [{"IBAN": "FR7630006000011234567890189"}, {"INSTRUCTIONS": "In cash."}])
def test_a_button_that_orders_says_that_the_order_has_to_be_paid(
    language: str, words: str, options: dict[str, str]
) -> None:
    backend = ManualBackend(store="live", method="acme_transfer", options=options)

    with translation.override(language):
        assert words in str(backend.pay_label)


@pytest.mark.parametrize("backend", [StripeBackend, PayPalBackend, BTCPayBackend, MollieBackend])
def test_a_german_button_that_leads_to_a_provider_buys_in_so_many_words(
    backend: type[PaymentBackend],
) -> None:
    with translation.override("de"):
        assert str(backend.pay_label).startswith("Kaufen und weiter zu")
