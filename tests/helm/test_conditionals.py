"""What every switch of the chart changes, and what it leaves alone."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.helm.chart import (
    CHART,
    FULL,
    HELM3,
    HELM4,
    IMAGE,
    config,
    container,
    env,
    find,
    find_all,
    helm,
    merged,
    pods,
    render,
)

GPU = {"workerGroups": {"gpu": {"enabled": True}}}
S3 = {"store": {"kind": "s3", "s3": {"bucket": "lakes", "prefix": "all/of-them", "existingSecret": "keys"}}}
TLS = {"tls": {"enabled": True, "existingSecret": "dask-tls"}}
INGEST = {"ingest": {"enabled": True}}


def key_of(secret: str, key: str) -> dict[str, Any]:
    """Where a variable comes from."""
    return {"secretKeyRef": {"name": secret, "key": key}}


def arguments(objects: list[dict[str, Any]], kind: str, ending: str) -> list[str]:
    """Command line of an object's container."""
    return list(container(find(objects, kind, ending))["args"])


def mounts(owner: dict[str, Any]) -> dict[str, bool]:
    """Where a container mounts something, and whether it may only read."""
    return {one["mountPath"]: one.get("readOnly", False) for one in container(owner)["volumeMounts"]}


def volume(owner: dict[str, Any], name: str) -> dict[str, Any]:
    """A volume of an object's pod."""
    ((_, pod),) = pods([owner])
    return next(one for one in pod["spec"]["volumes"] if one["name"] == name)


def kinds(objects: list[dict[str, Any]]) -> set[str]:
    return {f"{one['kind']}/{one['metadata']['name']}" for one in objects}


def test_what_is_there_by_default() -> None:
    assert kinds(render()) == {
        "ConfigMap/gl-glaciolake-dask",
        "ConfigMap/gl-glaciolake-run",
        "Deployment/gl-glaciolake-scheduler",
        "Deployment/gl-glaciolake-worker-cpu",
        "Job/gl-glaciolake-backfill-1",
        "NetworkPolicy/gl-glaciolake",
        "PersistentVolumeClaim/gl-glaciolake-store",
        "Pod/gl-glaciolake-test",
        "PodDisruptionBudget/gl-glaciolake-worker-cpu",
        "Service/gl-glaciolake-scheduler",
        "ServiceAccount/gl-glaciolake",
    }


@pytest.mark.parametrize(
    ("values", "more", "fewer"),
    [
        (INGEST, {"CronJob/gl-glaciolake-ingest"}, set()),
        (
            GPU,
            {"Deployment/gl-glaciolake-worker-gpu", "PodDisruptionBudget/gl-glaciolake-worker-gpu"},
            set(),
        ),
        ({"backfill": {"enabled": False}}, set(), {"Job/gl-glaciolake-backfill-1"}),
        ({"networkPolicy": {"enabled": False}}, set(), {"NetworkPolicy/gl-glaciolake"}),
        ({"networkPolicy": {"clients": {"a": "b"}}}, {"NetworkPolicy/gl-glaciolake-clients"}, set()),
        (
            {"podDisruptionBudget": {"enabled": False}},
            set(),
            {"PodDisruptionBudget/gl-glaciolake-worker-cpu"},
        ),
        ({"serviceAccount": {"create": False}}, set(), {"ServiceAccount/gl-glaciolake"}),
        ({"tests": {"enabled": False}}, set(), {"Pod/gl-glaciolake-test"}),
        ({"store": {"pvc": {"existingClaim": "mine"}}}, set(), {"PersistentVolumeClaim/gl-glaciolake-store"}),
        (S3, set(), {"PersistentVolumeClaim/gl-glaciolake-store"}),
        (
            {"metrics": {"serviceMonitor": {"enabled": True}}},
            {"NetworkPolicy/gl-glaciolake-metrics", "ServiceMonitor/gl-glaciolake-scheduler"},
            set(),
        ),
        (
            {"jupyter": {"enabled": True, "existingSecret": "notebook"}},
            {"Deployment/gl-glaciolake-jupyter", "Service/gl-glaciolake-jupyter"},
            set(),
        ),
        (
            {"workerGroups": {"big": {"resources": {"limits": {"memory": "64Gi"}}}}},
            {"Deployment/gl-glaciolake-worker-big", "PodDisruptionBudget/gl-glaciolake-worker-big"},
            set(),
        ),
    ],
)
def test_a_switch_adds_and_takes_away(values: dict[str, Any], more: set[str], fewer: set[str]) -> None:
    before, after = kinds(render()), kinds(render(values))
    assert after - before == more and before - after == fewer


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("gl", {}, "gl-glaciolake"),
        ("my-glaciolake", {}, "my-glaciolake"),
        ("gl", {"nameOverride": "lakes"}, "gl-lakes"),
        ("gl", {"fullnameOverride": "himalaya"}, "himalaya"),
    ],
)
def test_names(release: str, values: dict[str, Any], name: str) -> None:
    objects = render(values, release=release)
    assert find(objects, "Service")["metadata"]["name"] == f"{name}-scheduler"
    assert config(objects, "run")["cluster"]["scheduler"] == f"tcp://{name}-scheduler:8786"
    assert arguments(objects, "Deployment", "-worker-cpu")[2] == f"tcp://{name}-scheduler:8786"


