"""Labelled images: radar chips, hand-drawn masks, and who is tested on what."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from scipy import ndimage

from glaciolake.catalog.errors import CatalogError
from glaciolake.catalog.granule import OrbitState, track_name
from glaciolake.catalog.orbits import Orbit, scene_orbit
from glaciolake.models.chips import Chip, check_fits, median_power, read_chips, stamp_time
from glaciolake.models.errors import ModelError

Float32 = NDArray[np.float32]
Bool = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)
Part = Literal["train", "validation", "test"]

PAIR_SIDE_PX = 256
MIN_LABEL_IOU = 0.5
_PAIR = re.compile(r"(?P<lake>[A-Za-z]+)_(?P<start>\d{8}T\d{6})_(?P<id>[0-9A-F]{4})\.tif")


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled image.

    Attributes
    ----------
    lake
        Folder name of the lake in the data set.
    start
        Acquisition start, UTC.
    track
        Relative orbit, as ``T121``.
    direction
        Flight direction.
    power
        (y, x), above 0 (1, linear power), float32; NaN is no data.
    water
        (y, x), True where the label says lake; False also where there are no data.
    rebuilt
        True where `power` was rebuilt from an equalised picture because the chip itself is not published.
    """

    lake: str
    start: datetime
    track: str
    direction: OrbitState
    power: Float32
    water: Bool
    rebuilt: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Lake and track: what shares an outline."""
        return self.lake, self.track

    @property
    def valid(self) -> Bool:
        """(y, x), True where there are data."""
        return np.isfinite(self.power)


class PairName(NamedTuple):
    """What the name of a pair says: lake, acquisition start as it stands, four hex digits of the product."""

    lake: str
    stamp: str
    identity: str

    @property
    def start(self) -> datetime:
        """Acquisition start, UTC."""
        return stamp_time(self.stamp)


def read_samples(pairs: Path, chips: Path) -> list[Sample]:
    """Read every labelled pair with the radar chip it was made of.

    Parameters
    ----------
    pairs
        Folder with ``images`` and ``masks``, ``<lake>_<start>_<id>.tif``, 256 px a side, zero padded.
    chips
        Folder with a folder a lake of HyP3 RTC chips, linear power, 0 is no data.

    Returns
    -------
    list[Sample]
        Sorted by lake and time.
    """
    published = read_chips(chips)
    samples = []
    for name, of_pair in pair_names(pairs).items():
        of_lake = [chip for chip in published.values() if chip.lake == of_pair.lake]
        if not of_lake:
            raise ModelError(
                f"no chip with data of {of_pair.lake} in {chips}, so its place is unknown; add its folder"
            )
        picture, water = read_pair(pairs, name)
        orbit = orbit_of(name, of_pair.start, of_lake[0].place)
        chip = published.get((of_pair.stamp, of_pair.identity, of_pair.lake))
        check_fits(name, picture, chip)
        power = chip.power if chip else rebuild_power(picture, _typical(published, of_pair.lake, orbit))
        samples.append(labelled(of_pair, orbit, power, water, rebuilt=chip is None))
    return sorted(samples, key=lambda sample: (sample.lake, sample.start))


def labelled(of_pair: PairName, orbit: Orbit, power: Float32, water: Bool, *, rebuilt: bool) -> Sample:
    """Join power (y, x) and a label (256, 256) of the same centre."""
    lake_px = cut_centre(water, power.shape) & np.isfinite(power)
    track = track_name(orbit.relative_orbit)
    return Sample(of_pair.lake, of_pair.start, track, orbit.orbit_state, power, lake_px, rebuilt)


def pair_names(pairs: Path) -> dict[str, PairName]:
    """Name of every file of the pairs, and what it says; by name."""
    folder = pairs / "images"
    names = {path.name: _named(path.name) for path in sorted(folder.glob("*.tif"))}
    if not names:
        raise ModelError(f"no labelled image *.tif in {folder}; check the folder of the pairs")
    wrong = [name for name, said in names.items() if said is None]
    if wrong:
        raise ModelError(
            f"{len(wrong)} files in {folder} are not named <lake>_<start>_<id>.tif, first {wrong[0]}; "
            "remove them"
        )
    lost = [name for name in names if not (pairs / "masks" / name).is_file()]
    if lost:
        raise ModelError(
            f"{len(lost)} images have no mask of the same name in {pairs / 'masks'}, first {lost[0]}; "
            "add the masks, or remove the images"
        )
    return {name: said for name, said in names.items() if said is not None}


def _named(name: str) -> PairName | None:
    """Take a name apart; None where it is no pair's, or names no time."""
    match = _PAIR.fullmatch(name)
    try:
        stamp_time(match["start"] if match else "")
    except ValueError:
        return None
    return PairName(match["lake"], match["start"], match["id"]) if match else None


def read_pair(pairs: Path, name: str) -> tuple[NDArray[np.uint8], Bool]:
    """Picture (256, 256), grey levels 0..255, and label, True where lake."""
    picture, mask = _read(pairs / "images" / name), _read(pairs / "masks" / name)
    for what, band in (("image", picture), ("mask", mask)):
        if band.shape != (PAIR_SIDE_PX, PAIR_SIDE_PX):
            raise ModelError(
                f"the {what} {name} in {pairs} is {band.shape[0]} x {band.shape[1]} px; pairs are "
                f"{PAIR_SIDE_PX} x {PAIR_SIDE_PX} px, a chip with zero padding around it"
            )
    if picture.dtype != np.uint8:
        raise ModelError(f"the image {name} in {pairs} holds {picture.dtype}; pictures are uint8 grey levels")
    return picture, mask > 0


