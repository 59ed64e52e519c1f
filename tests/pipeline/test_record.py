"""Networks of records in the chain: the record is drawn once, and is a setting of the series from then on."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import xarray as xr

from glaciolake.catalog.store import Store
from glaciolake.models.errors import ModelError
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.record import CHANNELS
from glaciolake.models.track.reference import Reference, draw_reference, probabilities_beside
from glaciolake.models.weights import resolve
from glaciolake.pipeline.config import RunConfig
from glaciolake.pipeline.record import spread
from glaciolake.pipeline.run import Summary, run
from tests.pipeline.chain import (
    settings,
    true_area_m2,
    write_dates,
    write_network,
    write_record_network,
)

LAKE, TRACK = "test-tsho", "T121"
SPEC = ModelSpec(name="record", validity_channel=False, record=CHANNELS, stride_px=16)


@pytest.fixture
def config(tmp_path: Path, scheduler: str) -> RunConfig:
    return settings(tmp_path, write_record_network(tmp_path / "record.onnx"), scheduler)


def stored(config: RunConfig) -> xr.Dataset:
    return Store.open(config.store).read(LAKE, TRACK).load()


def other(config: RunConfig, tmp_path: Path, **changed: object) -> RunConfig:
    return config.model_copy(update={"store": str(tmp_path / "other.icechunk"), **changed})


def test_the_record_is_drawn_once_and_late_slices_change_no_other(config: RunConfig, tmp_path: Path) -> None:
    granules = write_dates(Path(config.source), 7)
    late = Path(granules[3].href("vv") or "")
    shutil.move(late, tmp_path / late.name)
    assert run(config).complete
    before, digest = stored(config), Store.open(config.store).digest()
    truth = [true_area_m2(index) for index in (0, 1, 2, 4, 5, 6)]
    np.testing.assert_allclose(before.area_m2.values, truth, rtol=0.04)  # the shore of the other dates pulls
    assert run(config).counts[0].n_new == 0
    assert Store.open(config.store).digest() == digest
    shutil.move(tmp_path / late.name, late)
    assert run(config).counts[0].n_new == 1
    after = stored(config)
    assert after.attrs == before.attrs and after.sizes["time"] == 7
    for name in ("surface", "water_probability", "area_m2"):
        np.testing.assert_array_equal(after[name].isel(time=[0, 1, 2, 4, 5, 6]), before[name])


def test_how_the_work_is_cut_does_not_show(config: RunConfig, tmp_path: Path) -> None:
    write_dates(Path(config.source), 5)
    run(config)
    one = other(config, tmp_path, slices_per_piece=1, slices_per_commit=1)
    run(one)
    xr.testing.assert_identical(stored(config), stored(one))


def test_the_answer_depends_on_the_record(config: RunConfig, tmp_path: Path) -> None:
    write_dates(Path(config.source), 6)
    run(config)
    alone = other(config, tmp_path, model=str(write_network(tmp_path / "alone.onnx")))
    run(alone)
    differ = np.abs(stored(config).water_probability - stored(alone).water_probability)
    assert float(differ.max()) > 0.1


def test_too_few_passes_make_no_record_and_are_told(config: RunConfig) -> None:
    write_dates(Path(config.source), 2)
    summary: Summary = run(config)
    assert not summary.complete and summary.counts[0].n_failed == 2
    assert all("2 date(s) make no record" in reason for reason in summary.failed.values())
    assert LAKE not in Store.open(config.store).series()
    write_dates(Path(config.source), 4)
    assert run(config).counts[0].n_new == 4


def test_a_broken_pass_is_left_out_of_the_record_and_told_as_its_own(config: RunConfig) -> None:
    granules = write_dates(Path(config.source), 5)
    Path(granules[2].href("vv") or "").write_bytes(b"II*\x00 no image")
    summary: Summary = run(config)
    assert summary.counts[0].n_new + summary.counts[0].n_failed == 4 + len(summary.failed)
    assert stored(config).sizes["time"] == 4


def test_another_network_needs_a_new_generation_and_keeps_its_record(
    config: RunConfig, tmp_path: Path
) -> None:
    write_dates(Path(config.source), 4)
    run(config.model_copy(update={"model": str(write_network(tmp_path / "alone.onnx"))}))
    again = config.model_copy(update={"new_generation": True})
    assert run(again).counts[0].n_new == 4
    assert run(again).counts[0].n_new == 0


def test_text_form_keeps_half_a_percent_and_refuses_other_texts() -> None:
    random = np.random.default_rng(0)
    mean, std, low = random.random((3, 20, 31), dtype=np.float32)
    found = Reference.of(Reference(mean, 3 * std, low).text())
    np.testing.assert_allclose(found.mean, mean, atol=0.003)
    np.testing.assert_allclose(found.std, 3 * std, atol=0.008)
    for text in ("", "20x31:", "3x3:" + found.text().partition(":")[2], "20x31:?"):
        with pytest.raises(ModelError, match="cannot be read"):
            Reference.of(text)


def test_pixels_of_thirty_metres_are_drawn_at_twenty_and_come_back(tmp_path: Path) -> None:
    ref = resolve(str(write_record_network(tmp_path / "record.onnx")), engine="onnxruntime")
    images = np.full((4, 40, 50), 0.6, np.float32)
    images[:, 10:25, 15:35] = 0.2
    images[1, :5] = np.nan
    told = draw_reference(images, SPEC, 30.0), np.zeros((40, 50), bool)
    assert told[0].mean.shape == (60, 75)
    starts = [datetime(2021, 7, 3, tzinfo=UTC)] * 4
    water = probabilities_beside(images, starts, told, 30.0, ref)
    assert np.isnan(water[1, :5]).all() and np.isfinite(water[0]).all()
    inside = np.zeros((40, 50), bool)
    inside[10:25, 15:35] = True
    assert (water[0] >= 0.5).sum() == pytest.approx(inside.sum(), rel=0.02)
    assert (water[0][inside] >= 0.5).mean() > 0.95


def test_scenes_of_a_record_are_spread_over_all() -> None:
    passes = cast(Any, list(range(100)))
    found = cast(Any, spread(passes, 24))
    assert len(set(found)) == 24 and (found[0], found[-1]) == (0, 99)
    assert cast(Any, spread(passes[:5], 24)) == (0, 1, 2, 3, 4)
