"""An address stands on the page in the order its country writes it; its country in the shopper's language."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from babel import Locale

from snipcart_checkout.presentation.addresses import address_lines, country_name
from snipcart_checkout.presentation.languages import LANGUAGES, language_tag, page_language
from snipcart_checkout.snipcart import Address

# Country, street, postal code, city, region; then the lines between name and country, or all of them where the name is
# not first. The orders are those of the Universal Postal Union and of Google's libaddressinput.
WRITTEN = [
    ("AE", "Al Wasl Road 5", "", "Dubai", "DU", "Al Wasl Road 5|Dubai|DU"),
    (
        "AR",
        "Av. Corrientes 1234",
        "C1043AAZ",
        "Buenos Aires",
        "CABA",
        "Av. Corrientes 1234|C1043AAZ Buenos Aires|CABA",
    ),
    ("AT", "Stephansplatz 1", "1010", "Wien", "", "Stephansplatz 1|1010 Wien"),
    ("AU", "1 George St", "2000", "Sydney", "NSW", "1 George St|Sydney NSW 2000"),
    ("BD", "Road 7", "1000", "Dhaka", "", "Road 7|Dhaka - 1000"),
    ("BE", "Rue de la Loi 16", "1000", "Bruxelles", "", "Rue de la Loi 16|1000 Bruxelles"),
    ("BR", "Rua Augusta 100", "01305-000", "São Paulo", "SP", "Rua Augusta 100|São Paulo-SP|01305-000"),
    ("BY", "pr. Nezavisimosti 1", "220030", "Minsk", "", "pr. Nezavisimosti 1|220030, Minsk"),
    ("CA", "1 Rue Ste-Catherine", "H2X 1K4", "Montréal", "QC", "1 Rue Ste-Catherine|Montréal QC H2X 1K4"),
    ("CH", "Bundesplatz 3", "3003", "Bern", "BE", "Bundesplatz 3|3003 Bern|BE"),
    ("CL", "Alameda 1", "8320000", "Santiago", "RM", "Alameda 1|8320000 Santiago|RM"),
    ("CO", "Calle 10 #5-51", "111711", "Bogotá", "DC", "Calle 10 #5-51|Bogotá, DC, 111711"),
    ("CR", "Avenida 1", "10101", "Escazú", "San José", "Avenida 1|San José, Escazú|10101"),
    ("CZ", "Václavské nám. 1", "110 00", "Praha 1", "", "Václavské nám. 1|110 00 Praha 1"),
    ("DE", "Unter den Linden 1", "10117", "Berlin", "", "Unter den Linden 1|10117 Berlin"),
    ("DK", "Rådhuspladsen 1", "1550", "København V", "", "Rådhuspladsen 1|1550 København V"),
    ("EE", "Viru 1", "10140", "Tallinn", "Harju", "Viru 1|10140 Tallinn Harju"),
    ("EG", "26 July St", "11511", "Zamalek", "Cairo", "26 July St|Zamalek|Cairo|11511"),
    ("ES", "Calle Mayor 1", "28801", "Alcalá", "Madrid", "Calle Mayor 1|28801 Alcalá Madrid"),
    ("FI", "Mannerheimintie 1", "00100", "Helsinki", "", "Mannerheimintie 1|00100 Helsinki"),
    ("FR", "10 rue de Rivoli", "75001", "Paris", "", "10 rue de Rivoli|75001 Paris"),
    ("GB", "10 Downing Street", "SW1A 2AA", "London", "", "10 Downing Street|London|SW1A 2AA"),
    ("GR", "Ermou 1", "105 63", "Athina", "", "Ermou 1|105 63 Athina"),
    ("HK", "1 Queen's Road", "", "Central", "Hong Kong Island", "1 Queen's Road|Central|Hong Kong Island"),
    ("HR", "Ilica 1", "10000", "Zagreb", "", "Ilica 1|10000 Zagreb"),
    ("HU", "Váci utca 1.", "1052", "Budapest", "", "Budapest|Váci utca 1.|1052"),
    (
        "ID",
        "Jl. Sudirman 1",
        "10220",
        "Tanah Abang",
        "DKI Jakarta",
        "Jl. Sudirman 1|Tanah Abang|DKI Jakarta 10220",
    ),
    ("IE", "1 Main Street", "H91 X123", "Tuam", "Co. Galway", "1 Main Street|Tuam|Co. Galway|H91 X123"),
    ("IL", "Rothschild 1", "6688101", "Tel Aviv", "", "Rothschild 1|Tel Aviv 6688101"),
    ("IN", "MG Road 1", "560001", "Bengaluru", "Karnataka", "MG Road 1|Bengaluru 560001|Karnataka"),
    ("IS", "Laugavegur 1", "101", "Reykjavík", "", "Laugavegur 1|101 Reykjavík"),
    ("IT", "Via Appia 1", "00179", "Roma", "RM", "Via Appia 1|00179 Roma RM"),
    ("KE", "Kenyatta Avenue", "00100", "Nairobi", "", "Kenyatta Avenue|Nairobi|00100"),
    ("LT", "Gedimino pr. 1", "01103", "Vilnius", "", "Gedimino pr. 1|01103 Vilnius"),
    (
        "LV",
        "Brīvības iela 1",
        "LV-2101",
        "Piņķi",
        "Mārupes novads",
        "Brīvības iela 1|Mārupes novads|Piņķi, LV-2101",
    ),
    ("MA", "Bd Mohammed V 1", "20000", "Casablanca", "", "Bd Mohammed V 1|20000 Casablanca"),
    ("MX", "Av. Juárez 1", "44100", "Guadalajara", "Jal.", "Av. Juárez 1|44100 Guadalajara, Jal."),
    ("MY", "Jalan Ampang 1", "50450", "Kuala Lumpur", "WP", "Jalan Ampang 1|50450 Kuala Lumpur|WP"),
    ("NG", "Marina 1", "101231", "Ikeja", "Lagos", "Marina 1|Ikeja 101231|Lagos"),
    ("NL", "Damrak 1", "1012 LG", "Amsterdam", "", "Damrak 1|1012 LG Amsterdam"),
    ("NO", "Karl Johans gate 1", "0154", "Oslo", "", "Karl Johans gate 1|0154 Oslo"),
    ("NZ", "1 Queen St", "1010", "Auckland", "", "1 Queen St|Auckland 1010"),
    ("PE", "Jirón Unión 1", "15001", "Miraflores", "Lima", "Jirón Unión 1|Miraflores 15001|Lima"),
    ("PH", "1 Ayala Ave", "1226", "Makati", "Metro Manila", "1 Ayala Ave|Makati|1226 Metro Manila"),
    ("PK", "Mall Road 1", "54000", "Lahore", "", "Mall Road 1|Lahore-54000"),
    ("PL", "ul. Długa 1", "00-238", "Warszawa", "", "ul. Długa 1|00-238 Warszawa"),
    ("PT", "Rua Augusta 1", "1100-048", "Lisboa", "", "Rua Augusta 1|1100-048 Lisboa"),
    ("RO", "Calea Victoriei 1", "077190", "Voluntari", "Ilfov", "Calea Victoriei 1|077190 Ilfov Voluntari"),
    (
        "RU",
        "ul. Lenina 1",
        "620014",
        "Yekaterinburg",
        "Sverdlovsk",
        "ul. Lenina 1|Yekaterinburg|Sverdlovsk|620014",
    ),
    ("SA", "King Fahd Rd", "12211", "Riyadh", "", "King Fahd Rd|Riyadh 12211"),
    ("SE", "Drottninggatan 1", "111 51", "Stockholm", "", "Drottninggatan 1|111 51 Stockholm"),
    ("SG", "1 Orchard Rd", "238824", "Singapore", "", "1 Orchard Rd|Singapore 238824"),
    ("SI", "Prešernov trg 1", "1000", "Ljubljana", "", "Prešernov trg 1|1000 Ljubljana"),
    ("SK", "Hlavná 1", "811 01", "Bratislava", "", "Hlavná 1|811 01 Bratislava"),
    ("TH", "1 Sukhumvit Rd", "10110", "Khlong Toei", "Bangkok", "1 Sukhumvit Rd|Khlong Toei|Bangkok 10110"),
    ("TR", "İstiklal Cd. 1", "34433", "Beyoğlu", "İstanbul", "İstiklal Cd. 1|34433 Beyoğlu/İstanbul"),
    ("UA", "Khreshchatyk 1", "01001", "Boryspil", "Kyiv", "Khreshchatyk 1|Boryspil|Kyiv|01001"),
    ("US", "1 Main St", "62701", "Springfield", "IL", "1 Main St|Springfield, IL 62701"),
    ("UY", "18 de Julio 1", "11100", "Montevideo", "", "18 de Julio 1|11100 Montevideo"),
    ("VE", "Av. Bolívar 1", "1010", "Caracas", "DC", "Av. Bolívar 1|Caracas 1010, DC"),
    ("VN", "1 Lê Lợi", "70000", "Quận 1", "TP. HCM", "1 Lê Lợi|Quận 1|TP. HCM 70000"),
    ("ZA", "1 Long Street", "8001", "Cape Town", "", "1 Long Street|Cape Town|8001"),
]
# From the large to the small, and the name after the street.
WRITTEN_WHOLE = [
    ("JP", "丸の内1-1-1", "100-0005", "千代田区", "東京都", "〒100-0005|東京都千代田区|丸の内1-1-1|NAME"),
    (
        "JP",
        "1-1-1 Marunouchi",
        "〒100-0005",
        "Chiyoda-ku",
        "Tokyo",
        "〒100-0005|Tokyo Chiyoda-ku|1-1-1 Marunouchi|NAME",
    ),
    ("CN", "长安街1号", "510000", "广州市", "广东省", "510000|广东省广州市|长安街1号|NAME"),
    ("CN", "长安街1号", "100000", "北京市", "北京市", "100000|北京市|长安街1号|NAME"),
    ("TW", "忠孝東路1號", "100", "中正區", "臺北市", "100|臺北市中正區|忠孝東路1號|NAME"),
    ("KR", "세종대로 1", "04524", "중구", "서울특별시", "서울특별시 중구|세종대로 1|NAME|04524"),
    ("KZ", "Abay 1", "050000", "Talgar", "Almaty", "050000|Almaty|Talgar|Abay 1|NAME"),
]
FULL = Address(
    name="Ada Byron",
    street="1 Rue X",
    postal_code="75001",
    city="Paris",
    region="Île-de-France",
    country="FR",
)


def lines_of(country: str, street: str, postal_code: str, city: str, region: str) -> list[str]:
    address = Address(
        name="NAME", street=street, postal_code=postal_code, city=city, region=region, country=country
    )
    return list(address_lines(address, "en"))


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written[0])
def test_an_address_is_in_the_order_of_its_country(written: tuple[str, str, str, str, str, str]) -> None:
    *parts, expected = written
    assert lines_of(*parts)[:-1] == ["NAME", *expected.split("|")]


@pytest.mark.parametrize("written", WRITTEN_WHOLE, ids=lambda written: f"{written[0]} {written[3]}")
def test_an_address_that_begins_with_the_largest_ends_with_the_person(
    written: tuple[str, str, str, str, str, str],
) -> None:
    *parts, expected = written
    assert lines_of(*parts)[:-1] == expected.split("|")


def every_country() -> list[str]:
    codes = map(str, Locale("en").territories)
    # CLDR's translators have not come to Sark's code, which is new.
    return sorted(code for code in codes if len(code) == 2 and code.isalpha() and code != "CQ")


@pytest.mark.parametrize("missing", [None, *(field.name for field in fields(Address))])
def test_every_field_that_is_there_is_shown_once_in_every_country(missing: str | None) -> None:
    for country in every_country():
        whole = Address(
            name="Nnn", street="Sss", postal_code="Ppp", city="Ccc", region="Rrr", country=country
        )
        address = replace(whole, **{missing: ""}) if missing else whole
        shown = "\n".join(address_lines(address, "en"))
        for field, value in (
            ("name", "Nnn"),
            ("street", "Sss"),
            ("postal_code", "Ppp"),
            ("city", "Ccc"),
            ("region", "Rrr"),
        ):
            assert shown.count(value) == (field != missing), (country, field)


@pytest.mark.parametrize("only", ["name", "street", "postal_code", "city", "region"])
def test_a_missing_field_leaves_no_trace(only: str) -> None:
    for country in every_country():
        address = Address(country=country, **{only: "Xyz"})
        shown = address_lines(address, "en")[0]
        assert shown.removeprefix("〒") == "Xyz", country
        assert shown == "Xyz" or (country, only) == ("JP", "postal_code")


def test_an_empty_address_has_no_lines() -> None:
    assert address_lines(Address(), "fr") == ()


def test_a_region_that_repeats_the_city_is_left_out() -> None:
    assert lines_of("ES", "Calle Mayor 1", "28013", "Madrid", "Madrid")[2] == "28013 Madrid"


def test_a_region_that_every_address_needs_stays_though_it_repeats_the_city() -> None:
    assert lines_of("US", "1 Broadway", "10004", "New York", "New York")[2] == "New York, New York 10004"


def test_the_country_is_named_in_the_language_of_the_page() -> None:
    assert {locale: address_lines(FULL, locale)[-1] for locale in ("fr", "de", "ja", "ar", "zh_Hant_TW")} == {
        "fr": "France",
        "de": "Frankreich",
        "ja": "フランス",
        "ar": "فرنسا",
        "zh_Hant_TW": "法國",
    }


def test_the_country_decides_the_order_whatever_the_language() -> None:
    assert {address_lines(FULL, locale)[:-1] for locale in ("en", "ja", "ar_EG")} == {
        ("Ada Byron", "1 Rue X", "75001 Paris", "Île-de-France")
    }


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_country_has_a_name_in_every_language(code: str) -> None:
    locale = page_language(language_tag(code)).locale
    assert [country for country in every_country() if country_name(country, locale) == country] == []


@pytest.mark.parametrize("code", ["XY", "001", "Q", "<b>", "FRANCE"])
def test_a_country_without_a_name_is_shown_as_it_was_sent(code: str) -> None:
    assert country_name(code, "en") == code
    assert address_lines(Address(name="N", country=code), "en") == ("N", code)
