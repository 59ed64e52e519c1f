"""One task: read some passes of a lake and track, and measure the lake in each."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from rasterio.errors import RasterioError

from glaciolake.catalog.store_layout import SeriesHeader
from glaciolake.catalog.variables import BY_NAME, Flag
from glaciolake.pipeline.despeckle import enhanced_lee, lee
from glaciolake.pipeline.errors import PipelineError, UnreadableGranule
from glaciolake.pipeline.lakes import METRICS, Target, frozen_season, measure
from glaciolake.pipeline.load import empty_slices, open_cube
from glaciolake.pipeline.mask import hide_invalid
from glaciolake.pipeline.normalise import images_for
from glaciolake.pipeline.outline import beyond_px, outline_mask
from glaciolake.pipeline.packing import pack_db, pack_probability, pack_seconds, pack_text
from glaciolake.pipeline.passes import Pass
from glaciolake.pipeline.pending import failure, slice_version
from glaciolake.pipeline.plan import Piece
from glaciolake.pipeline.recipe import Recipe
from glaciolake.pipeline.segment import segment_series
from glaciolake.pipeline.state_levels import BANDS, surface_levels, zones_of
from glaciolake.pipeline.unsure import UNSURE, area_unsure
from glaciolake.pipeline.waterbodies import WITHIN, within_outline

logger = logging.getLogger(__name__)

READ_ERRORS = (UnreadableGranule, RasterioError, RuntimeError, OSError)
"""What the three readers raise of a file: ours the first, odc-stac the second, stackstac the third."""
ATTEMPTS = 2
"""Times a piece is read again when no single pass of it is at fault: the network stumbled."""

Failures = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Prepared:
    """Images of a piece, ready for the network, and what the lakes step needs beside its answer.

    Attributes
    ----------
    power
        Despeckled linear power (time, y, x) of the model's bands, float32, NaN is unknown.
    images
        (time, channel, y, x), 0 to 1 (1), float32, NaN is unknown.
    shadow
        (time, y, x) bool, hidden by terrain.
    levels
        Of `surface_levels`, (time).
    passes
        One per slice.
    """

    power: xr.Dataset
    images: xr.DataArray
    shadow: xr.DataArray
    levels: xr.Dataset
    passes: tuple[Pass, ...]


@dataclass(frozen=True)
class Outcome:
    """Small result of a piece, ready to be committed.

    Attributes
    ----------
    header
        The series.
    slices
        Packed as they lie in the store; None where no pass could be used.
    failed
        Pass id -> kind and reason.
    seconds
        Wall time on the worker.
    """

    header: SeriesHeader
    slices: xr.Dataset | None
    failed: Mapping[str, Mapping[str, str]]
    seconds: float = 0.0

    @property
    def n_passes(self) -> int:
        """Passes it accounts for, failed ones included."""
        return len(self.failed) + (0 if self.slices is None else self.slices.sizes["time"])


def process(piece: Piece) -> Outcome:
    """Do a whole piece in one task: read, despeckle, normalise, segment, measure."""
    return finish(piece, prepare(piece))


def prepare(piece: Piece) -> tuple[Prepared | None, Failures, float]:
    """Read and filter the slices of a piece; the part that needs no network.

    Returns
    -------
    prepared : Prepared or None
        None where no pass could be used.
    failed : dict
        Pass id -> kind, reason and version, for passes that could not be read or hold no data.
    seconds : float
        Wall time.
    """
    begun = time.perf_counter()
    failed: Failures = {}
    try:
        prepared = _prepare(piece, failed)
    except PipelineError as error:
        prepared = None
        for one in piece.passes:
            failed.setdefault(one.id, failed_pass(piece, one, "unusable", str(error)))
    return prepared, failed, time.perf_counter() - begun


def _prepare(piece: Piece, failed: Failures) -> Prepared | None:
    passes = _readable(piece, failed)
    if passes is None:
        return None
    cube, kept = passes
    recipe = piece.recipe
    # The network learned on scenes without a mask: it is shown layover as it was there, and what it says of
    # layover is dropped afterwards. Blanked beforehand, a shore beside it was taken for land.
    seen = hide_invalid(cube, hide_layover=False)
    power = _despeckle(seen[list(recipe.spec.bands)], piece, kept)
    zones = zones_of(outline_mask(recipe.lake.outline, piece.grid), abs(piece.header.transform[0]))
    levels = surface_levels(hide_invalid(cube), zones)
    return Prepared(power, images_for(power, recipe.spec), _behind_terrain(cube, recipe), levels, kept)


def _behind_terrain(cube: xr.Dataset, recipe: Recipe) -> xr.DataArray:
    """Pixels (time, y, x), bool, that terrain hides, layover among them where the settings say so."""
    hidden = hide_invalid(cube, hide_layover=recipe.config.hide_layover)
    if "shadow" in hidden:
        return hidden["shadow"]
    return xr.zeros_like(cube[recipe.spec.bands[0]], dtype=bool)


def finish(piece: Piece, prepared: tuple[Prepared | None, Failures, float]) -> Outcome:
    """Run the network over prepared slices and measure the lake; the part a GPU worker takes.

    Raises
    ------
    ModelError
        The network cannot be loaded or refuses the images; that is no fault of a scene.
    """
    begun = time.perf_counter()
    ready, failed, seconds = prepared
    slices = None
    if ready is not None:
        recipe = piece.recipe
        starts = [one.time for one in ready.passes]
        water = segment_series(ready.images, starts, recipe, piece.header).where(~ready.shadow)
        target = Target(
            outline_mask(recipe.lake.outline, piece.grid),
            abs(piece.header.transform[0]),
            recipe.spec.threshold,
            recipe.config.rules,
            beyond_px(recipe.lake.outline, piece.grid),
        )
        found = measure(water, ready.shadow, target)
        found = found.assign(within_outline(found["surface"], target))
        found = found.assign(area_unsure(water, found["surface"], target))
        slices = pack(piece, ready, water, found)
    seconds += time.perf_counter() - begun
    logger.info(
        "done series=%s/%s slices=%d failed=%d seconds=%.2f",
        *(piece.header.lake, piece.header.track, len(piece.passes), len(failed), seconds),
    )
    return Outcome(piece.header, slices, failed, seconds)


def failed_pass(piece: Piece, one: Pass, kind: str, reason: str) -> dict[str, str]:
    """Entry of the quarantine for one pass of a piece."""
    return failure(kind, reason, slice_version(one, piece.header))


def _readable(piece: Piece, failed: Failures) -> tuple[xr.Dataset, tuple[Pass, ...]] | None:
    """Read what can be read; a broken file takes its own pass out of the piece, and no other."""
    passes = list(piece.passes)
    for _ in range(len(passes) + ATTEMPTS):
        if not passes:
            return None
        try:
            return _with_data(piece, _load(piece, passes), passes, failed)
        except READ_ERRORS as error:
            for one, reason in _broken(piece, passes, error):
                failed[one.id] = failed_pass(piece, one, "unreadable", reason)
                passes.remove(one)
    raise PipelineError(f"{len(passes)} passes could not be read together, and each alone could; run again")


def _load(piece: Piece, passes: Sequence[Pass]) -> xr.Dataset:
    bands = piece.recipe.spec.bands
    cube = open_cube(
        passes,
        piece.grid,
        bands=tuple(dict.fromkeys((*bands, *BANDS))),
        slices_per_chunk=len(passes),
        backend=piece.recipe.config.backend,
    )
    missing = [band for band in bands if band not in cube]
    if missing:
        raise PipelineError(f"none of these passes has {missing}, which model {piece.recipe.spec.name} needs")
    return cube.load(scheduler="synchronous")


def _broken(piece: Piece, passes: Sequence[Pass], error: Exception) -> list[tuple[Pass, str]]:
    """Find whose fault an error is: our reader names the granule, the others' passes are tried one by one."""
    if isinstance(error, UnreadableGranule):
        guilty = [one for one in passes if any(granule.name == error.granule for granule in one.granules)]
        if guilty:
            return [(one, str(error)) for one in guilty]
    if len(passes) == 1:
        return [(passes[0], f"{', '.join(g.name for g in passes[0].granules)}: {error}")]
    found: list[tuple[Pass, str]] = []
    for one in passes:
        try:
            _load(piece, [one])
        except READ_ERRORS as own:
            found += _broken(piece, [one], own)
    return found


