"""Edges: steep shores that answer twice, and the edge of growing ice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from glaciolake.catalog.simulate import backscatter, levels
from glaciolake.catalog.simulate.backscatter import Surface
from glaciolake.catalog.simulate.climate import Ice, Weather
from glaciolake.catalog.simulate.imaging import ground_of, sites_in, view_of
from glaciolake.catalog.simulate.levels import LEVELS, CoverClass
from glaciolake.catalog.simulate.order import make_order
from glaciolake.catalog.simulate.radar import SHADOW, frame_of
from glaciolake.catalog.simulate.shore import SPACING_M, Float
from glaciolake.catalog.simulate.terrain import Ground
from tests.catalog.simulate.conftest import SUMMER
from tests.catalog.simulate.drawing import CALM_DAY, LOOK_DEG, MEAN, OPEN, SPRING, Lake, decibels, draw

Grounds = Callable[[str], Ground]


def facing(away_m: Float, look_deg: float) -> Float:
    """Cosine between the way out of the lake and the look direction: 1 where the shore faces the radar."""
    down, east = np.gradient(away_m)
    along = east * np.sin(np.radians(look_deg)) - down * np.cos(np.radians(look_deg))
    return np.asarray(along / np.hypot(down, east), np.float32)


def crater(ground: Ground, slope_deg: float) -> Ground:
    """A round lake of 1 km under banks of one class that rise as steeply all around, 120 m high."""
    half = (ground.height_m.shape[0] - 1) / 2
    at_m = (np.arange(ground.height_m.shape[0]) - half) * SPACING_M
    away_m = (np.hypot(*np.meshgrid(at_m, -at_m)) - 500.0).astype(np.float32)
    shore = ground.shores[0]
    height_m = shore.basin.level_m + np.clip(np.tan(np.radians(slope_deg)) * away_m, 0, 120)
    return replace(
        ground,
        height_m=height_m.astype(np.float32),
        shores=(replace(shore, offshore_m=away_m, calving_m=np.full_like(away_m, -1e6)),),
        covers={CoverClass.MORAINE: np.ones_like(away_m)},
    )


@pytest.mark.parametrize("band", ["VV", "VH"])
def test_double_bounce_brightens_the_steep_shore_that_faces_the_radar(
    ground: Grounds, monkeypatch: pytest.MonkeyPatch, band: str
) -> None:
    """Texture is taken from the bank: double bounce and incidence tell one shore from the other."""
    even = replace(LEVELS[CoverClass.MORAINE], texture_db=0.0)
    monkeypatch.setitem(LEVELS, CoverClass.MORAINE, even)
    place = ground("gokyo")
    away_m = frame_of(place.site, 32645).sample(place, crater(place, 32).shores[0].offshore_m)
    ring, towards = (away_m > 0) & (away_m < levels.DOUBLE_BOUNCE_WIDTH_M), facing(away_m, LOOK_DEG)

    def gain_db(slope_deg: float, ice: Ice = OPEN) -> float:
        image = draw(crater(place, slope_deg), CALM_DAY, ice)[band]
        return decibels(image[ring & (towards > 0.8)]) - decibels(image[ring & (towards < -0.8)])

    steep, flat, icy = gain_db(32), gain_db(8), gain_db(32, Ice(1.0, 1.0, False, 0.0))
    monkeypatch.setattr(levels, "DOUBLE_BOUNCE_DB", dict.fromkeys(levels.DOUBLE_BOUNCE_DB, -99.0))
    assert steep > 2
    assert steep - gain_db(32) > 0.8  # what the second bounce makes of it, all of which ends with ice
    assert icy == pytest.approx(gain_db(32, Ice(1.0, 1.0, False, 0.0)), abs=0.01)
    assert flat == pytest.approx(gain_db(8), abs=0.1)  # a flat beach does not answer twice


@pytest.mark.parametrize(("lake", "track"), [("tsho-rolpa", 85), ("tsho-rolpa", 121), ("tilicho", 92)])
def test_at_real_places_the_shore_that_faces_the_radar_is_brighter(lake: str, track: int) -> None:
    """In the chips by 2.9 to 4.2 dB; double bounce and the slope with incidence make it together."""
    bursts = sites_in(make_order([lake], SUMMER))
    burst = next(one for one in bursts if one.track.relative_orbit == track)
    place, look_deg = ground_of(lake, 0), burst.track.look_azimuth_deg
    frame, view = view_of(burst, lake, 0)
    away_m = frame.sample(place, place.shores[0].offshore_m)
    ring = (away_m > 0) & (away_m < 60) & ((view.mask & SHADOW) == 0)
    image = Surface(place, view, look_deg).look(SPRING, [Lake()], CALM_DAY)["VV"]  # type: ignore[list-item]
    towards = facing(away_m, look_deg)
    near, far = image[ring & (towards < -0.7)], image[ring & (towards > 0.7)]
    assert min(near.size, far.size) > 5
    assert decibels(far) > decibels(near) + 2


def test_the_edge_of_growing_ice_is_as_soft_as_is_stated(
    ground: Grounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backscatter, "SLUSH_REACH", 1e-9)
    smooth = replace(LEVELS[CoverClass.LAKE_ICE], texture_db=0.0)
    monkeypatch.setitem(LEVELS, CoverClass.LAKE_ICE, smooth)
    lake, still = ground("tilicho"), Weather(0.0, 45.0, 9000.0, -9000.0, 0.0)
    inside = frame_of(lake.site, 32645).sample(lake, lake.shores[0].offshore_m) < -45
    water, half, ice = (
        draw(lake, still, Ice(fraction, 1.0, False, 0.0))["VV"][inside] for fraction in (0.0, 0.5, 1.0)
    )
    share = (half - water) / (ice - water)
    assert share.mean() == pytest.approx(0.5, abs=0.06)
    # A logistic is between 0.1 and 0.9 over 4.4 of its widths; the radar's cells add 3 to 6 % of the lake.
    soft = float(((share > 0.1) & (share < 0.9)).mean())
    assert 4.4 * backscatter.ICE_EDGE < soft < 4.4 * backscatter.ICE_EDGE + 0.06
    assert MEAN.level_m == 0
