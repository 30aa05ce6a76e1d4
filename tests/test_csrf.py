"""The tokens in the forms of the shopper's pages, which Django's own check accepts."""

from __future__ import annotations

import string
from collections import Counter

import pytest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware, get_token
from django.test import Client, RequestFactory

from snipcart_checkout.testing import CheckoutSettings, StandIn
from snipcart_checkout.views.csrf import get_form_token
from tests.test_views import fields_of, get_page, press_pay

OF_A_TOKEN = string.ascii_letters + string.digits


def refuse(secret: str, token: str) -> HttpResponse | None:
    """What Django's check answers to a form with that token, from a browser with that cookie."""
    request = RequestFactory().post("/", {"csrfmiddlewaretoken": token})
    request.COOKIES["csrftoken"] = secret
    request._dont_enforce_csrf_checks = False  # type: ignore[attr-defined]
    check = CsrfViewMiddleware(lambda _request: HttpResponse())
    check.process_request(request)
    refusal: HttpResponse | None = check.process_view(request, lambda _request: HttpResponse(), (), {})
    return refusal


def to_secret(request: HttpRequest) -> str:
    secret: str = request.META["CSRF_COOKIE"]
    return secret


def test_djangos_check_accepts_the_token_with_the_cookie_that_comes_with_it() -> None:
    for _ in range(200):
        request = RequestFactory().get("/")
        token = get_form_token(request)
        assert refuse(to_secret(request), token) is None


def test_djangos_check_refuses_the_token_with_anothers_cookie() -> None:
    one, other = RequestFactory().get("/"), RequestFactory().get("/")
    get_form_token(other)

    assert refuse(to_secret(other), get_form_token(one)) is not None


def test_a_browser_that_has_a_cookie_keeps_it_and_djangos_own_tokens_fit_it_too() -> None:
    request = RequestFactory().get("/")
    theirs = get_token(request)
    secret = to_secret(request)

    ours = get_form_token(request)

    assert to_secret(request) == secret
    assert refuse(secret, ours) is None
    assert refuse(secret, theirs) is None


def test_no_two_tokens_of_a_secret_are_alike() -> None:
    # A secret that stands in every page in the same letters can be guessed from the length of compressed answers.
    request = RequestFactory().get("/")
    tokens = [get_form_token(request) for _ in range(1000)]

    for half in (slice(None, 32), slice(32, None)):
        assert len({token[half] for token in tokens}) == 1000


def test_no_two_shoppers_have_the_same_secret() -> None:
    requests = [RequestFactory().get("/") for _ in range(1000)]
    for request in requests:
        get_form_token(request)

    assert len(set(map(to_secret, requests))) == 1000


def test_each_letter_is_as_likely_as_any_other_at_each_place() -> None:
    drawn = 62 * 200
    requests = [RequestFactory().get("/") for _ in range(drawn)]
    tokens = [get_form_token(request) for request in requests]

    for texts in (tokens, [to_secret(request) for request in requests]):
        for place in (0, 17, 31):
            counts = Counter(text[place] for text in texts)
            # 200 of each are expected, with a standard deviation of 14.
            assert set(counts) == set(OF_A_TOKEN)
            assert all(100 < count < 300 for count in counts.values())
        counts = Counter("".join(texts))
        usual = counts.total() / len(OF_A_TOKEN)
        # A letter that stood for one byte more than the others would be there a fifth more often.
        assert all(0.93 < count / usual < 1.07 for count in counts.values())


@pytest.mark.django_db
def test_a_page_with_a_form_sets_the_cookie_and_renews_it(snipcart: StandIn) -> None:
    client, session = Client(enforce_csrf_checks=True), snipcart.session()

    first, second = get_page(client, session), get_page(client, session)

    cookies = [page.cookies["csrftoken"] for page in (first, second)]
    assert cookies[0].value == cookies[1].value
    assert len(cookies[0].value) == 32
    assert [cookie["max-age"] for cookie in cookies] == [31449600] * 2
    assert fields_of(first)["csrfmiddlewaretoken"] != fields_of(second)["csrfmiddlewaretoken"]


@pytest.mark.django_db
def test_a_page_without_a_form_sets_no_cookie(client: Client) -> None:
    assert "csrftoken" not in client.get("/checkout/", {"publicToken": "x"}).cookies


def name_a_token(*args: object) -> dict[str, str]:
    """A CONTEXT hook that means another token of the site."""
    return {"csrf_token": "x" * 64}


@pytest.mark.django_db
def test_a_sites_own_context_does_not_replace_the_token(
    snipcart: StandIn, checkout_settings: CheckoutSettings
) -> None:
    checkout_settings(CONTEXT="tests.test_csrf.name_a_token")
    client = Client(enforce_csrf_checks=True)

    page = get_page(client, snipcart.session())

    assert press_pay(client, page).status_code == 303


@pytest.mark.django_db
def test_what_monitors_report_of_a_response_holds_no_token(snipcart: StandIn) -> None:
    page = get_page(Client(), snipcart.session())

    assert "csrf_token" not in page.context_data
    assert fields_of(page)["csrfmiddlewaretoken"]
