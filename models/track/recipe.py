"""How a track network is trained."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from glaciolake.models.track.network import STRIDE_PX


class TrackRecipe(BaseModel):
    """How a track network is trained; repeated on the same machine, it gives the same network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, description="Seed of weights, crops and variations.")
    steps: int = Field(default=1000, ge=1, description="Optimiser steps.")
    batch: int = Field(default=12, ge=1, description="Crops a step.")
    size_px: int = Field(default=96, ge=32, multiple_of=STRIDE_PX, description="Side of a crop.")
    width: int = Field(default=16, ge=4, description="Channels at half resolution.")
    learning_rate: float = Field(default=2e-3, gt=0, description="Highest; warm-up, then a cosine.")
    forget: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="Share of crops without outline and place, as of an unknown lake.",
    )
    change: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="Share of crops whose lake drains or grows, see `change`.",
    )
    simulated: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of those without outline that show simulated lakes, where such are given.",
    )
    turn: bool = Field(default=False, description="Turn and mirror the crops whose place is forgotten.")
    average: float = Field(default=0.98, ge=0, lt=1, description="Share the averaged weights keep each step.")
