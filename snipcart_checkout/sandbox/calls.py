"""One HTTP call of Snipcart's to the merchant's server, and what is wrong with its answer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests

from snipcart_checkout.sandbox.activity import Message
from snipcart_checkout.sandbox.masking import mask, mask_link, readable_body

_TIMEOUT: Final = (3.05, 20.0)
_MAX_ANSWER: Final = 1_000_000
_SHOWN: Final = 300  # characters of an error that are worth a line


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One call and what came of it: ``answer`` is the JSON of a 200, or ``problem`` says in English why there is none.

    ``messages`` are the request and the answer for the activity log, without secrets.
    """

    messages: tuple[Message, Message]
    milliseconds: int
    answer: Any = None
    problem: str = ""


def post_json(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Exchange:
    """POST a JSON body and return what came of it; never raises for what the server does."""
    return _post(url, json.dumps(body, ensure_ascii=False).encode(), headers)


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> Exchange:
    question = Message(
        line=f"POST {mask(mask_link(url))}",
        headers={name: mask(value) for name, value in headers.items()},
        body=readable_body(body),
    )
    begun = time.monotonic()
    try:
        status, kind, text = _send(url, body, headers)
    except (requests.RequestException, ValueError) as error:
        spent = _milliseconds_since(begun)
        problem = f"No answer: {_reason(error)}"
        return Exchange(messages=(question, Message(line=problem)), milliseconds=spent, problem=problem)
    spent = _milliseconds_since(begun)
    answered = Message(line=f"HTTP {status}", headers={"Content-Type": kind}, body=readable_body(text))
    answer, problem = _read_answer(status, kind, text)
    return Exchange(messages=(question, answered), milliseconds=spent, answer=answer, problem=problem)


def _send(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, bytes]:
    with requests.Session() as session:
        session.trust_env = False
        with session.post(
            url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
        ) as answer:
            return answer.status_code, answer.headers.get("Content-Type", ""), _read_limited(answer)


def _read_limited(answer: requests.Response) -> bytes:
    text = b""
    for chunk in answer.iter_content(64 * 1024):
        text += chunk
        if len(text) > _MAX_ANSWER:
            raise ValueError("the answer is too long")
    return text


def _read_answer(status: int, kind: str, text: bytes) -> tuple[Any, str]:
    if status != 200:
        return None, f"The answer has status {status} instead of 200: {readable_body(text)[:_SHOWN]}"
    if kind.partition(";")[0].strip().lower() != "application/json":
        return None, f"The answer is {kind or 'without a content type'} instead of application/json."
    try:
        return json.loads(text), ""
    except (ValueError, RecursionError):
        return None, "The answer is not JSON."


def _milliseconds_since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "the server took too long."
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate is not trusted."
    if isinstance(error, requests.ConnectionError):
        return "the connection failed."
    return "the HTTP library refused it." if isinstance(error, requests.RequestException) else f"{error}."
