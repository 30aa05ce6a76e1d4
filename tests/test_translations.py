"""The translations are complete, in good form, and cannot rot unseen."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path
from types import ModuleType
from typing import Any

import django
import polib
import pytest
from babel import Locale
from django.utils import translation
from django.utils.translation import gettext as django_gettext
from django.utils.translation import gettext_lazy, pgettext, to_locale

from snipcart_checkout.conf.method_names import METHOD_NAMES, to_translated_name
from snipcart_checkout.conf.translation import CONTEXT, gettext
from snipcart_checkout.presentation.declines import decline_text
from snipcart_checkout.presentation.languages import LANGUAGES

ROOT = Path(__file__).parent.parent
LOCALES = ROOT / "snipcart_checkout" / "locale"
TRANSLATED = sorted(to_locale(code) for code in LANGUAGES if code != "en")


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translations", ROOT / ".ci" / "translations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load_script()


@functools.cache
def catalogue(locale: str) -> polib.POFile:
    return polib.pofile(str(LOCALES / locale / "LC_MESSAGES" / "django.po"))


def texts(locale: str) -> Iterator[tuple[str, str]]:
    """What a translation is of, and every form of it, without its placeholders."""
    for entry in catalogue(locale):
        for text in [entry.msgstr, *entry.msgstr_plural.values()]:
            if text:
                yield entry.msgid, script.PLACEHOLDER.sub("0", text)


def test_there_is_a_translation_of_every_language() -> None:
    assert sorted(path.name for path in LOCALES.iterdir()) == TRANSLATED


# The same in the language itself, or no word of any.
NAMES = {"BIC", "IBAN", "{label}: {value}", "404", "500", "503"}


@pytest.mark.parametrize("locale", TRANSLATED)
def test_no_english_sentence_is_left(locale: str) -> None:
    same = {entry.msgid for entry in catalogue(locale) if entry.msgid == entry.msgstr} - NAMES
    assert [text for text in same if " " in text and "%(" not in text] == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_all_that_a_shopper_reads_is_there_in_every_language(locale: str) -> None:
    known = {(entry.msgctxt, entry.msgid) for entry in catalogue(locale)}
    assert {(entry.msgctxt, entry.msgid) for entry in catalogue("ja")} <= known


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_number_takes_the_plural_form_that_cldr_gives_it(locale: str) -> None:
    # CLDR's form for whole millions in Romance languages, and for fractions in Slavic ones, is for no count of lines.
    rule = Locale.parse("pt_PT" if locale == "pt" else locale).plural_form
    with (LOCALES / locale / "LC_MESSAGES" / "django.mo").open("rb") as compiled:
        form = GNUTranslations(compiled).plural  # type: ignore[attr-defined]
    pairs = {(form(number), rule(number)) for number in range(1001)}
    assert (
        len(pairs) == len({of_gettext for of_gettext, _ in pairs}) == len({of_cldr for _, of_cldr in pairs})
    )


@pytest.mark.parametrize("locale", TRANSLATED)
def test_apostrophes_quotes_and_ellipses_are_typographic(locale: str) -> None:
    # What the system checks say is code, in part.
    assert [
        text
        for msgid, text in texts(locale)
        if re.search(r"['\"]|\.\.\.", text) and '"' not in msgid and "'" not in msgid
    ] == []


def test_french_sets_tall_punctuation_off_by_spaces_that_do_not_break() -> None:
    for _msgid, text in texts("fr"):
        if '"' in text or "'" in text:
            continue
        assert not re.search(r"[^\u202f][;!?]", text), text
        assert not re.search(r"[^\u00a0\d]:|«[^\u00a0]|[^\u00a0]»", text), text


def test_no_template_decides_about_the_space_before_a_colon() -> None:
    """The header lines that the sandbox shows are HTTP's, and in no language."""
    a_text = re.compile(r"{% blocktranslate.*?{% endblocktranslate %}", re.DOTALL)
    odd = [
        (path.name, found)
        for path in (ROOT / "snipcart_checkout").rglob("templates/**/*.html")
        for found in re.findall(r"(?:}}|%}|</\w+>)\s*[:;!?].*", a_text.sub("", path.read_text()))
    ]
    assert odd == [("activity.html", "}}: {{ value }}")]