def _with_data(
    piece: Piece, cube: xr.Dataset, passes: list[Pass], failed: Failures
) -> tuple[xr.Dataset, tuple[Pass, ...]] | None:
    empty = empty_slices(cube[list(piece.recipe.spec.bands)]).values
    for one in (one for one, nothing in zip(passes, empty, strict=True) if nothing):
        files = ", ".join(granule.name for granule in one.granules)
        failed[one.id] = failed_pass(piece, one, "empty", f"no pixel with data over the lake in {files}")
    kept = tuple(one for one, nothing in zip(passes, empty, strict=True) if not nothing)
    return (cube.isel(time=~empty), kept) if kept else None


def _despeckle(power: xr.Dataset, piece: Piece, passes: Sequence[Pass]) -> xr.Dataset:
    """Filter the slices that want it: each by itself, so that its neighbours in the piece do not show."""
    how = piece.recipe.config.despeckle
    done = [how.method == "auto" and all(granule.filtered for granule in one.granules) for one in passes]
    if how.method == "none" or all(done):
        return power
    if how.method == "enhanced_lee":
        smooth = power.map(enhanced_lee, window_px=how.window_px, looks=how.looks, damping=how.damping)
    else:
        smooth = power.map(lee, window_px=how.window_px, looks=how.looks)
    return power.where(xr.DataArray(done, dims="time"), smooth) if any(done) else smooth


