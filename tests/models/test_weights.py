"""Names, paths, digests and metadata of networks."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from pathlib import Path

import pytest
import requests

from glaciolake.models import weights
from glaciolake.models.errors import ModelError
from glaciolake.models.predict import network_of
from glaciolake.models.spec import ModelRef, ModelSpec
from glaciolake.models.weights import DEFAULT_MODEL, card, digest, locate, read_spec, resolve, shipped
from tests.models.conftest import Save, one_kernel


def test_every_shipped_network_is_the_file_its_card_records() -> None:
    assert DEFAULT_MODEL in shipped()
    for name, path in shipped().items():
        assert digest(path) == card(name)["sha256"]
        assert read_spec(resolve(name)).name == name
        assert path.stat().st_size <= 27_000_000


def test_a_reference_is_small_and_names_the_digest_of_the_file(save: Save) -> None:
    ref = save(name="small")
    assert ref.sha256 == hashlib.sha256(Path(ref.path).read_bytes()).hexdigest()
    assert Path(ref.path).is_absolute()
    assert len(pickle.dumps(resolve())) < 500


def test_the_specification_comes_back_from_the_file(save: Save) -> None:
    spec = ModelSpec(name="asked", bands=("vv", "vh"), threshold=0.4, clip_db=(-25.0, 0.0), stride_px=16)
    assert read_spec(save(spec, weights=(1.0, 1.0, 1.0), name="asked")) == spec


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(ModelError, match=rf"unknown network 'unet'.*{DEFAULT_MODEL}"):
        resolve("unet")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no file .*gone\.onnx"):
        resolve(str(tmp_path / "gone.onnx"))
    with pytest.raises(ModelError, match=r"no file .*gone\.onnx on this machine"):
        network_of(ModelRef(str(tmp_path / "gone.onnx"), "0" * 64))


def test_a_changed_file_is_refused_with_both_digests(save: Save) -> None:
    ref = save(name="changed")
    asked = ref._replace(sha256="ab" * 32)
    with pytest.raises(ModelError, match=f"has sha256 {ref.sha256}, but the run asked for {'ab' * 32}"):
        network_of(asked)


def test_a_damaged_shipped_file_is_refused_with_both_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = one_kernel(ModelSpec(name="ours"), weights=[1.0, 1.0], bias=0.0)
    (tmp_path / "ours.onnx").write_bytes(content[:-1])
    (tmp_path / "ours.json").write_text(json.dumps({"sha256": hashlib.sha256(content).hexdigest()}))
    monkeypatch.setattr(weights, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match=r"recorded for 'ours': .*install glaciolake again") as caught:
        resolve("ours")
    assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert hashlib.sha256(content[:-1]).hexdigest() in str(caught.value)


def test_a_shipped_network_is_found_where_the_package_lies_elsewhere() -> None:
    here = resolve()
    elsewhere = here._replace(path=str(Path("/another/place") / Path(here.path).name))
    assert locate(elsewhere) == Path(here.path)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("not a network")
    with pytest.raises(ModelError, match=r"text\.onnx is not a network that onnxruntime can read"):
        read_spec(resolve(str(path)))


def test_a_network_without_specification_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.onnx"
    path.write_bytes(one_kernel(None, weights=[1.0, 1.0], bias=0.0))
    with pytest.raises(ModelError, match=r"bare\.onnx carries no 'glaciolake\.spec'"):
        read_spec(resolve(str(path)))


def test_a_specification_of_another_version_is_refused(tmp_path: Path) -> None:
    class Later(ModelSpec):
        tide: float = 1.0

    path = tmp_path / "later.onnx"
    path.write_bytes(one_kernel(Later(name="later"), weights=[1.0, 1.0], bias=0.0))
    with pytest.raises(ModelError, match="this version cannot read") as caught:
        read_spec(resolve(str(path)))
    assert "tide" in str(caught.value)


def test_a_network_is_fetched_from_an_address_once(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    local = save(name="afar")
    address = f"file://{local.path}#sha256={local.sha256}"
    ref = resolve(address, engine="onnxruntime")
    assert read_spec(ref).name == "afar" and ref.sha256 == local.sha256
    Path(local.path).unlink()
    assert locate(ref) == tmp_path / "cache" / "glaciolake" / "models" / f"{local.sha256}.onnx"
    (tmp_path / "cache" / "glaciolake" / "models" / f"{local.sha256}.onnx").unlink()
    with pytest.raises(ModelError, match=r"cannot fetch the network file://.*afar\.onnx"):
        locate(ref)
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_an_address_without_its_digest_or_with_another_is_refused(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    local = save(name="afar")
    with pytest.raises(ModelError, match=r"give an address with the digest.*#sha256="):
        resolve(f"file://{local.path}")
    for _ in range(2):
        with pytest.raises(ModelError, match=f"has sha256 {local.sha256}, but {'ab' * 32} was asked for"):
            resolve(f"file://{local.path}#sha256={'ab' * 32}")


def test_an_address_that_answers_with_an_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(address: str, **_: object) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.url, answer.raw = 404, address, io.BytesIO()
        return answer

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(requests, "get", get)
    with pytest.raises(ModelError, match=r"cannot fetch the network https://host/a\.onnx: 404"):
        resolve(f"https://host/a.onnx#sha256={'ab' * 32}")


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    path.write_bytes(one_kernel(ModelSpec(name="odd"), weights=[1.0, 1.0, 1.0], bias=0.0))
    with pytest.raises(ModelError, match=r"another architecture: they take 3 channels, .*'odd' says 2"):
        read_spec(resolve(str(path)))
