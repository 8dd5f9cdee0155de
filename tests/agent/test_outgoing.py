"""A URL that a person configured never reaches a metadata service, whatever name it goes by."""

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.errors import LlmRefused
from agent.llm import ChatModel, Message, Price
from agent.outgoing import ForbiddenAddress, check_url, checked, is_forbidden, transport_for
from agent.refresh.webhook import post_digest
from claims.clock import FrozenClock
from claims.errors import InputError
from tests.agent.test_webhook import DIGEST, receiver
from tests.factories import NOON

METADATA = "169.254.169.254"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    """Names of a resolver of the test's own; every other one is resolved as ever."""
    held: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in held:
            return real(host, port, *args, **kwargs)
        return [one for address in held[name] for one in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return held


@pytest.mark.parametrize(
    "address",
    [
        METADATA,
        "169.254.0.1",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
    ],
)
def test_addresses_of_the_machine_room_are_forbidden(address: str) -> None:
    assert is_forbidden(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.7", "192.168.1.4", "8.8.8.8", "2606:4700::1111"])
def test_ones_own_machines_and_the_rest_of_the_world_are_not(address: str) -> None:
    assert not is_forbidden(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        f"http://{METADATA}/latest/meta-data",
        "http://[fe80::1]/",
        "http://0xA9FEA9FE/",
        "http://2852039166/",
        "http://169.254.43518/",
        "http://0.0.0.0:8700/",
    ],
)
def test_every_way_to_write_a_forbidden_address_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddress, match="RETEST_LINK_LOCAL"):
        check_url(url)
    check_url(url, link_local=True)


@pytest.mark.parametrize("url", ["ftp://example.org", "file:///etc/passwd", "http://", "nonsense", "http://[", ""])
def test_what_is_no_web_address_is_an_input_error(url: str) -> None:
    with pytest.raises(InputError, match="not a web address"):
        check_url(url)


def test_a_name_with_one_forbidden_address_among_others_is_refused(names: dict[str, list[str]]) -> None:
    names["two.example"] = ["127.0.0.1", METADATA]
    with pytest.raises(ForbiddenAddress, match=r"two\.example"):
        checked("two.example", 80)


def test_a_webhook_cannot_reach_the_metadata_service_by_address_or_by_name(names: dict[str, list[str]]) -> None:
    names["innocent.example"] = [METADATA]
    for url in (f"http://{METADATA}/hook", "http://innocent.example/hook"):
        with pytest.raises(ForbiddenAddress):
            post_digest(DIGEST, url, sleep=lambda s: None)


def test_a_name_that_changes_its_mind_after_the_check_is_refused_when_it_connects(names: dict[str, list[str]]) -> None:
    names["rebinding.example"] = ["127.0.0.1"]
    with receiver() as server:
        port = server.url.split(":")[2].partition("/")[0]
        url = f"http://rebinding.example:{port}/hook"
        check_url(url)
        transport = transport_for(url, httpx.HTTPTransport())
        with httpx.Client(transport=transport) as client:
            assert client.post(url, content=b"1").status_code == 204
            names["rebinding.example"] = [METADATA]
            with pytest.raises(ForbiddenAddress):
                client.post(url, content=b"2")
    assert [body for _, body in server.got] == [b"1"]


def test_the_second_address_is_tried_when_the_first_does_not_answer(names: dict[str, list[str]]) -> None:
    names["two.example"] = ["127.0.0.2", "127.0.0.1"]
    with receiver() as server:
        port = server.url.split(":")[2].partition("/")[0]
        assert post_digest(DIGEST, f"http://two.example:{port}/hook") == 1


def test_a_language_models_server_is_held_to_the_same(names: dict[str, list[str]], tmp_path: Path) -> None:
    pytest.importorskip("langchain_openai")
    common: dict[str, Any] = {
        "folder": tmp_path,
        "clock": FrozenClock(NOON),
        "budget_usd": 1.0,
        "price": Price(0.0, 0.0),
    }
    with pytest.raises(ForbiddenAddress):
        ChatModel("openai:m", base_url=f"http://{METADATA}/v1", **common)
    names["model.example"] = ["127.0.0.1"]
    model = ChatModel("openai:m", base_url="http://model.example:9/v1", **common)
    names["model.example"] = [METADATA]
    with pytest.raises(LlmRefused, match="link-local"):
        model.ask([Message("user", "hello")], prompt="p")
