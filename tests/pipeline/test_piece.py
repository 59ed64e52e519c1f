"""What a slice becomes depends on itself alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from odc.geo.geobox import GeoBox

from glaciolake.catalog.granule import Granule
from glaciolake.catalog.lakes import load_lakes
from glaciolake.catalog.store_layout import SeriesHeader
from glaciolake.models.weights import read_spec, resolve
from glaciolake.pipeline.config import load_config
from glaciolake.pipeline.grid import series_grid
from glaciolake.pipeline.packing import pack_db, pack_probability
from glaciolake.pipeline.passes import group_passes
from glaciolake.pipeline.piece import process
from glaciolake.pipeline.plan import Piece
from glaciolake.pipeline.recipe import Recipe
from tests.pipeline.chain import FIRST, SHAPE, lake_power, lake_px, write_dates, write_network, write_registry
from tests.pipeline.scenes import write_granule


def piece_of(granules: list[Granule], folder: Path, **settings: object) -> Piece:
    lake = load_lakes(write_registry(folder / "lakes.geojson"))["test-tsho"]
    ref = resolve(str(write_network(folder / "dark.onnx")), engine="onnxruntime")
    config = load_config(None, {"source": "a", "store": "b", **settings})
    grid: GeoBox = series_grid(granules, lake.aoi)
    header = SeriesHeader(
        lake=lake.id,
        lake_name=lake.name,
        track="T121",
        orbit_state="descending",
        crs=str(grid.crs),
        transform=(grid.affine.a, 0.0, grid.affine.c, 0.0, grid.affine.e, grid.affine.f),
        shape=(grid.shape[0], grid.shape[1]),
        model_name="dark",
        model_sha256=ref.sha256,
        settings="{}",
        settings_digest="s",
    )
    passes = tuple(group_passes(granules, lake.longitude_deg))
    return Piece(header, passes, Recipe(config, ref, read_spec(ref), lake))


def test_a_filtered_scene_is_not_filtered_again_whoever_its_neighbours_are(tmp_path: Path) -> None:
    first, second = write_dates(tmp_path / "archive", 2)
    mixed = [replace(first, filtered=True), second]
    together = process(piece_of(mixed, tmp_path)).slices
    alone = [process(piece_of([one], tmp_path)).slices for one in mixed]
    assert together is not None
    xr.testing.assert_identical(together, xr.concat([one for one in alone if one is not None], "time"))
    db = together.gamma0_vv_db.values.astype(float)
    assert np.std(db[0]) > 1.1 * np.std(db[1])


@pytest.mark.parametrize("hide", [True, False])
def test_layover_enters_the_bounds_and_not_the_area(tmp_path: Path, hide: bool) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, 75:] = 2
    one = write_granule(folder, FIRST, {"vv": lake_power(0), "mask": mask})
    found = process(piece_of([one], tmp_path, hide_layover=hide)).slices
    assert found is not None
    whole = lake_px().sum() * 900.0
    seen = lake_px()[:, :75].sum() * 900.0
    assert float(found.area_m2[0]) == pytest.approx(seen if hide else whole, rel=0.03)
    assert float(found.area_upper_m2[0]) == pytest.approx(whole, rel=0.06)
    assert float(found.shadow_fraction[0]) == (pytest.approx(1 - seen / whole, abs=0.06) if hide else 0)


def test_a_missing_band_is_named_for_every_pass(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    one = write_granule(folder, FIRST, {"vh": lake_power(0)})
    outcome = process(piece_of([one], tmp_path))
    assert outcome.slices is None
    (entry,) = outcome.failed.values()
    assert entry["kind"] == "unusable" and "vv" in entry["reason"]


def test_packing_keeps_unknown_apart_from_every_value() -> None:
    assert pack_probability(np.array([0, 1, 0.5, np.nan], np.float32)).tolist() == [0, 250, 125, 255]
    assert pack_db(np.array([1, 0.1, 0, np.nan], np.float32)).tolist() == [0, -1000, -6000, -32768]