@pytest.mark.parametrize("locale", ["ja", "zh_Hans", "zh_Hant"])
def test_punctuation_between_ideographs_is_of_full_width(locale: str) -> None:
    wide = r"[\u3040-\u30ff\u4e00-\u9fff]"
    assert [
        text for _msgid, text in texts(locale) if re.search(f"{wide}[.,:;!?()]|[.,:;!?()]{wide}", text)
    ] == []


def test_spanish_opens_what_it_asks() -> None:
    assert [
        text
        for _msgid, text in texts("es")
        if text.count("¿") != text.count("?") or text.count("¡") != text.count("!")
    ] == []


def test_arabic_has_its_own_comma_and_question_mark() -> None:
    assert [text for _msgid, text in texts("ar") if re.search("[,;?]", text)] == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_sentence_ends_as_its_original_does(locale: str) -> None:
    ends = {".": ".。", ":": ":：", "…": "…", "?": "?？؟"}
    for msgid, text in texts(locale):
        if msgid[-1] in ends:
            assert text[-1] in ends[msgid[-1]], (msgid, text)
        else:
            assert text[-1] not in "。：？؟", (msgid, text)


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_django_finds_the_translation_of_a_language(code: str) -> None:
    with translation.override(code):
        assert gettext("The payment was declined") == expected(code, "The payment was declined")


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_the_usual_names_of_methods_are_translated(code: str) -> None:
    for given in (str, gettext_lazy):
        names = [to_translated_name(given(name)) for name in METHOD_NAMES]
        with translation.override(code):
            assert list(map(str, names)) == [expected(code, name) for name in METHOD_NAMES]


def test_another_name_of_a_method_is_shown_as_it_is() -> None:
    with translation.override("fr"):
        assert str(to_translated_name("Acme card")) == "Acme card"


def test_the_docs_name_the_usual_names_of_methods() -> None:
    docs = (ROOT / "docs" / "languages.md").read_text()
    assert all(name in docs for name in METHOD_NAMES)


def test_an_english_page_of_a_french_site_is_english(settings: Any) -> None:
    settings.LANGUAGE_CODE = "fr"
    with translation.override("en"):
        assert gettext("The payment was declined") == "The payment was declined"


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_a_decline_is_told_in_the_language_of_the_cart(code: str) -> None:
    assert decline_text("errors.card.expired", code) == expected(
        code, "Your card has expired. No money was taken."
    )


def expected(code: str, msgid: str) -> str:
    (entry,) = (entry for entry in catalogue(to_locale(code)) if entry.msgid == msgid)
    assert entry.msgstr
    return str(entry.msgstr)


HEADER = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""
GOOD = 'msgid "Pay {total}"\nmsgstr "{total} zahlen"\n'
PLURAL = 'msgid "{n} item"\nmsgid_plural "{n} items"\n'


def found(
    tmp_path: Path, entry: str, *, compiled: bool = True, source: str = GOOD, header: str = HEADER
) -> list[str]:
    """What the script says of a file that holds an entry while the source holds another."""
    committed, fresh = tmp_path / "django.po", tmp_path / "fresh.po"
    committed.write_text(header + entry)
    fresh.write_text(HEADER + source)
    if compiled:
        polib.pofile(str(committed)).save_as_mofile(str(committed.with_suffix(".mo")))
    return list(script.problems(committed, fresh))


def test_a_file_in_order_has_no_problem(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD) == []
    assert found(tmp_path, PLURAL + 'msgstr[0] "ein Artikel"\nmsgstr[1] "{n} Artikel"\n', source=PLURAL) == []


