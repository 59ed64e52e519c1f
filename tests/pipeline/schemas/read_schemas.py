"""Take the schemas of STAC extensions out of the source packages that recorded them.

``pip download --no-deps --no-binary :all: -d build/sdists pystac-ext-mlm ...`` (see README.md), then, from
the repository root, ``python tests/pipeline/schemas/read_schemas.py build/sdists/*.tar.gz``. The tests of the
packages replay what the own addresses of the extensions answered; wheels do not hold it.
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
WANTED = {
    "https://proj.org/en/latest/schemas/v0.4/projjson.schema.json": "projjson-v0.4",
    **{
        f"https://stac-extensions.github.io/{name.replace('-', '/')}/schema.json": name
        for name in (
            "classification-v2.0.0",
            "datacube-v2.2.0",
            "file-v2.1.0",
            "mlm-v1.4.0",
            "processing-v1.1.0",
            "projection-v2.0.0",
            "raster-v1.1.0",
            "sat-v1.0.0",
        )
    },
}
"""Address, as it was asked for in the end, -> name of the file."""


def recorded(package: str) -> Iterator[tuple[str, Any]]:
    """Addresses and answers that the tests of a source package have recorded."""
    with tarfile.open(package) as archive:
        for member in archive:
            content = archive.extractfile(member) if "/cassettes/" in member.name else None
            for one in yaml.safe_load(content)["interactions"] if content else ():
                yield one["request"]["uri"], one["response"]["body"]["string"]


def main(packages: list[str]) -> None:
    """Write every wanted schema that one of the packages holds."""
    for package in packages:
        for address, answer in recorded(package):
            if address in WANTED:
                path = HERE / f"{WANTED[address]}.json"
                path.write_text(json.dumps(json.loads(answer), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
