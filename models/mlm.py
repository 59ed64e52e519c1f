"""A network as a STAC item of the Machine Learning Model extension, beside its weights.

Catalogues that list scenes can so list what reads them. Specification: https://stac-extensions.github.io/mlm
(v1.4.0); the file's digest is that of the File extension, a multihash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shapely.geometry import box, mapping

from glaciolake.catalog.items import multihash
from glaciolake.models.spec import ModelSpec

MLM = "https://stac-extensions.github.io/mlm/v1.4.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
RECORD = "glaciolake.models.track.record:channels_of"
SINGLE = "glaciolake.models.augment:scale_db"


def model_item(
    path: Path, facts: Mapping[str, Any], *, bounds: tuple[float, float, float, float]
) -> dict[str, Any]:
    """Describe a network.

    Parameters
    ----------
    path
        Its .onnx file; card and facts lie beside it under the same name.
    facts
        Of its ``.json``: ``name``, ``spec`` and ``training``; ``span``, first and last day that it learned
        from, or ``split`` with the days of each part.
    bounds
        West, south, east, north of the lakes it learned from, degrees.

    Returns
    -------
    dict[str, Any]
        A STAC 1.1 item; its addresses are relative.
    """
    spec = ModelSpec.model_validate(facts["spec"])
    first, last = _span(facts)
    name = facts["name"]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [MLM, FILE],
        "id": name,
        "bbox": list(bounds),
        "geometry": json.loads(json.dumps(mapping(box(*bounds)))),
        "properties": {
            "title": "Glacial lakes in Sentinel-1 backscatter",
            "description": "Probability of lake for each pixel; see the model card for scores and limits.",
            "datetime": None,
            "start_datetime": f"{first}T00:00:00Z",
            "end_datetime": f"{last}T23:59:59Z",
            "bands": _bands(spec),  # MLM wants them here, and STAC only where an asset has them as well
            "mlm:name": name,
            "mlm:architecture": "U-Net",
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:framework": "ONNX",
            "mlm:pretrained": True,
            "mlm:accelerator_constrained": False,
            "mlm:input": [_input(spec)],
            "mlm:output": [_output(spec)],
        },
        "links": [],
        "assets": _assets(path, facts, spec),
    }


def write_item(path: Path, item: Mapping[str, Any]) -> Path:
    """Write the item beside the weights, as ``<name>.stac.json``; its path."""
    out = path.with_name(f"{path.stem}.stac.json")
    out.write_text(json.dumps(item, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return out


def _assets(path: Path, facts: Mapping[str, Any], spec: ModelSpec) -> dict[str, Any]:
    name = facts["name"]
    return {
        "model": {
            "href": f"./{name}.onnx",
            "type": "application/octet-stream; framework=onnx; profile=onnx",
            "title": "Weights",
            "roles": ["mlm:model", "mlm:weights"],
            "bands": _bands(spec),
            "mlm:artifact_type": "onnx",
            "file:checksum": multihash("sha256", facts["sha256"]),
            "file:size": path.stat().st_size,
        },
        "card": {
            "href": f"./{name}.md",
            "type": "text/markdown",
            "title": "Model card",
            "roles": ["metadata"],
        },
    }


def _span(facts: Mapping[str, Any]) -> tuple[str, str]:
    if "span" in facts:
        return str(facts["span"][0]), str(facts["span"][1])
    days = [*facts["split"]["train"], *facts["split"]["validation"]]
    return min(days), max(days)


def _bands(spec: ModelSpec) -> list[dict[str, Any]]:
    about = "backscatter, gamma nought, terrain corrected"
    return [{"name": band.upper(), "description": f"{band.upper()} {about}"} for band in spec.bands]


def _input(spec: ModelSpec) -> dict[str, Any]:
    n_channels = len(spec.record) or len(spec.bands) + int(spec.validity_channel)
    low_db, high_db = spec.clip_db
    return {
        "name": "record of a lake and relative orbit" if spec.record else "backscatter",
        "bands": [band.upper() for band in spec.bands],
        "input": {
            "shape": [-1, n_channels, -1, -1],
            "dim_order": ["batch", "channel", "height", "width"],
            "data_type": "float32",
        },
        "description": f"{', '.join(spec.record) or ', '.join(spec.bands)}: linear power as {low_db:g} to "
        f"{high_db:g} dB, mapped to 0..1; height and width are multiples of {spec.stride_px}",
        "pre_processing_function": {"format": "python", "expression": RECORD if spec.record else SINGLE},
    }


def _output(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": "probability of lake",
        "tasks": ["semantic-segmentation"],
        "result": {
            "shape": [-1, 1, -1, -1],
            "dim_order": ["batch", "channel", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": [
            {"value": 0, "name": "land", "description": f"probability below {spec.threshold:g}"},
            {"value": 1, "name": "lake", "description": f"probability of {spec.threshold:g} and more"},
        ],
        "post_processing_function": None,
    }
