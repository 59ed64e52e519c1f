"""What a network wants to see and how its answer is read."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Engine = Literal["auto", "openvino", "openvino-bf16", "onnxruntime", "torch", "torch-bf16", "torch-cuda"]
Normalisation = Literal["paper", "db", "zscore"]


class ModelSpec(BaseModel):
    """Contract between the images a step makes and the network; stored inside the exported network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="Name of the network, with its version.")
    bands: tuple[Literal["vv", "vh"], ...] = Field(default=("vv",), description="Bands, in channel order.")
    normalisation: Normalisation = Field(default="db", description="How linear power becomes 0..1.")
    clip_db: tuple[float, float] = Field(
        default=(-30.0, 5.0), description="Decibels that map to 0 and to 1 (normalisation db)."
    )
    validity_channel: bool = Field(
        default=True, description="Append a channel that is 1 where every band has data and 0 elsewhere."
    )
    threshold: float = Field(default=0.5, gt=0, lt=1, description="Probability from which a pixel is water.")
    stride_px: int = Field(default=32, ge=1, description="Height and width are padded to multiples of this.")
    record: tuple[str, ...] = Field(
        default=(),
        description="Channels drawn from the record of a lake and track (`models.track.record`), in order; a "
        "network without any looks at single images.",
    )


class ModelRef(NamedTuple):
    """A network as tasks carry it: an address and its digest; a worker loads it once a process.

    Attributes
    ----------
    path
        File of the exported network (ONNX, with its `ModelSpec` in the metadata).
    sha256
        Hex digest of that file.
    engine
        Which library runs it. All compute in float32 and agree, but for those that end in bf16, twice as fast
        on processors with bfloat16 at the price of shores that move by single pixels, and a GPU, which
        computes in float16. "torch" takes a GPU where there is one, "torch-cuda" refuses where there is none.
    """

    path: str
    sha256: str
    engine: Engine = "auto"
