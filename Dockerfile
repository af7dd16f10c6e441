# The build needs a compiler for nothing: every dependency is a wheel, taken by its hash.
FROM docker.io/library/python:3.12-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements.txt ./
RUN python -m venv /opt/reconcile && /opt/reconcile/bin/pip install --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY reconciler reconciler
RUN /opt/reconcile/bin/pip install --no-deps . && /opt/reconcile/bin/pip uninstall --yes pip

FROM docker.io/library/python:3.12-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="reconcile" \
      org.opencontainers.image.description="Make a Git repository the truth about LLM fine-tuning jobs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git openssh-client ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner=65532 --group=65532 /state /specs
COPY --from=build /opt/reconcile /opt/reconcile
ENV PATH=/opt/reconcile/bin:$PATH \
    HOME=/state \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RECONCILE_SPECS=/specs \
    RECONCILE_STATE_DIR=/state \
    RECONCILE_LISTEN=127.0.0.1:8080 \
    RECONCILE_LOG_FORMAT=json
USER 65532:65532
VOLUME ["/state"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["reconcile", "healthcheck"]
ENTRYPOINT ["reconcile"]
