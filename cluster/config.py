"""Where work runs, as a closed and frozen model."""

from __future__ import annotations

import re
from pathlib import Path

from dask.utils import parse_bytes
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ADDRESS = re.compile(r"(tcp|tls|ws|wss)://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}/?")
WHOLE_MEMORY = "auto"
CHART = "glaciolake"
"""Name of our Helm chart."""
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
LABEL_LENGTH = 63
"""What DNS allows one part of a name."""


class KubernetesRelease(BaseModel):
    """A release of our Helm chart, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: str = Field(pattern=f"^{LABEL}$", description="Name given to `helm install`.")
    namespace: str = Field(default="default", pattern=f"^{LABEL}$", description="Namespace of the release.")
    service: str | None = Field(
        default=None,
        pattern=f"^{LABEL}$",
        description="Service of its scheduler, where nameOverride or fullnameOverride gave it another name.",
    )

    @property
    def scheduler_service(self) -> str:
        """Name of the scheduler's Service; its first part is what Helm's charts call their full name."""
        if self.service is not None:
            return self.service
        whole = self.release if CHART in self.release else f"{self.release}-{CHART}"
        return f"{whole}-scheduler"

    @model_validator(mode="after")
    def _fits(self) -> KubernetesRelease:
        if len(self.scheduler_service) > LABEL_LENGTH:
            raise ValueError(
                f"the Service of release {self.release!r} would be called {self.scheduler_service!r}, longer "
                f"than {LABEL_LENGTH} characters; give the name that it has as service"
            )
        return self


class GatewayPlace(BaseModel):
    """A dask-gateway, and what is wanted of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(pattern=r"^https?://\S+$", description="Address of the gateway, http(s)://host/...")
    name: str | None = Field(
        default=None, description="Cluster that runs there; null starts one, which ends with the run."
    )
    n_workers: int = Field(default=2, ge=1, description="Workers of a cluster that is started.")


class ClusterConfig(BaseModel):
    """Workers of our own on this machine, or a scheduler that somebody else runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheduler: str | None = Field(
        default=None,
        description="Dask scheduler, tcp://host:8786 or tls://host:8786; null: workers on this machine.",
    )
    kubernetes: KubernetesRelease | None = Field(
        default=None,
        description="Release of our Helm chart whose scheduler is used: release and namespace; else null.",
    )
    gateway: GatewayPlace | None = Field(
        default=None, description="A dask-gateway: address, name of a cluster, n_workers; else null."
    )
    n_workers: int | None = Field(
        default=None, ge=1, description="Worker processes on this machine; null starts one a core."
    )
    max_workers: int | None = Field(
        default=None,
        ge=1,
        description="Let workers on this machine grow from n_workers up to so many while there is work.",
    )
    threads_per_worker: int = Field(
        default=1, ge=1, description="Tasks at a time in a worker process; more processes beat more threads."
    )
    memory_limit: str = Field(
        default=WHOLE_MEMORY,
        description="Memory a worker may use before it is restarted, such as 4GiB; auto: its share.",
    )
    gpu: bool = Field(
        default=False, description="Run the network only on workers that offer the resource GPU."
    )
    n_gpu_workers: int = Field(
        default=1,
        ge=1,
        description="With gpu and on this machine: workers with a GPU each, beside n_workers for the rest.",
    )
    spill_folder: Path | None = Field(
        default=None, description="Where workers on this machine put scratch files; null is the system's own."
    )
    connect_timeout_s: float = Field(
        default=10.0, gt=0, description="How long to wait for the scheduler to answer, seconds."
    )
    workers_timeout_s: float = Field(
        default=45.0,
        gt=0,
        description="How long to wait for a worker of each kind that is needed, also in mid-run, seconds.",
    )
    tls_ca_file: Path | None = Field(
        default=None, description="With tls://: certificate of the authority that signed the scheduler's."
    )
    tls_cert_file: Path | None = Field(default=None, description="With tls://: our own certificate.")
    tls_key_file: Path | None = Field(default=None, description="With tls://: the key of our certificate.")

    @field_validator("scheduler")
    @classmethod
    def _is_address(cls, address: str | None) -> str | None:
        if address is not None and not ADDRESS.fullmatch(address):
            raise ValueError(f"{address!r} is no scheduler address; write it like tcp://host:8786")
        return address

    @field_validator("memory_limit")
    @classmethod
    def _is_size(cls, limit: str) -> str:
        if limit != WHOLE_MEMORY:
            try:
                n_bytes = parse_bytes(limit)
            except ValueError:
                n_bytes = 0
            if n_bytes < 2**26:
                raise ValueError(
                    f"{limit!r} is no memory limit of 64 MiB or more; write it like 4GiB, or auto"
                )
        return limit

    @model_validator(mode="after")
    def _tls_is_whole(self) -> ClusterConfig:
        files = (self.tls_ca_file, self.tls_cert_file, self.tls_key_file)
        if any(files) and not all(files):
            raise ValueError("give all of tls_ca_file, tls_cert_file and tls_key_file, or none of them")
        secret = (self.scheduler or "").startswith(("tls://", "wss://")) or self.kubernetes is not None
        if any(files) and not secret:
            raise ValueError(f"TLS files go with a tls:// scheduler, not with {self.scheduler!r}")
        return self

    @model_validator(mode="after")
    def _one_place(self) -> ClusterConfig:
        if self.scheduler is not None and self.kubernetes is not None:
            raise ValueError(f"give scheduler ({self.scheduler}) or kubernetes, not both")
        if self.gateway is not None and not (self.scheduler is None and self.kubernetes is None):
            raise ValueError(f"give gateway ({self.gateway.address}), scheduler or kubernetes, one of them")
        return self

    @model_validator(mode="after")
    def _can_grow(self) -> ClusterConfig:
        if self.max_workers is None:
            return self
        if self.gpu or not self.is_local:
            raise ValueError(
                "max_workers is for workers without a GPU on this machine; elsewhere scale what starts them"
            )
        if self.n_workers is None or self.n_workers > self.max_workers:
            raise ValueError(f"max_workers is {self.max_workers}; give n_workers from 1 to as many")
        return self

    @property
    def is_local(self) -> bool:
        """Whether workers are started on this machine."""
        return self.scheduler is None and self.kubernetes is None and self.gateway is None
