"""The libraries that can run a network, behind one call; the only module that knows a device."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glaciolake.models import quiet
from glaciolake.models.batches import BATCH_PX
from glaciolake.models.errors import ModelError
from glaciolake.models.spec import Engine, ModelRef
from glaciolake.models.weights import locate

Float32 = NDArray[np.float32]
# (n, channel, y, x) float32 without NaN, y and x multiples of the stride, to (n, y, x) 0..1 float32.
Network = Callable[[Float32], Float32]

GPU_BATCH_PX = 64 * 256 * 256
"""Of one call on a GPU, which is idle where it is given little at once: 2.4 GB of activations at most."""
SMALL_PX = 64 * 128
"""Images up to this size, padding and all, are computed in float32 wherever bfloat16 is asked for on a CPU.

A small lake is mostly shore, and bfloat16 moves shores: over 195 published scenes it moved 0.115 % of the
lake pixels of the shipped U-Net, more than the 0.1 % that engines may differ by; so it is 0.083 %, and the
score stays. Small images take little of the time: they are 12 % of these scenes' pixels.
"""
NVIDIA = Path("/dev/nvidiactl")
"""There where a GPU of that maker is; so nobody imports torch for two seconds to learn that none is."""
THREADS_KEY = "GLACIOLAKE_INFERENCE_THREADS"


class Share(NamedTuple):
    """What a process may use.

    Attributes
    ----------
    threads
        Threads of one call.
    callers
        Calls that may run at the same time.
    """

    threads: int
    callers: int


def choose(engine: Engine) -> Engine:
    """Engine that "auto" means here; any other is checked to be known and installed."""
    if engine == "auto":
        if has_gpu():
            return "torch-cuda"
        if not importlib.util.find_spec("openvino"):
            return "onnxruntime"
        return "openvino-bf16" if computes_bfloat16() else "openvino"
    if engine not in LOADERS:
        raise ModelError(f"unknown engine {engine!r}; take one of {['auto', *sorted(LOADERS)]}")
    package = engine.partition("-")[0]
    if importlib.util.find_spec(package) is None:
        extra = "" if package == "onnxruntime" else f"[{package}]"
        raise ModelError(
            f"the engine {engine!r} is not installed; pip install 'glaciolake{extra}', or choose 'auto', "
            "which takes what is there"
        )
    return engine


def has_gpu() -> bool:
    """Whether torch is installed and sees a GPU."""
    if not NVIDIA.exists() or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def batch_px(ref: ModelRef) -> int:
    """Most pixels that the engine of a reference is given at once."""
    return GPU_BATCH_PX if choose(ref.engine) in ("torch", "torch-cuda") and has_gpu() else BATCH_PX


@lru_cache(maxsize=1)
def computes_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 itself; elsewhere it is no quicker, and float32 is used.

    Images of up to `SMALL_PX` are computed in float32 all the same, see there.
    """
    if not cpuinfo.is_file():
        return False
    words = cpuinfo.read_text(errors="ignore").split()
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(words)


def share() -> Share:
    """Threads this process may use for inference.

    In order: the variable GLACIOLAKE_INFERENCE_THREADS, else OMP_NUM_THREADS (Dask sets it to 1 in the
    workers it starts), else all cores this process may run on, divided among the threads of a Dask worker.
    """
    callers = _worker_threads()
    for key in (THREADS_KEY, "OMP_NUM_THREADS"):
        text = os.environ.get(key, "").strip()
        if text and not (text.isdecimal() and int(text) > 0):
            raise ModelError(f"{key} is {text!r}; set it to a whole number of threads from 1, or unset it")
        if text:
            return Share(int(text), callers)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Share(max(1, cores // callers), callers)


def load(ref: ModelRef) -> Network:
    """Open a network with its engine, digest checked."""
    engine = choose(ref.engine)
    return LOADERS[engine](ref, share())


def _worker_threads() -> int:
    """Threads of the Dask worker this code runs in; 1 outside."""
    distributed = sys.modules.get("distributed")  # not imported: then this is no worker
    if distributed is None:
        return 1
    try:
        return max(1, int(distributed.get_worker().state.nthreads))
    except ValueError:
        return 1


def _openvino(ref: ModelRef, use: Share, *, short: bool = False) -> Network:
    core = quiet.openvino().Core()
    model = core.read_model(_readable(ref))
    guard = Lock()

    @lru_cache(maxsize=2)
    def compiled(precision: str) -> Any:
        settings = {
            # Said outright: its own default depends on the processor.
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": use.threads * use.callers,
            "NUM_STREAMS": use.callers,
            "ENABLE_CPU_PINNING": False,
        }
        return core.compile_model(model, "CPU", settings)

    def run(images: Float32) -> Float32:
        rounded = short and images[0, 0].size > SMALL_PX
        with guard:
            network = compiled("bf16" if rounded else "f32")
        # A request of its own a call: one request answers one thread at a time.
        answer = network.create_infer_request().infer({0: images})[0]
        return np.array(answer[:, 0])

    return run


def _onnxruntime(ref: ModelRef, use: Share) -> Network:
    onnxruntime = quiet.onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = use.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Waiting threads would otherwise spin and take the cores of the other steps.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(_readable(ref), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Float32) -> Float32:
        answer: Float32 = session.run(None, {name: images})[0]
        return answer[:, 0]

    return run


def _torch(
    ref: ModelRef, use: Share, *, wish: Literal["auto", "cpu", "cuda"] = "auto", bfloat16: bool = False
) -> Network:
    import torch

    from glaciolake.models.export import load_network
    from glaciolake.models.network import device_of, on_device

    device = device_of(wish)
    on_gpu = device.type == "cuda"
    if not on_gpu:
        torch.set_num_threads(use.threads)
    network = on_device(load_network(ref), device)
    # On a GPU float16: three bits more than bfloat16, and probabilities need no wide range.
    half, short = torch.float16 if on_gpu else torch.bfloat16, on_gpu or bfloat16

    def run(images: Float32) -> Float32:
        tensor = torch.from_numpy(images).to(device).contiguous(memory_format=torch.channels_last)
        rounded = short and (on_gpu or images[0, 0].size > SMALL_PX)
        with torch.inference_mode(), torch.autocast(device.type, half, enabled=rounded):
            logits = network(tensor)[:, 0]
            return np.asarray(torch.sigmoid(logits.float()).cpu().numpy())

    return run


def _readable(ref: ModelRef) -> str:
    path: Path = locate(ref)
    return str(path)


LOADERS: dict[str, Callable[[ModelRef, Share], Network]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "openvino-bf16": partial(_openvino, short=True),
    "torch": _torch,
    "torch-bf16": partial(_torch, wish="cpu", bfloat16=True),
    "torch-cuda": partial(_torch, wish="cuda"),
}
