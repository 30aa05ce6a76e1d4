"""The checkout page: who pays what for what, in which words, with which status and headers."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.translation import gettext

from snipcart_checkout.models import Payment
from snipcart_checkout.presentation.problems import Problem, present_problem
from snipcart_checkout.snipcart.transport import REQUEST_SECONDS, seconds_left
from snipcart_checkout.testing import CheckoutSettings, StandIn, StandInSession
from snipcart_checkout.views.endpoints import Endpoint
from tests.support.backends import Provider
from tests.support.ledger import full_disk, provider

__all__ = ["provider"]

pytestmark = pytest.mark.django_db

PAYLOADS = Path(__file__).parent / "payloads"
PAGE = "/checkout/"
METHOD_PAGE = "/checkout/live/methods/acme_card/"


@pytest.fixture
def client() -> Client:
    return Client(enforce_csrf_checks=True)


def get_page(client: Client, session: StandInSession, path: str = METHOD_PAGE, **query: str) -> Any:
    return client.get(path, {"publicToken": session.public_token, **query})


def fields_of(response: Any) -> dict[str, str]:
    """What a browser would post when the shopper presses the button of the page's form."""
    text = response.content.decode()
    inputs = re.findall(r"<input\b[^>]*>", text)
    fields = {}
    for tag in inputs:
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        chosen = attributes.get("type") not in {"radio", "checkbox"} or "checked" in tag
        if "name" in attributes and chosen:
            fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
    return fields


def press_pay(client: Client, page: Any, path: str = METHOD_PAGE, **changed: str) -> Any:
    return client.post(path, {**fields_of(page), **changed})


def to_text(response: Any) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode())))


def test_the_page_shows_who_pays_what_for_what(client: Client, snipcart: StandIn) -> None:
    document = json.loads((PAYLOADS / "session-every-field-seen.json").read_text())
    session = snipcart.session(document=document)

    page = get_page(client, session, PAGE)
    text = to_text(page)

    assert page.status_code == 200
    for shown in (
        "Mug",
        "E-book",
        "Livraison",
        "TVA",
        "ada@example.org",
        "Ada Byron",
        "1 rue X",
        "75001",
        "Paris",
    ):
        assert shown in text
    assert "61,25" in text
    assert "40,00" in text
    assert "5,25" in text
    assert 'href="https://shop.example/#/checkout"' in page.content.decode()
    assert 'lang="fr-CA"' in page.content.decode()


@pytest.mark.parametrize(
    "name", ["session-documented", "session-capital-redirect", "session-every-field-seen"]
)
def test_every_session_that_snipcart_documents_is_shown(client: Client, snipcart: StandIn, name: str) -> None:
    document = json.loads((PAYLOADS / f"{name}.json").read_text())
    # The stand-in adds the usual key; equal values under both spellings are one.
    way_back = document.get("PaymentAuthorizationRedirectUrl")
    session = snipcart.session(document=document, cart_url=way_back)

    assert get_page(client, session, PAGE).status_code == 200


def test_a_page_costs_one_call_to_snipcart(client: Client, snipcart: StandIn) -> None:
    get_page(client, snipcart.session())

    assert [call.endpoint for call in snipcart.calls] == ["payment-session"]


@pytest.mark.parametrize(
    "query, status",
    [
        ("", 400),
        ("publicToken=", 400),
        ("publicToken=a&publicToken=b", 400),
        ("publicToken=a&PublicToken=b", 400),
        ("publicToken=%20a", 400),
        ("publicToken=a%00", 400),
        ("publicToken=" + "x" * 4097, 400),
        ("publicToken=%3Cscript%3E", 400),
        ("publicToken=unknown", 410),
    ],
)
def test_a_bad_token_has_its_own_page_and_is_not_repeated(
    client: Client, snipcart: StandIn, query: str, status: int
) -> None:
    page = client.get(f"{PAGE}?{query}")

    assert page.status_code == status
    assert "<h1" in page.content.decode()
    assert "unknown" not in page.content.decode()
    assert len(snipcart.calls) == (status == 410)


@pytest.mark.parametrize(
    "query, words",
    [
        ("", "The link does not say which order to pay for."),
        ("publicToken=", "The link does not say which order to pay for."),
        ("publicToken=a%00", "Part of it is missing or was changed."),
        ("publicToken=a&publicToken=b", "Part of it is missing or was changed."),
        ("publicToken=a" + 1001 * "&a=a", "Part of it is missing or was changed."),
    ],
)
def test_a_link_without_a_token_is_not_called_broken(client: Client, query: str, words: str) -> None:
    assert words in to_text(client.get(f"{PAGE}?{query}"))


