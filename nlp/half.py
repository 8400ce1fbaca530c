"""A model's network in half precision, derived from its weights when it is opened (`nlp.own.half`).

Which of its programs a GPU's library takes for a product hangs on the product's size, and with it the order of the
sums: what is said of a text could depend on how many were read with it. So a batch always holds the same number of
texts of one length, filled up with one of them: its size hangs on the length of the text alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from config.schema import Device
from nlp.device import session
from nlp.encoder import batches
from nlp.pieces import Ids

TEXTS = 16
"""Of a batch, always."""


class HalfNetwork:
    """The graph of a folder in half precision, on a device."""

    def __init__(self, folder: Path, device: Device) -> None:
        """Raises FileNotFoundError or ValueError, both naming the folder; ImportError where `onnx` is not installed;
        RuntimeError where the device cannot be used."""
        from nlp.own.half import derived

        self._session = session(derived(folder), device)

    def logits(self, texts: Sequence[Ids]) -> list[bytes]:
        """A row of float32 of each text, in order."""
        rows: list[bytes] = [b""] * len(texts)
        for batch in batches([len(ids) for ids in texts], TEXTS):
            filled = [*batch, *[batch[0]] * (TEXTS - len(batch))]
            ids = np.stack([texts[number] for number in filled], axis=1).astype(np.int32)
            (logits,) = self._session.run(["logits"], {"ids": ids})
            for number, row in zip(batch, logits[: len(batch)], strict=True):
                rows[number] = row.tobytes()
        return rows
