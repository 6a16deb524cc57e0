# A static binary on an image that holds nothing else but CA certificates.
#
#   docker build -t landfast .
#   docker run -v "$PWD/manifests:/manifests:ro" -v landfast-state:/state landfast

FROM rust:1.95-alpine AS build
# cmake, perl and a C compiler: the cryptography under rustls.
RUN apk add --no-cache build-base cmake perl
WORKDIR /src
COPY Cargo.toml Cargo.lock LICENSE README.md ./
COPY src src
# Dependencies and what was compiled stay in the builder's cache; only the binary leaves it. The tests and examples that
# Cargo.toml declares are not needed to build it, but their paths have to exist.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    mkdir -p tests/integration && touch tests/integration/main.rs \
    && cargo build --release --locked --bin landfast \
    && cp target/release/landfast /landfast \
    && mkdir /state

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /landfast /landfast
COPY --from=build --chown=nonroot:nonroot /state /state
ENV LANDFAST_MANIFESTS=/manifests LANDFAST_STATE=/state LANDFAST_LOG_FORMAT=json
VOLUME ["/state"]
USER nonroot
# SIGTERM, which `docker stop` sends, ends it within ten seconds: docker's own grace period.
ENTRYPOINT ["/landfast"]
CMD ["run"]