@pytest.mark.parametrize(
    ("image", "cpu", "gpu"),
    [
        ({}, "r/g:0.1.0", "r/g:0.1.0-cuda"),
        ({"tag": "2.0"}, "r/g:2.0", "r/g:2.0-cuda"),
        ({"tag": "2.0", "cudaSuffix": ""}, "r/g:2.0", "r/g:2.0"),
        (
            {"digest": f"sha256:{'a' * 64}", "cudaDigest": f"sha256:{'b' * 64}"},
            f"r/g@sha256:{'a' * 64}",
            f"r/g@sha256:{'b' * 64}",
        ),
    ],
)
def test_images(image: dict[str, str], cpu: str, gpu: str) -> None:
    objects = render(merged(FULL, {"image": {"repository": "r/g", **image}}))
    for owner in [one for one in objects if list(pods([one]))]:
        wanted = gpu if owner["metadata"]["name"].endswith("-worker-gpu") else cpu
        assert container(owner)["image"] == wanted, owner["metadata"]["name"]


def test_a_group_may_have_an_image_of_its_own() -> None:
    own = {"repository": "other/g", "tag": "9"}
    objects = render(merged(GPU, {"workerGroups": {"gpu": {"image": own}}}))
    assert container(find(objects, "Deployment", "-worker-gpu"))["image"] == "other/g:9"
    digest = f"sha256:{'c' * 64}"
    objects = render(merged(GPU, {"workerGroups": {"gpu": {"image": {"digest": digest}}}}))
    assert container(find(objects, "Deployment", "-worker-gpu"))["image"].endswith(f"glaciolake@{digest}")


def test_pull_secrets_reach_every_pod() -> None:
    objects = render(merged(FULL, {"image": {"pullSecrets": ["registry"], "pullPolicy": "Always"}}))
    for owner, pod in pods(objects):
        assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}], owner
        assert {one["imagePullPolicy"] for one in pod["spec"]["containers"]} == {"Always"}


