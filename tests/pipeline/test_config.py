"""The configuration refuses what it does not know and prints itself."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from glaciolake.pipeline.config import RunConfig, commented_yaml, load_config
from glaciolake.pipeline.errors import PipelineError

GIVEN = {"source": "archive/", "store": "s"}


def test_what_is_printed_reads_back_as_the_same_configuration(tmp_path: Path) -> None:
    config = load_config(
        None, {**GIVEN, "lakes": ["imja"], "despeckle.method": "lee", "cluster.n_workers": 3}
    )
    path = tmp_path / "run.yaml"
    path.write_text(commented_yaml(config))
    assert load_config(path, {}) == config


def test_every_key_is_printed_with_its_meaning() -> None:
    lines = commented_yaml(RunConfig.model_validate(GIVEN)).splitlines()
    for number, line in enumerate(lines):
        if not line.lstrip().startswith("#"):
            assert lines[number - 1].lstrip().startswith("# ") and len(lines[number - 1].strip()) > 10, line
    assert set(yaml.safe_load("\n".join(lines))) == set(RunConfig.model_fields)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"lake": "imja"}, "lake: Extra inputs are not permitted"),
        ({"despeckle.window_px": 6}, "give an odd number, such as 7"),
        ({"start": date(2024, 2, 1), "end": date(2024, 1, 1)}, "end 2024-01-01 is before start 2024-02-01"),
        ({"slices_per_piece": 0}, "greater than or equal to 1"),
        ({"engine": "tensorflow"}, "engine: Input should be"),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_rule(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        load_config(None, {**GIVEN, **wrong})


def test_a_missing_store_is_named() -> None:
    with pytest.raises(PipelineError, match="store: Field required"):
        load_config(None, {"source": "archive/"})


def test_options_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("source: a\nstore: s\nslices_per_piece: 4\n")
    assert load_config(path, {"source": "b", "store": None}).source == "b"
    assert load_config(path, {}).slices_per_piece == 4


@pytest.mark.parametrize("text", ["source: [", "- a list\n"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(PipelineError, match="configuration"):
        load_config(path, {})


def test_a_section_without_keys_stands_for_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("source: a\nstore: s\ncluster:\ndespeckle:\n")
    plain = load_config(None, {"source": "a", "store": "s"})
    assert load_config(path, {}) == plain
    assert load_config(path, {"cluster.n_workers": 2}).cluster.n_workers == 2


def test_a_value_where_a_section_belongs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("source: a\nstore: s\ncluster: local\n")
    for overrides in ({}, {"cluster.n_workers": 2}):
        with pytest.raises(PipelineError, match=r"cluster: .*local"):
            load_config(path, overrides)


def test_a_file_that_is_not_utf8_is_refused_and_utf8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes("source: Größe\nstore: s\n".encode("latin-1"))
    with pytest.raises(PipelineError, match="not UTF-8"):
        load_config(path, {})
    path.write_bytes("source: Größe\nstore: s\n".encode())
    assert load_config(path, {}).source == "Größe"


def test_only_what_shapes_a_value_enters_the_settings() -> None:
    one = load_config(None, GIVEN)
    assert (
        one.processing
        == load_config(None, {**GIVEN, "source": "elsewhere", "slices_per_piece": 3}).processing
    )
    assert one.processing != load_config(None, {**GIVEN, "despeckle.looks": 4.4}).processing
