"""What the chart refuses, word for word, with the remedy; and what the schema refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.helm.chart import CHART, FULL, HELM3, HELM4, IMAGE, helm, merged, render

S3 = {"kind": "s3", "s3": {"bucket": "lakes", "existingSecret": "store-keys"}}
GPU = {"workerGroups": {"gpu": {"enabled": True}}}
PLAIN = (
    "as plain text, which everybody who may read pods would see; put it into a Secret and refer to it: "
    "valueFrom.secretKeyRef with name and key"
)
CRON = (
    "is not a schedule of cron; give five fields, minute hour day month weekday, such as "
    '"17 * * * *" for every hour, or @hourly'
)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no image": (
        {"image": {"repository": ""}},
        "image.repository is empty; build the image with `docker build -t REGISTRY/glaciolake:VERSION .`, "
        "push it, and set image.repository=REGISTRY/glaciolake",
    ),
    "latest": (
        {"image": {"tag": "latest"}},
        "image.tag is latest, which is another image tomorrow, while client, scheduler and workers must be "
        "of one version; name a version, such as 0.1.0",
    ),
    "latest of a group": (
        {"workerGroups": {"cpu": {"image": {"tag": "latest"}}}},
        "workerGroups.cpu.image.tag is latest, which is another image tomorrow, while client, scheduler and "
        "workers must be of one version; name a version, such as 0.1.0",
    ),
    "no time to retire": (
        {"workerDefaults": {"retireSeconds": 60}},
        "workerGroups.cpu.retireSeconds is 60 and its terminationGracePeriodSeconds 60; the pod would be "
        "killed before its worker has handed over what it holds: set terminationGracePeriodSeconds to at "
        "least 90",
    ),
    "latest of the notebook": (
        {"jupyter": {"image": {"tag": "latest"}}},
        "jupyter.image.tag is latest, which is another image tomorrow, while client, scheduler and workers "
        "must be of one version; name a version, such as 0.1.0",
    ),
    "s3 without bucket": (
        {"store": {"kind": "s3"}},
        "store.kind is s3 and store.s3.bucket is empty; set store.s3.bucket to a bucket that exists",
    ),
    "s3 without secret": (
        {"store": {"kind": "s3", "s3": {"bucket": "lakes"}}},
        "store.kind is s3 and store.s3.existingSecret is empty; make one with `kubectl create secret generic "
        "store-keys --from-literal=AWS_ACCESS_KEY_ID=... --from-literal=AWS_SECRET_ACCESS_KEY=...` and set "
        "store.s3.existingSecret=store-keys",
    ),
    "s3 and a claim": (
        {"store": merged(S3, {"pvc": {"existingClaim": "mine"}})},
        "store.kind is s3, but store.pvc.existingClaim is mine; a store lies in one place: empty it, or set "
        "store.kind=pvc",
    ),
    "pvc and a bucket": (
        {"store": {"s3": {"bucket": "lakes"}}},
        "store.kind is pvc, but store.s3.bucket is lakes; a store lies in one place: empty it, or set "
        "store.kind=s3",
    ),
    "TLS without secret": (
        {"tls": {"enabled": True}},
        "tls.enabled is true and tls.existingSecret is empty; have cert-manager make a Secret with ca.crt, "
        "tls.crt and tls.key, or `kubectl create secret generic dask-tls --from-file=ca.crt "
        "--from-file=tls.crt --from-file=tls.key`, and set tls.existingSecret=dask-tls",
    ),
    "secret without TLS": (
        {"tls": {"existingSecret": "dask-tls"}},
        "tls.existingSecret is dask-tls, but tls.enabled is false and nothing would be encrypted; set "
        "tls.enabled=true, or empty tls.existingSecret",
    ),
    "notebook without secret": (
        {"jupyter": {"enabled": True}},
        "jupyter.enabled is true and jupyter.existingSecret is empty; there is no default password: `kubectl "
        "create secret generic notebook --from-literal=token=$(openssl rand -hex 32)` and set "
        "jupyter.existingSecret=notebook",
    ),
    "secret as text": (
        {"extraEnv": [{"name": "EARTHDATA_TOKEN", "value": "eyJ0"}]},
        f"extraEnv gives EARTHDATA_TOKEN {PLAIN}",
    ),
    "secret as text for the scheduler": (
        {"scheduler": {"extraEnv": [{"name": "DB_PASSWORD", "value": "x"}]}},
        f"extraEnv gives DB_PASSWORD {PLAIN}",
    ),
    "secret as text for jobs": (
        {"jobs": {"extraEnv": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}]}},
        f"extraEnv gives AWS_SECRET_ACCESS_KEY {PLAIN}",
    ),
    "secret as text for workers": (
        {"workerDefaults": {"extraEnv": [{"name": "MY_CREDENTIALS", "value": "x"}]}},
        f"extraEnv gives MY_CREDENTIALS {PLAIN}",
    ),
    "secret as text for a group": (
        {"workerGroups": {"cpu": {"extraEnv": [{"name": "AWS_ACCESS_KEY_ID", "value": "x"}]}}},
        f"workerGroups.cpu.extraEnv gives AWS_ACCESS_KEY_ID {PLAIN}",
    ),
    "GPU group without a GPU": (
        {"workerGroups": {"fast": {"gpu": True}}},
        "workerGroups.fast.gpu is true, but its resources.limits name no GPU, so its workers would get none; "
        "set workerGroups.fast.resources.limits.nvidia\\.com/gpu=1, or gpu: false",
    ),
    "GPU that nobody uses": (
        {"workerGroups": {"cpu": {"resources": {"limits": {"nvidia.com/gpu": 1}}}}},
        "workerGroups.cpu takes nvidia.com/gpu, but its gpu is false, so no task would use it; set "
        "workerGroups.cpu.gpu=true, or take the limit away",
    ),
    "digest of one image only": (
        merged(GPU, {"image": {"digest": f"sha256:{'0' * 64}"}}),
        "image.digest pins the CPU image, and workerGroups.gpu needs the CUDA one; set image.cudaDigest to "
        "its digest",
    ),
    "no worker": (
        {"workerGroups": {"cpu": {"replicas": 0}}},
        "no worker group is enabled with replicas above 0, so a run would wait for workers in vain; set "
        "workerGroups.cpu.replicas to 1 or more",
    ),
    "no group": (
        {"workerGroups": {"cpu": {"enabled": False}}},
        "no worker group is enabled with replicas above 0, so a run would wait for workers in vain; set "
        "workerGroups.cpu.replicas to 1 or more",
    ),
    "schedule of four fields": (
        {"ingest": {"enabled": True, "schedule": "0 * * *"}},
        f'ingest.schedule "0 * * *" {CRON}',
    ),
    "schedule in words": (
        {"ingest": {"enabled": True, "schedule": "every hour"}},
        f'ingest.schedule "every hour" {CRON}',
    ),
    "minute that is not": (
        {"ingest": {"enabled": True, "schedule": "61 * * * *"}},
        f'ingest.schedule "61 * * * *" {CRON}',
    ),
    "hour that is not": (
        {"ingest": {"enabled": True, "schedule": "0 24 * * *"}},
        f'ingest.schedule "0 24 * * *" {CRON}',
    ),
    "two registries": (
        {"registry": {"geojson": "{}"}, "run": {"registry": "/lakes/mine.geojson"}},
        "registry.geojson and run.registry (/lakes/mine.geojson) both name lakes; keep one of them",
    ),
    "registry that is too big": (
        {"registry": {"geojson": "x" * 900_001}},
        "registry.geojson has 900001 bytes and a ConfigMap holds less than 1 MiB; put the file on a volume, "
        "mount it with extraMounts and set run.registry to its path",
    ),
    "volume for one pod, and a notebook": (
        {
            "store": {"pvc": {"accessMode": "ReadWriteOncePod"}},
            "jupyter": {"enabled": True, "existingSecret": "notebook"},
        },
        "store.pvc.accessMode is ReadWriteOncePod and jupyter.enabled is true; the notebook would keep the "
        "volume from the jobs for ever: set store.pvc.accessMode=ReadWriteOnce, or jupyter.enabled=false",
    ),
}


def complaint(values: dict[str, Any], release: str = "gl") -> str:
    """What helm says of values that the chart refuses."""
    said = helm("template", release, str(CHART), values=merged(IMAGE, values))
    assert said.returncode != 0, "it was accepted"
    return said.stderr.removesuffix("\n").removesuffix("\n\nUse --debug flag to render out invalid YAML")


@pytest.mark.parametrize("case", REFUSED)
def test_refused_word_for_word(case: str) -> None:
    values, sentence = REFUSED[case]
    assert complaint(values).endswith(f": {sentence}")


def test_every_refusal_of_the_chart_is_tested() -> None:
    text = (CHART / "templates" / "_helpers" / "validation.tpl").read_text()
    sentences = re.findall(r'fail \(?(?:printf )?"((?:[^"\\]|\\.)*)"', text)
    assert len(sentences) == text.count("{{- fail ")
    told = [sentence for _, sentence in REFUSED.values()]
    for sentence in sentences:
        plain = sentence.replace('\\"', '"').replace("\\\\", "\\")
        pattern = re.escape(plain).replace("%s", ".+").replace("%d", r"\d+").replace("%q", ".+")
        if "objects would be called" not in sentence:
            assert any(re.fullmatch(pattern, one) for one in told), f"no test for: {sentence}"


def test_a_name_that_is_too_long() -> None:
    release = "a" * 50
    name = f"{release}-glaciolake"
    assert complaint({}, release).endswith(
        f": objects would be called {name}, 61 characters, and the names of their pods would not fit; use a "
        "shorter release name, or set fullnameOverride to at most 40 characters"
    )


@pytest.mark.parametrize("binary", [HELM3, HELM4], ids=["helm3", "helm4"])
def test_both_helms_show_the_remedy(binary: Any) -> None:
    said = helm("template", "gl", str(CHART), values={}, binary=binary)
    assert said.returncode != 0 and REFUSED["no image"][1] in said.stderr


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"imagee": {}}, "imagee"),
        ({"run": {"lake": ["tsho-rolpa"]}}, "lake"),
        ({"run": {"despeckle": {"windows_px": 7}}}, "windows_px"),
        ({"workerGroups": {"cpu": {"replica": 2}}}, "replica"),
        ({"workerGroups": {"cpu": {"resources": {"limits": {"gpu": 1}}}}}, "gpu"),
        ({"store": {"s3": {"secretKey": "AKIA"}}}, "secretKey"),
        ({"scheduler": {"replicas": 2}}, "replicas"),
        ({"tls": {"cert": "x"}}, "cert"),
    ],
)
def test_unknown_keys_are_refused_by_name(values: dict[str, Any], names: str) -> None:
    said = complaint(values)
    assert f"additional properties '{names}' not allowed" in said


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"image": {"repository": "glaciolake:1.0"}}, "/image/repository"),
        ({"image": {"digest": "sha256:1"}}, "/image/digest"),
        ({"store": {"kind": "nfs"}}, "/store/kind"),
        ({"store": {"pvc": {"size": "fifty"}}}, "/store/pvc/size"),
        ({"store": {"s3": {"endpoint": "minio:9000"}}}, "/store/s3/endpoint"),
        ({"workerGroups": {"cpu": {"replicas": -1}}}, "/workerGroups/cpu/replicas"),
        ({"workerGroups": {"cpu": {"maxUnavailable": 0}}}, "/workerGroups/cpu/maxUnavailable"),
        ({"workerGroups": {"cpu": {"maxUnavailable": "0%"}}}, "/workerGroups/cpu/maxUnavailable"),
        ({"workerGroups": {"gpu": {"resources": {"limits": {"nvidia.com/gpu": 2}}}}}, "nvidia.com~1gpu"),
        ({"securityContext": {"runAsUser": 0}}, "/securityContext/runAsUser"),
        ({"ingest": {"lastDays": 0}}, "/ingest/lastDays"),
        ({"run": {"slices_per_piece": 0}}, "/run/slices_per_piece"),
        ({"run": {"engine": "tensorflow"}}, "/run/engine"),
        ({"networkPolicy": {"egressPorts": [70000]}}, "/networkPolicy/egressPorts"),
    ],
)
def test_wrong_values_are_refused_by_their_place(values: dict[str, Any], where: str) -> None:
    said = complaint(values)
    assert f"at '{where}" in said or (where.startswith("nvidia") and where in said)


def test_a_group_must_have_a_name_that_fits_into_that_of_a_pod() -> None:
    assert "invalid propertyName 'Upper'" in complaint({"workerGroups": {"Upper": {}}})
    assert "invalid propertyName 'thirteen-long'" in complaint({"workerGroups": {"thirteen-long": {}}})


def test_what_is_asked_for_in_a_remedy_is_accepted() -> None:
    render({"store": S3})
    render(GPU)
    render(merged(GPU, {"image": {"digest": f"sha256:{'0' * 64}", "cudaDigest": f"sha256:{'1' * 64}"}}))
    render({"tls": {"enabled": True, "existingSecret": "dask-tls"}})
    render(merged(FULL, {"ingest": {"schedule": "@hourly"}}))
    for schedule in ("*/15 * * * *", "0 6,18 * * MON-FRI", "5 4 1 */2 *"):
        render({"ingest": {"enabled": True, "schedule": schedule}})
