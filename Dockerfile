# A static binary on an image that holds nothing else but CA certificates.
#
# Both base images are named by digest, by whoever builds: a tag is whatever somebody has pushed last, and what is in the
# build image ends up in a program that holds the keys to AWS accounts. So neither has a default. Look one up, compare it
# with what you trust, and keep it with your build:
#
#   digest() { docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}'; }
#   docker build -t landfast \
#     --build-arg BUILD_IMAGE="rust:1.95-alpine@$(digest rust:1.95-alpine)" \
#     --build-arg BASE_IMAGE="gcr.io/distroless/static-debian12:nonroot@$(digest gcr.io/distroless/static-debian12:nonroot)" .
#   docker run -v "$PWD/manifests:/manifests:ro" -v landfast-state:/state landfast

# rust:1.95-alpine@sha256:…
ARG BUILD_IMAGE
# gcr.io/distroless/static-debian12:nonroot@sha256:…
ARG BASE_IMAGE

FROM ${BUILD_IMAGE} AS build
ARG BUILD_IMAGE
ARG BASE_IMAGE
RUN for image in "$BUILD_IMAGE" "$BASE_IMAGE"; do \
        case "$image" in *@sha256:*) ;; *) echo "$image is not named by digest" >&2; exit 1 ;; esac; \
    done
# cmake, perl and a C compiler: the cryptography under rustls.
RUN apk add --no-cache build-base cmake perl
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs LICENSE README.md ./
COPY src src
# The program has them inside: the demonstration's manifests, and what `landfast init` and `landfast explain` print.
COPY manifests manifests
COPY examples examples
COPY docs docs
# What `landfast --version` says: --build-arg LANDFAST_COMMIT="$(git rev-parse --short HEAD)".
ARG LANDFAST_COMMIT
# Dependencies and what was compiled stay in the builder's cache; only the binary leaves it. The tests and examples that
# Cargo.toml declares are not needed to build it, but their paths have to exist.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    mkdir -p tests/integration && touch tests/integration/main.rs \
    && LANDFAST_COMMIT="$LANDFAST_COMMIT" cargo build --release --locked --features openpgp,ssh --bin landfast \
    && cp target/release/landfast /landfast \
    && mkdir /state

FROM ${BASE_IMAGE}
COPY --from=build /landfast /landfast
COPY --from=build --chown=nonroot:nonroot /state /state
ENV LANDFAST_MANIFESTS=/manifests LANDFAST_STATE=/state LANDFAST_LOG_FORMAT=json
VOLUME ["/state"]
USER nonroot
# SIGTERM, which `docker stop` sends, ends it within ten seconds: docker's own grace period.
ENTRYPOINT ["/landfast"]
CMD ["run"]