def pack(piece: Piece, ready: Prepared, water: xr.DataArray, found: xr.Dataset) -> xr.Dataset:
    """Bring results into the form in which they are stored.

    Parameters
    ----------
    piece
        Where they belong.
    ready
        Despeckled power and passes.
    water
        Probability (time, y, x), 0 to 1 (1), float32, NaN is unknown.
    found
        Of `measure`, `within_outline` and `area_unsure`.

    Returns
    -------
    xr.Dataset
        Every measured variable of `glaciolake.catalog.variables`, packed; ``time`` is int64 seconds since
        1970, UTC.
    """
    times = [pack_seconds(one.time) for one in ready.passes]
    winter = frozen_season(
        np.array(times, dtype="datetime64[s]"), piece.recipe.lake.elevation_m, piece.recipe.config.rules
    )
    packed = xr.Dataset(ready.levels.data_vars, {"time": ("time", np.array(times, dtype="int64"))})
    for name in (*METRICS, *WITHIN, *UNSURE):
        packed[name] = ("time", found[name].values.astype(BY_NAME[name].dtype))
    packed["flags"] = packed["flags"] | np.where(winter, np.uint8(Flag.FROZEN_SEASON), np.uint8(0))
    packed["pass_id"] = ("time", pack_text(one.id for one in ready.passes))
    packed["version"] = ("time", pack_text(slice_version(one, piece.header) for one in ready.passes))
    packed["granules"] = ("time", pack_text(" ".join(g.name for g in one.granules) for one in ready.passes))
    masked = [all(g.href("mask") for g in one.granules) for one in ready.passes]
    packed["terrain_mask"] = ("time", np.array(masked, dtype="uint8"))
    created = [
        max((pack_seconds(g.created) for g in one.granules if g.created), default=np.nan)
        for one in ready.passes
    ]
    packed["granules_created"] = ("time", np.array(created, dtype="float64"))
    packed["surface"] = (("time", "y", "x"), found["surface"].values)
    packed["water_probability"] = (("time", "y", "x"), pack_probability(water.values))
    packed["gamma0_vv_db"] = (("time", "y", "x"), pack_db(ready.power["vv"].values))
    return packed
