"""Probe this site from outside: does this app answer at the addresses that it hands out?

A probe is a GET with ``?doctor=<nonce>``. Every view of ours answers it before anything else, with an HMAC of the nonce
that only a holder of SECRET_KEY can make, and with what the request looked like when it arrived. Nothing is read,
written or logged for it, and nothing secret is in the answer.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from django.conf import settings as django_settings
from django.templatetags.static import static
from django.utils.crypto import constant_time_compare, salted_hmac
from requests import PreparedRequest, RequestException

from snipcart_checkout import __version__
from snipcart_checkout.conf import get_settings
from snipcart_checkout.conf.links import to_origin
from snipcart_checkout.conf.translation import gettext as _
from snipcart_checkout.services.own_addresses import list_addresses
from snipcart_checkout.snipcart.transport.calls import Failure, NoAnswer, Reply, send
from snipcart_checkout.snipcart.transport.remotes import get_remote

PROBE_PARAMETER: Final = "doctor"

_SALT: Final = "snipcart_checkout.doctor"
_NONCE: Final = re.compile(r"[0-9a-f]{32}")
_SITE: Final = "site"
_SCRIPT: Final = "snipcart_checkout/checkout.js"
_MOST_BYTES: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class SiteAnswer:
    """The result for one address. A ``problem`` prevents payments, a ``remark`` does not; both may be
    empty.
    """

    url: str
    problem: str = ""
    remark: str = ""


def answer_probe(nonce: str, *, view_name: str, host: str, is_secure: bool) -> dict[str, object] | None:
    """Return a view's answer to a probe; None for a malformed nonce."""
    if not _NONCE.fullmatch(nonce):
        return None
    return {"proof": _prove(nonce), "view": view_name, "host": host, "secure": is_secure}


def probe_site() -> list[SiteAnswer]:
    """Probe every address that the site hands out; a single result where the site does not answer at all."""
    answers: list[SiteAnswer] = []
    for address in list_addresses():
        nonce = secrets.token_hex(16)
        try:
            reply = _fetch(f"{address.url}?{PROBE_PARAMETER}={nonce}")
        except NoAnswer as error:
            return [*answers, SiteAnswer(url=get_settings().public_url, problem=_explain_silence(error))]
        answers.append(_judge(address.url, address.view_name, nonce, reply))
    return [*answers, *_probe_script()] if answers else []


def _prove(nonce: str) -> str:
    return salted_hmac(_SALT, nonce, algorithm="sha256").hexdigest()


def _fetch(url: str, **headers: str) -> Reply:
    """Send one GET over the app's transport; redirects are not followed. Raises NoAnswer."""
    settings = get_settings()
    request = PreparedRequest()
    try:
        request.prepare(
            method="GET",
            url=url,
            headers={"User-Agent": f"django-snipcart-checkout/{__version__} (doctor)", **headers},
        )
    except RequestException:
        raise NoAnswer(_("it is not an address that can be requested"), was_sent=False) from None
    return send(request, get_remote(_SITE, settings), settings, max_error_body=_MOST_BYTES)


def _explain_silence(error: NoAnswer) -> str:
    if error.failure is Failure.NO_TLS:
        return _("{error}: its certificate is missing, expired, self-signed or for another host").format(
            error=error
        )
    if error.failure is Failure.NO_NAME:
        return _("{error}: is PUBLIC_URL spelt right, and is the name in DNS?").format(error=error)
    return _("{error}: is the site running, and reachable from here?").format(error=error)


def _judge(url: str, view_name: str, nonce: str, reply: Reply) -> SiteAnswer:
    seen = _read_answer(reply)
    if not seen:
        return SiteAnswer(url=url, problem=_explain_stranger(url, reply))
    if not constant_time_compare(str(seen.get("proof")), _prove(nonce)):
        problem = _("another installation of this app answers: its SECRET_KEY is not the one here")
        return SiteAnswer(url=url, problem=problem)
    if seen.get("view") not in {view_name, ""}:  # a site's own subclass may have no name in the URLconf
        return SiteAnswer(url=url, problem=_("another view of this app answers there"))
    return SiteAnswer(url=url, remark=_explain_proxy(url, seen))


