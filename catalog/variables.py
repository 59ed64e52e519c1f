"""The one table of what is stored: names, dimensions, units, dtype, fill, meaning.

The writer, the reader, the documentation and the tests all read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

import numpy as np

STORE_VERSION = 2
"""Written in the root's attributes; a store of another version is refused, never guessed at."""


class Flag(IntFlag):
    """States of a slice, stored as bits; a flagged slice is not lake loss."""

    INCOMPLETE = 1
    SHADOWED = 2
    FROZEN_SEASON = 4
    TOUCHES_EDGE = 8


class LakeState(IntEnum):
    """What the surface of a lake is in a slice, as told from backscatter, history and season.

    A freezing or thawing lake is partly under ice, a windy one is open. In a shadowed slice terrain hides too
    much of the lake, in an incomplete one data lack; an unknown one can be water or ice.
    """

    OPEN = 0
    FREEZING = 1
    FROZEN = 2
    THAWING = 3
    WINDY = 4
    SHADOWED = 5
    INCOMPLETE = 6
    UNKNOWN = 255


class Surface(IntEnum):
    """Classes of a pixel."""

    LAND = 0
    OTHER_WATER = 1
    LAKE = 2
    UNKNOWN = 255


@dataclass(frozen=True)
class Variable:
    """One stored variable.

    Attributes
    ----------
    name
        Name in the store.
    dims
        Dimensions, in order.
    dtype
        Type on disk.
    units
        CF unit after decoding; "" for text.
    fill
        Value on disk that means "no data"; None where every value is data.
    scale
        Decoded = stored * scale; None where stored and decoded are the same.
    meaning
        CF long name.
    derived
        Whether it is no measurement of one slice but a function of all current slices of its series, made
        anew with every commit; see `glaciolake.catalog.store.Batch`.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    units: str
    fill: float | int | None
    scale: float | None
    meaning: str
    derived: bool = False


TIME_UNITS = "seconds since 1970-01-01T00:00:00"
SLICE = ("time",)
PIXEL = ("time", "y", "x")

VARIABLES: tuple[Variable, ...] = (
    Variable(
        "area_m2",
        SLICE,
        "float64",
        "m2",
        np.nan,
        None,
        "lake area that was seen as water",
    ),
    Variable(
        "area_lower_m2", SLICE, "float64", "m2", np.nan, None, "area if all unseen lake pixels were dry"
    ),
    Variable(
        "area_upper_m2", SLICE, "float64", "m2", np.nan, None, "area if all unseen lake pixels were water"
    ),
    Variable("area_sigma_m2", SLICE, "float64", "m2", np.nan, None, "1 sigma of the outline at this spacing"),
    Variable("valid_fraction", SLICE, "float32", "1", np.nan, None, "share of the reference outline seen"),
    Variable(
        "shadow_fraction",
        SLICE,
        "float32",
        "1",
        np.nan,
        None,
        "share of it in radar shadow or layover",
    ),
    Variable(
        "wet_fraction", SLICE, "float32", "1", np.nan, None, "share of the reference outline seen as lake"
    ),
    Variable("area_wet_m2", SLICE, "float64", "m2", np.nan, None, "lake area within the reference outline"),
    Variable(
        "area_unsure_m2",
        SLICE,
        "float64",
        "m2",
        np.nan,
        None,
        "sum of p (1 - p) over the pixels in and around the lake, p their probability of water",
    ),
    Variable(
        "terrain_mask", SLICE, "uint8", "", None, None, "1 where all granules came with a layover/shadow mask"
    ),
    Variable("flags", SLICE, "uint8", "", None, None, "states of the slice"),
    Variable("lake_vv_db", SLICE, "float32", "dB", np.nan, None, "median VV of the lake away from its shore"),
    Variable("lake_vh_db", SLICE, "float32", "dB", np.nan, None, "the same in VH, where it was recorded"),
    Variable("lake_vv_spread_db", SLICE, "float32", "dB", np.nan, None, "spread of VV there, 1 sigma"),
    Variable("lake_vh_spread_db", SLICE, "float32", "dB", np.nan, None, "spread of VH there, 1 sigma"),
    Variable("land_vv_db", SLICE, "float32", "dB", np.nan, None, "median VV of the land around the lake"),
    Variable("state", SLICE, "uint8", "", 255, None, "state of the lake's surface", derived=True),
    Variable(
        "ice_probability",
        SLICE,
        "float32",
        "1",
        np.nan,
        None,
        "probability of ice on a tenth of the lake or more",
        derived=True,
    ),
    Variable(
        "visible_fraction",
        SLICE,
        "float32",
        "1",
        np.nan,
        None,
        "share of the lake that terrain leaves to be seen, by masks or by the track's earlier slices",
        derived=True,
    ),
    Variable(
        "area_corrected_m2",
        SLICE,
        "float64",
        "m2",
        np.nan,
        None,
        "lake area comparable between tracks: area_m2 / visible_fraction",
        derived=True,
    ),
    Variable(
        "area_lower_90_m2",
        SLICE,
        "float64",
        "m2",
        np.nan,
        None,
        "lower bound of the 90 % interval of the whole lake's area",
        derived=True,
    ),
    Variable("area_upper_90_m2", SLICE, "float64", "m2", np.nan, None, "upper bound of it", derived=True),
    Variable("pass_id", SLICE, "str", "", None, None, "track, sensor, local day: its identity"),
    Variable("version", SLICE, "str", "", None, None, "digest of granules, model and settings"),
    Variable("granules", SLICE, "str", "", None, None, "granules it was made of"),
    Variable(
        "granules_created",
        SLICE,
        "float64",
        TIME_UNITS,
        np.nan,
        None,
        "when the newest of them was processed",
    ),
    Variable("water_probability", PIXEL, "uint8", "1", 255, 0.004, "probability of water"),
    Variable("surface", PIXEL, "uint8", "", 255, None, "class of the pixel"),
    Variable("gamma0_vv_db", PIXEL, "int16", "dB", -32768, 0.01, "despeckled VV gamma nought"),
)

BY_NAME = {variable.name: variable for variable in VARIABLES}


def attributes(variable: Variable) -> dict[str, object]:
    """CF attributes of a variable as they are written.

    Parameters
    ----------
    variable
        A row of the table.

    Returns
    -------
    dict
        ``long_name``, ``units``, flag meanings, ``grid_mapping`` and packing.
    """
    found: dict[str, object] = {"long_name": variable.meaning}
    if variable.units:
        found["units"] = variable.units
    if variable.dims == PIXEL:
        found["grid_mapping"] = "spatial_ref"
    if variable.fill is not None and variable.dtype != "float64" and variable.dtype != "float32":
        found["_FillValue"] = np.dtype(variable.dtype).type(variable.fill)
    if variable.scale is not None:
        found["scale_factor"] = variable.scale
    if variable.name == "flags":
        found["flag_masks"] = [int(flag) for flag in Flag]
        found["flag_meanings"] = " ".join(str(flag.name).lower() for flag in Flag)
    if variable.name == "state":
        states = [one for one in LakeState if one is not LakeState.UNKNOWN]
        found["flag_values"] = [int(one) for one in states]
        found["flag_meanings"] = " ".join(one.name.lower() for one in states)
    if variable.name == "surface":
        classes = [one for one in Surface if one is not Surface.UNKNOWN]
        found["flag_values"] = [int(one) for one in classes]
        found["flag_meanings"] = " ".join(one.name.lower() for one in classes)
    return found