def orbit_of(name: str, start: datetime, place: tuple[float, float]) -> Orbit:
    """Track and direction of a scene that shows a place (longitude, latitude)."""
    try:
        return scene_orbit(start, *place)
    except CatalogError as error:
        raise ModelError(f"{name}: {error}") from error


def rebuild_power(picture: NDArray[np.uint8], typical: Float32) -> Float32:
    """Undo a histogram equalisation whose chip is lost: a scene keeps the quantiles it has on other dates.

    No label is looked at, since one that is tested must not have shaped the image. Matching land alone, with
    the label's help, erred by as much on land and made lakes 0.4 to 2.9 dB too bright instead of 0.3 to
    1.5 dB (medians of five lakes whose chips are known).

    Parameters
    ----------
    picture
        (256, 256), grey levels 0..255, 0 where there are no data.
    typical
        (y, x), median power (1) of the other dates of the lake and track, float32; NaN is no data.

    Returns
    -------
    Float32
        (y, x) of `typical`, power (1); NaN where the picture has no data, or all where it has none to match.
    """
    grey = cut_centre(picture, typical.shape)
    # The darkest pixel of a picture is 0 as if it had no data: inside the scene it is data.
    valid = ndimage.binary_closing(grey > 0, iterations=2) | (grey > 0)
    both = valid & np.isfinite(typical)
    if not both.any():
        return np.full(typical.shape, np.nan, np.float32)
    share = np.linspace(0, 1, 257)
    levels = np.quantile(grey[both].astype(float), share)
    known_db = np.quantile(10 * np.log10(typical[both]), share)
    levels, first = np.unique(levels, return_index=True)
    gamma0_db = np.interp(grey, levels, known_db[first])
    return np.where(valid, 10 ** (gamma0_db / 10), np.nan).astype(np.float32)


def cut_centre(frame: NDArray[Scalar], shape: tuple[int, ...]) -> NDArray[Scalar]:
    """Cut the scene out of the centred padding it was given."""
    top, left = ((side - length) // 2 for side, length in zip(frame.shape, shape, strict=True))
    return frame[top : top + shape[0], left : left + shape[1]]


def put_centre(water: Bool, side_px: int = PAIR_SIDE_PX) -> Bool:
    """Pad a scene to a square as the pairs are padded; the frame in which dates of a lake share pixels."""
    frame = np.zeros((side_px, side_px), bool)
    cut_centre(frame, water.shape)[...] = water
    return frame


def majority(samples: Iterable[Sample]) -> Bool:
    """(256, 256), True where at least half of the labels are lake."""
    labels = [put_centre(sample.water) for sample in samples]
    frame: Bool = np.mean(labels, axis=0) >= 0.5
    return frame


def label_iou(sample: Sample, frame: Bool) -> float:
    """Intersection over union of a label with a frame, on the pixels that have data."""
    other = cut_centre(frame, sample.water.shape) & sample.valid
    union = int((sample.water | other).sum())
    return float((sample.water & other).sum() / union) if union else 1.0


def drop_wrong_labels(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """Part labels that contradict the others of their lake and track.

    The rule: a label whose intersection over union with the majority label of its lake and track is below
    0.5 is wrong, or shows what is no outline (a lake breaking up). Such lakes do not change by half.

    Returns
    -------
    tuple[list[Sample], list[Sample]]
        Kept and dropped, in the order given.
    """
    keys = {sample.key for sample in samples}
    frames = {key: majority([sample for sample in samples if sample.key == key]) for key in keys}
    good = [label_iou(sample, frames[sample.key]) >= MIN_LABEL_IOU for sample in samples]
    kept = [sample for sample, fine in zip(samples, good, strict=True) if fine]
    return kept, [sample for sample, fine in zip(samples, good, strict=True) if not fine]


def split(samples: Sequence[Sample], *, seed: int = 0) -> dict[Part, list[Sample]]:
    """Part samples so that no date, hence no scene, is in two parts.

    Of the dates of every track 20 % are for the test, 10 % to choose checkpoint and threshold.
    """
    parts: dict[Part, list[Sample]] = {"train": [], "validation": [], "test": []}
    random = np.random.default_rng(seed)
    for track in sorted({sample.track for sample in samples}):
        of_track = [sample for sample in samples if sample.track == track]
        days = sorted({sample.start.date() for sample in of_track})
        order = [days[i] for i in random.permutation(len(days))]
        n_test, n_validation = round(0.2 * len(days)), max(1, round(0.1 * len(days)))
        test, validation = set(order[:n_test]), set(order[n_test : n_test + n_validation])
        for sample in of_track:
            day = sample.start.date()
            part: Part = "test" if day in test else "validation" if day in validation else "train"
            parts[part].append(sample)
    return parts


def _read(path: Path) -> NDArray[np.uint8]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # most masks carry no georeference
        try:
            with rasterio.open(path) as file:
                band: NDArray[np.uint8] = file.read(1)
        except RasterioIOError as error:
            raise ModelError(f"cannot read {path}: {error}; restore it, or remove the pair") from error
    return band


def _typical(published: dict[tuple[str, str, str], Chip], lake: str, orbit: Orbit) -> Float32:
    """Median power (y, x) of a lake and track; dates on another grid than the first are left out."""
    alike = [
        chip.power
        for (start, _, where), chip in published.items()
        if where == lake and scene_orbit(stamp_time(start), *chip.place) == orbit
    ]
    if not alike:
        raise ModelError(f"no other chip of {lake} on {orbit} to rebuild a lost one from; remove its pair")
    return median_power([power for power in alike if power.shape == alike[0].shape])
