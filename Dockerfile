# The program on Debian, with the Vulkan loader for graphics cards.
#
#   docker build -t fireclay .
#   docker build -t fireclay:cpu --build-arg FEATURES=flex .
#   docker run --rm -v "$PWD:/project" --user "$(id -u):$(id -g)" fireclay train customers.toml
#   docker run --rm -v "$PWD:/project" --user "$(id -u):$(id -g)" -p 127.0.0.1:8080:8080 fireclay serve runs/customers --listen 0.0.0.0
#
# Drivers of graphics cards are those of the machine: `--gpus all` with NVIDIA's toolkit, or `--device /dev/dri`
# with Mesa's drivers in an image of your own.

FROM rust:1.95-slim-trixie AS build
ARG FEATURES=flex,ndarray,wgpu,vulkan
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY crates crates
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --package fireclay --no-default-features --features "$FEATURES" \
    && cp target/release/fireclay /fireclay

FROM debian:trixie-slim
# A version of Debian's package is gone as soon as there is the next one, so none is named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libvulkan1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /project --shell /usr/sbin/nologin fireclay \
    && install --directory --owner fireclay --group fireclay /project
COPY --from=build /fireclay /usr/local/bin/fireclay
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/fireclay/
# Configs, data and runs. Whoever runs it as another user needs the folder to be theirs.
USER 10001:10001
WORKDIR /project
VOLUME /project
ENV XDG_CACHE_HOME=/project/.cache
EXPOSE 8080
# SIGTERM, which `docker stop` sends, ends a training resumably, and a server when it has answered.
ENTRYPOINT ["fireclay"]
CMD ["--help"]
