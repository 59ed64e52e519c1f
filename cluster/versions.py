"""Versions: whose parts may work together, and a sentence where they may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distributed.versions import get_versions

from glaciolake.cluster.errors import ClusterError

PACKAGE = "glaciolake"
EXACT = ("dask", "distributed", "cloudpickle", PACKAGE)
"""Packages whose versions must be equal everywhere: what travels between processes depends on them."""
FIRST_TWO = ("python", "numpy")
"""Packages of which the first two numbers must be equal."""
ADVICE = "Install the same versions everywhere, best from one image"

Packages = Mapping[str, str | None]
"""Name of a package to its version, None where it is not installed."""


def versions_here() -> dict[str, str | None]:
    """Versions in this process of the packages that have to agree."""
    found = get_versions(packages=[PACKAGE])["packages"]
    return {package: found.get(package) for package in (*EXACT, *FIRST_TWO)}


def differences(ours: Packages, theirs: Packages, *, passes_on: bool = False) -> list[str]:
    """Name what differs, with both versions.

    Parameters
    ----------
    ours
        Versions here.
    theirs
        Versions there.
    passes_on
        Whether it is a scheduler, which only passes messages on and needs neither numpy nor us.

    Returns
    -------
    list of str
        Such as ``dask 2026.3.0 (here 2026.8.0)``; empty where all agree.
    """
    found = []
    for package in (*EXACT, *FIRST_TWO):
        if passes_on and package in (PACKAGE, "numpy"):
            continue
        there, here = theirs.get(package), ours.get(package)
        if _told(package, there) != _told(package, here):
            found.append(f"{package} {there or 'missing'} (here {here or 'missing'})")
    return found


def check_versions(versions: Mapping[str, Any]) -> None:
    """Refuse a cluster whose parts would misread each other's messages.

    Parameters
    ----------
    versions
        What `distributed.Client.get_versions` returns: ``client``, ``scheduler`` and, by address,
        ``workers``, each with ``packages``: name to version, None where it is not installed.

    Raises
    ------
    ClusterError
        Names the package, both versions and where they are.
    """
    ours: Packages = versions["client"]["packages"]
    others = {"the scheduler": versions["scheduler"]} | {
        f"worker {address}": said for address, said in sorted(versions["workers"].items())
    }
    found: dict[str, list[str]] = {}
    for where, said in others.items():
        theirs: Packages = said["packages"] if isinstance(said, Mapping) else {}
        for text in differences(ours, theirs, passes_on=where == "the scheduler"):
            found.setdefault(text, []).append(where)
    if found:
        told = "; ".join(f"{text} on {_places(places)}" for text, places in found.items())
        raise ClusterError(f"versions differ: {told}. {ADVICE}")


def _told(package: str, version: str | None) -> str | None:
    """Part of a version that has to agree."""
    if version is None or package in EXACT:
        return version
    return ".".join(version.split(".")[:2])


def _places(places: list[str]) -> str:
    return places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"
