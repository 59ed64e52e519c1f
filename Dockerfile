# One image for the scheduler, the workers and the jobs, so that their versions cannot differ.
#
#   docker build -t glaciolake .                                 workers on CPUs
#   docker build -t glaciolake:cuda --build-arg VARIANT=cuda .   adds PyTorch; CUDA comes in its wheels
#
# Nothing is written outside of the home (set to the system's temporary folder), the store and the scratch
# folder: run it with a read-only root. There is no entrypoint: give `glaciolake ...`, `dask scheduler ...` or
# `dask worker ...`. GPUs need no variable here: Kubernetes' device plugin and `docker run --gpus` set theirs.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS base
# rasterio's wheel links to libexpat, which Python's slim images no longer hold.
RUN ldconfig -p | grep -q 'libexpat\.so\.1' \
 || { apt-get update && apt-get install -y --no-install-recommends libexpat1 && rm -rf /var/lib/apt/lists/*; }

FROM base AS wanted
ARG VARIANT=cpu
# Further extras of pyproject.toml, comma-separated, such as EXTRAS=notebook.
ARG EXTRAS=
WORKDIR /build
COPY pyproject.toml ./
RUN case "$VARIANT" in \
      cpu) extras=cluster,openvino,s3 ;; \
      cuda) extras=cluster,openvino,s3,torch ;; \
      *) echo "VARIANT is '$VARIANT'; give cpu or cuda" >&2; exit 1 ;; \
    esac \
 && python -c 'import sys, tomllib; \
project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
extras = [one for one in sys.argv[1].split(",") if one]; \
print(*project["dependencies"], *(line for one in extras for line in project["optional-dependencies"][one]), sep="\n")' \
      "$extras,$EXTRAS" > requirements.txt

FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python -m venv --without-pip /opt/glaciolake

# First what others wrote: these layers are large, and stay the same while neither requirements nor pins change. Left
# out are tests, headers, OpenVINO's drivers for Intel's GPUs and NPUs, and Arrow's network service.
COPY --from=wanted /build/requirements.txt ./
COPY constraints/py311.txt ./
RUN python -m pip --python /opt/glaciolake/bin/python install --quiet --no-compile -c py311.txt -r requirements.txt \
 && cd /opt/glaciolake/lib/python3.11/site-packages \
 && rm -rf openvino/libs/*_gpu_plugin.so openvino/libs/*_npu_plugin.so openvino/libs/cache.json openvino/include \
      pyarrow/include pyarrow/libarrow_flight* pyarrow/libarrow_python_flight* pyarrow/_flight* numpy/_core/include \
 && find /opt/glaciolake -depth -type d \( -name tests -o -name __pycache__ \) -exec rm -r {} + \
 && /opt/glaciolake/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/glaciolake/lib

# Then what we wrote.
COPY . .
ARG VERSION
RUN python -m pip --python /opt/glaciolake/bin/python install --quiet --no-compile --no-deps --prefix /package . \
 && PYTHONPATH=/package/lib/python3.11/site-packages /package/bin/glaciolake --version \
  | grep -Fx "glaciolake ${VERSION:-$(python -c 'import re; print(re.search("__version__ = .(.+).$", open("glaciolake/__init__.py").read(), re.M)[1])')}" \
 && python -m compileall -q --invalidation-mode unchecked-hash /package/lib

FROM base
RUN groupadd --gid 10001 glaciolake \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin glaciolake \
 && install -d -o 10001 -g 10001 /data /scratch
COPY --from=build /opt/glaciolake /opt/glaciolake
COPY --from=build /package /opt/glaciolake
ENV PATH=/opt/glaciolake/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /data
CMD ["glaciolake", "--help"]
# Last, for these change with every build.
ARG CREATED
ARG PYTHON_IMAGE
ARG REVISION
ARG VARIANT=cpu
ARG VERSION
LABEL org.opencontainers.image.title="glaciolake" \
      org.opencontainers.image.description="Glacial lakes of the Himalaya on Sentinel-1: every pass, per track, exactly once (${VARIANT})" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
