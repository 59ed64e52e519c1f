"""Scenes of a simulated archive that training may look at beside the real ones.

Five labelled lakes teach little of a lake that is none of them. Simulated lakes are many, small ones among
them, and freeze and drain; what a network is worth is still told by real scenes alone. They are read from a
store that `glaciolake run` made of the archive, and labelled by its truth: open water that the pass can see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
import xarray as xr
from affine import Affine
from pydantic import BaseModel, ConfigDict, Field
from rasterio.features import rasterize
from rasterio.warp import transform_geom
from scipy import ndimage
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from glaciolake.catalog.lake import Lake
from glaciolake.catalog.lakes import load_lakes
from glaciolake.catalog.simulate.truth import State, Truth, read_truth
from glaciolake.catalog.store import Store
from glaciolake.catalog.store_layout import SeriesHeader
from glaciolake.models.data import PAIR_SIDE_PX, Bool, Float32, Sample, put_centre
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import Fold
from glaciolake.models.placing import LONGITUDE_LATITUDE, Grid
from glaciolake.models.spec import ModelSpec
from glaciolake.models.track.crops import Seen, seen_of
from glaciolake.models.track.record import Images, Key, Record
from glaciolake.models.track.reference import FILLED_DB, SPACING_M

FINE = 3
"""A shore is drawn on pixels so many times finer; a pixel is lake from half of them on."""
PER_TRACK = 14
"""Labelled dates taken of each lake and track: more are alike."""
APART_DEG = 0.02
"""Two kilometres: a simulated site that is nearer to a labelled lake stands for it and is left out."""
NAME = "simulated/"


class SimulatedSource(BaseModel):
    """A simulated archive, and the store that was made of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    archive: Path = Field(description="Folder that `glaciolake simulate` wrote.")
    store: str = Field(description="Store that `glaciolake run` made of it.")


@dataclass(frozen=True, eq=False)
class Simulated:
    """Simulated scenes to learn from.

    Attributes
    ----------
    samples
        Labelled ones, lakes named `NAME` and their id.
    images
        All of these lakes and tracks.
    registry
        Lake to the outline (256, 256) that the archive's registry has of it.
    """

    samples: Sequence[Sample] = ()
    images: Images = field(default_factory=dict)
    registry: Mapping[str, Bool] = field(default_factory=dict)

    _seen: dict[str, dict[Key, list[Seen]]] = field(default_factory=dict, repr=False)

    def seen(self, spec: ModelSpec) -> Mapping[Key, list[Seen]]:
        """Draw up what a network sees of the labelled scenes, by lake and track; once."""
        name = spec.model_dump_json(exclude={"name"})
        if name not in self._seen:
            record = Record(self.images, labels=self.samples, registry=self.registry)
            fold = Fold("simulated", list(self.samples), [])
            by_key: dict[Key, list[Seen]] = {}
            for one in self.samples:
                by_key.setdefault(one.key, []).append(seen_of(one, fold, record, spec))
            self._seen[name] = by_key
        return self._seen[name]

    def counts(self) -> dict[str, int]:
        """Count labelled scenes and lakes."""
        return {"scenes": len(self.samples), "lakes": len({one.lake for one in self.samples})}

    @property
    def digest(self) -> str:
        """What distinguishes it, as text."""
        found = hashlib.sha256()
        for one in self.samples:
            found.update(f"{one.lake}{one.start}".encode() + one.power.tobytes() + one.water.tobytes())
        return found.hexdigest()[:16]


def read_simulated(
    source: SimulatedSource, places: Mapping[str, tuple[float, float]], *, per_track: int = PER_TRACK
) -> Simulated:
    """Read the scenes of every simulated lake that stands for none of the labelled ones.

    Parameters
    ----------
    source
        Archive and store.
    places
        Labelled lake to longitude and latitude of its frame, degrees.
    per_track
        Labelled dates of each lake and track, drawn at random; the others are images to compare with.

    Raises
    ------
    ModelError
        Nothing of the store can be used.
    CatalogError
        Archive or store cannot be read.
    """
    truth, store = read_truth(source.archive), Store.open(source.store)
    lakes = load_lakes(source.archive / "lakes.geojson")
    samples: list[Sample] = []
    images: dict[Key, list[tuple[datetime, Float32]]] = {}
    registry: dict[str, Bool] = {}
    for lake, tracks in store.series().items():
        if lake not in lakes or _stands_for(lakes[lake], places):
            continue
        for track in tracks:
            header = store.header(lake, track)
            if header is None:
                continue
            scenes = _Scenes(store.read(lake, track), header, truth, lakes[lake])
            found = scenes.samples()
            images[NAME + lake, track] = scenes.images()
            registry.setdefault(NAME + lake, put_centre(scenes.frame(lakes[lake].outline) >= 0.5))
            order = np.random.default_rng(len(images)).permutation(len(found))[:per_track]
            samples += [found[i] for i in sorted(order)]
    if not samples:
        raise ModelError(
            f"no scene of {source.store} can be learned from: its lakes are not those of {source.archive}, "
            "or stand for the labelled ones; simulate others, and run the chain over them"
        )
    return Simulated(samples, images, registry)


