"""A tiny archive's truth and the store made of it, pixel by pixel: every number can be counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pyproj import Transformer
from shapely import transform
from shapely.geometry import Polygon, box

from glaciolake.catalog.simulate.truth import (
    Day,
    Happening,
    Made,
    Outline,
    Pass,
    write_outlines,
    write_table,
)
from glaciolake.catalog.store import Batch, Store
from glaciolake.catalog.store_layout import SeriesHeader
from glaciolake.catalog.variables import BY_NAME, LakeState, Surface

Surfaces = NDArray[np.uint8]

ROWS, COLUMNS = 40, 50
SPACING_M = 30.0
PIXEL_M2 = SPACING_M**2
WEST_M, NORTH_M = 447_000.0, 3_083_220.0
HEADER = SeriesHeader(
    lake="tsho",
    lake_name="Tsho",
    track="T121",
    orbit_state="descending",
    crs="EPSG:32645",
    transform=(SPACING_M, 0.0, WEST_M, 0.0, -SPACING_M, NORTH_M),
    shape=(ROWS, COLUMNS),
    model_name="tiny",
    model_sha256="ab" * 32,
    settings="{}",
    settings_digest="s1",
    simulated=True,
)
TEN = (15, 10, 25, 20)
"""A lake of ten by ten pixels: first column, first row, last column and row, exclusive."""


@dataclass(frozen=True)
class Look:
    """One pass: its truth, and what the store makes of it.

    `lake` is the true lake as first and last columns and rows, `stored` what the store calls lake (None: the
    true one), `unknown` what it did not see.
    """

    day: date
    lake: tuple[int, int, int, int] = TEN
    stored: tuple[int, int, int, int] | None = None
    unknown: tuple[int, int, int, int] | None = None
    state: str = "open"
    flags: int = 0
    acquired: bool = True
    is_stored: bool = True
    has_area: bool = True
    damage: str = ""
    made_of: str = ""
    told: LakeState | None = None

    @property
    def pass_id(self) -> str:
        return f"T121_S1A_{self.day:%Y%m%d}"

    @property
    def granule(self) -> str:
        return f"G{self.day:%Y%m%d}"

    @property
    def time(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 0, 11, 30, tzinfo=UTC)

    @property
    def visible_px(self) -> int:
        return int((mask(self.lake) & ~mask(self.unknown)).sum())

    @property
    def surface(self) -> Surfaces:
        """Classes (y, x) as the store holds them."""
        found = np.zeros((ROWS, COLUMNS), np.uint8)
        found[mask(self.lake if self.stored is None else self.stored)] = Surface.LAKE
        found[mask(self.unknown)] = Surface.UNKNOWN
        return found


def mask(corners: tuple[int, int, int, int] | None) -> NDArray[np.bool_]:
    """Pixels (y, x) of a rectangle; none of None."""
    found = np.zeros((ROWS, COLUMNS), bool)
    if corners is not None:
        left, top, right, bottom = corners
        found[top:bottom, left:right] = True
    return found


def in_degrees(pixels: Polygon) -> Polygon:
    """Bring a polygon from (column, row) to longitude/latitude."""
    to_degrees = Transformer.from_crs(HEADER.crs, "EPSG:4326", always_xy=True)

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        metres = WEST_M + SPACING_M * xy[:, 0], NORTH_M - SPACING_M * xy[:, 1]
        return np.column_stack(to_degrees.transform(*metres))

    moved: Polygon = transform(pixels, place)
    return moved


def every(days: int, n: int, **options: object) -> list[Look]:
    """Looks every few days from June 2022."""
    first = date(2022, 6, 1)
    return [Look(first + timedelta(days=days * one), **options) for one in range(n)]  # type: ignore[arg-type]


def two_summers(n: int = 4) -> list[Look]:
    """Perfect looks at a lake that does not change, in June of 2022 and of 2023."""
    return [*every(5, n), *(replace(one, day=one.day.replace(year=2023)) for one in every(5, n))]


def write_truth(
    archive: Path,
    looks: Sequence[Look],
    events: Sequence[Happening] = (),
    *,
    lake: str = "tsho",
    pools: Sequence[Outline] = (),
) -> Path:
    """Write the truth of an archive with one lake and one track."""
    shores = {corners: number for number, corners in enumerate(dict.fromkeys(one.lake for one in looks))}
    write_outlines(
        archive,
        [
            *pools,
            *(
                Outline(
                    lake,
                    number,
                    area_m2(corners),
                    in_degrees(box(*corners)) if mask(corners).any() else Polygon(),
                )
                for corners, number in shores.items()
            ),
        ],
    )
    write_table(archive, "daily", [_day(lake, one, shores[one.lake]) for one in looks])
    write_table(archive, "passes", [_pass(lake, one, shores[one.lake]) for one in looks])
    made = [
        Made(one.granule, "b", "S1A", one.time, one.time, 9.0, False, one.damage)
        for one in looks
        if one.acquired
    ]
    write_table(archive, "granules", made)
    write_table(archive, "events", events)
    return archive


def area_m2(corners: tuple[int, int, int, int]) -> float:
    """Area of a rectangle, m2."""
    return float(mask(corners).sum()) * PIXEL_M2


def _day(lake: str, one: Look, outline_id: int) -> Day:
    area = area_m2(one.lake)
    return Day(lake, one.day, one.state, 0.0, 4500.0, area, area, 0.0, outline_id, "")


def _pass(lake: str, one: Look, outline_id: int) -> Pass:
    area, visible = area_m2(one.lake), one.visible_px * PIXEL_M2
    return Pass(
        lake=lake,
        track="T121",
        pass_id=one.pass_id,
        sensor="S1A",
        sensing_start=one.time,
        acquired=one.acquired,
        state=one.state,
        ice_fraction=0.0,
        lake_area_m2=area,
        open_water_m2=area,
        outline_id=outline_id,
        event="",
        wind_m_per_s=3.0,
        visible_fraction=visible / area if area else 1.0,
        visible_area_m2=visible,
        granules=one.granule if one.acquired else "",
    )


def write_store(
    path: Path, looks: Sequence[Look], header: SeriesHeader = HEADER, failed: Sequence[Look] = ()
) -> str:
    """Write the store of those looks that are stored; its address."""
    kept = [one for one in looks if one.acquired and one.is_stored]
    reasons = {one.pass_id: {"kind": "unreadable", "reason": "no pixel could be read"} for one in failed}
    told = {one.pass_id: one.told for one in kept if one.told is not None}

    def derive(rows: xr.Dataset) -> dict[str, NDArray[np.uint8]]:
        states = [told.get(str(name), LakeState.UNKNOWN) for name in rows["pass_id"].values]
        return {"state": np.array(states, "uint8")}

    store = Store.create(str(path))
    store.commit(Batch(header, _packed(kept), reasons, derive if told else None))
    return str(path)


def _packed(looks: Sequence[Look]) -> xr.Dataset:
    surface = np.stack([one.surface for one in looks])
    lower = (surface == Surface.LAKE).sum(axis=(1, 2)) * PIXEL_M2
    unseen = np.array([mask(one.lake).sum() - one.visible_px for one in looks]) * PIXEL_M2
    share = np.array([one.visible_px / max(1, mask(one.lake).sum()) for one in looks])
    has_area = np.array([one.has_area for one in looks])
    noise_db = np.random.default_rng(0).normal(0, 1, surface.shape)
    db = np.where(surface == Surface.LAKE, -20.0, -8.0) + noise_db
    values = {
        "area_m2": np.where(has_area, lower, np.nan),
        "area_lower_m2": lower.astype("float64"),
        "area_upper_m2": (lower + unseen).astype("float64"),
        "area_sigma_m2": np.where(has_area, 2 * PIXEL_M2, np.nan),
        "valid_fraction": share.astype("float32"),
        "shadow_fraction": np.zeros(len(looks), "float32"),
        "flags": np.array([one.flags for one in looks], "uint8"),
        "pass_id": np.array([one.pass_id for one in looks], dtype=object),
        "version": np.array([f"v{one.day:%Y%m%d}" for one in looks], dtype=object),
        "granules": np.array([one.made_of or one.granule for one in looks], dtype=object),
        "water_probability": np.where(surface == Surface.LAKE, 225, 25).astype("uint8"),
        "surface": surface,
        "gamma0_vv_db": np.round(db / 0.01).astype("int16"),
    }
    times = np.array([int(one.time.timestamp()) for one in looks], "int64")
    found = xr.Dataset(coords={"time": ("time", times)})
    return found.assign({name: (BY_NAME[name].dims, some) for name, some in values.items()})
