"""Write catalog/simulate/bursts.json: the published burst footprints over the simulated sites.

Usage: python docs/write_bursts.py FOOTPRINTS.parquet, a table with the columns jpl_burst_id and geometry
(WKB, lon/lat), such as the one of dist-s1-enumerator (Apache-2.0), which comes from OPERA's burst database.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import shapely

from glaciolake.catalog.simulate.bursts import BURSTS_FILE, TRACKS
from glaciolake.catalog.simulate.generated import PLACES
from glaciolake.catalog.simulate.sites import SITES

REACH_DEG = 0.06
"""Half a site's square and a little more."""


def main(table: Path) -> None:
    """Pick the bursts that touch any site on a track that is simulated, and write them."""
    bursts = pd.read_parquet(table)
    shapes = shapely.from_wkb(bursts["geometry"].to_numpy())
    places = [(one.longitude_deg, one.latitude_deg) for one in SITES.values()] + list(PLACES)
    squares = shapely.union_all([shapely.Point(*place).buffer(REACH_DEG) for place in places])
    kept = {
        str(name): [[round(x, 5), round(y, 5)] for x, y in shape.exterior.coords[:-1]]
        for name, shape in sorted(zip(bursts["jpl_burst_id"], shapes, strict=True))
        if int(name[1:4]) in TRACKS and shape.intersects(squares)
    }
    text = ",\n".join(f"{json.dumps(name)}: {json.dumps(corners)}" for name, corners in kept.items())
    BURSTS_FILE.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
    sys.stdout.write(f"{len(kept)} bursts: {BURSTS_FILE}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
