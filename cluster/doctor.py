"""Look the environment over and name the fix of whatever is wrong; each check is given its facts."""

from __future__ import annotations

import netrc
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from dask.system import CPU_COUNT
from distributed.system import MEMORY_LIMIT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from glaciolake.cluster import facts

PACKAGE = "glaciolake"
LOGIN_HOST = "urs.earthdata.nasa.gov"
ARCHIVE_HOSTS = ("cmr.earthdata.nasa.gov", "cumulus.asf.earthdatacloud.nasa.gov")
KEYS = {
    "s3": "AWS_ACCESS_KEY_ID",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME",
    "abfs": "AZURE_STORAGE_ACCOUNT_NAME",
}
"""Schemes of the buckets that a store can lie in, and the first variable that access to them needs."""
GIB = 2**30
ENOUGH_DISK_BYTES, LEAST_DISK_BYTES = 10 * GIB, GIB
ENOUGH_MEMORY_BYTES = 2 * GIB
"""A core: a worker's imports, its network and a batch of slices."""

Installed = Callable[[str], str | None]
"""Name of a package to its version, None where it is not installed."""


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes
    ----------
    name
        What was looked at.
    state
        ``ok``; ``warn``: some things will not work or will be slow; ``fail``: a run will not work.
    found
        What was found; never a secret.
    fix
        What to do about it; empty where all is well.
    """

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


def examine(
    store: str | Path = ".", scheduler: str | None = None, *, hosts: Sequence[str] = ARCHIVE_HOSTS
) -> list[Check]:
    """Look over this machine, and a scheduler where one is given.

    Parameters
    ----------
    store
        Where results are to go: a path or the address of a bucket; need not exist.
    scheduler
        Address of a Dask scheduler to try; None tries none.
    hosts
        Hosts of the archive to try to reach.

    Returns
    -------
    list of Check
        In the order in which to fix them.
    """
    requirements = metadata.requires(PACKAGE) or []
    python = ".".join(map(str, sys.version_info[:3]))
    return [
        check_python(python, metadata.metadata(PACKAGE)["Requires-Python"]),
        check_packages(requirements, facts.installed_version),
        check_engines(requirements, facts.installed_version),
        check_weights(facts.weights_folder(PACKAGE)),
        *check_gdal(*facts.gdal_facts()),
        check_store(str(store)),
        check_memory(MEMORY_LIMIT, CPU_COUNT),
        check_credentials(os.environ, Path.home()),
        check_network({host: facts.reach_error(host) for host in hosts}),
        check_scheduler(scheduler, facts.scheduler_error(scheduler)),
    ]


def check_python(version: str, wanted: str) -> Check:
    """Compare Python's version with what the package declares, such as ``>=3.11``."""
    if version in SpecifierSet(wanted):
        return Check("python", "ok", version)
    return Check(
        "python", "fail", f"{version}, needs {wanted}", f"make a new environment with Python {wanted}"
    )


def check_packages(requirements: Sequence[str], installed: Installed) -> Check:
    """Compare what is installed with the floors that the package declares; extras are left out."""
    needed = [one for one in map(Requirement, requirements) if not _is_extra(one)]
    wrong = {str(one.name + str(one.specifier)): _state(one, installed) for one in needed}
    wrong = {text: state for text, state in wrong.items() if state}
    if not wrong:
        return Check("packages", "ok", f"all {len(needed)} that are needed")
    told = ", ".join(f"{text} ({state})" for text, state in wrong.items())
    return Check("packages", "fail", told, "pip install --upgrade " + " ".join(f"'{text}'" for text in wrong))


def check_engines(requirements: Sequence[str], installed: Installed) -> Check:
    """See who can run the network here: OpenVINO is the quickest on a CPU, torch serves GPUs and training."""
    floors = {one.name: one for one in map(Requirement, requirements)}
    engines = ("openvino", "onnxruntime", "torch")
    usable = [name for name in engines if name in floors and not _state(floors[name], installed)]
    found = ", ".join(f"{name} {installed(name) or 'not installed'}" for name in engines)
    if not {"openvino", "onnxruntime"} & set(usable):
        return Check("engines", "fail", found, f"pip install '{PACKAGE}[openvino]'")
    if "openvino" not in usable:
        return Check("engines", "warn", found, f"quicker on a CPU: pip install '{PACKAGE}[openvino]'")
    return Check("engines", "ok", found)


def check_weights(folder: Path | None) -> Check:
    """See that the shipped network is there and is a network, not a stand-in left by git."""
    files = sorted(folder.glob("*.onnx")) if folder else []
    whole = [path for path in files if path.stat().st_size > 100_000]
    if whole:
        return Check("weights", "ok", ", ".join(path.name for path in whole))
    found = f"{files[0].name} is empty or cut off" if files else f"no .onnx file in {folder}"
    return Check(
        "weights", "fail", found, f"install the package again: pip install --force-reinstall {PACKAGE}"
    )


def check_gdal(version: str, drivers: Collection[str]) -> list[Check]:
    """See that GDAL reads GeoTIFFs, writes cloud-optimised ones, and reads over HTTPS."""
    missing = [driver for driver in ("GTiff", "COG") if driver not in drivers]
    fix = "pip install --force-reinstall --only-binary :all: rasterio"
    files = (
        Check("gdal", "fail", f"GDAL {version} without {' and '.join(missing)}", fix)
        if missing
        else Check("gdal", "ok", f"GDAL {version}")
    )
    remote = (
        Check("gdal over https", "ok", "curl is built in")
        if "HTTP" in drivers
        else Check(
            "gdal over https", "warn", f"GDAL {version} without curl: only local files can be read", fix
        )
    )
    return [files, remote]


