"""A second opinion on what a search found: how near a paper's text lies to the claim's, by a sentence encoder.

The encoder runs on the lab's machine (`RETEST_DENSE_MODEL`). A paper is encoded once: its vector is kept in
`vectors.sqlite3` in the data folder, which may be deleted at any time.
"""

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from agent.errors import LabRefused, LabServesAnother
from agent.word_vectors import ANCHOR_SHARE
from claims.claim import Claim
from claims.ids import digest
from claims.paper import Paper
from claims.served import ServedModel
from claims.utf8 import clean
from claims.vectors import MOST_CHARACTERS, MOST_TEXTS, Floats, Side, Texts, Vectors, from_text, packed, unpacked

log = logging.getLogger(__name__)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS vectors (
    model TEXT, text TEXT, vector BLOB NOT NULL, PRIMARY KEY (model, text)
) WITHOUT ROWID
"""
_HELD: Final = "SELECT text, vector FROM vectors WHERE model = ? AND text IN (SELECT value FROM json_each(?))"


class SentenceEncoder(Protocol):
    """What makes vectors of texts: the lab's client."""

    def encoder(self) -> ServedModel:
        """Name the model. Raises LabUnreachable, LabRefused."""
        ...

    def encode(self, texts: Texts) -> Vectors:
        """Encode at most `MOST_TEXTS` texts. Raises LabUnreachable, LabRefused."""
        ...


class Nearness:
    """Cosine similarity of papers to a claim and to the papers it rests on. Safe to share between threads."""

    def __init__(self, encoder: SentenceEncoder, folder: Path) -> None:
        """Ask which model is served, which loads it. Raises LabUnreachable, LabRefused."""
        self._encoder = encoder
        self.model = encoder.encoder()
        self._kept = KeptVectors(folder / "vectors.sqlite3", f"{self.model.name}@{self.model.version}")

    def __call__(self, claim: Claim, anchors: Sequence[Paper], papers: Sequence[Paper]) -> Sequence[float]:
        """Give each paper's similarity; larger is nearer. Raises LabUnreachable, LabRefused."""
        if not papers:
            return []
        asked = self._vectors(Side.QUERY, [_sendable(claim.text)])[0]
        vectors = self._vectors(Side.DOCUMENT, [*map(_text, papers), *map(_text, anchors)])
        near = vectors[: len(papers)] @ asked
        if anchors:
            near = near + ANCHOR_SHARE * (vectors[: len(papers)] @ vectors[len(papers) :].T).mean(axis=1)
        return [float(x) for x in near]

    def close(self) -> None:
        """Close what is kept."""
        self._kept.close()

    def _vectors(self, side: Side, texts: Sequence[str]) -> Floats:
        """Give (texts, width), encoding what was not encoded before."""
        keys = [digest([side.value, text]) for text in texts]
        held = self._kept.get(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in held}
        todo = list(missing)
        for start in range(0, len(todo), MOST_TEXTS):
            some = todo[start : start + MOST_TEXTS]
            fresh = dict(zip(some, self._ask(side, [missing[key] for key in some]), strict=True))
            self._kept.put(fresh)
            held |= fresh
        return np.stack([held[key] for key in keys])

    def _ask(self, side: Side, texts: Sequence[str]) -> list[Floats]:
        answer = self._encoder.encode(Texts(side=side, texts=tuple(texts)))
        if answer.model != self.model:
            raise LabServesAnother(answer.model, self.model)
        try:
            vectors = [unpacked(from_text(text)) for text in answer.vectors]
        except ValueError as exc:
            raise LabRefused(200, f"its encoder's answer cannot be read: {exc}") from exc
        if len(vectors) != len(texts) or len({v.size for v in vectors}) != 1:
            raise LabRefused(200, f"{len(vectors)} vectors for {len(texts)} texts; is it of this version?")
        return vectors


class KeptVectors:
    """Vectors of one model by their text's digest, in a file. A file that cannot be used costs time, nothing else."""

    def __init__(self, path: Path, model: str) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=20, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(_SCHEMA)
            self._db.commit()
        except (sqlite3.Error, OSError) as exc:
            log.warning("vectors cannot be kept in %s: %s", path, exc)
            self.close()

    def get(self, keys: Sequence[str]) -> dict[str, Floats]:
        """Give those that are held."""
        if self._db is None:
            return {}
        found: dict[str, Floats] = {}
        with self._lock:
            try:
                for key, vector in self._db.execute(_HELD, (self._model, json.dumps(keys))):
                    with contextlib.suppress(ValueError):  # what is no vector is made anew
                        found[key] = unpacked(vector)
            except sqlite3.Error as exc:
                log.warning("kept vectors cannot be read, and are made anew: %s", exc)
        return found

    def put(self, vectors: dict[str, Floats]) -> None:
        """Hold some."""
        if self._db is None:
            return
        rows = [(self._model, key, packed(vector)) for key, vector in vectors.items()]
        with self._lock:
            try:
                with self._db:
                    self._db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
            except sqlite3.Error as exc:
                log.warning("%d vectors were not kept: %s", len(rows), exc)

    def close(self) -> None:
        """Close the file."""
        db, self._db = self._db, None
        if db is not None:
            db.close()


def _text(paper: Paper) -> str:
    """Give what is encoded of a paper."""
    return _sendable(f"{paper.title}. {paper.abstract or paper.finding or ''}")


def _sendable(text: str) -> str:
    """Cut a text to what is encoded, and to what can be sent."""
    return clean(text[:MOST_CHARACTERS])
