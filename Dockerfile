# The base is pinned by its digest, every dependency by its hash, those of the build too. Dependabot renews them; by hand,
# `docker buildx imagetools inspect python:3.12-slim-bookworm` shows today's digest, and each lock's head its command.
FROM docker.io/library/python:3.12-slim-bookworm@sha256:0f5b26b9518d002b6173fd61daad821fa340635ebfec5bba471013f9ca114579 AS base

# The build needs no compiler: every dependency is a wheel.
FROM base AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements.txt .ci/build-requirements.txt ./
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r build-requirements.txt \
 && python -m venv --without-pip /opt/reconcile \
 && /opt/build/bin/pip --python /opt/reconcile install --no-compile --require-hashes --only-binary :all: -r requirements.txt
# botocore finds credentials here, and signs: of 28 MB about every service of AWS it needs what hands credentials out.
RUN find /opt/reconcile/lib/python3*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d \
  ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} +
COPY pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /src/dist . \
 && /opt/build/bin/pip --python /opt/reconcile install --no-compile --no-deps --no-index dist/*.whl

FROM base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reconcile" \
      org.opencontainers.image.description="Make a Git repository the truth about LLM fine-tuning jobs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# ssh refuses to run for a user without a name, hence one.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git openssh-client ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --key GID_MAX=65532 --gid 65532 reconcile \
 && useradd --key UID_MAX=65532 --uid 65532 --gid 65532 --no-create-home --home-dir /state --shell /usr/sbin/nologin reconcile \
 && install --directory --owner=65532 --group=65532 --mode=0700 /state
COPY --from=build /opt/reconcile /opt/reconcile
# Everything that is ever written is below /state: the root file system can be read-only. The state directory is one below
# it, because a volume may belong to root and a group, and state is believed only where nobody else can write.
ENV PATH=/opt/reconcile/bin:$PATH \
    HOME=/state \
    TMPDIR=/state \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RECONCILE_SPECS=/specs \
    RECONCILE_STATE_DIR=/state/reconcile \
    RECONCILE_LISTEN=127.0.0.1:8080 \
    RECONCILE_LOG_FORMAT=json
WORKDIR /state
USER 65532:65532
VOLUME ["/state"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["reconcile", "healthcheck"]
ENTRYPOINT ["reconcile"]
