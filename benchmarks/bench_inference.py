"""Lakes a second of both shipped networks: ours, and what one would write with each library.

    python -m benchmarks.bench_inference [--dates 16] [--alone 5] [--rounds 5] [--pairs PAIRS --raw CHIPS]

The lakes have the sizes of the published ones (53 x 57 to 211 x 166 px of 20 m), drawn or, with --pairs,
real. The peers get each lake in the middle of 256 x 256 px without data, one at a time, which is how the
labelled pairs come; their input is made beforehand, at a fixed shape, with the library's own settings. Ours
gets images as they lie in memory, pads and groups them. Peers take turns, so that a busy minute hits all of
them; medians count, and on a busy machine those of CPU time. Every engine gets the same number of threads
(GLACIOLAKE_INFERENCE_THREADS; by default the cores of this process). A GPU that torch can use takes part, and
the share of time in which it is busy is told.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.interleave import copy_ms, interleaved, machine
from glaciolake.models import quiet
from glaciolake.models.data import Sample
from glaciolake.models.engines import choose, has_gpu, share
from glaciolake.models.evaluate import images_of
from glaciolake.models.pairs import read_pairs
from glaciolake.models.predict import network_input, water_probabilities
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.track.model import read_atlas, track_probabilities
from glaciolake.models.track.record import UNKNOWN, Record, channels_of, outline_rows
from glaciolake.models.weights import locate, read_spec, resolve

Float32 = NDArray[np.float32]
Run = Callable[[], object]

SIDE_PX = 256
SIZES_PX = ((64, 111), (53, 57), (137, 149), (211, 166), (135, 144))
NETWORKS = ("lake-unet-b3-db-1", "lake-track-2")
PEERS = {
    "torch, eager, float32": ("torch", False),
    "torch, bfloat16, channels last": ("torch", True),
    "onnxruntime, float32": ("onnxruntime", False),
    "OpenVINO, float32": ("openvino", False),
    "OpenVINO, bfloat16": ("openvino", True),
}


class Work(NamedTuple):
    """What a network is given.

    Attributes
    ----------
    images
        (channel, y, x) each, as the network's own function takes them.
    squares
        (1, channel, 256, 256) each, ready for the bare network.
    """

    ref: ModelRef
    images: list[Float32]
    squares: list[Float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", type=int, default=16, help="of each lake, as in a piece of a run")
    parser.add_argument("--alone", type=int, default=5, help="lakes a peer does a round; all cost alike")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--network", choices=NETWORKS, action="append")
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--raw", type=Path)
    options = parser.parse_args()
    samples, images = _drawn(options.dates), None
    if options.pairs is not None:
        samples, images = read_pairs(options.pairs, options.raw, {}, (-30.0, 5.0))
    threads = share().threads
    print(
        f"{machine()}\n{threads} thread(s), medians of {options.rounds} rounds in turn, {len(samples)} lakes"
    )
    ceilings = _ceilings()
    for name in options.network or NETWORKS:
        work = _work(name, samples, images)
        _compare(work, options.alone, options.rounds, ceilings)
        _agree(work)
        if has_gpu():
            _gpu(work)


def _compare(work: Work, alone: int, rounds: int, ceilings: dict[str, float]) -> None:
    """Time peers and ours in turn, and print lakes a second beside what the processor allows."""
    threads = share().threads
    squares = work.squares[:: max(1, len(work.squares) // alone)][:alone]
    jobs: dict[str, tuple[Run, int]] = {}
    for who, (library, half) in PEERS.items():
        run = _peer(library, work.ref, threads, half)
        jobs[who] = (lambda run=run: [run(one) for one in squares]), len(squares)
    for engine in dict.fromkeys(("onnxruntime", "openvino", choose("auto"))):
        ref = work.ref._replace(engine=engine)
        jobs[f"ours, {engine}"] = (lambda ref=ref: _ours(work.images, ref)), len(work.images)
    few = work.images[:: max(1, len(work.images) // alone)][:alone]
    jobs["ours, one at a time"] = (lambda ref=ref: [_ours([one], ref) for one in few]), len(few)
    timed = interleaved({who: job for who, (job, _) in jobs.items()}, rounds)
    wall = {who: 1e3 * n / timed[who].wall_ms for who, (_, n) in jobs.items()}
    cpu = {who: 1e3 * n / timed[who].cpu_ms for who, (_, n) in jobs.items()}
    _table(work, wall, cpu)
    best, eager = f"ours, {choose('auto')}", "torch, eager, float32"
    for what, rate in (("clock", wall), ("CPU time", cpu)):
        fastest = max(PEERS, key=lambda who: rate[who])
        print(
            f"by {what}: {rate[best] / rate[fastest]:.2f} times the fastest peer ({fastest}), "
            f"{rate[best] / rate[eager]:.1f} times eager torch"
        )
    _bound(work, ceilings, cpu[best])


def _table(work: Work, wall: dict[str, float], cpu: dict[str, float]) -> None:
    pixels = sum(image.shape[1] * image.shape[2] for image in work.images) / len(work.images)
    print(f"\n{read_spec(work.ref).name}: {pixels:.0f} px a lake of {SIDE_PX**2}")
    print(f"{'':36}{'lakes/s':>10}{'lakes per CPU s':>18}")
    for who in wall:
        print(f"{who:36}{wall[who]:10.1f}{cpu[who]:18.1f}")


def _ours(images: list[Float32], ref: ModelRef) -> list[Float32]:
    return (track_probabilities if read_spec(ref).record else water_probabilities)(images, ref)


def _agree(work: Work) -> None:
    """Print the share of the mask's pixels that each engine calls otherwise than onnxruntime."""
    spec, engines = read_spec(work.ref), ["openvino", "openvino-bf16", "torch", "torch-bf16"]
    reference = _masks(_ours(work.images, work.ref._replace(engine="onnxruntime")), spec)
    lake = sum(int(mask.sum()) for mask in reference)
    for engine in engines + ["torch-cuda"] * has_gpu():
        found = _masks(_ours(work.images, work.ref._replace(engine=engine)), spec)
        differ = sum(int((a != b).sum()) for a, b in zip(found, reference, strict=True))
        print(f"{engine:16} differs from onnxruntime on {100 * differ / lake:.3f} % of the mask's pixels")
    squares = [_peer("openvino", work.ref, share().threads, half=False)(one)[0, 0] for one in work.squares]
    cut = [_middle(one, mask.shape) for one, mask in zip(squares, reference, strict=True)]
    differ = sum(int((a != b).sum()) for a, b in zip(_masks(cut, spec), reference, strict=True))
    print(f"on {SIDE_PX} x {SIDE_PX} px instead of its own size: {100 * differ / lake:.2f} %")


