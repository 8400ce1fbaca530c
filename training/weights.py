"""Weights on the disk, and what a pack holds, as plain arrays: numpy only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

PART = 14 * 2**20
"""Bytes of one file of weights at most: larger ones come in parts."""


def packed(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of `training.pack`."""
    with np.load(folder / "rows.npz", allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def read_base(path: Path) -> dict[str, np.ndarray]:
    """The base model's arrays: four bits unpacked."""
    out: dict[str, np.ndarray] = {}
    with np.load(path) as held:
        for name in held.files:
            if name.endswith("|q"):
                two, scale = held[name], held[name[:-2] + "|s"].astype(np.float32)
                numbers = np.empty((len(two), 32), np.float32)
                numbers[:, 0::2], numbers[:, 1::2] = two & 15, two >> 4
                values = (numbers - 8) * scale[:, None]
                out[name[:-2]] = values
            elif not name.endswith("|s"):
                out[name] = held[name]
    for name, value in out.items():
        if value.ndim == 2 and value.shape[1] == 32:
            width = 1536 if name.endswith("output.dense.weight") and "attention" not in name else 384
            out[name] = value.reshape(-1, width)
    return out


def save(stem: Path, arrays: dict[str, np.ndarray]) -> None:
    """As stem.0.npz, stem.1.npz …, each below PART."""
    parts: list[dict[str, np.ndarray]] = [{}]
    for name, value in arrays.items():
        if sum(one.nbytes for one in parts[-1].values()) + value.nbytes > PART and parts[-1]:
            parts.append({})
        parts[-1][name] = value
    for number, part in enumerate(parts):
        np.savez(f"{stem}.{number}.npz", **part)  # type: ignore[arg-type]


def there(stem: Path) -> bool:
    return Path(f"{stem}.0.npz").exists()


def load(stem: Path) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for path in sorted(stem.parent.glob(f"{stem.name}.*.npz")):
        with np.load(path) as held:
            arrays.update({name: held[name] for name in held.files})
    return arrays
