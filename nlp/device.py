"""Where a model computes: on the processor, or on an NVIDIA GPU, which needs the extra `gpu`.

Whether a GPU can be used is tried in a process of its own: CUDA, once begun, does not survive a fork, and the model is
looked at before the stages fork.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from config.schema import Device
from nlp.encoder import load_libraries

if TYPE_CHECKING:
    import onnxruntime as ort

PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
CUDA_OPTIONS = {"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}
PATIENCE = 120
"""Seconds in which the first session must stand: CUDA's libraries are large."""
_WAY_OUT = "install the extra `gpu` as docs/models.md says, or set device: cpu"

Session: TypeAlias = "ort.InferenceSession"


def why_not(device: Device) -> str:
    """Why nothing can be computed on this device, and the way out; empty where it can. Of a GPU it is asked once a
    process."""
    return "" if device == "cpu" else _why_no_gpu()


@cache
def _why_no_gpu() -> str:
    return _not_installed() or _tried()


def _not_installed() -> str:
    if find_spec("onnx") is None:
        return f"device cuda: the package onnx is not installed: {_WAY_OUT}"
    load_libraries()
    import onnxruntime as ort

    if PROVIDERS["cuda"] in ort.get_available_providers():
        return ""
    there = [name for name in ("onnxruntime", "onnxruntime-gpu") if _installed(name)]
    if len(there) == 2:
        return (
            "device cuda: onnxruntime and onnxruntime-gpu are both installed, in one folder, and the one without CUDA "
            "came last: uninstall both and install onnxruntime-gpu anew (docs/models.md), or set device: cpu"
        )
    return f"device cuda: the onnxruntime that is installed was built without CUDA: {_WAY_OUT}"


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _tried() -> str:
    """What a process says that computes a little on the GPU."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nlp.device"], capture_output=True, text=True, timeout=PATIENCE, check=False,
            cwd=Path(__file__).resolve().parents[1],  # `-m` looks in the current folder first: not in somebody else's
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"device cuda: the GPU did not answer within {PATIENCE} s: look what else it does, or set device: cpu"
    if not done.returncode:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = next((line for line in lines if "failed" in line.lower()), lines[-1] if lines else "it was ended")
    return (
        f"device cuda: no GPU can be used here ({said[:400]}): look whether nvidia-smi shows one and whether CUDA's "
        "libraries came with the extra `gpu` (docs/models.md), or set device: cpu"
    )


def session(graph: bytes, device: Device) -> Session:
    """A session of one thread that computes on `device`. Raises RuntimeError where that is a GPU and it cannot: ONNX
    Runtime by itself would go on without."""
    load_libraries()
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    providers: list[Any] = [PROVIDERS["cpu"]]
    if device == "cuda":
        with redirect_stdout(sys.stderr):  # answers are written there
            ort.preload_dlls()
        providers.insert(0, (PROVIDERS["cuda"], CUDA_OPTIONS))
    try:
        made = ort.InferenceSession(graph, options, providers=providers)
    except Exception as error:  # ONNX Runtime's own kinds have no common name
        raise RuntimeError(f"{PROVIDERS[device]} cannot be used: {error}") from error
    if PROVIDERS[device] not in made.get_providers():
        raise RuntimeError(f"{PROVIDERS[device]} cannot be used")
    return made


def multiplied(device: Device) -> float:
    """Sixteen times 1 by 1 in half precision on `device`: 16."""
    from onnx import TensorProto, helper

    nodes = [helper.make_node("MatMul", ["x", "y"], ["z"])]
    kinds = [(name, TensorProto.FLOAT16, shape) for name, shape in (("x", [1, 16]), ("y", [16, 1]), ("z", [1, 1]))]
    x, y, z = (helper.make_tensor_value_info(*one) for one in kinds)
    model = helper.make_model(
        helper.make_graph(nodes, "trial", [x, y], [z]), opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    ones = {name: np.ones(shape, np.float16) for name, _, shape in kinds[:2]}
    return float(session(model.SerializeToString(), device).run(["z"], ones)[0].item())


if __name__ == "__main__":
    sys.exit(multiplied("cuda") != 16)