@pytest.mark.parametrize(
    "entry,source,problem",
    [
        ("", GOOD, "not in the file"),
        (GOOD, "", "not in the source any more"),
        ("#, fuzzy\n" + GOOD, GOOD, "fuzzy"),
        ('msgid "Pay {total}"\nmsgstr ""\n', GOOD, "not translated"),
        ('msgid "Pay {total}"\nmsgstr "Zahlen"\n', GOOD, "other placeholders"),
        ('msgid "Pay {total}"\nmsgstr "{summe} zahlen"\n', GOOD, "other placeholders"),
        (
            'msgid "Pay %(sum)s"\nmsgstr "%(sum) zahlen"\n',
            'msgid "Pay %(sum)s"\nmsgstr ""\n',
            "other placeholders",
        ),
        ('msgid "<b>Now</b>"\nmsgstr "<b>Jetzt"\n', 'msgid "<b>Now</b>"\nmsgstr ""\n', "other placeholders"),
        (PLURAL + 'msgstr[0] "ein Artikel"\nmsgstr[1] "Artikel"\n', PLURAL, "other placeholders"),
        (PLURAL + 'msgstr[0] "{x} Artikel"\nmsgstr[1] "{n} Artikel"\n', PLURAL, "other placeholders"),
        (PLURAL + 'msgstr[0] "{n} Artikel"\n', PLURAL, "not 2 plural forms"),
        (PLURAL + 'msgstr[0] "{n}"\nmsgstr[1] "{n}"\nmsgstr[2] "{n}"\n', PLURAL, "not 2 plural forms"),
    ],
)
def test_a_defect_of_an_entry_is_told_with_the_string(
    tmp_path: Path, entry: str, source: str, problem: str
) -> None:
    (told,) = found(tmp_path, entry, source=source)
    assert told.startswith(f"{problem}: ")


def test_a_file_that_is_not_compiled_is_told(tmp_path: Path) -> None:
    assert found(tmp_path, GOOD, compiled=False) == ["not compiled: run make messages"]


def test_a_file_that_was_compiled_before_it_was_changed_is_told(tmp_path: Path) -> None:
    found(tmp_path, GOOD)
    assert found(tmp_path, GOOD.replace("zahlen", "bezahlen"), compiled=False) == [
        "not compiled: run make messages"
    ]


def test_a_header_without_plural_forms_is_told(tmp_path: Path) -> None:
    header = HEADER.replace("Plural-Forms", "Forms")
    assert found(tmp_path, GOOD, header=header) == ["the header is fuzzy or does not name the plural forms"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """An app with strings of both kinds, in French and German."""
    root = tmp_path / "app"
    (root / "checks").mkdir(parents=True)
    (root / "templates").mkdir()
    (root / "pages.py").write_text(
        'def page():\n    _("Thanks")\n    raise ImproperlyConfigured(\n        _("No key")\n    )\n'
    )
    (root / "checks" / "site.py").write_text('_("Wrong setting")\n_("Thanks")\n')
    (root / "templates" / "page.html").write_text('{% load i18n %}{% translate "Pay" %}')
    for language in ("de", "fr"):
        folder = root / "locale" / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "django.po").write_text(HEADER)
    return root


@pytest.mark.parametrize(
    "language,strings",
    [("de", {"Pay", "Thanks"}), ("fr", {"Pay", "Thanks", "No key", "Wrong setting"})],
)
def test_what_only_merchants_read_is_for_french_alone(
    package: Path, tmp_path: Path, language: str, strings: set[str]
) -> None:
    copy = script.collected(package, tmp_path / "scratch")
    collected = polib.pofile(str(copy / "locale" / language / "LC_MESSAGES" / "django.po"))
    assert {entry.msgid for entry in collected} == strings


