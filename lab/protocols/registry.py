"""The protocols that ship with the lab, by name. Importing it costs no torch."""

from lab.errors import InvalidSpec
from lab.protocols.contrastive_pairs import ContrastivePairs
from lab.protocols.data_quantity import DataQuantity
from lab.protocols.homogeneity import Homogeneity
from lab.protocols.in_context_alignment import InContextAlignment
from lab.protocols.protocol import LabProtocol
from lab.protocols.proxy_tuning import ProxyTuning
from lab.protocols.rl_generalisation import RLGeneralisation
from lab.protocols.verification_gap import VerificationGap

_ALL: tuple[LabProtocol, ...] = (
    DataQuantity(),
    ContrastivePairs(),
    ProxyTuning(),
    RLGeneralisation(),
    VerificationGap(),
    Homogeneity(),
    InContextAlignment(),
)


def protocols() -> tuple[LabProtocol, ...]:
    """Give all shipped protocols, in the order in which the inquiry's claims stand."""
    return _ALL


def get(name: str) -> LabProtocol:
    """Give the protocol of that name. Raises InvalidSpec when there is none."""
    for protocol in _ALL:
        if protocol.name == name:
            return protocol
    raise InvalidSpec(f"no protocol {name!r}; there are {', '.join(p.name for p in _ALL)}")
