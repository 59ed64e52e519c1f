"""Layover and shadow against a ray cast that shares no code with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from glaciolake.catalog.simulate.bursts import bursts
from glaciolake.catalog.simulate.generated import sites_of
from glaciolake.catalog.simulate.imaging import ground_of, seen_by, sites_in
from glaciolake.catalog.simulate.order import Order, make_order
from glaciolake.catalog.simulate.radar import FACET_M, LAYOVER, SHADOW, Frame, View, frame_of, view_ground
from glaciolake.catalog.simulate.shore import SPACING_M, Stand, coverage, distance_m
from glaciolake.catalog.simulate.terrain import Ground
from glaciolake.catalog.simulate.truth_rows import on_frame
from tests.catalog.simulate.conftest import SUMMER

Grounds = Callable[[str], Ground]
EPSG = 32645


def seen_from(ground: Ground, azimuth_deg: float, incidence_deg: float) -> tuple[Frame, View]:
    frame = frame_of(ground.site, EPSG)
    return frame, view_ground(ground, frame, azimuth_deg, incidence_deg)


def with_heights(ground: Ground, above_m: NDArray[np.float64]) -> Ground:
    level_m = ground.site.basins[0].level_m
    return replace(ground, height_m=(level_m + above_m).astype(np.float32))


def test_flat_ground_comes_back_as_it_was_and_unmasked(ground: Grounds) -> None:
    flat = with_heights(ground("thame"), np.zeros(ground("thame").height_m.shape))
    frame, view = seen_from(flat, 80.0, 34.0)
    size = flat.height_m.shape[0]
    ramp = np.tile(np.linspace(1, 2, size, dtype=np.float32), (size, 1))
    image = view.image(view.at_facets(ramp))
    assert not view.mask.any()
    at_m = (np.arange(frame.size_px) - (frame.size_px - 1) / 2) * SPACING_M
    east_m, north_m = np.meshgrid(at_m, -at_m)
    expected = map_coordinates(ramp, frame.ground_index(flat, east_m, north_m), order=1)
    np.testing.assert_allclose(image, expected, atol=2e-3)


def test_a_wall_hides_ground_behind_it_and_lays_over_ground_before_it(ground: Grounds) -> None:
    above_m = np.zeros_like(ground("thame").height_m, dtype=float)
    edge = above_m.shape[1] // 2
    above_m[:, edge : edge + 4] += 200.0
    frame, view = seen_from(with_heights(ground("thame"), above_m), 90.0, 40.0)
    middle = frame.size_px // 2
    row = view.mask[middle]
    before, behind = 200 / np.tan(np.radians(40)) / 30, 200 * np.tan(np.radians(40)) / 30
    assert int((row[:middle] & LAYOVER > 0).sum()) == pytest.approx(before, abs=1.5)
    assert int((row[middle + 4 :] & SHADOW > 0).sum()) == pytest.approx(behind, abs=1.5)


@pytest.mark.parametrize(("azimuth_deg", "incidence_deg"), [(80.0, 31.5), (80.0, 45.0), (280.0, 39.0)])
def test_layover_and_shadow_are_those_of_a_brute_force_ray_cast(
    ground: Grounds, azimuth_deg: float, incidence_deg: float
) -> None:
    rng = np.random.default_rng(5)
    rough = gaussian_filter(rng.standard_normal(ground("thame").height_m.shape), 6)
    rugged = with_heights(ground("thame"), 260 * rough / rough.std())
    frame, view = seen_from(rugged, azimuth_deg, incidence_deg)
    shadow, layover = cast(rugged, frame, azimuth_deg, incidence_deg)
    for name, code, cast_mask in (("shadow", SHADOW, shadow), ("layover", LAYOVER, layover)):
        flagged = (view.mask & code) > 0
        assert cast_mask.mean() > (0.02 if name == "layover" or incidence_deg > 40 else 0), name
        assert flagged.mean() == pytest.approx(cast_mask.mean(), abs=0.01), name
        assert (flagged == cast_mask).mean() > 0.97, name


def cast(
    ground: Ground, frame: Frame, azimuth_deg: float, incidence_deg: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Follow the ray of every pixel over the ground: shadow and layover, (y, x) bool."""
    azimuth, theta = np.radians(azimuth_deg), np.radians(incidence_deg)
    at_m = (np.arange(frame.size_px) - (frame.size_px - 1) / 2) * SPACING_M
    east_m, north_m = np.meshgrid(at_m, -at_m)
    step_m, reach_m = 5.0, 1900.0

    def height(away_m: float) -> NDArray[np.float64]:
        index = frame.ground_index(
            ground, east_m + away_m * np.sin(azimuth), north_m + away_m * np.cos(azimuth)
        )
        found: NDArray[np.float64] = map_coordinates(
            ground.height_m.astype(float), index, order=1, mode="nearest"
        )
        return found

    here = height(0.0)
    shadow, layover = np.zeros(here.shape, bool), np.zeros(here.shape, bool)
    side: dict[int, NDArray[np.float64]] = {}
    for number in range(1, int(reach_m / step_m)):
        for sign in (-1, 1):
            away_m = sign * number * step_m
            there = height(away_m)
            if sign < 0:  # nearer to the radar: does it stand in the ray?
                shadow |= there > here - away_m / np.tan(theta)
            # Another point at this pixel's distance from the radar: its slant range passes ours.
            further = away_m * np.sin(theta) - (there - here) * np.cos(theta)
            layover |= (further > 0) if sign < 0 else (further < 0)
            side[sign] = further
    return shadow, layover


