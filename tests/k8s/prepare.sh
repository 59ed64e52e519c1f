#!/usr/bin/env bash
# What the cluster test needs beside the Python environment: containers, a base image, the wheels, the image.
# Each part is made once and kept: packages by apt, images by podman, the rest in build/cluster. Needs root, for
# containers with limits, networks and users of their own.
#
#   tests/k8s/prepare.sh PYTHON      PYTHON: an interpreter 3.11 with pip
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$1 work=$PWD/build/cluster base=docker.io/library/python:3.11-slim-bookworm
say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }

if [ "$(id -u)" -ne 0 ]; then
  echo "test-cluster runs containers with limits and a network of their own: run it as root, best on a machine of its own" >&2
  exit 1
fi
mkdir -p "$work"

has_all() { for one in "$@"; do command -v "$one" >/dev/null || return 1; done; }
if ! has_all podman buildah runc debootstrap iptables; then
  command -v apt-get >/dev/null || {
    echo "podman, buildah, runc or debootstrap is missing, and this is no Debian: install them, then run this again" >&2
    exit 1
  }
  say "installing podman and buildah"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    podman buildah runc netavark aardvark-dns conmon iptables nftables debootstrap >"$work/apt.log"
fi
export CONTAINERS_CONF=$PWD/tests/k8s/containers.conf

# With a registry at hand `podman pull` would do; the same packages from Debian's mirror work where there is none.
if ! podman image exists $base; then
  say "base image: Debian with its Python, under the name of the official image"
  rm -rf "$work/base"
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-pip,python3-venv,libexpat1 \
    bookworm "$work/base" >"$work/debootstrap.log"
  ln -sf /usr/bin/python3 "$work/base/usr/local/bin/python"
  ln -sf /usr/bin/python3 "$work/base/usr/local/bin/python3"
  rm -f "$work/base/usr/lib/python3.11/EXTERNALLY-MANAGED"
  rm -rf "$work/base/var/cache/apt/archives" "$work/base/var/lib/apt/lists"
  tar -C "$work/base" -c . | podman import --quiet --change 'CMD ["python3"]' - $base >/dev/null
  rm -rf "$work/base"
fi

# The wheels that the image's build would take from the registry, so that it needs no network.
stamp=$work/wheels/.of-$(cat pyproject.toml constraints/py311.txt | sha256sum | cut -c1-16)
if [ ! -e "$stamp" ]; then
  say "wheels"
  rm -rf "$work/wheels"
  "$python" -m pip download --quiet --disable-pip-version-check -d "$work/wheels" -c constraints/py311.txt \
    '.[cluster,openvino,s3]' 'setuptools>=77' wheel
  touch "$stamp"
fi
printf '[global]\nno-index = true\nfind-links = /wheels\n' >"$work/pip.conf"

say "image, from the Dockerfile as it is"
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' glaciolake/__init__.py)
buildah bud --quiet --layers --pull-never --network none --isolation oci \
  --ulimit nofile=20000:20000 --ulimit nproc=30000:30000 \
  -v "$work/wheels:/wheels:ro" -v "$work/pip.conf:/etc/pip.conf:ro" \
  --build-arg VERSION="$version" --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
  -t localhost/glaciolake:dev . >"$work/build.log" 2>&1 || { tail -20 "$work/build.log" >&2; exit 1; }
say "ready: $(podman images --format '{{.Repository}}:{{.Tag}} {{.Size}}' localhost/glaciolake:dev)"
