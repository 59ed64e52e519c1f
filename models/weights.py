"""Where a network lies, whether it is the right file, and what it wants to see."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from glaciolake.models import quiet
from glaciolake.models.errors import ModelError
from glaciolake.models.network import channels
from glaciolake.models.remote import digest_in, fetch, is_address
from glaciolake.models.spec import Engine, ModelRef, ModelSpec

DEFAULT_MODEL = "lake-unet-b3-db-1"
SPEC_KEY = "glaciolake.spec"
ENCODER_KEY = "glaciolake.encoder"
FED_KEY = "channels"
"""What the graph itself says, not its metadata: channels that it is fed; missing where it takes any."""
WEIGHTS = Path(__file__).resolve().parent / "weights"


def shipped() -> dict[str, Path]:
    """Networks that come with the package: name to file."""
    return {path.stem: path for path in sorted(WEIGHTS.glob("*.onnx"))}


def resolve(model: str = DEFAULT_MODEL, *, engine: Engine = "auto") -> ModelRef:
    """Find a network by the name of a shipped one, by the path of a file, or by an address.

    Parameters
    ----------
    model
        ``lake-unet-b3-db-1``, a path that ends in ``.onnx``, or an address with the file's digest,
        ``https://host/name.onnx#sha256=...``, which every worker fetches for itself.
    engine
        Which library shall run it; "auto" takes OpenVINO where it is installed (bfloat16 where the
        processor has it), else onnxruntime.

    Returns
    -------
    ModelRef
        Absolute path, or address, and digest of the file as it is now.
    """
    if is_address(model):
        ref = ModelRef(model, digest_in(model), engine)
        locate(ref)
        return ref
    known = shipped()
    path = known.get(model, Path(model))
    if not path.is_file():
        if path.suffix == ".onnx":
            raise ModelError(
                f"no file {path}; give the path of an exported network or one of {sorted(known)}"
            )
        raise ModelError(
            f"unknown network {model!r}; take one of {sorted(known)} or give the path of an .onnx file"
        )
    sha256 = digest(path)
    if model in known and sha256 != (recorded := str(card(model)["sha256"])):
        raise ModelError(
            f"{path} has sha256 {sha256}, but {recorded} is recorded for {model!r}: the file is damaged or "
            "another; install glaciolake again"
        )
    return ModelRef(str(path.resolve()), sha256, engine)


def card(name: str) -> dict[str, Any]:
    """Facts about a shipped network: digest, data, split, scores beside the image-blind constants."""
    path = WEIGHTS / f"{name}.json"
    if not path.is_file():
        raise ModelError(f"no card {path.name} beside the weights; shipped networks are {sorted(shipped())}")
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts


def digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locate(ref: ModelRef) -> Path:
    """File of a reference on this machine, its digest checked.

    A worker may have the package in another folder than the client that made the reference: the shipped file
    of the same name serves if its digest is the one asked for.
    """
    given = fetch(ref.path) if is_address(ref.path) else Path(ref.path)
    path = given if given.is_file() else shipped().get(given.stem, given)
    if not path.is_file():
        raise ModelError(
            f"no file {ref.path} on this machine; copy the network there, or take {sorted(shipped())}"
        )
    found = digest(path)
    if found != ref.sha256 and is_address(ref.path):
        path.unlink(missing_ok=True)  # so that the next run fetches it again
        raise ModelError(
            f"{ref.path.partition('#')[0]} has sha256 {found}, but {ref.sha256} was asked for: another file "
            "lies there now, or it was cut short; check the address and the digest"
        )
    if found != ref.sha256:
        raise ModelError(
            f"{path} has sha256 {found}, but the run asked for {ref.sha256}: the file was changed or is "
            "another; restore it, or start a new run with the new file"
        )
    return path


def read_spec(ref: ModelRef) -> ModelSpec:
    """Read what a network wants to see from the metadata of its file."""
    text = metadata(ref).get(SPEC_KEY)
    if text is None:
        raise ModelError(
            f"{ref.path} carries no {SPEC_KEY!r} in its metadata, so nobody knows what to feed it; "
            "export it with glaciolake.models.export.export"
        )
    try:
        spec = ModelSpec.model_validate_json(text)
    except ValidationError as error:
        raise ModelError(f"{ref.path} carries a specification this version cannot read: {error}") from error
    fed = metadata(ref).get(FED_KEY, str(channels(spec)))
    if fed != str(channels(spec)):
        raise ModelError(
            f"{ref.path} holds weights of another architecture: they take {fed} channels, its specification "
            f"{spec.name!r} says {channels(spec)}; export the network again"
        )
    return spec


@lru_cache(maxsize=8)
def metadata(ref: ModelRef) -> dict[str, str]:
    """Metadata of an ONNX file, and `FED_KEY`, read with onnxruntime, which every installation has."""
    onnxruntime = quiet.onnxruntime()

    path = locate(ref)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes are not public, and differ by what is wrong with the file
        raise ModelError(
            f"{path} is not a network that onnxruntime can read: {error}; export it again"
        ) from error
    shape = session.get_inputs()[0].shape
    fed = {FED_KEY: str(shape[1])} if len(shape) == 4 and isinstance(shape[1], int) else {}
    return dict(session.get_modelmeta().custom_metadata_map) | fed
