"""Simulated lakes beside the labelled ones: which scenes, what their labels say, who is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import box, mapping

from glaciolake.models.data import cut_centre
from glaciolake.models.errors import ModelError
from glaciolake.models.track.crops import draw_crops
from glaciolake.models.track.plan import TRACK_SPEC
from glaciolake.models.track.recipe import TrackRecipe
from glaciolake.models.track.record import CHANNELS
from glaciolake.models.track.simulated import NAME, SimulatedSource, read_simulated
from tests.pipeline.score_data import PIXEL_M2, TEN, Look, every, in_degrees, write_store, write_truth

SHRUNK = (15, 10, 20, 20)
LOOKS = [
    *every(6, 4),
    Look(date(2022, 7, 20), lake=SHRUNK),
    Look(date(2022, 8, 1), unknown=(20, 10, 30, 25)),
    Look(date(2023, 1, 1), state="frozen"),
]
"""Open, half drained, half hidden, frozen."""


@pytest.fixture
def source(tmp_path: Path) -> SimulatedSource:
    archive = write_truth(tmp_path / "archive", LOOKS)
    outline = in_degrees(box(*TEN))
    feature = {
        "type": "Feature",
        "properties": {"id": "tsho", "name": "Tsho", "elevation_m": 4500},
        "geometry": mapping(outline),
    }
    text = json.dumps({"type": "FeatureCollection", "features": [feature]})
    (archive / "lakes.geojson").write_text(text, encoding="utf-8")
    return SimulatedSource(archive=archive, store=write_store(tmp_path / "store", LOOKS))


def test_labels_are_the_open_water_that_the_pass_can_see(source: SimulatedSource) -> None:
    found = read_simulated(source, {})

    areas = {one.start.date(): float(one.water.sum()) * 400 for one in found.samples}
    whole_m2 = 100 * PIXEL_M2
    assert set(areas) == {one.day for one in LOOKS if one.state == "open"}
    half_a_row = 0.08  # a shore that runs through the middle of pixels is a half row off
    assert areas[date(2022, 6, 1)] == pytest.approx(whole_m2, rel=half_a_row)
    assert areas[date(2022, 7, 20)] == pytest.approx(whole_m2 / 2, rel=2 * half_a_row)
    assert areas[date(2022, 8, 1)] == pytest.approx(whole_m2 / 2, rel=2 * half_a_row)
    assert {one.lake for one in found.samples} == {NAME + "tsho"}
    assert len(found.images[NAME + "tsho", "T121"]) == len(LOOKS)


def test_scenes_are_drawn_out_to_the_pixels_of_the_chips(source: SimulatedSource) -> None:
    found = read_simulated(source, {})
    first = found.samples[0]
    listed = cut_centre(found.registry[first.lake], first.water.shape)

    assert first.power.shape == (60, 75)
    assert (listed & first.water).sum() / (listed | first.water).sum() > 0.95  # but for that half row
    assert np.median(10 * np.log10(first.power[first.water])) == pytest.approx(-20, abs=1)
    assert np.median(10 * np.log10(first.power[~first.water])) == pytest.approx(-8, abs=1)


def test_a_site_that_stands_for_a_labelled_lake_is_left_out(source: SimulatedSource) -> None:
    place = read_place(source)

    with pytest.raises(ModelError, match="stand for the labelled ones"):
        read_simulated(source, {"labelled": (place[0] + 0.01, place[1])})
    assert read_simulated(source, {"labelled": (place[0] + 0.05, place[1])}).samples


def read_place(source: SimulatedSource) -> tuple[float, float]:
    content = json.loads((source.archive / "lakes.geojson").read_text())
    longitude, latitude = np.mean(content["features"][0]["geometry"]["coordinates"][0][:-1], axis=0)
    return float(longitude), float(latitude)


def test_dates_of_a_track_are_limited_and_another_set_has_another_digest(source: SimulatedSource) -> None:
    two, same, all_of = (read_simulated(source, {}, per_track=n) for n in (2, 2, 14))

    assert len(two.samples) == 2
    assert two.digest == same.digest != all_of.digest


def test_simulated_crops_are_a_share_of_those_without_outline(source: SimulatedSource) -> None:
    found = read_simulated(source, {})
    seen = found.seen(TRACK_SPEC)
    assert found.seen(TRACK_SPEC) is seen
    real = {
        ("lake", "T012"): [
            replace(one, channels=np.full_like(one.channels, 5)) for rows in seen.values() for one in rows
        ]
    }
    recipe = TrackRecipe(batch=400, change=0, forget=0.6, size_px=32)

    def simulated_share(recipe: TrackRecipe) -> float:
        images, _, _ = draw_crops(real, np.random.default_rng(0), recipe, seen)
        place = images[:, CHANNELS.index("season_sin")]
        return float((place.max(axis=(1, 2)) < 5).mean())

    assert simulated_share(recipe) == pytest.approx(0.3, abs=0.07)
    assert simulated_share(recipe.model_copy(update={"simulated": 0.0})) == 0
    assert simulated_share(recipe.model_copy(update={"forget": 0.0})) == 0
