"""Serves one sequence-classification model for natural language inference, as `lab.served` says how."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from claims.entailment import Answer, Chances, Pair
from claims.served import ServedModel
from lab.errors import InvalidSpec
from lab.served import IDLE_S, Kind, Model, ModelAway, Served, place_of, serve

KIND: Final = Kind("lab.nli", "NLI model", "RETEST_NLI_MODEL")
MOST_TOKENS: Final = 512
"""Of a pair; the longer of its texts is cut."""
_AT_ONCE: Final = 16
_COLUMNS: Final = ("entailment", "neutral", "contradiction")


class Reader:
    """The model as the server asks it."""

    def __init__(self, name: str | None, *, idle_s: float = IDLE_S) -> None:
        self._served = Served(KIND, name, idle_s=idle_s)
        self.model = self._served.model
        self.close = self._served.close

    def ask(self, pairs: Sequence[Pair]) -> Answer:
        """Ask about pairs. Raises NoModel, InvalidSpec when the model cannot be used, ModelAway."""
        model, said = self._served.exchange({"pairs": [[p.premise, p.hypothesis] for p in pairs]})
        try:
            return Answer(
                model=model, chances=tuple(Chances(**dict(zip(_COLUMNS, row, strict=True))) for row in said["chances"])
            )
        except (KeyError, ValueError, TypeError, ValidationError) as exc:
            raise ModelAway(f"the NLI model gave no probabilities: {said.get('error', 'unreadable')}") from exc


class Loaded(NamedTuple):
    """A model in the memory of its process."""

    model: Any
    tokenizer: Any
    columns: tuple[int, int, int]
    """where entailment, neutral and contradiction stand in its output"""
    most_tokens: int
    named: ServedModel

    def chances(self, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        """Give (pairs, 3) probabilities in the order of entailment, neutral, contradiction, to four places.

        Raises ValueError when the model gives numbers that are none.
        """
        import torch

        out: list[list[float]] = []
        for start in range(0, len(pairs), _AT_ONCE):
            some = pairs[start : start + _AT_ONCE]
            batch = self.tokenizer(
                [p for p, _ in some],
                [h for _, h in some],
                truncation=True,
                max_length=self.most_tokens,
                padding=True,
                return_tensors="pt",
            ).to(self.model.device)
            with torch.inference_mode():
                shares = self.model(**batch).logits.float().softmax(dim=-1)[:, list(self.columns)]
            if not bool(torch.isfinite(shares).all()):
                raise ValueError("its probabilities are not finite")
            out += [[round(x, 4) for x in row] for row in shares.tolist()]
        return out

    def answer(self, question: dict[str, Any]) -> dict[str, object]:
        """Answer one question of the server."""
        return {"chances": self.chances([(p, h) for p, h in question["pairs"]])}


def columns_of(labels: Mapping[int, str]) -> tuple[int, int, int]:
    """Find entailment, neutral and contradiction among a model's labels. Raises InvalidSpec when they are not there.

    Labels without names (`LABEL_0`) are refused: models differ in their order, and a wrong guess swaps stances.
    """
    found = []
    for start in ("entail", "neutral", "contradict"):
        places = [n for n, label in labels.items() if str(label).lower().startswith(start)]
        if len(places) != 1:
            named = ", ".join(str(label) for label in labels.values())
            raise InvalidSpec(f"it names its labels {named[:200]}; entailment, neutral and contradiction are needed")
        found.append(int(places[0]))
    return found[0], found[1], found[2]


def load(name: str) -> Loaded:
    """Load a folder, or a hub model as `id` or `id@revision`. Raises InvalidSpec that says why it cannot be used."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    place = place_of(name)
    where: dict[str, Any] = {"trust_remote_code": False} | ({"revision": place.revision} if place.revision else {})
    try:
        tokenizer = AutoTokenizer.from_pretrained(place.source, **where)
        model = AutoModelForSequenceClassification.from_pretrained(
            place.source, use_safetensors=True, dtype=torch.float32, **where
        )
        columns = columns_of(model.config.id2label)
        model.to("cuda" if torch.cuda.is_available() else "cpu")
    except InvalidSpec as exc:
        raise InvalidSpec(f"NLI model {place.model.name!r} cannot be used: {exc}") from exc
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as exc:
        raise InvalidSpec(f"NLI model {place.model.name!r} cannot be loaded: {str(exc)[:500]}") from exc
    model.eval()
    # RoBERTa and its kin keep two positions to themselves.
    positions = int(getattr(model.config, "max_position_embeddings", MOST_TOKENS + 2)) - 2
    most = max(8, min(MOST_TOKENS, int(tokenizer.model_max_length), positions if positions > 8 else MOST_TOKENS))
    return Loaded(model, tokenizer, columns, most, place.loaded(getattr(model.config, "_commit_hash", None)))


def _served(name: str) -> Model:
    loaded = load(name)
    return Model(loaded.named, str(loaded.model.device), loaded.answer)


if __name__ == "__main__":
    raise SystemExit(serve(_served, sys.argv[1:]))
