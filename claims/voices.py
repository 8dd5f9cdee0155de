"""Independent voices: papers that share an author are one voice, however many papers they are.

Names are compared without case, accents and punctuation. A name known by initials only (`J. Smith`) ties with every
full name that it may stand for, and two people of one name are taken for one: voices are rather under- than
overcounted. Of a list of more than `MANY_AUTHORS` only the first three and the last name tie: two consortium papers
with a thousand names each share somebody by chance, and sharing the leads is what makes one voice.
Papers without known authors are one voice together, because nothing shows that they are independent.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

MANY_AUTHORS = 40
"""Names from which a list is read as a consortium's."""

_NOT_A_NAME = re.compile(r"^(?:and )?(?:et al|others|and others|anonymous|anonymous authors?|unknown|n a|)$")


def voices(author_lists: Sequence[Sequence[str]]) -> list[int]:
    """Group papers by shared authors: give each the position of the first paper of its voice, in the order given."""
    parent = list(range(len(author_lists)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def unite(i: int, j: int) -> None:
        a, b = sorted((root(i), root(j)))
        parent[b] = a

    seen: dict[str, int] = {}
    for i, authors in enumerate(author_lists):
        for key in sorted(_keys(authors)):
            unite(seen.setdefault(key, i), i)
    full: dict[tuple[str, str], list[int]] = {}
    for key, i in seen.items():
        full.setdefault(_short(key), []).append(i)
    for key, i in seen.items():
        if _is_short(key):
            for other in full[_short(key)]:
                unite(i, other)
    return [root(i) for i in range(len(author_lists))]


@lru_cache(maxsize=65_536)
def normal_name(author: str) -> str:
    """Fold one author's name: lower case, no accents, no punctuation, given names first; empty when it names nobody."""
    name = author
    if name.count(",") == 1:
        family, given = name.split(",")
        name = f"{given} {family}"
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()
    folded = " ".join(re.sub(r"[^\w\s]|_", " ", plain).split())
    folded = re.sub(r"(?: and)? et al$", "", folded)
    return "" if _NOT_A_NAME.match(folded) else folded


def _short(name: str) -> tuple[str, str]:
    """Give the first initial and the family name."""
    return name[:1], name.rsplit(" ", 1)[-1]


def _is_short(name: str) -> bool:
    """Tell whether all given names are initials."""
    given = name.split(" ")[:-1]
    return bool(given) and all(len(part) == 1 for part in given)


def _keys(authors: Sequence[str]) -> set[str]:
    names = [n for n in (normal_name(a) for a in authors) if n]
    if len(names) > MANY_AUTHORS:
        names = [*names[:3], names[-1]]
    return set(names) or {"?"}
