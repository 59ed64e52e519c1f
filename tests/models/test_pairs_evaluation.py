"""What `glaciolake evaluate --pairs` says of a network: its scores, its constants, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from glaciolake.models import pairs_evaluation
from glaciolake.models.data import Float32, Sample
from glaciolake.models.errors import ModelError
from glaciolake.models.pairs import read_pairs
from glaciolake.models.pairs_evaluation import judge_model
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.track.model import read_atlas
from glaciolake.models.track.record import Images, Record
from glaciolake.models.weights import resolve
from tests.models.conftest import Save
from tests.models.scenes import sample, write_data_set

DATES = [sample(cycle=cycle, right_px=3 * (cycle % 3)) for cycle in range(8)]
PER_PASS = "constant per lake and pass"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_data_set(tmp_path_factory.mktemp("data"), DATES)


def test_a_network_of_single_images_is_scored_beside_constants_of_other_dates(
    data: tuple[Path, Path], save: Save
) -> None:
    verdict = judge_model(data[0], save(), chips=data[1])
    (found,) = verdict.tested.probabilities
    for share, one in zip(found, DATES, strict=True):
        mask = share >= verdict.tested.threshold
        assert (mask & one.water).sum() / (mask | one.water).sum() > 0.9
    assert set(verdict.tested.constants) > {PER_PASS, "nearest in time"}
    said = " ".join(verdict.notes)
    assert "other dates of the tested folder" in said and "does not say which scenes it learned from" in said
    assert "rebuilt" not in said


def test_constants_come_from_the_training_pairs_where_they_are_given(
    data: tuple[Path, Path], save: Save, tmp_path: Path
) -> None:
    train, _ = write_data_set(tmp_path, [sample(cycle=cycle, right_px=9) for cycle in range(20, 23)])
    verdict = judge_model(data[0], save(), chips=data[1], train=train)
    drawn = sample(right_px=9).water
    for mask in verdict.tested.constants[PER_PASS]:
        np.testing.assert_array_equal(mask, drawn)
    assert "The constants are drawn from the labels in pairs." in verdict.notes


def test_without_chips_it_is_said_that_power_was_rebuilt(data: tuple[Path, Path], save: Save) -> None:
    verdict = judge_model(data[0], save())
    assert any("of 8 of 8 scenes was rebuilt" in note and "(--raw)" in note for note in verdict.notes)


def test_no_label_of_the_folder_reaches_the_network(tmp_path: Path, save: Save) -> None:
    found = []
    for name, moved in (("one", 0), ("other", 9)):
        pairs, chips = write_data_set(tmp_path / name, DATES)
        other = write_data_set(
            tmp_path / f"{name} labels", [sample(cycle=cycle, right_px=moved) for cycle in range(8)]
        )[0]
        for mask in (other / "masks").iterdir():
            (pairs / "masks" / mask.name).write_bytes(mask.read_bytes())
        found.append(judge_model(pairs, save(), chips=chips).tested.probabilities[0])
    for one, other_ in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other_)


def test_a_remembered_record_stands_before_rebuilt_pictures_and_behind_chips(
    data: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, told = resolve("lake-track-2", engine="onnxruntime"), list[Record]()
    lake, track = next(iter(read_atlas(ref)))

    def renamed(pairs: Path, chips: Path | None, *more: Any) -> tuple[list[Sample], Images]:
        samples, images = read_pairs(pairs, chips, *more)
        return samples, dict.fromkeys([(lake, track)], next(iter(images.values())))

    def note(samples: Sequence[Sample], record: Record, ref: ModelRef) -> list[Float32]:
        told.append(record)
        return [np.zeros(one.water.shape, np.float32) for one in samples]

    monkeypatch.setattr(pairs_evaluation, "read_pairs", renamed)
    monkeypatch.setattr(pairs_evaluation, "track_probability", note)
    monkeypatch.setattr(pairs_evaluation, "_events", lambda *given: [])
    judge_model(data[0], ref)
    judge_model(data[0], ref, chips=data[1])
    assert [list(record.images) for record in told] == [[], [(lake, track)]]


def test_a_network_of_two_bands_is_refused_where_pairs_have_one(data: tuple[Path, Path], save: Save) -> None:
    two = save(ModelSpec(name="two", bands=("vv", "vh")), weights=(1.0, 1.0, 1.0))
    with pytest.raises(ModelError, match="two"):
        judge_model(data[0], two, chips=data[1])


def test_a_tested_label_is_no_part_of_the_constants_that_are_held_against_it(
    data: tuple[Path, Path], save: Save, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="holds no scene but the tested ones"):
        judge_model(data[0], save(), chips=data[1], train=data[0])
    tested, _ = write_data_set(tmp_path, [replace(DATES[0], water=sample(right_px=9).water)])
    verdict = judge_model(tested, save(), chips=data[1], train=data[0])
    assert "The constants are drawn from the labels in pairs, but for 1 that are tested." in verdict.notes
    (mask,) = verdict.tested.constants["nearest in time"]
    np.testing.assert_array_equal(mask, DATES[1].water)


def test_labelled_lake_in_the_padding_is_told_and_what_it_costs(tmp_path: Path, save: Save) -> None:
    pairs, chips = write_data_set(tmp_path, DATES)
    before = judge_model(pairs, save(), chips=chips)
    assert not any("padding" in note for note in before.notes)
    path = min((pairs / "masks").iterdir())
    with rasterio.open(path, "r+") as file:
        mask = file.read(1)
        mask[:10, :10] = 1
        file.write(mask, 1)
    (said,) = (note for note in judge_model(pairs, save(), chips=chips).notes if "padding" in note)
    assert said.startswith(f"100 of {100 + sum(int(one.water.sum()) for one in DATES)} labelled pixels")
    masks = [share >= 0.5 for share in before.tested.probabilities[0]]
    both, either = (
        sum(int(how(mask, one.water).sum()) for mask, one in zip(masks, DATES, strict=True))
        for how in (np.logical_and, np.logical_or)
    )
    assert f"the IoU is {both / (either + 100):.4f} instead of {both / either:.4f}." in said