def test_the_context_that_translation_functions_add_is_collected(tmp_path: Path) -> None:
    root = tmp_path / "app"
    (root / "conf").mkdir(parents=True)
    (root / "conf" / "translation.py").write_text('CONTEXT: Final = "ours"\n')
    (root / "pages.py").write_text(
        "from app.conf.translation import gettext_lazy as _, ngettext\n"
        '_("Größe"), _(\n    "Thanks "\n    "again"\n)\n'
        'ngettext("one", "many", 2)\n'
    )
    (root / "other.py").write_text('from django.utils.translation import gettext as _\n_("Plain")\n')
    (root / "locale" / "fr" / "LC_MESSAGES").mkdir(parents=True)
    (root / "locale" / "fr" / "LC_MESSAGES" / "django.po").write_text(HEADER)

    copy = script.collected(root, tmp_path / "scratch")

    collected = polib.pofile(str(copy / "locale" / "fr" / "LC_MESSAGES" / "django.po"))
    assert {(entry.msgctxt, entry.msgid) for entry in collected} == {
        ("ours", "Größe"),
        ("ours", "Thanks again"),
        ("ours", "one"),
        (None, "Plain"),
    }


def test_collecting_changes_nothing_when_nothing_changed(package: Path, tmp_path: Path) -> None:
    script.collect(package, tmp_path / "first")
    files = {path: path.read_bytes() for path in package.rglob("django.*o")}
    script.collect(package, tmp_path / "second")
    assert files == {path: path.read_bytes() for path in package.rglob("django.*o")}
    assert len(files) == 4


@pytest.mark.parametrize("locale", ["ar", "he"])
def test_an_account_number_is_not_turned_round_between_words_from_right_to_left(locale: str) -> None:
    # Groups of digits that follow an Arabic or Hebrew word would change places; a left-to-right mark keeps them.
    assert dict(texts(locale))["{label}: {value}"] == "0: \N{LEFT-TO-RIGHT MARK}0"


# One gettext domain is shared by all apps of a site.


CONTEXTS = {CONTEXT, "snipcart_sandbox"}


@pytest.fixture
def hosts_words(settings: Any, tmp_path: Path) -> str:
    """A site whose own catalogue, first of all in Django's eyes, holds every text of ours without a context."""
    text = "du site"
    entries = [polib.POEntry(msgid=entry.msgid, msgstr=text) for entry in catalogue("fr")]
    path = tmp_path / "fr" / "LC_MESSAGES" / "django.mo"
    path.parent.mkdir(parents=True)
    po = polib.pofile(HEADER)
    po.extend(entries)
    po.save_as_mofile(str(path))
    settings.LOCALE_PATHS = [tmp_path]
    return text


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_string_carries_a_context_of_ours(locale: str) -> None:
    without = {
        entry.msgid for entry in catalogue(locale) if (entry.msgctxt or "").partition(": ")[0] not in CONTEXTS
    }
    assert without == set()


def test_the_sites_words_do_not_replace_ours(hosts_words: str) -> None:
    with translation.override("fr"):
        assert django_gettext("Total to pay") == hosts_words
        for entry in catalogue("fr"):
            if not entry.msgid_plural:
                assert pgettext(entry.msgctxt, entry.msgid) == entry.msgstr


def test_our_words_do_not_replace_the_sites(hosts_words: str) -> None:
    with translation.override("fr"):
        ours = {entry.msgid for entry in catalogue("fr")}
        assert {django_gettext(msgid) for msgid in ours} == {hosts_words}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_our_words_do_not_replace_djangos(code: str) -> None:
    root = Path(django.__file__).parent
    folders = [root / "conf" / "locale", *(root / "contrib" / app / "locale" for app in ("admin", "auth"))]
    files = [folder / to_locale(code) / "LC_MESSAGES" / "django.mo" for folder in folders]
    djangos: dict[str, set[str]] = {}
    for entry in (entry for file in files if file.exists() for entry in polib.mofile(str(file))):
        if entry.msgid and not entry.msgctxt and not entry.msgid_plural:
            djangos.setdefault(entry.msgid, set()).add(entry.msgstr)
    with translation.override(code):
        changed = [msgid for msgid, texts in djangos.items() if django_gettext(msgid) not in texts]
    assert len(djangos) > 100
    assert changed == []


def test_a_method_is_named_in_the_sites_word_where_the_site_has_one(hosts_words: str) -> None:
    with translation.override("fr"):
        assert str(to_translated_name(gettext_lazy("Card"))) == hosts_words
        assert str(to_translated_name("Card")) == "Carte bancaire"
