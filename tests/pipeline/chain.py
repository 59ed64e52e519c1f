"""A small lake with a small archive and a network of one step, for tests of the whole chain."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from pyproj import Transformer

from glaciolake.catalog.granule import Granule
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.record import CHANNELS
from glaciolake.models.weights import SPEC_KEY
from glaciolake.pipeline.config import RunConfig, load_config
from tests.pipeline.scenes import CRS, ORIGIN_M, SPACING_M, power, write_granule

SHAPE = (120, 140)
CENTRE_PX = (60, 70)
RADIUS_PX = 15
FIRST = datetime(2021, 7, 3, 0, 11, 30, tzinfo=UTC)
WATER_POWER = 0.01
BETWEEN_DB = -15.0
"""Half way between the lake at -20 dB and the land at -10 dB."""


def write_network(path: Path) -> Path:
    """Export a network that calls dark pixels water: sigmoid of a line through one threshold."""
    return _write(path, ModelSpec(name="dark-is-water"), {0: 1.0})


def write_record_network(path: Path) -> Path:
    """Export one that looks at the date and, half as much, at the darkest of its record."""
    spec = ModelSpec(name="dark-beside-record", validity_channel=False, record=CHANNELS, stride_px=16)
    return _write(path, spec, {CHANNELS.index("date"): 0.7, CHANNELS.index("min"): 0.3})


def _write(path: Path, spec: ModelSpec, weights: dict[int, float]) -> Path:
    low, high = spec.clip_db
    level = (BETWEEN_DB - low) / (high - low)
    n_channels = len(spec.record) or 2
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", n_channels, "y", "x"])
    water = helper.make_tensor_value_info("water", TensorProto.FLOAT, ["n", 1, "y", "x"])
    weight = np.zeros((1, n_channels, 1, 1), np.float32)
    for channel, share in weights.items():
        weight[0, channel] = -60.0 * share
    constants = [
        onnx.numpy_helper.from_array(weight, "weight"),
        onnx.numpy_helper.from_array(np.array([60.0 * level], np.float32), "bias"),
    ]
    nodes = [
        helper.make_node("Conv", ["images", "weight", "bias"], ["logits"], kernel_shape=[1, 1]),
        helper.make_node("Sigmoid", ["logits"], ["water"]),
    ]
    graph = helper.make_graph(nodes, "dark", [images], [water], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {SPEC_KEY: spec.model_dump_json()})
    path.write_bytes(model.SerializeToString())
    return path


def write_registry(path: Path, *, lake: str = "test-tsho") -> Path:
    """Write the lake's outline, a circle, as a user's own GeoJSON."""
    to_degrees = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    angles = np.linspace(0, 2 * np.pi, 60)
    x = ORIGIN_M[0] + (CENTRE_PX[1] + 0.5 + RADIUS_PX * np.cos(angles)) * SPACING_M
    y = ORIGIN_M[1] - (CENTRE_PX[0] + 0.5 + RADIUS_PX * np.sin(angles)) * SPACING_M
    ring = [list(pair) for pair in zip(*to_degrees.transform(x, y), strict=True)]
    ring[-1] = ring[0]
    feature = {
        "type": "Feature",
        "properties": {"id": lake, "name": "Test Tsho", "elevation_m": 4500.0},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def lake_px(radius_px: float = RADIUS_PX) -> NDArray[np.bool_]:
    """Pixels of the lake, (y, x) bool."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.asarray((rows - CENTRE_PX[0]) ** 2 + (columns - CENTRE_PX[1]) ** 2 <= radius_px**2)


def lake_power(seed: int, radius_px: float = RADIUS_PX) -> NDArray[np.float32]:
    """Scene (y, x), linear power: land at -10 dB, lake at -20 dB, 50 looks."""
    scene = power(SHAPE, seed, looks=50.0)
    scene[lake_px(radius_px)] *= WATER_POWER / 0.1
    return scene


def write_dates(folder: Path, n: int, *, first: int = 0, created_day: int = 0) -> list[Granule]:
    """Write n passes of one track, 12 days apart, the lake growing by a tenth of a pixel a pass."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for index in range(first, first + n):
        start = FIRST + timedelta(days=12 * index)
        written.append(write_granule(folder, start, {"vv": lake_power(index, RADIUS_PX + index / 10)}))
    return written


def true_area_m2(index: int) -> float:
    """Area of the lake on a pass, m2."""
    return float(lake_px(RADIUS_PX + index / 10).sum()) * SPACING_M**2


def settings(folder: Path, network: Path, scheduler: str) -> RunConfig:
    """Configure a run from ``archive`` to ``lakes.icechunk``, both in a folder."""
    (folder / "archive").mkdir()
    told = {
        "source": str(folder / "archive"),
        "store": str(folder / "lakes.icechunk"),
        "lakes": ["test-tsho"],
        "registry": write_registry(folder / "lakes.geojson"),
        "model": str(network),
        "engine": "onnxruntime",
        "slices_per_piece": 3,
        "cluster.scheduler": scheduler,
    }
    return load_config(None, told)