def test_gpu_workers_offer_gpus_and_others_do_not() -> None:
    objects = render(GPU)
    cpu, gpu = (find(objects, "Deployment", f"-worker-{one}") for one in ("cpu", "gpu"))
    assert "--resources=GPU=1" in container(gpu)["args"]
    assert not [one for one in container(cpu)["args"] if one.startswith("--resources")]
    assert container(gpu)["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "nvidia.com/gpu" not in container(cpu)["resources"]["limits"]
    assert gpu["spec"]["template"]["spec"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert config(objects, "run")["cluster"]["gpu"] is True


@pytest.mark.parametrize("own", [{"enabled": False}, {"enabled": True, "replicas": 0}])
def test_without_gpu_workers_a_run_does_not_wait_for_them(own: dict[str, Any]) -> None:
    assert config(render({"workerGroups": {"gpu": own}}), "run")["cluster"]["gpu"] is False


def test_a_group_takes_what_it_does_not_say_from_the_defaults() -> None:
    values = {
        "workerDefaults": {"threads": 3, "nodeSelector": {"pool": "batch"}, "maxUnavailable": 2},
        "workerGroups": {
            "cpu": {"resources": {"limits": {"memory": "9Gi"}}},
            "big": {
                "nodeSelector": {"size": "big"},
                "priorityClassName": "low",
                "replicas": 7,
                "runtimeClassName": "nvidia",
                "spillSize": "99Gi",
                "terminationGracePeriodSeconds": 300,
                "topologySpread": [{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
            },
        },
    }
    objects = render(values)
    cpu, big = (find(objects, "Deployment", f"-worker-{one}") for one in ("cpu", "big"))
    assert "--nthreads=3" in container(cpu)["args"] and "--nthreads=3" in container(big)["args"]
    assert container(cpu)["resources"]["limits"] == {"cpu": "1", "memory": "9Gi"}
    assert container(big)["resources"]["limits"] == {"cpu": "1", "memory": "4Gi"}
    spec = big["spec"]["template"]["spec"]
    assert big["spec"]["replicas"] == 7
    assert spec["nodeSelector"] == {"pool": "batch", "size": "big"}
    assert (spec["priorityClassName"], spec["runtimeClassName"]) == ("low", "nvidia")
    assert spec["terminationGracePeriodSeconds"] == 300
    assert volume(big, "scratch")["emptyDir"]["sizeLimit"] == "99Gi"
    (spread,) = spec["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["maxSkew"], spread["whenUnsatisfiable"]) == (
        "zone",
        1,
        "DoNotSchedule",
    )
    assert spread["labelSelector"]["matchLabels"] == big["spec"]["selector"]["matchLabels"]
    assert big["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 2}
    assert find(objects, "PodDisruptionBudget", "-big")["spec"]["maxUnavailable"] == 2


def test_workers_retire_before_they_end_unless_told_not_to() -> None:
    groups = {"gpu": {"enabled": True, "retireSeconds": 0}}
    objects = render({"workerGroups": groups, "tls": {"enabled": True, "existingSecret": "dask-tls"}})
    hook = container(find(objects, "Deployment", "-worker-cpu"))["lifecycle"]["preStop"]["exec"]["command"]
    assert hook[:2] == ["sh", "-c"]
    address = "tls://gl-glaciolake-scheduler:8786"
    retire = f'timeout 50 glaciolake cluster retire "$POD_NAME" --scheduler {address} --timeout 30'
    assert hook[2:] == [f"{retire} || true"]
    assert "lifecycle" not in container(find(objects, "Deployment", "-worker-gpu"))


def test_workers_keep_the_memory_of_a_batch() -> None:
    variables = env(find(render(), "Deployment", "-worker-cpu"))
    assert (variables["MALLOC_MMAP_MAX_"], variables["MALLOC_TRIM_THRESHOLD_"]) == ("0", "4000000000")


def test_store_on_a_volume() -> None:
    values = {
        "store": {
            "name": "own.icechunk",
            "pvc": {"size": "7Gi", "storageClassName": "fast", "accessMode": "ReadWriteMany"},
        }
    }
    objects = render(values)
    claim = find(objects, "PersistentVolumeClaim")
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "7Gi"}},
    }
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert config(objects, "run")["store"] == "/data/own.icechunk"
    job = find(objects, "Job")
    assert volume(job, "store")["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert mounts(job)["/data"] is False
    assert "/data" not in mounts(find(objects, "Deployment", "-worker-cpu"))
    assert not [name for name in env(job) if name.startswith("AWS_")]


def test_pods_that_share_a_volume_share_its_node() -> None:
    values = merged(INGEST, {"jupyter": {"enabled": True, "existingSecret": "notebook"}})
    for mode, together in (("ReadWriteOnce", True), ("ReadWriteMany", False)):
        for owner, pod in pods(render(merged(values, {"store": {"pvc": {"accessMode": mode}}}))):
            shares = any(one["name"] == "store" for one in pod["spec"]["volumes"])
            assert ("affinity" in pod["spec"]) is (shares and together), owner
            if "affinity" in pod["spec"]:
                (term,) = pod["spec"]["affinity"]["podAffinity"][
                    "requiredDuringSchedulingIgnoredDuringExecution"
                ]
                assert term["topologyKey"] == "kubernetes.io/hostname"
                # the first of them finds nobody: it must match its own term to be placed at all
                assert term["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert not [owner for owner, pod in pods(render(merged(values, S3))) if "affinity" in pod["spec"]]


def test_a_claim_may_go_or_be_somebody_elses() -> None:
    gone = find(render({"store": {"pvc": {"keep": False}}}), "PersistentVolumeClaim")
    assert "annotations" not in gone["metadata"]
    job = find(render({"store": {"pvc": {"existingClaim": "mine"}}}), "Job")
    assert volume(job, "store")["persistentVolumeClaim"]["claimName"] == "mine"


def test_store_in_a_bucket() -> None:
    given = merged(S3, {"store": {"s3": {"endpoint": "https://s3.local:9000", "region": "eu-west-1"}}})
    objects = render(merged(given, {"store": {"s3": {"sessionTokenKey": "session", "accessKeyIdKey": "id"}}}))
    assert config(objects, "run")["store"] == "s3://lakes/all/of-them"
    job = find(objects, "Job")
    variables = env(job)
    assert variables["AWS_ACCESS_KEY_ID"] == key_of("keys", "id")
    assert variables["AWS_SECRET_ACCESS_KEY"] == key_of("keys", "AWS_SECRET_ACCESS_KEY")
    assert variables["AWS_SESSION_TOKEN"] == key_of("keys", "session")
    assert variables["AWS_ENDPOINT_URL"] == "https://s3.local:9000"
    assert variables["AWS_REGION"] == "eu-west-1"
    assert "/data" not in mounts(job)
    assert {"AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"}.isdisjoint(env(find(render(S3), "Job")))


@pytest.mark.parametrize(
    ("keys", "variable", "path"),
    [
        ({"tokenKey": "t"}, "EARTHDATA_TOKEN_FILE", "/etc/earthdata/t"),
        ({"netrcKey": ".netrc"}, "NETRC", "/etc/earthdata/.netrc"),
    ],
)
def test_login_of_earthdata_reaches_who_reads_scenes_as_a_file(
    keys: dict[str, str], variable: str, path: str
) -> None:
    objects = render(merged(INGEST, {"earthdata": {"existingSecret": "nasa", **keys}}))
    for owner in (find(objects, "Job"), find(objects, "CronJob"), find(objects, "Deployment", "-worker-cpu")):
        assert env(owner)[variable] == path
        assert not {"NETRC", "EARTHDATA_TOKEN", "EARTHDATA_TOKEN_FILE"} & (set(env(owner)) - {variable})
        assert mounts(owner)["/etc/earthdata"] is True
        assert volume(owner, "earthdata")["secret"] == {"secretName": "nasa", "defaultMode": 0o440}
    scheduler = find(objects, "Deployment", "-scheduler")
    assert variable not in env(scheduler) and "/etc/earthdata" not in mounts(scheduler)
    assert variable not in env(find(render(), "Job"))


def test_registry_of_ones_own() -> None:
    text = '{"type": "FeatureCollection", "features": []}'
    objects = render({"registry": {"geojson": text}})
    assert find(objects, "ConfigMap", "-run")["data"]["lakes.geojson"] == text
    assert config(objects, "run")["registry"] == "/etc/glaciolake/lakes.geojson"
    assert mounts(find(objects, "Job"))["/etc/glaciolake"] is True
    assert "registry" not in config(render(), "run")


def test_encryption_reaches_every_pod() -> None:
    objects = render(merged(FULL, TLS))
    for owner in [one for one in objects if list(pods([one]))]:
        variables = env(owner)
        assert variables["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "True"
        for role in ("SCHEDULER", "WORKER", "CLIENT"):
            assert variables[f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"] == "/etc/glaciolake/tls/tls.key"
            assert variables[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] == "/etc/glaciolake/tls/tls.crt"
        assert variables["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] == "/etc/glaciolake/tls/ca.crt"
        assert mounts(owner)["/etc/glaciolake/tls"] is True
        assert volume(owner, "tls")["secret"] == {"secretName": "dask-tls", "defaultMode": 0o440}
        for name in ("startupProbe", "readinessProbe"):
            probe = container(owner).get(name, {})
            assert probe.get("httpGet", {}).get("scheme", "HTTPS") == "HTTPS"
    assert "--protocol=tls" in arguments(objects, "Deployment", "-scheduler")
    assert arguments(objects, "Deployment", "-worker-cpu")[2].startswith("tls://")
    monitor = find(objects, "ServiceMonitor")["spec"]["endpoints"][0]
    assert monitor["scheme"] == "https"


def test_without_encryption_nothing_of_it_is_there() -> None:
    for owner in [one for one in render() if list(pods([one]))]:
        assert not [name for name in env(owner) if "TLS" in name or "ENCRYPTION" in name]
        assert "/etc/glaciolake/tls" not in mounts(owner)


@pytest.mark.parametrize(
    ("values", "served"),
    [
        ({}, {"health"}),
        ({"scheduler": {"api": True}}, {"health", "scheduler.api"}),
        ({"metrics": {"serviceMonitor": {"enabled": True}}}, {"health", "scheduler.prometheus"}),
        (
            {"scheduler": {"dashboard": True}},
            {"health", "scheduler.info", "scheduler.json", "proxy", "statics", "scheduler.prometheus"},
        ),
    ],
)
def test_the_scheduler_serves_what_is_asked_for(values: dict[str, Any], served: set[str]) -> None:
    objects = render(values)
    routes = config(objects, "dask")["distributed"]["scheduler"]["http"]["routes"]
    assert {one.removeprefix("distributed.http.") for one in routes} == served
    wanted = "--dashboard" if values.get("scheduler", {}).get("dashboard") else "--no-dashboard"
    assert wanted in arguments(objects, "Deployment", "-scheduler")


def test_backfill() -> None:
    values = {"backfill": {"backoffLimit": 3, "activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 60}}
    job = find(render(values), "Job")
    assert job["spec"]["backoffLimit"] == 3
    assert job["spec"]["activeDeadlineSeconds"] == 3600
    assert job["spec"]["ttlSecondsAfterFinished"] == 60
    assert container(job)["args"] == ["glaciolake", "run", "/etc/glaciolake/config.yaml"]
    assert "activeDeadlineSeconds" not in find(render(), "Job")["spec"]
    replaced = find(render({"backfill": {"annotations": {"a": "b"}}}), "Job")
    assert replaced["metadata"]["annotations"] == {"a": "b"} and "annotations" not in job["metadata"]
    drained, refused = job["spec"]["podFailurePolicy"]["rules"]
    assert drained == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    assert refused["action"] == "FailJob" and refused["onExitCodes"]["values"] == [2]
    assert refused["onExitCodes"]["containerName"] == container(job)["name"]


def test_each_revision_has_a_job_of_its_own() -> None:
    """A Job's template cannot be changed: an upgrade with the same name would be refused."""
    assert find(render(), "Job")["metadata"]["name"] == "gl-glaciolake-backfill-1"
    text = (CHART / "templates" / "jobs" / "backfill.yaml").read_text()
    assert '\n  name: {{ include "glaciolake.fullname" . }}-backfill-{{ .Release.Revision }}\n' in text


def test_ingestion() -> None:
    values = {
        "ingest": {
            "enabled": True,
            "schedule": "5 */2 * * *",
            "lastDays": 30,
            "suspend": True,
            "startingDeadlineSeconds": 90,
            "backoffLimit": 0,
            "activeDeadlineSeconds": 7000,
        }
    }
    objects = render(values)
    cron = find(objects, "CronJob")["spec"]
    assert (cron["schedule"], cron["timeZone"], cron["suspend"]) == ("5 */2 * * *", "Etc/UTC", True)
    assert (cron["concurrencyPolicy"], cron["startingDeadlineSeconds"]) == ("Forbid", 90)
    spec = cron["jobTemplate"]["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 7000)
    backfill, ingest = (container(find(objects, kind)) for kind in ("Job", "CronJob"))
    assert ingest["args"] == [*backfill["args"], "--last-days", "30"]
    same = ("env", "image", "resources", "securityContext", "volumeMounts")
    assert {key: ingest[key] for key in same} == {key: backfill[key] for key in same}


def test_jobs() -> None:
    values = {
        "jobs": {
            "connectTimeoutSeconds": 11,
            "workersTimeoutSeconds": 22,
            "nodeSelector": {"pool": "small"},
            "tolerations": [{"key": "small", "operator": "Exists"}],
            "priorityClassName": "high",
            "extraEnv": [{"name": "GDAL_CACHEMAX", "value": "64"}],
            "resources": {"requests": {"cpu": 2}, "limits": {"memory": "1Gi"}},
        }
    }
    objects = render(merged(INGEST, values))
    cluster = config(objects, "run")["cluster"]
    assert (cluster["connect_timeout_s"], cluster["workers_timeout_s"]) == (11, 22)
    for owner in (find(objects, "Job"), find(objects, "CronJob")):
        ((_, pod),) = pods([owner])
        assert pod["spec"]["nodeSelector"] == {"pool": "small"}
        assert pod["spec"]["tolerations"] == [{"key": "small", "operator": "Exists"}]
        assert pod["spec"]["priorityClassName"] == "high"
        assert env(owner)["GDAL_CACHEMAX"] == "64"
        assert container(owner)["resources"]["limits"] == {"memory": "1Gi"}
    assert "nodeSelector" not in find(objects, "Deployment", "-scheduler")["spec"]["template"]["spec"]


def test_scheduler() -> None:
    values = {
        "scheduler": {
            "allowedFailures": 5,
            "nodeSelector": {"pool": "safe"},
            "tolerations": [{"operator": "Exists"}],
            "priorityClassName": "high",
            "extraEnv": [{"name": "A", "value": "b"}],
            "resources": {"limits": {"memory": "8Gi"}},
        }
    }
    objects = render(values)
    scheduler = find(objects, "Deployment", "-scheduler")
    spec = scheduler["spec"]["template"]["spec"]
    assert (spec["nodeSelector"], spec["priorityClassName"]) == ({"pool": "safe"}, "high")
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert env(scheduler)["A"] == "b" and container(scheduler)["resources"]["limits"]["memory"] == "8Gi"
    assert config(objects, "dask")["distributed"]["scheduler"]["allowed-failures"] == 5
    assert (scheduler["spec"]["replicas"], scheduler["spec"]["strategy"]) == (1, {"type": "Recreate"})


def test_run_configuration_is_what_was_given_and_no_more() -> None:
    run = {"source": "asf", "lakes": ["tsho-rolpa"], "start": "2020-01-01", "despeckle": {"window_px": 5}}
    made = config(render({"run": run}), "run")
    assert {key: made[key] for key in run} == run
    assert set(made) == {*run, "store", "cluster"}


def test_changed_settings_roll_the_pods_that_read_them() -> None:
    def sums(values: dict[str, Any]) -> dict[str, dict[str, str]]:
        return {
            owner: pod["metadata"].get("annotations", {}) for owner, pod in pods(render(merged(FULL, values)))
        }

    before = sums({})
    run = sums({"run": {"slices_per_piece": 8}})
    lakes = sums({"registry": {"geojson": "{}"}})
    dask = sums({"scheduler": {"allowedFailures": 9}})
    for owner in before:
        if owner.startswith("Pod/"):
            continue
        reads_run = "worker" not in owner and "scheduler" not in owner
        assert (run[owner] != before[owner]) is reads_run, owner
        assert (lakes[owner] != before[owner]) is reads_run, owner
        assert dask[owner] != before[owner], owner


def test_more_of_the_users_own() -> None:
    values = {
        "extraEnv": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}],
        "extraMounts": [
            {"name": "scenes", "path": "/scenes", "existingClaim": "scenes"},
            {"name": "ours", "path": "/ours", "existingConfigMap": "ours", "readOnly": True},
            {"name": "work", "path": "/work-here", "existingClaim": "work", "readOnly": False},
            {"name": "keys", "path": "/keys", "existingSecret": "keys"},
        ],
        "podAnnotations": {"note": "n"},
        "podLabels": {"team": "lakes", "app.kubernetes.io/component": "not-mine"},
        "securityContext": {"runAsUser": 7, "runAsGroup": 8, "fsGroup": 9},
        "serviceAccount": {"name": "own", "annotations": {"role": "r"}},
        "tmpSize": "5Gi",
    }
    objects = render(merged(INGEST, values))
    for owner in [one for one in objects if list(pods([one]))]:
        ((_, pod),) = pods([owner])
        assert env(owner)["A"] == {"configMapKeyRef": {"name": "c", "key": "k"}}
        assert pod["spec"]["serviceAccountName"] == "own"
        security = pod["spec"]["securityContext"]
        assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (7, 8, 9)
        assert volume(owner, "tmp")["emptyDir"]["sizeLimit"] == "5Gi"
        if owner["kind"] != "Pod":
            assert pod["metadata"]["annotations"]["note"] == "n"
            assert pod["metadata"]["labels"]["team"] == "lakes"
            assert pod["metadata"]["labels"]["app.kubernetes.io/component"] != "not-mine"
    for owner in (find(objects, "Job"), find(objects, "CronJob"), find(objects, "Deployment", "-worker-cpu")):
        found = mounts(owner)
        assert (found["/scenes"], found["/ours"], found["/work-here"], found["/keys"]) == (
            True,
            True,
            False,
            True,
        )
    assert "/scenes" not in mounts(find(objects, "Deployment", "-scheduler"))
    assert find(objects, "ServiceAccount")["metadata"]["annotations"] == {"role": "r"}
    absent = render({"serviceAccount": {"create": False}})
    assert all(pod["spec"]["serviceAccountName"] == "default" for _, pod in pods(absent))


def test_notebook() -> None:
    values = {
        "jupyter": {
            "enabled": True,
            "existingSecret": "notebook",
            "tokenKey": "t",
            "image": {"tag": "9-notebook"},
        }
    }
    objects = render(values)
    notebook = find(objects, "Deployment", "-jupyter")
    assert env(notebook)["JUPYTER_TOKEN"] == key_of("notebook", "t")
    assert env(notebook)["DASK_SCHEDULER_ADDRESS"] == "tcp://gl-glaciolake-scheduler:8786"
    assert container(notebook)["image"].endswith(":9-notebook")
    assert not [one for one in container(notebook)["args"] if "token" in one or "password" in one]
    assert mounts(notebook)["/data"] is True


def test_policy_of_the_network() -> None:
    policy = find(render(), "NetworkPolicy")["spec"]
    release = {"app.kubernetes.io/name": "glaciolake", "app.kubernetes.io/instance": "gl"}
    assert policy["podSelector"] == {"matchLabels": release}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": release}}],
            "ports": [{"protocol": "TCP", "port": 8786, "endPort": 8790}],
        }
    ]
    own, names, out = policy["egress"]
    assert own["to"] == policy["ingress"][0]["from"]
    assert {(one["protocol"], one["port"]) for one in names["ports"]} == {("UDP", 53), ("TCP", 53)}
    assert out == {"ports": [{"protocol": "TCP", "port": 443}]}


@pytest.mark.parametrize(
    ("endpoint", "given", "ports"),
    [
        ("https://s3.local:9000", [443], [443, 9000]),
        ("http://s3.local", [], [80]),
        ("https://s3.local", [443], [443]),
        ("https://[fd00::1]:9443", [], [9443]),
        ("", [], []),
    ],
)
def test_the_object_store_is_reached(endpoint: str, given: list[int], ports: list[int]) -> None:
    values = merged(S3, {"store": {"s3": {"endpoint": endpoint}}, "networkPolicy": {"egressPorts": given}})
    rules = find(render(values), "NetworkPolicy")["spec"]["egress"][2:]
    assert [one["port"] for rule in rules for one in rule["ports"]] == ports


def test_every_port_that_pods_of_the_release_use_is_open_between_them() -> None:
    objects = render(merged(FULL, {"jupyter": {"enabled": False}}))
    (rule,) = find(objects, "NetworkPolicy", "gl-glaciolake")["spec"]["ingress"]
    (port,) = rule["ports"]
    for owner, pod in pods(objects):
        for one in pod["spec"]["containers"]:
            for used in one.get("ports", []):
                assert port["port"] <= used["containerPort"] <= port["endPort"], owner


def test_others_may_be_let_in_to_the_scheduler_alone() -> None:
    policy = find(render({"networkPolicy": {"clients": {"app": "mine"}}}), "NetworkPolicy", "-clients")[
        "spec"
    ]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "scheduler"
    assert policy["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"app": "mine"}}}]


def test_prometheus_is_let_in_to_the_metrics_alone() -> None:
    values = {"metrics": {"serviceMonitor": {"enabled": True, "fromNamespace": "watch"}}}
    policy = find(render(values), "NetworkPolicy", "-metrics")["spec"]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "scheduler"
    (rule,) = policy["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "watch"}}}]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8787}]


@pytest.mark.parametrize("binary", [HELM3, HELM4], ids=["helm3", "helm4"])
def test_a_default_group_may_be_taken_away(binary: Path) -> None:
    objects = render({"workerGroups": {"cpu": None, "big": {"replicas": 3}}}, binary=binary)
    names = [one["metadata"]["name"] for one in find_all(objects, "Deployment")]
    assert sorted(names) == ["gl-glaciolake-scheduler", "gl-glaciolake-worker-big"]


def test_selectors_never_change() -> None:
    """Kubernetes refuses an upgrade that changes the selector of a Deployment."""

    def selectors(values: dict[str, Any], *more: str) -> dict[str, Any]:
        objects = render(values, *more)
        return {one["metadata"]["name"]: one["spec"]["selector"] for one in find_all(objects, "Deployment")}

    changed = merged(
        FULL,
        {
            "image": {"repository": "other/glaciolake", "tag": "9"},
            "podLabels": {"team": "lakes"},
            "workerGroups": {"cpu": {"replicas": 9, "gpu": False, "threads": 4}},
        },
    )
    assert selectors(FULL) == selectors(changed)


def test_the_package_holds_what_an_install_needs_and_no_more(tmp_path: Path) -> None:
    said = subprocess.run(
        [str(HELM4), "package", str(CHART), "--destination", str(tmp_path)], capture_output=True, check=False
    )
    assert said.returncode == 0, said.stderr
    (package,) = tmp_path.glob("glaciolake-*.tgz")
    with tarfile.open(package) as opened:
        names = {name.removeprefix("glaciolake/") for name in opened.getnames()}
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "README.md", "profiles/cpu.yaml"} <= names
    assert "templates/_helpers/validation.tpl" in names and "values.schema.yaml" not in names


def test_metrics_are_scraped_at_the_schedulers_service() -> None:
    values = {
        "metrics": {"serviceMonitor": {"enabled": True, "interval": "5m", "labels": {"release": "prom"}}}
    }
    objects = render(values)
    monitor = find(objects, "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prom"
    service = find(objects, "Service", "-scheduler")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {"port": "http", "path": "/metrics", "interval": "5m"}
    assert endpoint["port"] in [one["name"] for one in service["spec"]["ports"]]


def test_helm_test_asks_the_doctor() -> None:
    test = find(render(), "Pod", "-test")
    assert test["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert container(test)["args"] == [
        "glaciolake",
        "doctor",
        "--scheduler",
        "tcp://gl-glaciolake-scheduler:8786",
        "--job",
        "--store",
        "/data/lakes.icechunk",
    ]


NOTES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "helm test gl": ({}, {"tests": {"enabled": False}}),
    "job/gl-glaciolake-backfill-1": ({}, {"backfill": {"enabled": False}}),
    "--from=cronjob/gl-glaciolake-ingest": (INGEST, {}),
    "port-forward service/gl-glaciolake-scheduler 8787": ({"scheduler": {"dashboard": True}}, {}),
    "port-forward service/gl-glaciolake-jupyter 8888": (
        {"jupyter": {"enabled": True, "existingSecret": "n"}},
        {},
    ),
    "delete pvc gl-glaciolake-store": ({}, S3),
    "`helm uninstall` deletes the results": ({"store": {"pvc": {"keep": False}}}, {}),
    "there is no Earthdata login": ({}, {"earthdata": {"existingSecret": "nasa"}}),
    "Whoever reaches port 8786": ({}, TLS),
    "keeps others away only where": ({}, {"networkPolicy": {"enabled": False}}),
}


@pytest.mark.parametrize("words", NOTES)
def test_notes_hold_only_what_applies(words: str) -> None:
    there, absent = (notes(values) for values in NOTES[words])
    assert words in there and words not in absent


def notes(values: dict[str, Any]) -> str:
    """What helm prints after an install."""
    said = helm("install", "gl", str(CHART), "--dry-run=client", values=merged(IMAGE, values))
    assert said.returncode == 0, said.stderr
    return said.stdout.partition("\nNOTES:\n")[2]


def test_switches_that_are_off_leave_no_empty_objects() -> None:
    assert find_all(render(), "Secret") == []
    for one in render(FULL):
        assert one["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
