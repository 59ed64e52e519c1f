"""Write what is installed in the running environment as pins; `make constraints` calls it."""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path

NOT_PINNED = {"glaciolake", "pip", "wheel"}
HEAD = "# One resolution that was installed and tested together (Python {}). Written by 'make constraints'.\n"


def pins() -> list[str]:
    """Name and version of every installed package, without local labels such as ``+cpu``."""
    found = {one.name: one.version.partition("+")[0] for one in distributions()}
    return sorted((f"{n}=={v}" for n, v in found.items() if n.lower() not in NOT_PINNED), key=str.lower)


if __name__ == "__main__":
    major, minor = sys.version_info[:2]
    target = Path(__file__).parent / f"py{major}{minor}.txt"
    target.write_text(HEAD.format(f"{major}.{minor}") + "\n".join(pins()) + "\n")
