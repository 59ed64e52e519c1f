"""Write docs/variables.md from the one table of what is stored; `make docs` calls it."""

from __future__ import annotations

from pathlib import Path

from glaciolake.catalog.variables import STORE_VERSION, VARIABLES, Flag, Surface, Variable

PAGE = Path(__file__).parent / "variables.md"
FLAG_MEANINGS = {
    Flag.INCOMPLETE: "more than a tenth of the reference outline has no data; the area is what was seen",
    Flag.SHADOWED: "more than a tenth of it lies in radar shadow or layover, at every pass of the track",
    Flag.FROZEN_SEASON: "the calendar's frozen months at this elevation; ice looks like land or like water",
    Flag.TOUCHES_EDGE: "the lake reaches a pixel that was not seen, or the rim of the area read",
}
SURFACE_MEANINGS = {
    Surface.LAND: "seen, and no water",
    Surface.OTHER_WATER: "water that is not connected to the lake",
    Surface.LAKE: "water connected to the reference outline",
    Surface.UNKNOWN: "no data, shadow or layover: neither land nor water",
}


def markdown() -> str:
    """Text of the page."""
    lines = [
        "# What is stored",
        "",
        "Written by `make docs` from `catalog/variables.py`; a test fails when it is out of date.",
        "",
        f"Store version {STORE_VERSION}: icechunk repository, Zarr v3, a group `<lake>/<track>`. Read it",
        "with `glaciolake.open_lake`: coordinates `time` (sensing start, UTC), `y`, `x` (metres, pixel",
        "centres) and `spatial_ref` (CF grid mapping); packing and fill values are decoded: what you see has",
        "the units below, and NaN for no data. How it lies on disk: `design/store.md`.",
        "",
        "| variable | dimensions | on disk | unit | meaning |",
        "|---|---|---|---|---|",
        *map(_row, VARIABLES),
        "",
        "## Flags",
        "",
        "| bit | word | meaning |",
        "|---|---|---|",
        *(f"| {flag.value} | `{str(flag.name).lower()}` | {FLAG_MEANINGS[flag]} |" for flag in Flag),
        "",
        "## Classes of `surface`",
        "",
        "| value | word | meaning |",
        "|---|---|---|",
        *(f"| {one.value} | `{one.name.lower()}` | {SURFACE_MEANINGS[one]} |" for one in Surface),
    ]
    return "\n".join(lines) + "\n"


def _row(variable: Variable) -> str:
    packing = f" x {variable.scale:g}" if variable.scale is not None else ""
    fill = "" if variable.fill is None else f", {variable.fill:g} = no data".replace("nan", "NaN")
    dims = ", ".join(variable.dims)
    disk = f"{variable.dtype}{packing}{fill}"
    return f"| `{variable.name}` | {dims} | {disk} | {variable.units} | {variable.meaning} |"


if __name__ == "__main__":
    PAGE.write_text(markdown())
