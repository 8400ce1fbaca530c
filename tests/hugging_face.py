"""Tiny models that classify texts, made on the fly as Hugging Face lays them out. Needs torch and transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "@user",
    "http",
    *["good", "bad", "late", "thanks", "bien", "mal", "tarde", "gracias", "the", "a"],
]


def tokenizer() -> dict[str, Any]:
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [
            {"id": number, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True} for number, name in enumerate(WORDS[:4])
        ],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [number], "tokens": [name]}
                               for name, number in (("[CLS]", 2), ("[SEP]", 3))},
        },
        "decoder": None,
        "model": {
            "type": "WordLevel", "unk_token": "[UNK]", "vocab": {word: number for number, word in enumerate(WORDS)},
        },
    }  # fmt: skip


def make(folder: Path, labels: int = 3, pickled: bool = False) -> Path:
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=70, num_labels=labels, initializer_range=0.4,
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()), "utf-8")
    if pickled:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    return folder
