"""Names of things: arXiv ids, claim ids and content digests.

An arXiv id names a paper; a version (`v2`) is a fact about it and is kept apart.
Source: https://info.arxiv.org/help/arxiv_identifier.html (old style to 2007-03, four digits to 2014-12, five since).
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from claims.errors import MalformedId

_NEW = r"(?P<yy>\d{2})(?P<mm>0[1-9]|1[0-2])\.(?P<number>\d{4,5})"
_OLD = r"(?P<archive>[a-z]+(?:-[a-z]+)?)(?:\.[A-Z]{2})?/(?P<old>\d{2}(?:0[1-9]|1[0-2])\d{3})"
_ID = re.compile(rf"(?:{_NEW}|{_OLD})(?:[vV](?P<version>[1-9]\d{{0,2}}))?", re.ASCII)
_PREFIX = re.compile(
    r"(?:(?:https?://)?(?:[\w.-]+\.)?(?:arxiv\.org|alphaxiv\.org|ar5iv\.org)/(?:abs|pdf|html|format)/|"
    r"(?:https?://)?(?:www\.)?huggingface\.co/papers/|(?:https?://)?(?:dx\.)?(?:doi\.org/)?10\.48550/arxiv\.|"
    r"doi\s*:\s*|oai\s*:\s*arXiv\.org\s*:\s*|arxiv\s*:\s*|arxiv\s+|abs/)",
    re.IGNORECASE,
)
_AROUND = " \t\r\n\"'<>(){}`.,;:!*_’”“‘"
"""What sentences and markup leave around an id."""
_LONGEST = 500
"""Characters of an address with an id in it; more are a text."""
_CATEGORY = re.compile(r"\s*\[[a-z-]+(?:\.[A-Za-z-]+)?\]?$")
"""arXiv's own way to cite: `arXiv:2305.11206 [cs.CL]`."""
_IN_TEXT = re.compile(rf"(?<![\w.\-/])(?:{_ID.pattern})(?![\w]|\.\d)", re.ASCII)
_AFTER_PREFIX = re.compile(
    rf"(?:arxiv\.org/(?:abs|pdf|html|format)/|arxiv\s*:\s*|10\.48550/arxiv\.)(?:{_ID.pattern})(?![\w]|\.\d)",
    re.ASCII | re.IGNORECASE,
)
_ARCHIVES = frozenset(
    "acc-phys adap-org alg-geom ao-sci astro-ph atom-ph bayes-an chao-dyn chem-ph cmp-lg comp-gas cond-mat cs dg-ga "
    "funct-an gr-qc hep-ex hep-lat hep-ph hep-th math math-ph mtrl-th nlin nucl-ex nucl-th patt-sol physics plasm-ph "
    "q-alg q-bio quant-ph solv-int supr-con".split()
)


@dataclass(frozen=True, order=True)
class ArxivId:
    """A paper's id, with the version apart."""

    base: str
    """`2305.11206` or `hep-ex/0406020`: what names the paper."""
    version: int | None = None
    """The version that a text named, or None when it named none."""

    def __str__(self) -> str:
        return self.base if self.version is None else f"{self.base}v{self.version}"

    @property
    def url(self) -> str:
        """The abstract page."""
        return f"https://arxiv.org/abs/{self}"

    @property
    def month(self) -> tuple[int, int]:
        """Year and month in which it was given out."""
        digits = self.base.rpartition("/")[2]
        yy = int(digits[:2])
        return (1900 if "/" in self.base and yy > 90 else 2000) + yy, int(digits[2:4])

    @classmethod
    def parse(cls, text: str) -> "ArxivId":
        """Read one id as people paste it: bare, in an address or DOI of arXiv, behind `arXiv:`, in a sentence's marks.

        Raises MalformedId.
        """
        bare = text.strip(_AROUND)
        if len(bare) > _LONGEST:
            raise MalformedId(text)
        bare = _CATEGORY.sub("", bare).strip(_AROUND + "[]")
        is_address = False
        while prefix := _PREFIX.match(bare):
            is_address = is_address or "/" in prefix[0]
            bare = bare[prefix.end() :].lstrip(_AROUND)
        if is_address:
            bare = re.split(r"[?#]", bare, maxsplit=1)[0].rstrip("/")
        bare = re.sub(r"\.pdf$", "", bare, flags=re.IGNORECASE)
        match = _ID.fullmatch(bare)
        found = _from_match(match) if match else None
        if found is None:
            raise MalformedId(text)
        return found

    @classmethod
    def find_all(cls, text: str) -> "Iterator[tuple[int, int, ArxivId]]":
        """Find every id in running text, in order, as (start, end, id) with character offsets."""
        patterns = (_AFTER_PREFIX, _IN_TEXT) if "rxiv" in text.lower() else (_IN_TEXT,)
        spans = [
            (match.start(), match.end(), found)
            for pattern in patterns
            for match in pattern.finditer(text)
            if (found := _from_match(match))
        ]
        end = -1
        for span in sorted(spans, key=lambda s: (s[0], -s[1])):
            # A prefixed id starts before the bare one inside it, so the longer of two overlapping spans comes first.
            if span[0] >= end:
                end = span[1]
                yield span


def _from_match(match: re.Match[str]) -> ArxivId | None:
    version = int(match["version"]) if match["version"] else None
    if match["number"]:
        digits = 4 if int(match["yy"]) < 15 else 5
        if int(match["yy"] + match["mm"]) < 704 or len(match["number"]) != digits or int(match["number"]) == 0:
            return None
        return ArxivId(f"{match['yy']}{match['mm']}.{match['number']}", version)
    archive = match["archive"].lower()
    if 703 < int(match["old"][:4]) < 9107:
        return None
    return ArxivId(f"{archive}/{match['old']}", version) if archive in _ARCHIVES else None


def _canonical(text: str) -> str:
    return ArxivId.parse(text).base


PaperId = Annotated[str, AfterValidator(_canonical)]
"""An arXiv id without version, as a string; pydantic checks and normalises it."""

ClaimId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]
"""A claim's name: lower-case words joined by `-`, at most 80 characters."""


def digest(value: object) -> str:
    """Name a JSON-like value by its content: `sha256:` and 64 hex digits over canonical JSON (sorted keys, UTF-8)."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def text_digest(text: str) -> str:
    """Name a text by its bytes in UTF-8: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


_DULL = frozenset(
    "a an and are as at be by can do does for from has have in is it its model models language of on or than that "
    "the their they this to was were which with".split()
)


def claim_slug(text: str, asserted_on: str) -> str:
    """Name a claim by its first telling words and six digits of its digest, the same at every import."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = [w for w in re.findall(r"[a-z0-9]+", plain) if w not in _DULL][:5]
    tail = digest([" ".join(text.split()), asserted_on]).removeprefix("sha256:")[:6]
    return f"{'-'.join(w[:16] for w in words)[:73].rstrip('-')}-{tail}" if words else f"claim-{tail}"
