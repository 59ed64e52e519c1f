"""Where exports go: a folder on a disk or in an object store; each product appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from glaciolake.catalog.addresses import without_secrets
from glaciolake.pipeline.errors import PipelineError

T = TypeVar("T")

OBJECT_STORES = {"s3", "gs", "gcs", "abfs", "az", "memory"}
"""They have no folders: asked for one, some make a bucket out of a name that was mistyped."""
READ_ONLY = {"data", "git", "github", "http", "https", "libarchive", "reference", "tar", "zip"}
"""fsspec reads them; what it writes to some of them, a web server's POST or an archive, is no export."""


class Place:
    """A folder for exports.

    A product is built on this machine, beside the target where that is a disk, and then renamed or, to an
    object store, sent: files deep down first, those at the top, which readers look for, last.

    Parameters
    ----------
    address
        A path, or an address that fsspec knows: ``s3://bucket/prefix``, ``memory://``.

    Raises
    ------
    PipelineError
        No library speaks that address, nothing can be written there, or a file lies in its way.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/") or address
        schemes = {part.partition("://")[0] for part in address.split("::") if "://" in part}
        if schemes & READ_ONLY:
            raise PipelineError(
                f"cannot write to {address!r}: {' and '.join(sorted(schemes & READ_ONLY))} can only be read; "
                "give a path, or a bucket such as s3://bucket/prefix"
            )
        try:
            self._files, self._root = fsspec.url_to_fs(address)
        except (ImportError, ValueError, OSError) as error:
            raise PipelineError(
                f"cannot write to {address!r}: {error}; give a path, or install what speaks that address "
                "(S3: pip install 'glaciolake[s3]')"
            ) from error
        self._local = Path(self._root) if "file" in _protocols(self._files) else None
        if self._local is not None and self._local.exists() and not self._local.is_dir():
            raise PipelineError(f"{str(self._local)!r} is a file; give a folder, new or not")

    def exists(self, name: str) -> bool:
        """Whether something of that name lies there."""
        return bool(self._guarded(lambda: self._files.exists(self._path(name))))

    def read(self, name: str) -> bytes | None:
        """Content of a file; None where there is none."""
        if not self.exists(name):
            return None
        return bytes(self._guarded(lambda: self._files.cat_file(self._path(name))))

    def names(self, folder: str = "") -> list[str]:
        """Names of what lies there, or in one of its folders, sorted; none where it is not there."""
        at = self._path(folder) if folder else self._root
        if not self._guarded(lambda: self._files.isdir(at)):
            return []
        found = self._guarded(lambda: self._files.ls(at, detail=False))
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)

    def check_free(self, names: Sequence[str], *, overwrite: bool) -> None:
        """Refuse to write over anything, unless that is asked for.

        Raises
        ------
        PipelineError
            One of the names is taken.
        """
        taken = [] if overwrite else [name for name in names if self.exists(name)]
        if taken:
            more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
            raise PipelineError(
                f"{self.address}/{taken[0]}{more} is there already, and nothing was written; give another "
                "--out, or --overwrite to replace what this export makes"
            )

    @contextmanager
    def product(self, name: str) -> Iterator[Path]:
        """Give a path to build a file or folder at; it is put in its place when the block ends well.

        What lies there under that name is replaced; see `check_free`.
        """
        workshop = self._guarded(self._workshop)
        try:
            built = workshop / name
            yield built
            self._guarded(lambda: self._publish(built, name))
        except OSError as error:
            raise self._failed(error) from error
        finally:
            shutil.rmtree(workshop, ignore_errors=True)

    def _workshop(self) -> Path:
        """Make a folder to build in: on the same disk as the place, where that is one."""
        if self._local is not None:
            self._local.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".export-", dir=self._local))

    def _publish(self, built: Path, name: str) -> None:
        if self._local is not None:
            target = self._local / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                target.rename(built.parent / "replaced")
            built.rename(target)
            return
        if self._files.exists(self._path(name)):
            self._files.rm(self._path(name), recursive=True)
        for file in _deepest_first(built):
            at = self._path(name)
            if file != built:
                at = f"{at}/{file.relative_to(built).as_posix()}"
            if not OBJECT_STORES & set(_protocols(self._files)):
                self._files.makedirs(at.rpartition("/")[0], exist_ok=True)
            self._files.put_file(str(file), at)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def _guarded(self, step: Callable[[], T]) -> T:
        try:
            return step()
        except OSError as error:
            raise self._failed(error) from error
        except Exception as error:  # missing keys, say: each library has its own classes
            if self._local is not None:
                raise
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> PipelineError:
        said = without_secrets(str(getattr(error, "strerror", None) or error))
        return PipelineError(
            f"cannot write to {self.address!r}: {said}; give "
            "another --out, free space, or mend the access to it"
        )


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _deepest_first(built: Path) -> list[Path]:
    """Files of a product; those at its top come last: a reader that finds them finds all."""
    if built.is_file():
        return [built]
    files = [path for path in built.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: (-len(path.parts), path))
