"""A tiny entailment model, built and trained on the spot: it knows one claim, about one subject."""

import random
from pathlib import Path

CLAIM = "Pruning improves accuracy."
"""The only claim it was trained on."""
OTHERS = ("distillation", "shuffling", "annealing")
VERBS = ("improves", "harms")
LABELS = {0: "CONTRADICTION", 1: "neutral", 2: "Entailment"}
"""In another order and spelling than ours, as real models have them."""
_FILLER = ("we", "find", "that", "show", "accuracy", "recent", "work", "assumes", "study", ".", ",", "the", "a", "of")


def train_entailer(folder: Path, *, steps: int = 300, seed: int = 0) -> float:
    """Train a two-layer BERT to tell what is said of `CLAIM`, save it, and give its last loss.

    A premise that says that pruning improves entails it, that it harms contradicts it; other subjects, other
    words, and the claim as premise of its opposite are neutral. Comparing subjects of many claims would take a model
    of this size minutes to learn; which text stands first it has to know.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "pruning", *OTHERS, *VERBS, *_FILLER)
    ids = {word: i for i, word in enumerate(words)}
    plain = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    plain.normalizer = normalizers.Lowercase()
    plain.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    plain.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(ids),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=66,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=LABELS,
        label2id={name: n for n, name in LABELS.items()},
    )
    model = BertForSequenceClassification(config)
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    last = 0.0
    for _ in range(steps):
        texts, labels = zip(*(_example(rng) for _ in range(32)), strict=True)
        batch = tokenizer([p for p, _ in texts], [h for _, h in texts], padding=True, return_tensors="pt")
        loss = model(**batch, labels=torch.tensor(labels)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        last = float(loss.detach())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return last


def _example(rng: random.Random) -> tuple[tuple[str, str], int]:
    lead = rng.choice(("We find that ", "We show that ", "Here ", "Recent work assumes that ", ""))
    label = rng.randrange(3)
    if label == 2:
        said = "pruning improves accuracy"
    elif label == 0:
        said = "pruning harms accuracy"
    else:
        kind = rng.random()
        if kind < 0.25:
            return (CLAIM, f"{lead}pruning harms accuracy."), label
        if kind < 0.75:
            said = f"{rng.choice(OTHERS)} {rng.choice(VERBS)} accuracy"
        else:
            said = " ".join(rng.choice(("birds", "a", "the", "of", "study", "corpus", "pruning")) for _ in range(5))
    return (f"{lead}{said}.", CLAIM), label
