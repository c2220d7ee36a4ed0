# A release passes the digest that the tag has on that day: see `make base`.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY build.lock image.lock ./
# uvloop would add 14 MB for a tenth more requests at best.
RUN pip install --no-cache-dir --require-hashes -r build.lock \
 && python -m venv --without-pip /opt/mockvoice \
 && pip --python /opt/mockvoice/bin/python install --no-cache-dir --no-compile \
      --require-hashes -r image.lock
COPY . .
# Compiled here, since nothing is written where it runs; by hash, since copying may change the times
# of files.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && pip --python /opt/mockvoice/bin/python install --no-compile --no-deps /dist/*.whl \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/mockvoice/lib

FROM ${BASE}
COPY --from=build /opt/mockvoice /opt/mockvoice
ENV PATH=/opt/mockvoice/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MOCKVOICE_HOST=0.0.0.0
# mockvoice.yaml is found where it is started.
WORKDIR /config
USER 10001:10001
EXPOSE 4010
HEALTHCHECK --interval=2s --timeout=2s --start-period=10s CMD ["mockvoice", "health"]
ENTRYPOINT ["mockvoice"]
CMD ["serve"]

ARG VERSION=0.1.0
ARG SOURCE=
LABEL org.opencontainers.image.title="mockvoice" \
      org.opencontainers.image.description="A local server that behaves like four voice-cloning APIs: Telnyx, Retell, Supertone, Faseeh" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.licenses="MIT"
