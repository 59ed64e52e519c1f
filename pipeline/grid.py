"""The grid of a lake and track: the granules' own lattice, cut to the area of interest.

A lattice is a reference system, a spacing and a phase. OPERA snaps every burst to multiples of 30 m; HyP3
crops start at fractional metres. Granules on one lattice stack by whole pixels, so nothing is resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from shapely.geometry import Polygon

from glaciolake.catalog.granule import Granule
from glaciolake.catalog.request import Refused
from glaciolake.pipeline.errors import PipelineError

LATTICE_TOLERANCE_PX = 1e-3  # a thousandth of a pixel: far below what an outline can show
EDGE_STEP_DEG = 0.01  # about 1 km: a UTM image of such an edge bends by centimetres

Bounds = tuple[float, float, float, float]  # left, bottom, right, top, m


def native_grid(granules: Sequence[Granule], aoi: Polygon) -> GeoBox:
    """Lay the grid of one lake and track: the box of the AOI, cut to the granules' footprints.

    The grid depends on the AOI, the lattice and the footprints that touch the AOI, not on how many granules
    there are: a further date of a known burst never changes it. A burst not seen before may widen it, so a
    store passes its own grid back in and compares.

    Parameters
    ----------
    granules
        Of one lattice (see `common_lattice`), at least one.
    aoi
        Longitude/latitude polygon, degrees WGS 84.

    Returns
    -------
    GeoBox
        North-up, edges on lattice lines, rounded outwards by less than a pixel.
    """
    if not granules:
        raise PipelineError("no granules to lay a grid on; widen the dates or check the source")
    _, refused = common_lattice(granules)
    if refused:
        raise PipelineError(f"granules do not share one lattice: {_listed(refused)}; drop them first")
    first = min(granules)
    area = _projected_bounds(aoi, first.crs)
    footprints = {_footprint(granule) for granule in granules}
    touching = [footprint for footprint in footprints if _cut(area, footprint)]
    if not touching:
        raise PipelineError(
            f"the AOI {_shown(area)} lies outside the {len(footprints)} footprint(s) "
            f"{_shown(_union(list(footprints)))} ({first.crs}, left bottom right top, m); "
            "check the lake's AOI or its bursts"
        )
    return _on_lattice(first, _cut(area, _union(touching)) or area)


def series_grid(granules: Sequence[Granule], aoi: Polygon) -> GeoBox:
    """Lay the grid that a stored series keeps for good.

    The footprints of OPERA bursts are known only as far as they have been met, and a first run may meet no
    more than a neighbour's rim; so a series of bursts gets the whole box of the AOI, and what no burst covers
    is NaN. A HyP3 scene that was cropped for its lake shows all there will ever be, and cuts the box as
    `native_grid` does.

    Parameters
    ----------
    granules
        Of one lattice (see `common_lattice`), at least one that touches the AOI.
    aoi
        Longitude/latitude polygon, degrees WGS 84.

    Returns
    -------
    GeoBox
        North-up, edges on lattice lines, rounded outwards by less than a pixel.
    """
    cut = native_grid(granules, aoi)
    first = min(granules)
    return cut if first.burst is None else _on_lattice(first, _projected_bounds(aoi, first.crs))


def _on_lattice(granule: Granule, bounds: Bounds) -> GeoBox:
    """Box on a granule's lattice around bounds, m, rounded outwards."""
    left, bottom, right, top = bounds
    a, _, c, _, e, f = granule.transform
    col_start, col_stop = _outwards_px((left - c) / a, (right - c) / a)
    row_start, row_stop = _outwards_px((top - f) / e, (bottom - f) / e)
    transform = Affine(a, 0.0, c + col_start * a, 0.0, e, f + row_start * e)
    return GeoBox((row_stop - row_start, col_stop - col_start), transform, granule.crs)


def common_lattice(
    granules: Sequence[Granule], grid: GeoBox | None = None
) -> tuple[list[Granule], list[Refused]]:
    """Keep the granules of one lattice; the rest is refused with the reason, and the batch goes on.

    Parameters
    ----------
    granules
        Of one lake and track.
    grid
        Grid of an existing store, which then decides. Without one the lattice with most granules wins, and of
        two equally common ones that of the earliest granule.

    Returns
    -------
    kept : list of Granule
        In the order given.
    refused : list of Refused
        Sorted by name.
    """
    families: list[list[Granule]] = []
    for granule in sorted(granules):
        if not _aligned(granule, granule.crs, granule.transform):
            continue  # rotated or south-up: fits not even itself
        family = next((known for known in families if _same_lattice(known[0], granule)), None)
        if family is None:
            families.append([granule])
        else:
            family.append(granule)
    if grid is not None:
        kept = {granule for family in families for granule in family if on_lattice(granule, grid)}
        lattice = _lattice_text(str(grid.crs), tuple(grid.affine)[:6])
    else:
        main = max(families, key=len, default=[])  # the first of equals; families stand in order of time
        kept = set(main)
        lattice = _lattice_of(main[0]) if main else "none that is north-up"
    refused = [
        Refused(granule.name, f"lies on {_lattice_of(granule)}, the others on {lattice}")
        for granule in granules
        if granule not in kept
    ]
    return [granule for granule in granules if granule in kept], sorted(refused)


