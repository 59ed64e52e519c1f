"""The simulated archive looks like real scenes, where those are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from rasterio.windows import from_bounds
from scipy.ndimage import binary_dilation, binary_erosion, uniform_filter
from scipy.special import polygamma

from glaciolake.catalog.simulate import levels
from glaciolake.catalog.simulate.archive import Archive
from glaciolake.catalog.simulate.speckle import measured
from glaciolake.catalog.simulate.truth import read_truth

Power = NDArray[np.floating[Any]]

CASES = [
    ("tsho-rolpa", "tshoRolpa", "T121", ("0011", "0012")),
    ("tsho-rolpa", "tshoRolpa", "T085", ("1221", "1222")),
    ("chamlang", "chamlangTsho", "T012", ("1213", "1214")),
    ("chamlang", "chamlangTsho", "T121", ("0011", "0012")),
]
"""Lake, its folder of chips, track and the minutes at which the track passes."""
LAKE_DB, SLOPE_DB = 2.5, 2.0
"""What medians may differ by: a handful of simulated passes have their own wind; real slopes have ridges."""
EVEN_LAND = "T137-292322-IW2"
CALM_OCEAN = "T137-292318-IW2"


def db(power: Power, share: float = 0.5) -> float:
    return float(10 * np.log10(np.quantile(power[power > 0], share)))


def read(path: Path) -> Power:
    with rasterio.open(path) as source:
        band: Power = source.read(1)
    return band


def real_medians(shared: Path, folder: str, minutes: tuple[str, ...]) -> tuple[float, float]:
    """VV of lake and slope in the chips of July to September, dB."""
    chips, masks = [], []
    for path in sorted((shared / "himalaya_hyp3_rtc20" / folder).glob("*.tif")):
        parts = path.stem.split("_")
        if parts[2][9:13] not in minutes or parts[2][4:6] not in ("07", "08", "09"):
            continue
        chips.append(read(path))
        mask = shared / "himalaya_pairs" / "masks" / f"{folder}_{parts[2]}_{parts[7]}.tif"
        if mask.exists():
            rows, columns = chips[-1].shape
            top, left = (256 - rows) // 2, (256 - columns) // 2
            masks.append(read(mask)[top : top + rows, left : left + columns] > 0)
    share = np.mean(masks, axis=0)
    lake = binary_erosion(share > 0.5, iterations=2)
    slope = ~binary_dilation(share > 0.1, iterations=8)
    return db(np.stack(chips)[:, lake]), db(np.stack(chips)[:, slope])


def on_grid(shore: shapely.Geometry, to_grid: Transformer) -> shapely.Geometry:
    return shapely.transform(shore, lambda xy: np.column_stack(to_grid.transform(xy[:, 0], xy[:, 1])))


def simulated(archive: Archive, lake: str, track: str) -> Iterator[tuple[Power, Power]]:
    """VV of the pixels of lake and slope that a pass sees, linear power."""
    truth = read_truth(archive.folder)
    passes = truth.passes.query("lake == @lake and track == @track and acquired")
    for row in passes.itertuples():
        granule = str(row.granules).split()[0]
        scene = archive.folder / "scenes" / granule.split("_")[3] / granule
        shore = truth.outlines[lake, int(row.outline_id)]  # type: ignore[arg-type]
        with rasterio.open(f"{scene}_VV.tif") as source, rasterio.open(f"{scene}_mask.tif") as codes:
            to_grid = Transformer.from_crs(4326, source.crs, always_xy=True)
            outline = on_grid(shore, to_grid)
            around = shapely.total_bounds(shapely.buffer(outline, 600))
            window = from_bounds(*around, source.transform).round_offsets().round_lengths()
            power, code = source.read(1, window=window), codes.read(1, window=window)
            at = source.window_transform(window)
        inner, outer = (
            rasterize([shapely.buffer(outline, metres)], power.shape, transform=at) > 0
            for metres in (-40, 150)
        )
        seen = (code == 0) & np.isfinite(power)
        yield power[inner & seen], power[~outer & seen]


@pytest.mark.parametrize(("lake", "folder", "track", "minutes"), CASES)
def test_lakes_and_slopes_are_as_bright_as_real_ones(
    shared_data: Path, summer: Archive, lake: str, folder: str, track: str, minutes: tuple[str, ...]
) -> None:
    water, slope = (np.concatenate(one) for one in zip(*simulated(summer, lake, track), strict=True))
    real_water, real_slope = real_medians(shared_data, folder, minutes)
    assert db(water) == pytest.approx(real_water, abs=LAKE_DB)
    assert db(slope) == pytest.approx(real_slope, abs=SLOPE_DB)
    assert db(slope) - db(water) > 7


def crops(shared: Path, burst: str, band: str) -> Power:
    paths = sorted((shared / "opera_rtc_t137").glob(f"*_{burst}_*_{band}.tif"))
    return np.stack([read(path) for path in paths])


def test_speckle_is_as_grainy_and_as_short_as_in_the_real_product(shared_data: Path) -> None:
    power = crops(shared_data, EVEN_LAND, "VV")
    rng, noise = np.random.default_rng(0), 10 ** (levels.NOISE_DB["IW2"] / 10)
    mean = np.median(power, axis=0)
    mine = np.stack([measured(mean, noise, rng) for _ in range(2)])
    # The first and the last date lie three years apart: texture cancels, and speckle shares nothing.
    real, ours = (looks_and_lags(pair) for pair in (power[[0, -1]], mine))
    assert ours[0] == pytest.approx(levels.LOOKS, rel=0.08)
    assert real[0] == pytest.approx(levels.LOOKS, rel=0.2)
    assert ours[1:] == pytest.approx(real[1:], abs=0.06)


def looks_and_lags(pair: Power) -> tuple[float, float, float]:
    """Looks of a pair of images from the spread of their ratio, and its correlation down and across."""
    ratio = np.log(pair[1]) - np.log(pair[0])
    ratio = (ratio - uniform_filter(ratio, 15))[8:-8, 8:-8]
    sigma = 1.4826 * float(np.median(np.abs(ratio - np.median(ratio))))
    ratio = np.clip(ratio, -3 * sigma, 3 * sigma)
    numbers = np.linspace(1, 30, 2901)
    looks = float(np.interp(-(sigma**2) * 225 / 224, -2 * polygamma(1, numbers), numbers))
    variance = (ratio**2).mean()
    down, across = ratio[1:] * ratio[:-1], ratio[:, 1:] * ratio[:, :-1]
    return looks, float(down.mean() / variance), float(across.mean() / variance)


def test_vh_of_calm_water_is_the_floor_of_the_real_product(shared_data: Path) -> None:
    vv, vh = (crops(shared_data, CALM_OCEAN, band) for band in ("VV", "VH"))
    calm = vh[np.median(vv, axis=(1, 2)) < 10**-2]
    signal = np.full((400, 400), 10 ** (float(levels.water_db("vh", 3.0, 39.0)) / 10))
    mine = measured(signal, 10 ** (levels.NOISE_DB["IW2"] / 10), np.random.default_rng(0))
    for share, tolerance_db in ((0.05, 2.5), (0.25, 0.7), (0.5, 0.5), (0.75, 0.5), (0.95, 0.7)):
        assert db(mine, share) == pytest.approx(db(calm, share), abs=tolerance_db), share
    real_zeros, zeros = (calm == 0).mean(), (mine == 0).mean()
    assert 1e-5 < real_zeros < 1e-3 and zeros < 10 * real_zeros


def test_wind_takes_water_through_the_range_of_the_real_ocean(shared_data: Path) -> None:
    for burst, incidence_deg in ((CALM_OCEAN, 39.0), ("T137-292321-IW1", 34.0)):
        dates = 10 * np.log10(np.median(crops(shared_data, burst, "VV"), axis=(1, 2)))
        low, high = (float(levels.water_db("vv", wind, incidence_deg)) for wind in (0.3, 10.0))
        assert dates.min() < low < np.median(dates) < high < dates.max() + 1.5
