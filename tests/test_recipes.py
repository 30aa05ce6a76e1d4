"""The recipes of docs/backends.md: each backend is cut out of the page and has to pass the contract with a stand-in."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import pytest
import responses
from django.test import RequestFactory
from django.utils import timezone
from requests import PreparedRequest

from snipcart_checkout.backends.base import Charge, Pending, Redirect, RefundRequest
from snipcart_checkout.testing.backends import BackendContract

PAGE = (Path(__file__).parent.parent / "docs/backends.md").read_text()
Answer = tuple[int, dict[str, str], str]


def recipe(name: str) -> ModuleType:
    """The module that the page shows under a file's name."""
    (source,) = re.findall(rf"^```python\n# {name}\.py\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    module = ModuleType(name)
    exec(compile(source, f"docs/backends.md {name}.py", "exec"), vars(module))
    return module


def to_json(status: int, value: object) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value)


formpost, pix, collection = map(recipe, ("formpost", "pix", "collection"))


class TestFormPost(BackendContract):
    backend_class = formpost.FormPostBackend
    options: ClassVar[Mapping[str, Any]] = {"MERCHANT": "shop-7", "PASSPHRASE": "a passphrase of FormPost"}
    paying_gives = Redirect

    @pytest.fixture(autouse=True)
    def _provider(self) -> Iterator[None]:
        self.paid: dict[str, Any] = {}
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            mock.add_callback(responses.GET, f"{formpost.PROVIDER}/query", callback=self._answer)
            yield

    def _answer(self, request: PreparedRequest) -> Answer:
        (reference,) = parse_qs(urlsplit(request.url or "").query)["reference"]
        unknown = {"reference": reference, "status": "unknown"}
        return to_json(200, self.paid.get(reference, unknown))

    def _press(self, charge: Charge) -> dict[str, str]:
        """Open the page with the form, and return what its button posts."""
        result = self.make_backend().charge(charge)
        assert isinstance(result, Redirect)
        page = formpost.form_page(RequestFactory().get(result.url.removeprefix("https://pay.shop.example")))
        fields = re.findall(r'name="(\w+)" value="([^"]*)"', page.content.decode())
        return {name: value.replace("&amp;", "&") for name, value in fields}

    def pay(self, charge: Charge) -> None:
        posted = self._press(charge)
        signature = posted.pop("signature")
        assert signature == self.make_backend().sign(posted)  # type: ignore[attr-defined]
        self.paid[str(charge.reference)] = {
            "id": f"fp-{charge.reference}",
            "reference": posted["reference"],
            "status": "complete",
            "amount": posted["amount"],
            "currency": posted["currency"],
        }

    def give_up(self, charge: Charge) -> None:
        """The form was never posted, or its page was closed."""

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        fields = {"reference": str(reference), "status": "complete"}
        text = urlencode(sorted(fields.items())).encode()
        signature = hmac.new(b"a passphrase of FormPost", text, "sha256").hexdigest()
        return {}, urlencode({**fields, "signature": signature}).encode()

    def test_a_form_page_with_a_made_up_content_is_refused(self) -> None:
        page = formpost.form_page(RequestFactory().get("/formpost/", {"form": "made-up"}))
        assert page.status_code == 410


