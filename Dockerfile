# The base image is pinned by digest, and every dependency, including those of the build, by hash. Dependabot updates
# them. `docker buildx imagetools inspect python:3.12-slim-bookworm` shows the current digest, and the head of each lock
# file contains the command that updates it.
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
# reconcile uses botocore only to find credentials and to sign requests. Of its 28 MB of data about the services of AWS,
# only the services that issue credentials are kept.
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
      org.opencontainers.image.description="Manage LLM fine-tuning jobs and batches from a Git repository of specs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Debian's git depends on the modules of perl (47 MB) for commands such as `git send-email`, which reconcile does not
# use. dpkg therefore excludes the files of these modules. `apt-get install --reinstall` installs them.
# The user gets a name, because ssh refuses to run for a user without one.
# hadolint ignore=DL3008
RUN printf 'path-exclude=%s\n' '/usr/share/perl/*' '/usr/lib/*/perl/*' '/usr/lib/*/libperl.so*' > /etc/dpkg/dpkg.cfg.d/no-perl \
 && apt-get update \
 && apt-get install --yes --no-install-recommends git openssh-client ca-certificates \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /etc/dpkg/dpkg.cfg.d/no-perl \
 && groupadd --key GID_MAX=65532 --gid 65532 reconcile \
 && useradd --key UID_MAX=65532 --uid 65532 --gid 65532 --no-create-home --home-dir /state --shell /usr/sbin/nologin reconcile \
 && install --directory --owner=65532 --group=65532 --mode=0700 /state
COPY --from=build /opt/reconcile /opt/reconcile
# All files are written below /state, so the root file system can be read-only. The state directory is a directory below
# /state, because a volume may belong to root and a group, and reconcile trusts a state directory only if no other user
# can write to it.
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