def on_lattice(granule: Granule, grid: GeoBox) -> bool:
    """Tell whether a granule's pixels fall on the grid's to a thousandth of a pixel."""
    return _aligned(granule, str(grid.crs), tuple(grid.affine)[:6])


def position_px(granule: Granule, grid: GeoBox) -> tuple[int, int]:
    """Find where a granule's first pixel lies on the grid.

    Parameters
    ----------
    granule
        On the grid's lattice; another one raises `PipelineError`.
    grid
        The cube's grid.

    Returns
    -------
    row_px, col_px : int
        Of the granule's upper left pixel; negative where the granule starts outside the grid.
    """
    if not on_lattice(granule, grid):
        raise PipelineError(
            f"{granule.name} lies on {_lattice_of(granule)}, the grid on "
            f"{_lattice_text(str(grid.crs), tuple(grid.affine)[:6])}; common_lattice() sorts it out"
        )
    a, _, c, _, e, f = granule.transform
    return round((f - grid.affine.f) / e), round((c - grid.affine.c) / a)


def _same_lattice(one: Granule, other: Granule) -> bool:
    """Tell whether two granules stack by whole pixels."""
    return _aligned(other, one.crs, one.transform)


def _aligned(granule: Granule, crs: str, transform: tuple[float, ...]) -> bool:
    """Compare reference system, spacing and phase; a rotated or south-up raster fits no lattice."""
    a, b, c, d, e, f = granule.transform
    rows, cols = granule.shape
    if b != 0 or d != 0 or a <= 0 or e >= 0 or granule.crs.upper() != crs.upper():
        return False
    drift_px = max(abs(transform[0] - a) / a * cols, abs(transform[4] - e) / -e * rows)
    phases_px = (c - transform[2]) / a, (f - transform[5]) / e
    return max(drift_px, *(abs(phase - round(phase)) for phase in phases_px)) <= LATTICE_TOLERANCE_PX


def _footprint(granule: Granule) -> Bounds:
    """Bounds of a granule, m."""
    a, _, c, _, e, f = granule.transform
    rows, cols = granule.shape
    return c, f + rows * e, c + cols * a, f


def _projected_bounds(aoi: Polygon, crs: str) -> Bounds:
    """Bounds of a lon/lat polygon in another system, m; edges are divided, for straight ones bend."""
    box = Geometry(aoi, "EPSG:4326").to_crs(crs, resolution=EDGE_STEP_DEG).boundingbox
    return box.left, box.bottom, box.right, box.top


def _cut(one: Bounds, other: Bounds) -> Bounds | None:
    """Intersection of two boxes, m; None where they share no area."""
    left, bottom = max(one[0], other[0]), max(one[1], other[1])
    right, top = min(one[2], other[2]), min(one[3], other[3])
    return (left, bottom, right, top) if left < right and bottom < top else None


def _union(boxes: Sequence[Bounds]) -> Bounds:
    """Box around boxes, m."""
    lefts, bottoms, rights, tops = zip(*boxes, strict=True)
    return min(lefts), min(bottoms), max(rights), max(tops)


def _outwards_px(start: float, stop: float) -> tuple[int, int]:
    """Whole pixels around a span; an edge that misses a lattice line by float noise lies on it."""
    return floor(start + LATTICE_TOLERANCE_PX), ceil(stop - LATTICE_TOLERANCE_PX)


def _shown(bounds: Bounds) -> str:
    """Bounds for a message, whole metres."""
    return "[" + " ".join(f"{value:.0f}" for value in bounds) + "]"


def _lattice_of(granule: Granule) -> str:
    """Describe a granule's lattice."""
    return _lattice_text(granule.crs, granule.transform)


def _lattice_text(crs: str, transform: tuple[float, ...]) -> str:
    """Describe a lattice: system, spacing, phase."""
    a, b, c, d, e, f = transform
    turned = " rotated" if b or d else ""
    return f"{crs}{turned} {a:g} x {-e:g} m, phase {c % abs(a):.3f} {f % abs(e):.3f} m"


def _listed(refused: Sequence[Refused]) -> str:
    """First of the refused, and how many more there are."""
    more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
    return "; ".join(f"{one.name} {one.reason}" for one in refused[:3]) + more