def _read_answer(reply: Reply) -> Mapping[str, Any]:
    if reply.response.status_code != 200:
        return {}
    try:
        answer = json.loads(reply.body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and "proof" in answer else {}


def _explain_proxy(url: str, seen: Mapping[str, Any]) -> str:
    parts = urlsplit(url)
    if parts.scheme == "https" and not seen.get("secure"):
        return _(
            "Django takes the request for http; if a proxy terminates https for it, let the proxy send "
            "X-Forwarded-Proto and set {line}"
        ).format(line='SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")')
    if seen.get("host") != parts.netloc:
        return _(
            "Django gets the requests for another host, {host}; let the proxy pass on the Host header"
        ).format(host=ascii(seen.get("host")))
    return ""


def _explain_stranger(url: str, reply: Reply) -> str:
    """Explain what may have answered instead of this app."""
    status = reply.response.status_code
    if location := reply.response.headers.get("Location", ""):
        return _explain_redirect(url, urljoin(url, location))
    if status == 404:
        return _(
            "404, and not from this app: it is mounted elsewhere, PUBLIC_URL lacks a prefix, or a "
            "catch-all comes before it"
        )
    if status == 400:
        return _("400: does ALLOWED_HOSTS contain the host of PUBLIC_URL?")
    if status in {401, 403}:
        return _("{status}: a login, a firewall or another program refuses the request").format(status=status)
    if status >= 500:
        return _("{status}: the server or a proxy before it is out of order").format(status=status)
    return _("{status}, and not from this app: another page or a catch-all answers").format(status=status)


def _explain_redirect(url: str, target: str) -> str:
    ours, theirs = urlsplit(url), urlsplit(target)
    place = f"{theirs.scheme}://{theirs.netloc}{theirs.path}"
    if place == url:
        return _(
            "it redirects to itself: a proxy terminates https for it, and Django does not know; let the "
            "proxy send X-Forwarded-Proto and set {line}"
        ).format(line='SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")')
    if _without_www(ours.hostname) == _without_www(theirs.hostname) and ours.hostname != theirs.hostname:
        return _("it redirects to {host}: write this host into PUBLIC_URL").format(host=ascii(theirs.netloc))
    if theirs.netloc == ours.netloc and re.fullmatch(rf"(.*)/[\w-]+{re.escape(ours.path)}", theirs.path):
        return _("it redirects to {place}, which looks like a language: mount the app outside of it").format(
            place=ascii(place)
        )
    if theirs.path == _login_path():
        return _("it asks for a login: middleware or a proxy demands one")
    return _("it redirects to {place}").format(place=ascii(place))


def _without_www(host: str | None) -> str:
    return (host or "").removeprefix("www.")


def _login_path() -> str:
    login = str(django_settings.LOGIN_URL)
    return urlsplit(login).path if login.startswith(("/", "http")) else ""


def _probe_script() -> Iterator[SiteAnswer]:
    """Fetch the pages' script as a browser would."""
    origin = to_origin(get_settings().public_url)
    try:
        url = urljoin(f"{origin}/", static(_SCRIPT))
    except ValueError:
        yield SiteAnswer(
            url=_SCRIPT, problem=_("the static files were not collected: run manage.py collectstatic")
        )
        return
    try:
        reply = _fetch(url, Origin=origin)
    except NoAnswer as error:
        yield SiteAnswer(url=url, remark=_explain_silence(error))
        return
    yield SiteAnswer(url=url, remark=_explain_script(url, origin, reply))


def _explain_script(url: str, origin: str, reply: Reply) -> str:
    status = reply.response.status_code
    if status != 200:
        return _("{status}: the static files are not served there, so that pages have no script").format(
            status=status
        )
    if to_origin(url) != origin and reply.response.headers.get("Access-Control-Allow-Origin") not in {
        "*",
        origin,
    }:
        return _("browsers block it on another host: let that server send {line}").format(
            line=f"Access-Control-Allow-Origin: {origin}"
        )
    return ""
