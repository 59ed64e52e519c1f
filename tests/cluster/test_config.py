from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from glaciolake.cluster.config import ClusterConfig


def test_defaults_are_this_machine() -> None:
    config = ClusterConfig()
    assert (config.scheduler, config.n_workers, config.threads_per_worker, config.gpu) == (
        None,
        None,
        1,
        False,
    )


def test_every_field_is_described() -> None:
    assert all(field.description for field in ClusterConfig.model_fields.values())


@pytest.mark.parametrize(
    "address", ["tcp://host:8786", "tls://10.0.0.1:443", "tcp://[::1]:8786", "wss://a.b.org:443/"]
)
def test_addresses_that_dask_understands_are_taken(address: str) -> None:
    assert ClusterConfig(scheduler=address).scheduler == address


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"scheduler": "host:8786"}, "'host:8786' is no scheduler address; write it like tcp://host:8786"),
        ({"scheduler": "http://host:8787"}, "is no scheduler address"),
        ({"scheduler": "tcp://host"}, "is no scheduler address"),
        ({"max_workers": 4}, "max_workers is 4; give n_workers from 1 to as many"),
        ({"max_workers": 4, "n_workers": 1, "gpu": True}, "for workers without a GPU on this machine"),
        ({"max_workers": 4, "n_workers": 1, "scheduler": "tcp://a:1"}, "on this machine; elsewhere scale"),
        ({"n_workers": 0}, "greater than or equal to 1"),
        ({"memory_limit": "lots"}, "'lots' is no memory limit of 64 MiB or more; write it like 4GiB"),
        ({"memory_limit": "4"}, "'4' is no memory limit"),
        ({"workers": 3}, "Extra inputs are not permitted"),
        ({"scheduler": "tls://a:1", "tls_ca_file": Path("ca.pem")}, "give all of tls_ca_file"),
        (
            {"tls_ca_file": Path("a"), "tls_cert_file": Path("b"), "tls_key_file": Path("c")},
            "TLS files go with a tls:// scheduler",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_value_and_the_cure(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ClusterConfig(**given)


def test_a_configuration_does_not_change() -> None:
    config = ClusterConfig()
    with pytest.raises(ValidationError, match="frozen"):
        config.gpu = True
