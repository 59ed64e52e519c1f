"""Images a second of the engines on the shipped network, native size and padded to 256 x 256.

    python benchmarks/bench_inference.py [--images 16] [--repeats 5]

Peers take turns, so that a busy minute hits all of them; medians count. "native" is a scene of 135 x 144 px
padded to the stride, "padded" the same scene on 256 x 256 px as the labelled pairs come. "plain torch" is the
script one would write: eager, batch 1, 256 x 256, memory order as it comes. Every engine gets the same number
of threads (GLACIOLAKE_INFERENCE_THREADS; by default the cores of this process).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from glaciolake.models.engines import load, share
from glaciolake.models.predict import network_input
from glaciolake.models.spec import Engine, ModelSpec
from glaciolake.models.weights import read_spec, resolve

Float32 = NDArray[np.float32]
Network = Callable[[Float32], Float32]

NATIVE_PX = (135, 144)
ENGINES: tuple[Engine, ...] = ("onnxruntime", "openvino", "openvino-bf16", "torch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    spec = read_spec(resolve())
    scenes = _scenes(options.images)
    native = network_input(scenes, spec)
    padded = _padded(scenes, spec)
    networks: dict[str, Network] = {
        engine: load(resolve(engine=engine)) for engine in ENGINES if find_spec(engine.removesuffix("-bf16"))
    }
    if "torch" in networks:
        networks["plain torch, batch 1"] = _plain_torch()
    print(
        f"threads {share().threads}; {options.images} images; medians of {options.repeats} interleaved runs"
    )
    native_s, padded_s = _time(networks, native, options.repeats), _time(networks, padded, options.repeats)
    reference = networks["onnxruntime"](native) >= spec.threshold
    print(f"{'engine':24}{'native img/s':>14}{'256x256 img/s':>15}{'mask pixels unlike onnxruntime':>34}")
    for name, network in networks.items():
        differ = np.mean((network(native) >= spec.threshold) != reference)
        rates = options.images / native_s[name], options.images / padded_s[name]
        print(f"{name:24}{rates[0]:14.1f}{rates[1]:15.1f}{100 * differ:32.4f} %")


def _scenes(n: int) -> Float32:
    """(n, 1, y, x) of a dark lake in bright land with speckle, scaled as the network wants it."""
    random = np.random.default_rng(0)
    y, x = np.indices(NATIVE_PX)
    lake = ((y - 67) / 40) ** 2 + ((x - 72) / 25) ** 2 < 1
    gamma0_db = np.where(lake, -18.0, -7.0) + random.normal(0, 1, (n, 1, *NATIVE_PX))
    return ((gamma0_db + 30) / 35).clip(0, 1).astype(np.float32)


def _padded(scenes: Float32, spec: ModelSpec) -> Float32:
    """Put every scene on 256 x 256 pixels."""
    square = np.full((*scenes.shape[:2], 256, 256), np.nan, np.float32)
    square[:, :, : scenes.shape[2], : scenes.shape[3]] = scenes
    return network_input(square, spec)


def _time(networks: dict[str, Network], images: Float32, repeats: int) -> dict[str, float]:
    """Median seconds of every network on the same images; the first call of each is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in networks}
    for repeat in range(repeats + 1):
        for name, network in networks.items():
            start = time.perf_counter()
            network(images)
            if repeat:
                spent[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in spent.items()}


def _plain_torch() -> Network:
    """Eager torch, one image at a time, on the CPU."""
    import torch

    from glaciolake.models.export import load_network

    network = load_network(resolve())

    def run(images: Float32) -> Float32:
        with torch.no_grad():
            logits = [network(torch.from_numpy(images[i : i + 1])) for i in range(len(images))]
        return np.asarray(torch.sigmoid(torch.cat(logits))[:, 0].numpy())

    return run


if __name__ == "__main__":
    main()
