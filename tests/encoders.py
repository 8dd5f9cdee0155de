"""A tiny sentence encoder, built on the spot: it knows which of a few words mean the same."""

from pathlib import Path

MEANINGS = (("forgetting", "erased", "lost"), ("adapters", "lora"), ("weather", "rain"), ("we", "find", "the", "of"))
"""Words on one line mean the same to it. Those of the last line mean next to nothing."""


def make_encoder(folder: Path) -> None:
    """Save an encoder that takes the mean of its words' directions, one direction for each meaning."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = ["[UNK]", *(word for meaning in MEANINGS for word in meaning)]
    plain = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    plain.normalizer = normalizers.Lowercase()
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = torch.full((len(words), len(MEANINGS)), 0.01)
    for n, meaning in enumerate(MEANINGS[:-1]):
        for word in meaning:
            weights[words.index(word), n] = 1.0
    SentenceTransformer(modules=[StaticEmbedding(plain, embedding_weights=weights)]).save(str(folder))
