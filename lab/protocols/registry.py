"""The protocols that ship with the lab, by name. Importing it costs no torch."""

from lab.errors import InvalidSpec
from lab.protocols.data_quantity import DataQuantity
from lab.protocols.protocol import LabProtocol

_ALL: tuple[LabProtocol, ...] = (DataQuantity(),)


def protocols() -> tuple[LabProtocol, ...]:
    """Give all shipped protocols, in the order in which the inquiry's claims stand."""
    return _ALL


def get(name: str) -> LabProtocol:
    """Give the protocol of that name. Raises InvalidSpec when there is none."""
    for protocol in _ALL:
        if protocol.name == name:
            return protocol
    raise InvalidSpec(f"no protocol {name!r}; there are {', '.join(p.name for p in _ALL)}")
