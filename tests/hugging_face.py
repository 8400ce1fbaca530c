"""Tiny models that classify texts, made on the fly as Hugging Face lays them out, which needs torch and transformers;
and a stand-in for the Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


class Hub:
    """Answers what the Hub's clients ask of one model, as docs of the Hub's API say: `/api/models/{id}`, the same of a
    revision, with sizes where `blobs` is asked for, and `/{id}/resolve/{revision}/{file}`."""

    def __init__(self, id: str, files: Mapping[str, bytes], sizes: Mapping[str, int]) -> None:
        """`sizes`: of files that are said to be of another size than they are."""
        self.commit = "c0ffee" * 6 + "c0ff"
        self.fetched: list[str] = []
        self.revisions: set[str] = set()
        self._id, self._files, self._sizes = id, dict(files), dict(sizes)

    def answer(self, method: str, path: str, asked: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, body."""
        assert "authorization" not in asked
        info = re.fullmatch(rf"/api/models/{self._id}(?:/revision/([^/]+))?", path)
        file = re.fullmatch(rf"/{self._id}/resolve/([^/]+)/(.+)", path)
        if info:
            self.revisions.add(info[1] or "")
            siblings = [
                {"rfilename": name, "blobId": "0" * 40, "size": self._sizes.get(name, len(body))}
                for name, body in self._files.items()
            ]
            told = {"_id": "1", "id": self._id, "sha": self.commit, "private": False, "siblings": siblings}
            return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()
        if file is None or file[2] not in self._files:
            return 404, {"X-Error-Code": "EntryNotFound" if file else "RepoNotFound"}, b""
        assert file[1] == self.commit
        body = self._files[file[2]]
        if method == "GET":
            self.fetched.append(file[2])
        headers = {
            "ETag": f'"{len(body)}-{file[2]}"', "X-Repo-Commit": self.commit, "Content-Length": str(len(body)),
        }  # fmt: skip
        return 200, headers, b"" if method == "HEAD" else body


@contextmanager
def hub(id: str, files: Mapping[str, bytes], sizes: Mapping[str, int] | None = None) -> Iterator[Hub]:
    """Instead of the way to huggingface.co, within this process: nothing listens, nothing is sent."""
    import httpx2
    import huggingface_hub
    from huggingface_hub.utils._http import default_client_factory

    stand_in = Hub(id, files, sizes or {})

    def answer(request: httpx2.Request) -> httpx2.Response:
        status, headers, body = stand_in.answer(request.method, request.url.path, request.headers)
        return httpx2.Response(status, headers=headers, content=body or None)

    huggingface_hub.set_client_factory(
        lambda: httpx2.Client(transport=httpx2.MockTransport(answer), follow_redirects=True)
    )
    try:
        yield stand_in
    finally:
        huggingface_hub.set_client_factory(default_client_factory)
