"""Which protocols this lab knows: the shipped ones, those of installed packages, and those that the operator names.

A package offers one by an entry point in the group `retest.protocols`; an operator names one in
`RETEST_LAB_PROTOCOLS=module:object`. The object is a protocol, a class that makes one, or a list of either.
"""

import importlib
import importlib.metadata
from collections.abc import Iterable, Iterator
from typing import cast

from lab.errors import InvalidSpec
from lab.protocols.protocol import LabProtocol

ENTRY_POINTS = "retest.protocols"


class Catalogue:
    """The protocols of one lab, by name. A named one stands before a shipped one of its name."""

    def __init__(self, named: str = "") -> None:
        self._protocols: dict[str, LabProtocol] = {}
        for protocol in (*_shipped(), *_installed(), *_named(named)):
            self._protocols[protocol.name] = protocol

    def __iter__(self) -> Iterator[LabProtocol]:
        return iter(sorted(self._protocols.values(), key=lambda protocol: protocol.name))

    def find(self, name: str, version: int) -> LabProtocol:
        """Give a protocol. Raises InvalidSpec when there is none of that name and version."""
        protocol = self._protocols.get(name)
        if protocol is None:
            known = ", ".join(sorted(self._protocols)) or "none"
            raise InvalidSpec(f"no protocol {name!r} in this lab; it knows {known}")
        if protocol.version != version:
            raise InvalidSpec(f"protocol {name!r} is at version {protocol.version} in this lab, asked for {version}")
        return protocol


def _shipped() -> Iterable[LabProtocol]:
    try:
        registry = importlib.import_module("lab.protocols.registry")
    except ModuleNotFoundError as exc:
        if exc.name != "lab.protocols.registry":
            raise
        return ()
    return cast("Iterable[LabProtocol]", registry.protocols())


def _installed() -> Iterator[LabProtocol]:
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        yield from _unfold(point.load())


def _named(names: str) -> Iterator[LabProtocol]:
    for name in filter(None, (part.strip() for part in names.split(","))):
        module, _, attribute = name.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as exc:
            raise InvalidSpec(f"RETEST_LAB_PROTOCOLS names {name!r}, which cannot be loaded: {exc}") from exc
        yield from _unfold(found)


def _unfold(found: object) -> Iterator[LabProtocol]:
    if isinstance(found, list | tuple):
        for one in found:
            yield from _unfold(one)
    elif isinstance(found, type):
        yield found()
    else:
        yield cast("LabProtocol", found)