class TestPix(BackendContract):
    backend_class = pix.PixBackend
    options: ClassVar[Mapping[str, Any]] = {
        "API_URL": "https://pix.bank.example",
        "PIX_KEY": "7d9f0335-8dcc-4054-9bf9-0dbd61d36906",
        "ACCESS_TOKEN": "token-of-the-bank",
    }
    paying_gives = Pending
    amounts = (("12.34", "BRL"),)

    @pytest.fixture(autouse=True)
    def _bank(self) -> Iterator[None]:
        self.charges: dict[str, dict[str, Any]] = {}
        self.returned: dict[str, dict[str, Any]] = {}
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            for method in (responses.GET, responses.PUT, responses.PATCH):
                mock.add_callback(method, re.compile(r"https://pix\.bank\.example/.*"), callback=self._answer)
            yield

    def _answer(self, request: PreparedRequest) -> Answer:
        body = json.loads(request.body or b"{}")
        match request.method, urlsplit(request.url or "").path.strip("/").split("/"):
            case "GET", ["cob", txid] if txid in self.charges:
                return to_json(200, self.charges[txid])
            case "PUT", ["cob", txid]:
                if txid in self.charges:
                    return to_json(400, {"type": "https://pix.bcb.gov.br/api/v2/error/CobOperacaoInvalida"})
                return to_json(201, self._make(txid, body))
            case "PATCH", ["cob", txid] if self.charges[txid]["status"] == "ATIVA":
                assert body == {"status": "REMOVIDA_PELO_USUARIO_RECEBEDOR"}
                self.charges[txid].update(body)
                return to_json(200, self.charges[txid])
            case "GET", ["pix", _end_to_end, "devolucao", refund] if refund in self.returned:
                return to_json(200, self.returned[refund])
            case "PUT", ["pix", _end_to_end, "devolucao", refund]:
                made = {
                    "id": refund,
                    "rtrId": f"D{refund}",
                    "valor": body["valor"],
                    "status": "EM_PROCESSAMENTO",
                }
                return to_json(201, self.returned.setdefault(refund, made))
        return to_json(404, {"type": "https://pix.bcb.gov.br/api/v2/error/NaoEncontrado"})

    def _make(self, txid: str, body: Mapping[str, Any]) -> dict[str, Any]:
        calendar = {**body["calendario"], "criacao": timezone.now().isoformat()}
        code = f"00020126580014br.gov.bcb.pix0136{txid}"
        made = {**body, "calendario": calendar, "txid": txid, "status": "ATIVA", "pixCopiaECola": code}
        return self.charges.setdefault(txid, made)

    def expire(self, charge: Charge) -> None:
        calendar = self.charges[charge.reference.hex]["calendario"]
        calendar["criacao"] = (timezone.now() - timedelta(seconds=calendar["expiracao"] + 1)).isoformat()

    def pay(self, charge: Charge) -> None:
        found = self.charges[charge.reference.hex]
        assert found["status"] == "ATIVA"
        value = found["valor"]["original"]
        found["pix"] = [
            {"endToEndId": f"E{charge.reference.hex[:31]}", "txid": found["txid"], "valor": value}
        ]
        found["status"] = "CONCLUIDA"

    def captures(self, reference: UUID) -> int:
        return len(self.charges.get(reference.hex, {}).get("pix", []))

    def refunds(self, reference: UUID) -> int:
        return int(reference.hex in self.returned)

    def fail_refund(self, refund: RefundRequest) -> None:
        self.returned[refund.reference.hex]["status"] = "NAO_REALIZADO"

    def notification(self, reference: UUID) -> tuple[Mapping[str, str], bytes]:
        self._make(reference.hex, {"calendario": {"expiracao": 3600}, "valor": {"original": "12.34"}})
        return {}, json.dumps({"pix": [{"txid": reference.hex}]}).encode()

    # Its message is believed for what the bank says of the id in it, so neither an added byte nor another known id
    # makes a forgery.
    test_a_forged_notification_is_refused = None  # type: ignore[assignment]


class TestPayOnCollection(BackendContract):
    backend_class = collection.PayOnCollectionBackend
    options: ClassVar[Mapping[str, Any]] = {
        "INSTRUCTIONS": "Pay when you collect it.",
        "EXPIRES_AFTER_DAYS": 7,
    }
    paying_form: ClassVar[Mapping[str, Any]] = {"counter": "market"}
    paying_gives = Pending

    def test_the_counter_stands_in_the_instructions(self) -> None:
        result = self.make_backend().charge(self._charge())
        assert isinstance(result, Pending)
        assert result.instructions.splitlines()[-1] == "Market"