def test_equal_repeats_of_the_token_are_one(client: Client, snipcart: StandIn) -> None:
    token = snipcart.session().public_token

    assert client.get(f"{PAGE}?publicToken=&publicToken={token}&PUBLICTOKEN={token}").status_code == 200


@pytest.mark.parametrize(
    "return_url",
    [
        "http://shop.example/",
        "https://evil.example/",
        "https://shop.example.evil.example/",
        "https://shop.example@evil.example/",
        "https://shop.example:8443/",
        "https://shop.example\\@evil.example/",
        "javascript:alert(1)",
        "//evil.example/",
        "/checkout",
        "https://shop.example/\n",
        "https://shop.example/" + "x" * 5000,
    ],
)
def test_a_way_back_that_leads_elsewhere_means_another_shop(
    client: Client, snipcart: StandIn, return_url: str
) -> None:
    page = get_page(client, snipcart.session(cart_url=return_url))

    assert page.status_code == 410
    assert "evil" not in page.content.decode()


@pytest.mark.parametrize(
    "fault, status",
    [(500, 503), (503, 503), (429, 503), (404, 410), (401, 410), (408, 503), (425, 503), ("hang", 503), ("cut-before", 503),
     ("redirect", 503), ("not-json", 503), ("truncated-json", 503), ("wrong-json", 503), ("huge", 503),
     ("gzip-bomb", 503), ("drip-body", 503), ("drip-headers", 503)],
)  # fmt: skip
def test_whatever_snipcart_does_the_shopper_gets_a_page_of_ours(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings, fault: str | int, status: int
) -> None:
    checkout_settings(READ_TIMEOUT=0.3, TOTAL_TIMEOUT=0.4)
    session = snipcart.session()
    snipcart.fail("payment-session", fault, times=None)

    page = get_page(client, session)

    assert page.status_code == status
    assert page.has_header("Retry-After") is (status == 503)
    assert session.public_token not in page.content.decode()


@pytest.mark.parametrize(
    "broken",
    [{"amount": 0}, {"amount": -1}, {"amount": 10.005}, {"amount": 1e30}, {"currency": "doge"}],
)
def test_an_order_that_cannot_be_paid_exactly_is_not_shown_for_payment(
    client: Client, snipcart: StandIn, broken: dict[str, Any]
) -> None:
    document = json.loads((PAYLOADS / "session-every-field-seen.json").read_text())
    document["invoice"].update(broken)

    page = get_page(client, snipcart.session(document=document))

    assert page.status_code == 503
    assert "<form" not in page.content.decode()


def test_a_page_says_whether_the_order_or_the_answer_of_snipcart_is_what_is_wrong(
    client: Client, snipcart: StandIn
) -> None:
    document = json.loads((PAYLOADS / "session-every-field-seen.json").read_text())
    document["invoice"]["amount"] = 10.005
    unpayable = to_text(get_page(client, snipcart.session(document=document)))
    snipcart.fail("payment-session", "not-json")
    unreadable = to_text(get_page(client, snipcart.session()))
    snipcart.fail("payment-session", 503)
    unreachable = to_text(get_page(client, snipcart.session()))

    for problem, text in (
        (Problem.UNPAYABLE, unpayable),
        (Problem.BAD_ANSWER, unreadable),
        (Problem.UNAVAILABLE, unreachable),
    ):
        assert present_problem(problem).text in text


def test_a_head_is_answered_like_a_get(client: Client, snipcart: StandIn) -> None:
    session = snipcart.session()

    assert client.head(METHOD_PAGE, {"publicToken": session.public_token}).status_code == 200


def test_a_page_passes_on_when_snipcart_wants_to_be_asked_again(client: Client, snipcart: StandIn) -> None:
    session = snipcart.session()
    snipcart.fail("payment-session", 429, times=None)

    assert get_page(client, session)["Retry-After"] == "7"