def _masks(found: Sequence[Float32], spec: ModelSpec) -> list[NDArray[np.bool_]]:
    return [np.nan_to_num(one) >= spec.threshold for one in found]


def _middle(frame: Float32, shape: tuple[int, ...]) -> Float32:
    top, left = ((SIDE_PX - side) // 2 for side in shape)
    return frame[top : top + shape[0], left : left + shape[1]]


def _peer(library: str, ref: ModelRef, threads: int, half: bool) -> Callable[[Float32], Float32]:
    """Bare network as one would run it: (1, channel, 256, 256) to probability (1, 1, 256, 256)."""
    if library == "openvino":
        core = quiet.openvino().Core()
        model = core.read_model(str(locate(ref)))
        model.reshape([1, _n_channels(ref), SIDE_PX, SIDE_PX])
        settings = {"INFERENCE_PRECISION_HINT": "bf16" if half else "f32", "PERFORMANCE_HINT": "LATENCY"}
        settings["INFERENCE_NUM_THREADS"] = threads
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        return lambda one: np.array(request.infer({0: one})[0])
    if library == "onnxruntime":
        onnxruntime = quiet.onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        session = onnxruntime.InferenceSession(str(locate(ref)), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda one: np.asarray(session.run(None, {name: one})[0])
    return _torch_peer(ref, threads, half)


def _torch_peer(ref: ModelRef, threads: int, half: bool, device: str = "cpu") -> Callable[[Float32], Float32]:
    import torch

    from glaciolake.models.export import load_network

    torch.set_num_threads(threads)
    order = torch.channels_last if half else torch.contiguous_format
    network = load_network(ref).to(device, memory_format=order)

    def run(one: Float32) -> Float32:
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=half):
            tensor = torch.from_numpy(one).to(device).contiguous(memory_format=order)
            return np.asarray(torch.sigmoid(network(tensor).float()).cpu().numpy())

    return run


def _ceilings() -> dict[str, float]:
    """Operations a CPU second that torch does in matrix products, by type; bytes that memory copies."""
    import torch

    torch.set_num_threads(share().threads)
    side, found = 1536, {}
    for kind in (torch.float32, torch.bfloat16):
        matrix = torch.randn(side, side).to(kind)
        jobs: dict[str, Run] = {"matrix": lambda matrix=matrix: matrix @ matrix}
        found[str(kind).removeprefix("torch.")] = 2 * side**3 / interleaved(jobs, 7)["matrix"].cpu_ms * 1e3
    found["copy"] = 2 * 2**28 / copy_ms(2**28, 5) * 1e3
    told = ", ".join(f"{found[kind] / 1e9:.0f} Gflop in {kind}" for kind in ("float32", "bfloat16"))
    print(f"matrix products reach {told} a CPU second; memory copies {found['copy'] / 1e9:.1f} GB/s")
    return found


def _bound(work: Work, ceilings: dict[str, float], rate: float) -> None:
    """Print the operations a lake takes, and how many a CPU second would allow, were all matrix products."""
    flops = {image.shape[1:]: 0 for image in work.images}
    for shape in flops:
        flops[shape] = _flops(work.ref, shape)
    own = sum(flops[image.shape[1:]] for image in work.images) / len(work.images)
    square = _flops(work.ref, (SIDE_PX, SIDE_PX))
    kind = "bfloat16" if choose("auto").endswith("bf16") else "float32"
    most = ceilings[kind] / own
    print(
        f"a lake takes {own / 1e9:.2f} Gflop at its size, {square / 1e9:.2f} at {SIDE_PX} px; at the rate of "
        f"{kind} matrix products {most:.0f} lakes a CPU second: {100 * rate / most:.0f} % are reached"
    )


def _flops(ref: ModelRef, shape: tuple[int, ...]) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from glaciolake.models.export import load_network

    stride = read_spec(ref).stride_px
    sides = [-(-side // stride) * stride for side in shape]
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode():
        load_network(ref)(torch.zeros(1, _n_channels(ref), *sides))
    return int(counter.get_total_flops())


def _gpu(work: Work) -> None:
    """Print slices a second on the GPU, eager float32 one at a time beside ours, and how busy it is."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    eager = _torch_peer(work.ref, share().threads, half=False, device="cuda")
    ref = work.ref._replace(engine="torch-cuda")
    jobs: dict[str, Run] = {
        "GPU, eager float32, one at a time": lambda: [eager(one) for one in work.squares],
        "GPU, ours": lambda: _ours(work.images, ref),
    }
    for who, timing in interleaved(jobs, 5).items():
        with profile(activities=[ProfilerActivity.CUDA]) as seen:
            jobs[who]()
            torch.cuda.synchronize()
        busy_ms = sum(one.self_device_time_total for one in seen.key_averages()) / 1e3
        rate = 1e3 * len(work.images) / timing.wall_ms
        print(f"{who:36}{rate:10.1f} lakes/s, busy {100 * busy_ms / timing.wall_ms:.0f} % of the time")


def _work(name: str, samples: list[Sample], images: Any) -> Work:
    ref = resolve(name, engine="onnxruntime")
    spec = read_spec(ref)
    if spec.record:
        atlas = read_atlas(ref)
        by_key: dict[tuple[str, str], list[tuple[datetime, Float32]]] = {}
        for one in samples:
            by_key.setdefault(one.key, []).append((one.start, one.power))
        record = Record(images or by_key, atlas=atlas)
        seen = [channels_of(one, record, spec) for one in samples]
        fill = np.zeros(len(spec.record), np.float32)
        fill[outline_rows()] = UNKNOWN
        return Work(ref, seen, [_square(one, fill) for one in seen])
    found = [images_of(one, spec)[0] for one in samples]
    nothing = np.full(len(spec.bands), np.nan, np.float32)
    return Work(ref, found, [network_input(_square(one, nothing), spec) for one in found])


def _square(image: Float32, fill: Float32) -> Float32:
    """(1, channel, 256, 256) with an image in its middle."""
    frame = np.empty((1, len(image), SIDE_PX, SIDE_PX), np.float32)
    frame[0] = fill[:, None, None]
    for band, target in zip(image, frame[0], strict=True):
        _middle(target, band.shape)[:] = band
    return frame


def _n_channels(ref: ModelRef) -> int:
    spec = read_spec(ref)
    return len(spec.record) or len(spec.bands) + int(spec.validity_channel)


def _drawn(dates: int) -> list[Sample]:
    """Dark lakes in bright land with speckle, of the published sizes."""
    random, found = np.random.default_rng(0), []
    for number, (height, width) in enumerate(SIZES_PX):
        y, x = np.indices((height, width))
        lake = ((y / height - 0.5) / 0.3) ** 2 + ((x / width - 0.5) / 0.2) ** 2 < 1
        for date in range(dates):
            power = 10 ** (np.where(lake, -18.0, -7.0) / 10) * random.gamma(20, 1 / 20, lake.shape)
            start = datetime(2021, 1, 4, 0, 11, 30, tzinfo=UTC) + timedelta(days=12 * date)
            found.append(Sample(f"lake{number}", start, "T121", "descending", power.astype(np.float32), lake))
    return found


if __name__ == "__main__":
    main()