def ratio_of(order: Order, site: str) -> float:
    """Area of a lake that is seen on the worst ascending track over that on the best descending one."""
    ground = ground_of(site, order.seed)
    shares: dict[tuple[str, int], float] = {}
    for burst in (one for one, held in sites_in(order).items() if site in held):
        frame = frame_of(ground.site, burst.track.epsg)
        water = coverage(distance_m(on_frame(ground, ground.shores[0], frame), Stand(0, 0)), 30)
        track, state = burst.track.relative_orbit, burst.track.orbit_state
        share = float(water[seen_by(burst, site, order.seed)].sum() / water.sum())
        shares[state, track] = max(share, shares.get((state, track), 0.0))
    up = [share for (state, _), share in shares.items() if state == "ascending"]
    down = [share for (state, _), share in shares.items() if state == "descending"]
    assert all(share > 0.45 for share in shares.values()), (site, shares)
    return min(up) / max(down) if up and down else 1.0


def test_tracks_hide_their_own_share_of_each_lake_as_real_ones_do() -> None:
    order = make_order([site.id for site in sites_of(14)], SUMMER)
    ratios = {site: ratio_of(order, site) for site in order.sites}
    # hand-drawn masks: 1.270 / 1.618 at Tsho Rolpa, 0.612 / 0.856 at Chamlang, 0.450 / 0.457 at Gokyo
    assert ratios["tsho-rolpa"] == pytest.approx(0.785, abs=0.04)
    assert ratios["chamlang"] == pytest.approx(0.715, abs=0.04)
    assert ratios["gokyo"] == pytest.approx(0.985, abs=0.03)
    assert all(0.65 <= ratio <= 1.01 for ratio in ratios.values()), ratios
    assert sum(ratio < 0.97 for ratio in ratios.values()) >= 5, ratios


@pytest.mark.parametrize("seed", [1, 2])
def test_another_seed_s_lakes_are_hidden_much_alike(seed: int) -> None:
    """Over seeds 0 to 7 the ratios are 0.79 to 0.87 and 0.71 to 0.83; here three standard deviations."""
    order = make_order(["tsho-rolpa", "chamlang", "gokyo", "hongu-2"], SUMMER, seed=seed)
    ratios = {site: ratio_of(order, site) for site in order.sites}
    assert ratios["tsho-rolpa"] == pytest.approx(0.828, abs=0.085)
    assert ratios["chamlang"] == pytest.approx(0.754, abs=0.12)
    assert ratios["gokyo"] == pytest.approx(1.0, abs=0.03)
    assert 0.75 < ratios["hongu-2"] < 0.95


def test_incidence_goes_from_near_to_far_edge_of_the_subswath() -> None:
    for burst in bursts():
        lon, lat = np.array(burst.corners_deg).T
        at = [burst.incidence_deg(x, y) for x, y in zip(lon, lat, strict=True)]
        assert 30.8 < min(at) < max(at) < 46.1
        assert max(at) - min(at) > 3.5
    # looking east, the east is further away
    one = next(burst for burst in bursts() if burst.id == "T012-023789-IW1")
    assert one.incidence_deg(86.3, 27.7) < one.incidence_deg(87.0, 27.8)
    assert FACET_M < SPACING_M