def _stands_for(lake: Lake, places: Mapping[str, tuple[float, float]]) -> bool:
    """Whether a site lies where a labelled lake does."""
    centre = lake.outline.centroid
    return any(max(abs(centre.x - x), abs(centre.y - y)) < APART_DEG for x, y in places.values())


class _Scenes:
    """The scenes of one lake and track, on pixels of the chips' size."""

    def __init__(self, series: xr.Dataset, header: SeriesHeader, truth: Truth, lake: Lake) -> None:
        self.series, self.truth, self.lake = series.load(), truth, lake
        self.track, self.direction = header.track, header.orbit_state
        self.grid = Grid(header.crs, Affine(*header.transform), header.shape)
        self.zoom = abs(self.grid.transform.a) / SPACING_M
        self.starts = [_utc(moment) for moment in series["time"].values]

    def frame(self, shore: BaseGeometry) -> Float32:
        """Share (y, x) of each pixel that a shore (longitude, latitude) encloses, 0..1 (1)."""
        height, width = (round(length * self.zoom) for length in self.grid.shape)
        share = np.zeros((height, width), np.float32)
        if not shore.is_empty:
            placed = transform_geom(LONGITUDE_LATITUDE, self.grid.crs, mapping(shore))
            across, down = self.grid.shape[1] / width, self.grid.shape[0] / height
            fine = self.grid.transform @ Affine.scale(across / FINE, down / FINE)
            drawn = rasterize([placed], (height * FINE, width * FINE), transform=fine, dtype=np.uint8)
            share = drawn.reshape(height, FINE, width, FINE).mean((1, 3), dtype=np.float32)
        return _cut(share)

    def images(self) -> list[tuple[datetime, Float32]]:
        """Start and power (y, x) of every date."""
        return [(start, self._power(i)) for i, start in enumerate(self.starts)]

    def samples(self) -> list[Sample]:
        """Every date that is not frozen and whose truth is known, labelled."""
        passes = self.truth.passes
        mine = passes[(passes["lake"] == self.lake.id) & (passes["track"] == self.track)]
        mine = mine[mine["state"] != State.FROZEN]
        known = dict(zip(mine["pass_id"], map(int, mine["outline_id"]), strict=True))
        names = enumerate(map(str, self.series["pass_id"].values))
        return [self._labelled(i, known[name]) for i, name in names if name in known]

    def _labelled(self, i: int, outline_id: int) -> Sample:
        power = self._power(i)
        hidden = self._drawn_out(np.isnan(self.series["surface"].values[i]).astype(np.float32))
        shore = cast(BaseGeometry, self.truth.outlines[self.lake.id, outline_id])
        water = (self.frame(shore) >= 0.5) & (hidden < 0.5) & np.isfinite(power)
        return Sample(NAME + self.lake.id, self.starts[i], self.track, self.direction, power, water)

    def _power(self, i: int) -> Float32:
        gamma0_db = self.series["gamma0_vv_db"].values[i]
        seen = np.isfinite(gamma0_db)
        filled = self._drawn_out(np.where(seen, gamma0_db, FILLED_DB).astype(np.float32))
        whole = self._drawn_out(seen.astype(np.float32)) > 0.99
        return np.where(whole, 10 ** (filled / 10), np.nan).astype(np.float32)

    def _drawn_out(self, frame: Float32) -> Float32:
        """Bring a frame to the pixels of chips, edges on edges."""
        return _cut(ndimage.zoom(frame, self.zoom, np.float32, order=1, mode="nearest", grid_mode=True))


def _cut(frame: Float32) -> Float32:
    """Middle of a frame that is larger than those of the labels."""
    top, left = (max(0, (length - PAIR_SIDE_PX) // 2) for length in frame.shape)
    return frame[top : top + PAIR_SIDE_PX, left : left + PAIR_SIDE_PX]


def _utc(moment: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(moment.astype("datetime64[s]").astype(np.int64)), UTC)
