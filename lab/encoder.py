"""Serves one sentence encoder (`sentence-transformers`), as `lab.served` says how: texts in, vectors out."""

import sys
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from claims.vectors import Side, Texts, Vectors, as_text, packed
from lab.errors import InvalidSpec
from lab.served import IDLE_S, Kind, Model, ModelAway, Served, place_of, serve

KIND: Final = Kind("lab.encoder", "sentence encoder", "RETEST_DENSE_MODEL")
_AT_ONCE: Final = 8


class Encoder:
    """The encoder as the server asks it."""

    def __init__(self, name: str | None, *, idle_s: float = IDLE_S) -> None:
        self._served = Served(KIND, name, idle_s=idle_s)
        self.model = self._served.model
        self.close = self._served.close

    def ask(self, texts: Texts) -> Vectors:
        """Encode texts. Raises NoModel, InvalidSpec when the model cannot be used, ModelAway."""
        model, said = self._served.exchange(texts.model_dump(mode="json"))
        try:
            return Vectors(model=model, vectors=tuple(said["vectors"]))
        except (KeyError, TypeError, ValidationError) as exc:
            raise ModelAway(f"the sentence encoder gave no vectors: {said.get('error', 'unreadable')}") from exc


def load(name: str) -> Model:
    """Load a folder, or a hub model as `id` or `id@revision`. Raises InvalidSpec that says why it cannot be used.

    Pooling, prompts and the length at which texts are cut are those that the model's own files name.
    """
    place = place_of(name)
    try:
        import torch
        from sentence_transformers import SentenceTransformer

        encoder = SentenceTransformer(
            place.source,
            revision=place.revision,
            device="cuda" if torch.cuda.is_available() else "cpu",
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        commit = getattr(getattr(getattr(encoder[0], "model", None), "config", None), "_commit_hash", None)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError) as exc:
        raise InvalidSpec(f"sentence encoder {place.model.name!r} cannot be loaded: {str(exc)[:500]}") from exc

    def answer(question: dict[str, Any]) -> dict[str, object]:
        encode = encoder.encode_query if question["side"] == Side.QUERY else encoder.encode_document
        vectors = encode(
            question["texts"], batch_size=_AT_ONCE, normalize_embeddings=True, show_progress_bar=False
        ).astype(np.float32)
        if not np.isfinite(vectors).all():
            raise ValueError("its vectors are not finite")
        return {"vectors": [as_text(packed(vector)) for vector in vectors]}

    return Model(place.loaded(commit), str(encoder.device), answer)


if __name__ == "__main__":
    raise SystemExit(serve(load, sys.argv[1:]))
