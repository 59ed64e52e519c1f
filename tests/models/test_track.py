"""Track networks: they learn, repeat themselves, survive their file, and remember no more than they say."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from glaciolake.models.data import Sample, put_centre
from glaciolake.models.errors import ModelError
from glaciolake.models.folds import Fold, blocks
from glaciolake.models.predict import water_probability
from glaciolake.models.spec import ModelRef
from glaciolake.models.track.folds import Trial, predict_folds
from glaciolake.models.track.model import (
    Memory,
    calibrated,
    draw_atlas,
    learned_from,
    read_atlas,
    save_track_model,
    track_probability,
)
from glaciolake.models.track.network import build_ensemble, track_network
from glaciolake.models.track.plan import TRACK_SPEC
from glaciolake.models.track.recipe import TrackRecipe
from glaciolake.models.track.record import CHANNELS, UNKNOWN, Record, channels_of
from glaciolake.models.track.train import as_function, predict_track, train_track
from glaciolake.models.weights import resolve
from tests.models.scenes import sample
from tests.models.test_record import record_of

pytestmark = pytest.mark.usefixtures("one_thread")

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'glaciolake[torch]'")

DATES = [sample(cycle=cycle, right_px=cycle % 3) for cycle in range(8)]
FOLD = Fold("last", DATES[:6], DATES[6:])
QUICK = TrackRecipe(steps=100, batch=4, size_px=64, width=8, learning_rate=5e-3, average=0.9, change=0)
BRIEF = QUICK.model_copy(update={"steps": 3})


def iou(found: object, one: Sample) -> float:
    mask = np.asarray(found) >= 0.5
    return float((mask & one.water).sum() / (mask | one.water).sum())


@pytest.fixture(scope="module")
def trained() -> tuple[torch.nn.Module, Record]:
    record = Record(record_of(DATES), labels=FOLD.train)
    return train_track(FOLD, record, TRACK_SPEC, QUICK), record


def test_a_network_finds_lakes_on_dates_it_has_not_seen(trained: tuple[torch.nn.Module, Record]) -> None:
    network, record = trained
    for one in FOLD.test:
        found = predict_track([as_function(network)], channels_of(one, record, TRACK_SPEC))
        assert found.shape == one.water.shape and iou(found, one) > 0.7


def test_the_same_recipe_gives_the_same_network() -> None:
    record = Record(record_of(DATES), labels=FOLD.train)
    network, again, other = (
        list(train_track(FOLD, record, TRACK_SPEC, BRIEF.model_copy(update={"seed": seed})).parameters())
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(one, two) for one, two in zip(network, again, strict=True))
    assert not torch.equal(network[0], other[0])


@pytest.fixture(scope="module")
def saved(
    trained: tuple[torch.nn.Module, Record], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ModelRef, Record]:
    network, record = trained
    atlas = draw_atlas(FOLD.train, record.images, {"upper": (86.5, 28.0)}, TRACK_SPEC)
    path = tmp_path_factory.mktemp("track") / "tried.onnx"
    learned = [(one.lake, one.start) for one in FOLD.train]
    save_track_model([network, deepcopy(network)], TRACK_SPEC, path, memory=Memory(atlas, learned))
    return resolve(str(path), engine="onnxruntime"), record


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "torch"])
def test_a_file_answers_as_the_network_did(
    saved: tuple[ModelRef, Record], trained: tuple[torch.nn.Module, Record], engine: str
) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino", reason="openvino is an extra: pip install 'glaciolake[openvino]'")
    ref, record = saved
    (found,) = track_probability(FOLD.test[:1], record, ref._replace(engine=engine))  # type: ignore[arg-type]
    own = predict_track([as_function(trained[0])], channels_of(FOLD.test[0], record, TRACK_SPEC))
    seen = FOLD.test[0].valid
    np.testing.assert_allclose(found[seen], own[seen], atol=2e-2)  # kernels are stored in float16
    assert ((found >= 0.5) != (own >= 0.5))[seen].mean() < 1e-3
    assert np.isnan(found[~seen]).all()


def test_a_file_remembers_its_lakes_and_what_it_learned_from(saved: tuple[ModelRef, Record]) -> None:
    ref, record = saved
    page = read_atlas(ref)["upper", "T121"]
    drawn = draw_atlas(FOLD.train, record.images, {"upper": (86.5, 28.0)}, TRACK_SPEC)["upper", "T121"]
    for stored, frame, step in (
        (page.outline, drawn.outline, 0.0026),
        (page.mean, drawn.mean, 0.0026),
        (page.std, drawn.std, 0.0076),
        (page.low, drawn.low, 0.0026),
    ):
        np.testing.assert_allclose(stored, frame, atol=step)
    assert page.place == (86.5, 28.0)
    assert learned_from(ref) == {("upper", one.start) for one in FOLD.train}


def test_a_known_lake_is_read_without_its_archive(saved: tuple[ModelRef, Record]) -> None:
    ref, _ = saved
    (found,) = track_probability(FOLD.test[1:], Record({}, atlas=read_atlas(ref)), ref)
    assert iou(np.nan_to_num(found), FOLD.test[1]) > 0.7


def test_a_lake_without_labels_has_a_page_without_outline() -> None:
    atlas = draw_atlas([], record_of(DATES), {"upper": (86.5, 28.0)}, TRACK_SPEC)
    assert (atlas["upper", "T121"].outline == UNKNOWN).all()
    assert not draw_atlas([], record_of(DATES[:2]), {"upper": (86.5, 28.0)}, TRACK_SPEC)


def test_the_chain_of_single_images_says_that_it_has_no_record(saved: tuple[ModelRef, Record]) -> None:
    with pytest.raises(ModelError, match="looks at the record of a lake and track"):
        water_probability(np.zeros((1, 1, 32, 32), np.float32), saved[0])


def test_a_file_of_a_later_version_is_refused(
    trained: tuple[torch.nn.Module, Record], tmp_path: Path
) -> None:
    later = TRACK_SPEC.model_copy(update={"record": (*CHANNELS[:-1], "moon")})
    save_track_model([trained[0]], later, tmp_path / "later.onnx", memory=Memory({}, []))
    with pytest.raises(ModelError, match=r"does not know \['moon'\]"):
        track_probability(DATES[:1], Record({}), resolve(str(tmp_path / "later.onnx"), engine="onnxruntime"))


def test_probabilities_are_moved_in_their_logit() -> None:
    share = np.array([0.1, 0.5, 0.9], np.float32)
    assert calibrated(share, 1.0, 0.0) is share
    np.testing.assert_allclose(calibrated(share, 2.0, 0.0), [1 / 82, 0.5, 81 / 82], rtol=1e-5)
    np.testing.assert_allclose(calibrated(share, 1.0, np.log(9)), [0.5, 0.9, 81 / 82], rtol=1e-5)


def test_an_ensemble_answers_with_the_mean_of_its_members() -> None:
    ensemble: Any = build_ensemble("track-4x2", len(CHANNELS)).eval()
    seen = torch.rand(1, len(CHANNELS), 32, 32)
    with torch.inference_mode():
        members = torch.stack([torch.sigmoid(member(seen)) for member in ensemble.members])
        found = torch.sigmoid(ensemble(seen))
    torch.testing.assert_close(found, members.mean(0), atol=1e-5, rtol=0)
    assert not torch.equal(members[0], members[1])
    with pytest.raises(ModelError, match="'efficientnet-b3' names no ensemble"):
        build_ensemble("efficientnet-b3", 10)


def test_a_network_takes_any_size_of_its_stride() -> None:
    with torch.inference_mode():
        assert track_network(3, width=4).eval()(torch.zeros(1, 3, 48, 16)).shape == (1, 1, 48, 16)


def test_folds_are_predicted_once_and_kept(tmp_path: Path) -> None:
    images = record_of(DATES)
    trial = Trial(images, BRIEF, TRACK_SPEC, tmp_path / "folds")
    begun: list[str] = []

    def begin(name: str) -> object:
        begun.append(name)
        return lambda step, steps, loss: None

    first = predict_folds(DATES, "scene", trial, begin)  # type: ignore[arg-type]
    tested = sorted(one.start for found in first for one in found.fold.test)
    assert len(begun) == 5 and tested == [one.start for one in DATES]
    second = predict_folds(DATES, "scene", trial, begin)  # type: ignore[arg-type]
    assert len(begun) == 5
    for one, other in zip(first, second, strict=True):
        for left, right in zip(one.probabilities, other.probabilities, strict=True):
            np.testing.assert_array_equal(left, right)
        np.testing.assert_array_equal(one.planted, other.planted)
    changed = Trial(images, BRIEF.model_copy(update={"steps": 4}), TRACK_SPEC, tmp_path / "folds")
    predict_folds(DATES, "scene", changed, begin)  # type: ignore[arg-type]
    assert len(begun) == 10
    torn = min(trial.cache.glob("*.npz"))
    torn.write_bytes(torn.read_bytes()[:200])
    with pytest.raises(ModelError, match=f"{torn.name} holds no finished fold.*remove it"):
        for tried in (trial, changed):  # it is of one of the two
            predict_folds(DATES, "scene", tried, begin)  # type: ignore[arg-type]


def test_what_a_fold_predicts_does_not_depend_on_its_tests_labels(tmp_path: Path) -> None:
    flipped = [replace(one, water=~one.water & one.valid) if i == 7 else one for i, one in enumerate(DATES)]
    found = []
    for name, samples in (("as drawn", DATES), ("flipped", flipped)):
        trial = Trial(record_of(samples), BRIEF, TRACK_SPEC, tmp_path / name)
        for one in predict_folds(samples, "scene", trial):
            at = [i for i, tested in enumerate(one.fold.test) if tested.start == DATES[7].start]
            found += [one.probabilities[i] for i in at]
    assert len(found) == 2
    np.testing.assert_array_equal(found[0], found[1])


def test_what_a_quarter_predicts_does_not_depend_on_its_labels(tmp_path: Path) -> None:
    events = BRIEF.model_copy(update={"change": 1.0, "forget": 0.5})
    quarter = blocks((40, 52), 0, test=True)
    strange = [replace(one, water=one.water ^ (quarter & one.valid)) for one in DATES[:4]]
    found = []
    for name, samples in (("as drawn", DATES), ("strange", [*strange, *DATES[4:]])):
        listed = {"upper": put_centre(DATES[0].water)}
        trial = Trial(record_of(samples), events, TRACK_SPEC, tmp_path / name, listed)
        found.append(predict_folds(samples, "block", trial)[0])
    assert found[0].fold.quarter == 0 and quarter.any()
    for one, other in zip(*(part.probabilities for part in found), strict=True):
        np.testing.assert_array_equal(one, other)