def check_store(store: str) -> Check:
    """See that results can be written: on a disk by trying, in an object store not at all."""
    try:
        path = facts.local_path(store)
    except ValueError as error:
        return Check("disk", "fail", f"cannot write at {store}: {error}", "give the path in full")
    if path is not None:
        return check_disk(path, facts.free_bytes(path), facts.write_error(path))
    scheme = store.partition("://")[0]
    if scheme in KEYS:
        found = f"not checked: object store; keys come from the environment ({KEYS[scheme]}, ...)"
        return Check("disk", "ok", found)
    fix = "give a path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
    return Check("disk", "fail", f"no store that lasts can be at {scheme}://", fix)


def check_disk(path: Path, free_bytes: int, write_error: str | None) -> Check:
    """See that results can be written at `path`; a few lakes over ten years take a few hundred megabytes."""
    free = f"{free_bytes / GIB:.1f} GiB free at {path}"
    if write_error:
        return Check("disk", "fail", f"cannot write at {path}: {write_error}", "give another --store")
    if free_bytes < LEAST_DISK_BYTES:
        return Check("disk", "fail", free, f"free {LEAST_DISK_BYTES / GIB:.0f} GiB, or give another --store")
    if free_bytes < ENOUGH_DISK_BYTES:
        return Check(
            "disk", "warn", free, f"have {ENOUGH_DISK_BYTES / GIB:.0f} GiB for an archive kept at hand"
        )
    return Check("disk", "ok", free)


def check_memory(total_bytes: int, n_cores: int) -> Check:
    """See that a worker a core has room."""
    found = f"{total_bytes / GIB:.1f} GiB for {n_cores} cores"
    if total_bytes >= ENOUGH_MEMORY_BYTES * n_cores:
        return Check("memory", "ok", found)
    n_workers = max(1, int(total_bytes // ENOUGH_MEMORY_BYTES))
    return Check("memory", "warn", found, f"run with --workers {n_workers}")


def check_credentials(environ: Mapping[str, str], home: Path) -> Check:
    """See whether there is an Earthdata login; only the real archive asks for one."""
    name = "earthdata login"
    if environ.get("EARTHDATA_TOKEN", "").strip():
        return Check(name, "ok", "EARTHDATA_TOKEN is set")
    if named := environ.get("EARTHDATA_TOKEN_FILE", "").strip():
        there = Path(named).is_file()
        found = f"EARTHDATA_TOKEN_FILE names {named}{'' if there else ', which is no file'}"
        return Check(name, "ok" if there else "fail", found, _login_fix())
    pair = [bool(environ.get(key, "").strip()) for key in ("EARTHDATA_USERNAME", "EARTHDATA_PASSWORD")]
    if all(pair):
        return Check(name, "ok", "EARTHDATA_USERNAME and EARTHDATA_PASSWORD are set")
    if any(pair):
        missing = "EARTHDATA_PASSWORD" if pair[0] else "EARTHDATA_USERNAME"
        return Check(name, "fail", f"{missing} is not set, though its partner is", f"set {missing}")
    return _check_netrc(name, Path(environ.get("NETRC") or home / ".netrc"))


def _check_netrc(name: str, path: Path) -> Check:
    if not path.is_file():
        return Check(name, "warn", "none; the real archive cannot be read", _login_fix())
    try:
        entry = netrc.netrc(str(path)).authenticators(LOGIN_HOST)
    except (netrc.NetrcParseError, OSError, UnicodeError) as error:
        # the text of the error may hold a password
        return Check(name, "fail", f"{path} cannot be read ({type(error).__name__})", _login_fix())
    if entry is None:
        return Check(name, "warn", f"{path} has no line for {LOGIN_HOST}", _login_fix())
    return Check(name, "ok", f"{path} has a line for {LOGIN_HOST}")


def check_network(errors: Mapping[str, str | None]) -> Check:
    """See whether the archive's hosts answer: host to error, None where it answers."""
    silent = {host: error for host, error in errors.items() if error}
    if silent:
        told = ", ".join(f"{host} ({error})" for host, error in silent.items())
        fix = "check network and proxy (HTTPS_PROXY); the demo and local archives need none"
        return Check("network", "warn", f"no answer from {told}", fix)
    return Check("network", "ok", ", ".join(errors) or "not tried")


def failed(name: str, sentence: str) -> Check:
    """Make a failed check of an error's sentence: what comes after the first semicolon is the cure."""
    return Check(name, "fail", sentence.partition(";")[0], sentence.partition("; ")[2] or sentence)


def check_scheduler(address: str | None, error: str | None) -> Check:
    """See whether a scheduler answers, has workers, and has our versions."""
    if address is None:
        return Check("scheduler", "ok", "none given; workers start on this machine")
    if error:
        return failed("scheduler", error)
    return Check("scheduler", "ok", f"{address} answers, has workers and the same versions")


def _is_extra(requirement: Requirement) -> bool:
    return requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})


def _state(requirement: Requirement, installed: Installed) -> str:
    """Say what is wrong with a package; empty where nothing is."""
    version = installed(requirement.name)
    if version is None:
        return "missing"
    return "" if requirement.specifier.contains(version, prereleases=True) else f"is {version}"


def _login_fix() -> str:
    return (
        f"for the real archive register at https://{LOGIN_HOST} and set EARTHDATA_TOKEN, or write a line "
        f"'machine {LOGIN_HOST} login <name> password <password>' into ~/.netrc; the demo needs none"
    )
