"""The configuration of a run: one closed YAML file that prints itself with comments."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from glaciolake.cluster.config import ClusterConfig
from glaciolake.models.spec import Engine
from glaciolake.models.weights import DEFAULT_MODEL
from glaciolake.pipeline.despeckle import LOOKS
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.lakes import LakeRules
from glaciolake.pipeline.shards import parse_shard

FIRST_DAY = date(2014, 4, 3)
"""Launch of Sentinel-1A: nothing is older. (OPERA's archive starts on 14 April 2016.)"""


class Despeckle(BaseModel):
    """How speckle is filtered, on linear power."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["auto", "none", "lee", "enhanced_lee"] = Field(
        default="auto",
        description="auto: lee, but nothing where the producer has filtered already (HyP3 flag f).",
    )
    window_px: int = Field(default=7, ge=3, le=31, description="Side of the window; odd.")
    looks: float = Field(
        default=LOOKS,
        gt=0,
        description="Equivalent number of looks; OPERA's VV over the sea measures about 5.",
    )
    damping: float = Field(default=1.0, gt=0, description="Damping of the enhanced Lee filter.")

    @model_validator(mode="after")
    def _odd(self) -> Despeckle:
        if self.window_px % 2 == 0:
            raise ValueError(
                f"window_px is {self.window_px}; give an odd number, such as {self.window_px + 1}"
            )
        return self


class RunConfig(BaseModel):
    """Everything a run needs; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(
        description="Where scenes come from: a folder of GeoTIFFs, a catalog.json, a STAC API, or asf."
    )
    store: str = Field(description="Where results go: a path, s3://bucket/prefix, gs://... or az://...")
    lakes: tuple[str, ...] = Field(
        default=(), description="Lake ids of the registry; empty runs all of them."
    )
    shard: str | None = Field(
        default=None,
        description="Share of the lakes, i/n with i from 0: several runs with a share each fill one store.",
    )
    registry: Path | None = Field(
        default=None, description="Your own lakes as GeoJSON; null uses those shipped."
    )
    start: date = Field(default=FIRST_DAY, description="First day of sensing, UTC.")
    end: date | None = Field(default=None, description="Last day of sensing, UTC; null means today.")
    tracks: tuple[int, ...] = Field(default=(), description="Relative orbits; empty runs all that come.")
    model: str = Field(
        default=DEFAULT_MODEL, description="Network: a shipped name or the path of an .onnx file."
    )
    engine: Engine = Field(
        default="auto",
        description="Who runs the network: auto, openvino, onnxruntime, torch, or torch-cuda, a GPU.",
    )
    despeckle: Despeckle = Field(default=Despeckle(), description="Speckle filter.")
    hide_layover: bool = Field(
        default=True, description="Layover is unknown, not land: it enters the bounds, never the area."
    )
    rules: LakeRules = Field(
        default=LakeRules(), description="When a slice has an area, and what is flagged."
    )
    backend: Literal["native", "odc", "stackstac"] = Field(
        default="native", description="Who reads the scenes; all give the same pixels."
    )
    slices_per_piece: int = Field(
        default=16, ge=1, le=512, description="Slices a task works on; bounds the memory of a worker."
    )
    slices_per_commit: int = Field(
        default=64,
        ge=1,
        le=4096,
        description="Slices written together: more is quicker, a crash redoes more.",
    )
    new_generation: bool = Field(
        default=False,
        description="Whether a series of another network or settings may get a second generation beside it.",
    )
    quiet_gaps: bool = Field(
        default=False,
        description="No scene of a lake in these days is nothing to do, not an error; as of --last-days.",
    )
    cluster: ClusterConfig = Field(default=ClusterConfig(), description="Where it runs.")

    @field_validator("shard")
    @classmethod
    def _is_share(cls, shard: str | None) -> str | None:
        if shard is not None:
            parse_shard(shard)
        return shard

    @model_validator(mode="after")
    def _ordered(self) -> RunConfig:
        if self.last_day < self.start:
            raise ValueError(f"end {self.last_day} is before start {self.start}; swap them")
        return self

    @property
    def last_day(self) -> date:
        """Last day of sensing; today where none is given."""
        return self.end or datetime.now(UTC).date()

    @property
    def processing(self) -> str:
        """What shapes a value, as JSON with sorted keys; addresses, dates and machines stay out of it."""
        shaping = {"despeckle", "hide_layover", "rules"}
        return json.dumps(self.model_dump(mode="json", include=shaping), sort_keys=True)


def digest(*parts: str) -> str:
    """Sixteen hex digits of some texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def load_config(path: Path | None, overrides: dict[str, Any]) -> RunConfig:
    """Read a YAML configuration; values given on the command line win.

    Parameters
    ----------
    path
        YAML file; None starts from the defaults.
    overrides
        Key -> value; a dotted key reaches into a section. None values are ignored.

    Raises
    ------
    PipelineError
        The file cannot be read, or a value is refused; the message names key, value and rule.
    """
    given = {} if path is None else _read_yaml(path)
    for dotted, value in overrides.items():
        if value is not None:
            _set(given, dotted, value)
    try:
        return RunConfig.model_validate(given)
    except ValidationError as error:
        raise PipelineError(_explain(error)) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    """Keys of a YAML file; a section without any key under it stands for its defaults."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except UnicodeDecodeError as error:
        raise PipelineError(f"configuration {path} is not UTF-8 text ({error}); save it as UTF-8") from error
    except (OSError, yaml.YAMLError) as error:
        raise PipelineError(f"configuration {path} cannot be read: {error}") from error
    if not isinstance(given, dict):
        raise PipelineError(f"configuration {path} is not a mapping of keys; see 'glaciolake config'")
    fields = RunConfig.model_fields.items()
    sections = {key for key, about in fields if isinstance(about.default, BaseModel)}
    return {key: value for key, value in given.items() if value is not None or key not in sections}


def _set(given: dict[str, Any], dotted: str, value: object) -> None:
    """Set the value of a dotted key; sections that are missing or empty are made."""
    *sections, key = dotted.split(".")
    at = given
    for section in sections:
        if at.get(section) is None:
            at[section] = {}
        at = at[section]
        if not isinstance(at, dict):
            raise PipelineError(
                f"{section}: {at!r} is no section, so {dotted} cannot be set in it; give it keys, such as "
                f"'{section}: {{{key}: {value}}}'"
            )
    at[key] = value


def _explain(error: ValidationError) -> str:
    lines = []
    for one in error.errors():
        where = ".".join(str(part) for part in one["loc"]) or "configuration"
        shown = (
            ""
            if one["type"] == "missing" or isinstance(one["input"], dict)
            else f" (given: {one['input']!r})"
        )
        lines.append(f"{where}: {one['msg'].removeprefix('Value error, ')}{shown}")
    return "; ".join(lines) + ". 'glaciolake config' prints every key with its meaning"


def commented_yaml(config: RunConfig) -> str:
    """Print a configuration as YAML with every key's meaning above it."""
    return "\n".join(_section(config, 0)) + "\n"


def _section(model: BaseModel, depth: int) -> list[str]:
    indent, lines = "  " * depth, []
    for key, about in type(model).model_fields.items():
        value = getattr(model, key)
        lines.append(f"{indent}# {about.description}")
        if isinstance(value, BaseModel):
            lines.append(f"{indent}{key}:")
            lines += _section(value, depth + 1)
            continue
        plain = model.model_dump(mode="json", include={key})[key]
        text = yaml.safe_dump(plain, default_flow_style=True, width=1000).strip().removesuffix("...").strip()
        lines.append(f"{indent}{key}: {text}")
    return lines