def test_an_outage_of_snipcart_alerts_nobody_for_each_shopper(
    client: Client, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    session = snipcart.session()
    snipcart.fail("payment-session", 503, times=None)

    for _ in range(3):
        get_page(client, session)

    levels = [record.levelname for record in caplog.records if record.name == "snipcart_checkout"]
    assert levels == ["WARNING"] * 3


def test_a_shop_that_cannot_sell_until_its_settings_are_mended_is_an_error(
    client: Client,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = snipcart.session()
    checkout_settings.store("live", API_KEYS=[])

    assert get_page(client, session).status_code == 503

    (record,) = [record for record in caplog.records if record.name == "snipcart_checkout"]
    assert (record.levelname, "see manage.py check" in record.getMessage()) == ("ERROR", True)


def test_error_pages_carry_a_reference_that_stands_in_the_log(
    client: Client, snipcart: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        page = client.get(f"{PAGE}?publicToken=unknown")
    logged = re.findall(r"\[([0-9a-f]{8})\]", caplog.text)

    assert len(logged) == 1
    assert logged[0] in page.content.decode()


NOBODYS_PAYMENT = "/checkout/payments/00000000-0000-4000-8000-000000000000/"


@pytest.mark.parametrize(
    "path", ["/checkout/live/methods/other/", NOBODYS_PAYMENT, f"{NOBODYS_PAYMENT}return/"]
)
def test_pages_that_are_gone_say_so_in_our_words(client: Client, snipcart: StandIn, path: str) -> None:
    page = get_page(client, snipcart.session(), path)

    assert page.status_code == 410
    assert "Page not found" in to_text(page)
    assert page["Cache-Control"] == "no-store, private"
    assert snipcart.calls == []


@pytest.mark.parametrize("path", [NOBODYS_PAYMENT, f"{NOBODYS_PAYMENT}return/"])
def test_the_page_of_an_unknown_payment_never_says_that_no_money_was_taken(client: Client, path: str) -> None:
    words = to_text(client.get(path))

    assert "We cannot tell from here whether money was taken." in words
    assert "No money was taken" not in words


@pytest.mark.parametrize(
    "path", ["/checkout/nowhere/", "/checkout/LIVE/", "/checkout/nowhere/methods/acme_card/"]
)
def test_an_unknown_store_is_left_to_the_sites_own_404(client: Client, snipcart: StandIn, path: str) -> None:
    page = get_page(client, snipcart.session(), path)

    assert page.status_code == 404
    assert "Content-Security-Policy" not in page
    assert b"snipcart_checkout" not in page.content
    assert snipcart.calls == []


@pytest.mark.parametrize(
    "broken",
    [{}, None, "text", {"STORES": {}}, {"STORES": {"live": {}}}, {"STORES": {"live": None}}],
    ids=repr,
)
def test_nothing_configured_is_a_page_not_a_crash(client: Client, settings: Any, broken: object) -> None:
    settings.SNIPCART_CHECKOUT = broken
    page = client.get(PAGE, {"publicToken": "t"})
    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert "You cannot pay here yet" in to_text(page)


def test_without_the_setting_there_is_a_page_not_a_crash(client: Client, settings: Any) -> None:
    del settings.SNIPCART_CHECKOUT
    assert client.get(PAGE, {"publicToken": "t"}).status_code == 503


@pytest.mark.parametrize(
    "name, value", [("API_KEYS", []), ("SHOP_HOSTS", []), ("METHODS", {}), ("MODE", "maybe")], ids=str
)
def test_an_incomplete_store_is_503_and_asks_nobody(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings, name: str, value: object
) -> None:
    checkout_settings.set(f"STORES.live.{name}", value)
    session = snipcart.session()

    for path in (PAGE, "/checkout/live/", METHOD_PAGE):
        page = get_page(client, session, path)
        assert page.status_code == 503
        assert session.public_token not in page.content.decode()
    assert snipcart.calls == []


def test_two_stores_have_no_common_page(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store("test", like="live", MODE="test")
    session = snipcart.session()

    assert get_page(client, session, PAGE).status_code == 404
    assert get_page(client, session, "/checkout/test/").status_code == 200


OTHER_SHOP = {"SHOP_HOSTS": ["other.example"]}


@pytest.mark.parametrize(
    "stores, home",
    [
        ({}, "https://shop.example"),
        ({"test": {"MODE": "test"}}, "https://shop.example"),
        ({"also_live": {"SHOP_HOSTS": ["shop.example", "www.shop.example"]}}, "https://shop.example"),
        ({"other": OTHER_SHOP}, ""),
        ({"other": {**OTHER_SHOP, "MODE": "test"}}, ""),
    ],
    ids=["one store", "its test store", "two of one shop", "another shop", "a test store of another shop"],
)
def test_a_page_of_no_store_leads_back_to_the_shop_that_all_stores_share(
    client: Client, checkout_settings: CheckoutSettings, stores: dict[str, Any], home: str
) -> None:
    for name, changes in stores.items():
        checkout_settings.store(name, like="live", **changes)

    page = client.get(NOBODYS_PAYMENT)

    assert re.findall(r'<a class="sc-button" href="([^"]*)">', page.content.decode()) == [home] * bool(home)


@pytest.mark.parametrize(
    "modes, shown", [(("test", "live"), "second"), (("live", "test"), "first"), (("test", "test"), "first")]
)
def test_a_page_of_no_store_looks_like_the_live_store_where_there_is_one(
    client: Client, checkout_settings: CheckoutSettings, modes: tuple[str, str], shown: str
) -> None:
    checkout_settings.store("live", MODE=modes[0], BRAND={"NAME": "The first shop"})
    checkout_settings.store("second", like="live", MODE=modes[1], BRAND={"NAME": "The second shop"})

    assert f"The {shown} shop" in to_text(client.get(NOBODYS_PAYMENT))


def test_a_page_of_a_store_leads_back_to_its_own_shop(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.store("other", like="live", **OTHER_SHOP)

    pages = (
        client.get("/checkout/other/?publicToken=unknown"),
        client.post("/checkout/other/methods/acme_card/?publicToken=unknown"),
    )

    assert [page.status_code for page in pages] == [410, 403]
    for page in pages:
        assert 'href="https://other.example"' in page.content.decode()


def test_only_what_was_asked_for_with_get_offers_to_reload(client: Client, snipcart: StandIn) -> None:
    session = snipcart.session()
    page = get_page(client, session)
    snipcart.fail("payment-session", 503, times=2)

    offers = [
        "Try again" in to_text(answer) for answer in (get_page(client, session), press_pay(client, page))
    ]

    assert offers == [True, False]


def test_without_a_store_a_page_leads_nowhere(client: Client, settings: Any) -> None:
    settings.SNIPCART_CHECKOUT = {}

    page = client.get(NOBODYS_PAYMENT)

    assert page.status_code == 410
    assert "sc-button" not in re.sub(r"<style>.*?</style>", "", page.content.decode(), flags=re.DOTALL)


def test_with_several_methods_the_shopper_chooses(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings.method("acme_cash", like="acme_card", NAME="Cash")
    checkout_settings.method("acme_usd", like="acme_card", NAME="Dollars", CURRENCIES=["USD"])
    session = snipcart.session(currency="EUR")

    page = get_page(client, session, PAGE)

    assert "Credit card" in to_text(page)
    assert "Cash" in to_text(page)
    assert "Dollars" not in to_text(page)
    link = re.search(r'href="(/checkout/live/methods/acme_cash/[^"]*)"', page.content.decode())
    assert link is not None
    assert client.get(html.unescape(link[1])).status_code == 200
    refused = get_page(client, session, "/checkout/live/methods/acme_usd/")
    assert refused.status_code == 409
    assert "This order cannot be paid this way" in to_text(refused)


def test_headers_keep_the_page_to_itself(client: Client, snipcart: StandIn, settings: Any) -> None:
    settings.MIDDLEWARE = []  # Django's sets some of them, too
    session = snipcart.session()
    answers = [
        get_page(client, session),
        client.get(PAGE),
        client.get(f"{PAGE}?publicToken=unknown"),
        client.post(METHOD_PAGE, {"publicToken": session.public_token}),
        client.put(PAGE),
        client.get("/checkout/payments/00000000-0000-4000-8000-000000000000/"),
    ]

    assert [answer.status_code for answer in answers] == [200, 400, 410, 403, 405, 410]
    for answer in answers:
        assert answer["Cache-Control"] == "no-store, private"
        assert answer["Referrer-Policy"] == "strict-origin"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Robots-Tag"] == "noindex"
        policy = answer["Content-Security-Policy"]
        assert re.match(r"default-src 'none'; style-src 'self' 'sha256-[^' ]+'; script-src 'self';", policy)
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy


def test_the_policy_follows_static_files_and_icons_to_their_origin(
    client: Client, snipcart: StandIn, settings: Any, checkout_settings: CheckoutSettings
) -> None:
    settings.STATIC_URL = "https://static.example/files/"
    checkout_settings.method("acme_card", ICON="https://icons.example/card.svg")

    policy = get_page(client, snipcart.session())["Content-Security-Policy"]

    assert "style-src 'self' https://static.example 'sha256-" in policy
    assert "img-src 'self' https://static.example https://icons.example;" in policy


def test_a_reference_is_not_turned_round_on_a_page_from_right_to_left(
    client: Client, snipcart: StandIn
) -> None:
    # Its groups of digits would change places between Arabic words: people read it out to the shop.
    order = get_page(client, snipcart.session(language="ar"))
    status = press_pay(client, order)
    error = client.get("/checkout/", {"publicToken": "none"})
    for page in (order, client.get(status["Location"]), error):
        codes = re.findall(r"<code[^>]*>", page.content.decode())
        assert set(codes) == {'<code class="sc-reference" dir="ltr">'}


def help_in_the_language_of_the_page(request: HttpRequest, session: Any, store: Any) -> dict[str, Any]:
    """A CONTEXT hook that translates at once."""
    return {"help_text": gettext("Yes")}


def test_the_hook_of_the_site_speaks_the_language_of_the_cart(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings(CONTEXT="tests.test_views.help_in_the_language_of_the_page")
    assert "Oui" in to_text(get_page(client, snipcart.session(language="fr-CA")))


def test_hostile_names_are_text_and_nothing_else(client: Client, snipcart: StandIn) -> None:
    document = json.loads((PAYLOADS / "session-every-field-seen.json").read_text())
    document["invoice"]["items"][0]["name"] = "<script>alert(1)</script>{{ 7|add:7 }}\u202e\x00"
    document["invoice"]["billingAddress"]["name"] = '"><img src=x onerror=alert(1)>'

    content = get_page(client, snipcart.session(document=document)).content.decode()

    assert "<script>alert" not in content
    assert "<img src=x" not in content
    assert "&lt;script&gt;alert(1)" in content
    assert "{{ 7|add:7 }}" in content
    assert "\u202e" not in content
    assert "\x00" not in content


def test_paying_leads_to_the_status_page_and_notifies_snipcart_once(
    client: Client, snipcart: StandIn
) -> None:
    session = snipcart.session(amount="12.30", currency="EUR")
    page = get_page(client, session)

    answer = press_pay(client, page)

    payment = Payment.objects.get()
    assert answer.status_code == 303
    assert answer["Location"] == reverse("snipcart_checkout:payment", args=[payment.reference])
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]
    assert [call.endpoint for call in snipcart.calls] == [
        "payment-session",  # the page
        "payment-session",  # asked again before the charge
        "payment-session",  # compared after it
        "payment",
    ]
    status = client.get(answer["Location"])
    assert "12.30" in to_text(status)
    assert payment.order_url in status.content.decode()
    assert status["Refresh"].endswith(payment.order_url)


def test_a_second_press_a_second_tab_and_the_back_button_show_the_one_payment(
    client: Client, snipcart: StandIn
) -> None:
    session = snipcart.session()
    page = get_page(client, session)

    places = [press_pay(client, page), press_pay(client, page), get_page(client, session)]
    session_again = snipcart.new_token(session)
    places.append(client.get(METHOD_PAGE, {"publicToken": session_again}))

    assert {place.status_code for place in places} == {303}
    assert len({place["Location"] for place in places}) == 1
    assert Payment.objects.count() == 1
    assert len(snipcart.confirmations) == 1


@pytest.mark.parametrize(
    "change",
    [{"amount": "13.30"}, {"currency": "USD"}],
)
def test_a_changed_order_is_shown_anew_and_nothing_is_charged(
    client: Client, snipcart: StandIn, change: dict[str, Any]
) -> None:
    document = json.loads((PAYLOADS / "session-every-field-seen.json").read_text())
    page = get_page(client, snipcart.session(document=document))
    document["invoice"].update(
        {key: float(value) if key == "amount" else value for key, value in change.items()}
    )
    changed = snipcart.session(document=document)

    answer = press_pay(client, page, publicToken=changed.public_token)

    assert answer.status_code == 409
    assert not Payment.objects.exists()
    assert press_pay(client, answer).status_code == 303
    assert Payment.objects.get().session_id == document["id"]


def test_a_form_without_what_was_shown_charges_nothing(client: Client, snipcart: StandIn) -> None:
    page = get_page(client, snipcart.session())

    assert press_pay(client, page, shown="").status_code == 409
    assert press_pay(client, page, shown="é").status_code == 409
    assert not Payment.objects.exists()


def test_nothing_that_the_browser_adds_decides_anything(client: Client, snipcart: StandIn) -> None:
    page = get_page(client, snipcart.session(amount="12.30", currency="EUR"))

    press_pay(
        client,
        page,
        amount="0.01",
        currency="JPY",
        state="paid",
        reference="1",
        session="x",
        returnUrl="https://e.vil",
    )

    payment = Payment.objects.get()
    assert (payment.minor_units, payment.currency) == (1230, "EUR")


def test_a_post_without_the_csrf_token_gets_our_page_and_charges_nothing(
    client: Client, snipcart: StandIn
) -> None:
    session = snipcart.session()
    page = get_page(client, session)

    answer = press_pay(client, page, csrfmiddlewaretoken="wrong")

    assert answer.status_code == 403
    assert session.public_token not in answer.content.decode()
    assert not Payment.objects.exists()


def test_the_csrf_check_is_our_own_where_the_site_has_none(snipcart: StandIn, settings: Any) -> None:
    settings.MIDDLEWARE = []
    client = Client(enforce_csrf_checks=True)
    page = get_page(client, snipcart.session())

    assert client.post(METHOD_PAGE, {**fields_of(page), "csrfmiddlewaretoken": ""}).status_code == 403
    assert press_pay(client, page).status_code == 303


@pytest.mark.parametrize(
    "origin, status",
    [("https://pay.shop.example", 303), ("https://evil.example", 403), ("null", 403)],
)
def test_a_proxy_that_django_was_not_told_of_costs_no_payment(
    client: Client, snipcart: StandIn, origin: str, status: int
) -> None:
    page = get_page(client, snipcart.session())

    answer = client.post(METHOD_PAGE, fields_of(page), headers={"Origin": origin})

    assert answer.status_code == status


def test_a_declined_payment_may_be_tried_again_with_a_new_key(
    client: Client, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session(language="fr")
    page = get_page(client, session)
    provider.script(charge="declined", code="insufficient_funds")

    declined = press_pay(client, page)

    assert declined.status_code == 402
    assert 'name="give_up"' in declined.content.decode()
    assert snipcart.confirmations == []
    provider.script(charge="paid")
    assert press_pay(client, declined).status_code == 303
    assert Payment.objects.count() == 2
    assert [body["state"] for body in snipcart.confirmations] == ["processed"]


def test_going_back_to_the_shop_after_a_decline_notifies_snipcart_that_it_failed(
    client: Client, snipcart: StandIn, provider: Provider
) -> None:
    page = get_page(client, snipcart.session())
    provider.script(charge="declined", code="insufficient_funds")
    declined = press_pay(client, page)

    answers = [press_pay(client, declined, give_up="1") for _ in range(2)]

    assert {answer.status_code for answer in answers} == {303}
    assert [body["state"] for body in snipcart.confirmations] == ["failed"]
    assert snipcart.confirmations[0]["error"]["code"] == "insufficient_funds"
    assert snipcart.confirmations[0]["error"]["message"]
    assert client.get(answers[0]["Location"])["Refresh"].endswith(Payment.objects.get().order_url)


def test_going_back_to_the_shop_never_charges_even_where_nothing_was_declined(
    client: Client, snipcart: StandIn, provider: Provider
) -> None:
    answer = press_pay(client, get_page(client, snipcart.session()), give_up="1")

    assert answer.status_code == 200
    assert not provider.captures
    assert not Payment.objects.exists()


def test_after_ten_declined_attempts_there_is_no_form(
    client: Client, snipcart: StandIn, provider: Provider
) -> None:
    session = snipcart.session()
    page = get_page(client, session)
    provider.script(charge="declined", code="card_declined")

    answers = [press_pay(client, page) for _ in range(12)]

    assert {answer.status_code for answer in answers} == {402}
    assert Payment.objects.count() == 10
    assert [body["state"] for body in snipcart.confirmations] == ["failed"]
    assert "<form" not in get_page(client, session).content.decode()


def test_a_redirect_ends_at_our_page_which_moves_on(
    client: Client, snipcart: StandIn, provider: Provider
) -> None:
    page = get_page(client, snipcart.session())
    provider.script(charge="redirect")

    answer = press_pay(client, page)
    status = client.get(answer["Location"])

    assert answer.status_code == 303
    assert "; url=https://provider.example/" in status["Refresh"]
    assert snipcart.confirmations == []


def test_the_return_asks_the_provider_and_needs_no_cookie(
    client: Client, snipcart: StandIn, provider: Provider
) -> None:
    page = get_page(client, snipcart.session())
    provider.script(charge="redirect")
    press_pay(client, page)
    payment = Payment.objects.get()
    provider.script(lookup="declined", code="card_declined")

    answer = Client(enforce_csrf_checks=True).post(
        reverse("snipcart_checkout:payment_return", args=[payment.reference])
    )

    assert answer.status_code == 303
    assert Payment.objects.get().state == Payment.State.DECLINED


def test_the_status_page_shows_no_personal_data_and_no_token(client: Client, snipcart: StandIn) -> None:
    session = snipcart.session(email="ada@example.org")
    answer = press_pay(client, get_page(client, session))

    content = client.get(answer["Location"]).content.decode()

    assert "ada@example.org" not in content
    assert session.public_token not in content
    assert str(Payment.objects.get().reference)[:8] in content


SPECULATIVE = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Sec-Purpose": "prerender"},
    {"Purpose": "prefetch"},
    {"X-Moz": "prefetch"},
    {"X-Purpose": "preview"},
]


@pytest.mark.parametrize("headers", SPECULATIVE, ids=str)
@pytest.mark.parametrize("view", ["payment", "payment_return", "checkout"])
def test_a_browser_that_fetches_ahead_changes_nothing(
    client: Client, snipcart: StandIn, provider: Provider, view: str, headers: dict[str, str]
) -> None:
    session = snipcart.session()
    provider.script(charge="redirect")
    press_pay(client, get_page(client, session))
    payment = Payment.objects.get()
    provider.complete(payment.reference)
    before, calls = Payment.objects.values().get(), list(provider.calls)

    if view == "checkout":
        answer = client.get(METHOD_PAGE, {"publicToken": session.public_token}, headers=headers)
    else:
        answer = client.get(reverse(f"snipcart_checkout:{view}", args=[payment.reference]), headers=headers)

    assert answer.status_code == (200 if view == "payment" else 303)
    assert (Payment.objects.values().get(), provider.calls) == (before, calls)


@pytest.mark.parametrize("view", ["payment", "payment_return"])
def test_head_changes_nothing(client: Client, snipcart: StandIn, provider: Provider, view: str) -> None:
    provider.script(charge="redirect")
    press_pay(client, get_page(client, snipcart.session()))
    payment = Payment.objects.get()
    provider.complete(payment.reference)
    before, calls = Payment.objects.values().get(), list(provider.calls)

    answer = client.head(reverse(f"snipcart_checkout:{view}", args=[payment.reference]))

    assert answer.status_code == (200 if view == "payment" else 303)
    assert (Payment.objects.values().get(), provider.calls) == (before, calls)


def test_get_and_head_never_charge(client: Client, snipcart: StandIn) -> None:
    session = snipcart.session()
    fields = fields_of(get_page(client, session))

    client.get(METHOD_PAGE, fields)
    client.head(METHOD_PAGE, fields)

    assert not Payment.objects.exists()


def test_money_taken_and_snipcart_silent_is_paid_and_shown_as_paid(client: Client, snipcart: StandIn) -> None:
    page = get_page(client, snipcart.session())
    snipcart.fail("payment", 500, times=None)

    answer = press_pay(client, page)
    status = client.get(answer["Location"])

    assert answer.status_code == 303
    assert Payment.objects.get().state == Payment.State.PAID
    assert status.status_code == 200
    assert "Check again" in status.content.decode()


def test_an_outcome_that_cannot_be_stored_is_never_shown_as_costing_nothing(
    client: Client, snipcart: StandIn, provider: Provider
) -> None:
    page = get_page(client, snipcart.session())

    with full_disk("UPDATE"):
        answer = press_pay(client, page)
        status = client.get(answer["Location"])

    assert answer.status_code == 303
    assert Payment.objects.get().state == Payment.State.CHARGING
    assert "Your payment is being checked" in to_text(status)
    assert len(provider.captures) == 1


def test_no_token_leaves_through_logs_mails_or_chained_exceptions(
    client: Client, snipcart: StandIn, settings: Any, caplog: pytest.LogCaptureFixture, mailoutbox: list[Any]
) -> None:
    settings.ADMINS = [("Ada", "ada@example.org")]
    settings.LOGGING = {}
    session = snipcart.session()
    with caplog.at_level("DEBUG"):
        press_pay(client, get_page(client, session))
        other = snipcart.session()
        for fault in (500, "cut-before", "redirect", "not-json"):
            snipcart.fail("payment-session", fault)
            get_page(client, other)
    text = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    mails = "".join(str(mail.message()) + str(mail.alternatives) for mail in mailoutbox)

    assert caplog.records
    for secret in (session.public_token, other.public_token, "primary-key-for-tests"):
        assert secret not in text
        assert secret not in mails


def explode(request: HttpRequest, session: Any, store: Any) -> dict[str, Any]:
    """A CONTEXT hook with a bug."""
    raise ZeroDivisionError(session)


def add_phone(request: HttpRequest, session: Any, store: Any) -> dict[str, Any]:
    """A CONTEXT hook as a site would write it, which also tries to replace what is ours."""
    return {"phone": f"+33 {store.name} {session.invoice.currency}", "public_token": "mine", "shown": "mine"}


def tell_time_left(request: HttpRequest, session: Any, store: Any) -> dict[str, Any]:
    """A CONTEXT hook that asks how long a call of its own may take."""
    return {"phone": seconds_left(3600.0)}


def test_all_that_a_request_asks_for_outside_shares_one_time_limit(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings(CONTEXT="tests.test_views.tell_time_left")

    page = get_page(client, snipcart.session())

    assert 0.0 < page.context["phone"] <= REQUEST_SECONDS
    assert seconds_left(3600.0) == 3600.0


def test_the_context_hook_adds_and_never_replaces(
    client: Client, snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings(CONTEXT="tests.test_views.add_phone")
    page = get_page(client, snipcart.session(currency="EUR"))

    assert page.context["phone"] == "+33 live EUR"
    assert press_pay(client, page).status_code == 303


def test_a_broken_context_hook_costs_no_order_and_is_logged(
    client: Client,
    snipcart: StandIn,
    checkout_settings: CheckoutSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    checkout_settings(CONTEXT="tests.test_views.explode")
    session = snipcart.session()

    assert get_page(client, session).status_code == 200
    (record,) = [record for record in caplog.records if record.name == "snipcart_checkout"]
    assert record.getMessage() == "CONTEXT failed, the page is shown without it: ZeroDivisionError"
    assert record.levelname == "ERROR"


def test_a_template_of_the_merchants_with_a_bug_gives_our_error_page(
    client: Client, snipcart: StandIn, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "snipcart_checkout"
    folder.mkdir()
    (folder / "checkout.html").write_text("{% include nothing %}{% url 'no such view' %}")
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    session = snipcart.session()

    page = get_page(client, session)

    assert page.status_code == 500
    assert session.public_token not in page.content.decode() + caplog.text


def test_where_the_merchants_error_page_has_a_bug_too_the_shopper_reads_our_words_without_it(
    client: Client, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "snipcart_checkout"
    folder.mkdir()
    (folder / "error.html").write_text("{% url 'no such view' %}")
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]
    settings.LANGUAGE_CODE = "fr"

    page = client.get(NOBODYS_PAYMENT)

    assert (page.status_code, page["Content-Security-Policy"][:18]) == (500, "default-src 'none'")
    assert '<html lang="fr" dir="ltr">' in page.content.decode()
    assert "Contactez la boutique avant de payer de nouveau" in to_text(page)
    reference = re.findall(r"\[([0-9a-f]{8})\]", caplog.messages[-2])[0]
    assert reference in to_text(page)


class Bare(Endpoint):
    """A view that has no words for what nobody foresaw."""

    def get(self, request: HttpRequest) -> Any:
        raise ZeroDivisionError(request.GET["publicToken"])


def test_without_words_for_it_a_view_answers_what_nobody_foresaw_with_the_reference_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = Bare.as_view()(RequestFactory().get("/", {"publicToken": "secret"}))

    assert isinstance(answer, HttpResponse)
    assert (answer.status_code, answer["Content-Type"]) == (500, "text/plain; charset=utf-8")
    (line,) = caplog.messages
    assert line.startswith("unexpected ZeroDivisionError at ")
    assert line.endswith(f"[{answer.content.decode()}]")
    assert re.fullmatch(r"[0-9a-f]{8}", answer.content.decode())
    assert "secret" not in line


def test_a_methods_own_template_wins(
    client: Client, snipcart: StandIn, settings: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "snipcart_checkout" / "methods"
    folder.mkdir(parents=True)
    (folder / "acme_card.html").write_text("own: {{ method.name }} {{ invoice.total }} {{ back_url }}")
    settings.TEMPLATES = [{**django_settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]

    page = get_page(client, snipcart.session(amount="12.30", currency="EUR"))

    assert page.content.decode() == "own: Credit card €12.30 https://shop.example/#/checkout"


def test_the_language_switch_keeps_token_and_order(client: Client, snipcart: StandIn) -> None:
    session = snipcart.session(language="en")

    page = get_page(client, session, language="fr")

    assert 'lang="fr"' in page.content.decode()
    (switch,) = re.findall(r'<form class="sc-langs".*?</form>', page.content.decode(), re.DOTALL)
    assert f'name="publicToken" value="{session.public_token}"' in switch
    assert switch.count(session.public_token) == 1
    assert press_pay(client, page).status_code == 303


def test_an_unknown_language_is_no_error(client: Client, snipcart: StandIn) -> None:
    for language in ("xx", "zz-ZZ", "", "a" * 40, "en\n", "../../etc"):
        assert get_page(client, snipcart.session(language=language)).status_code == 200
        assert get_page(client, snipcart.session(), language=language).status_code == 200
