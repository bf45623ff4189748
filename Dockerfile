# Penstock: one image with the controller, the proxy and the `penstock` command.
#
#   docker build -t penstock .                      builds the programs, too
#   docker build --target packaged -t penstock .    takes them from build/release/bin
#
# BASE is Debian 12; another registry's copy may stand in its place.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS runtime
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libc-ares2 libcivetweb1 \
      libcpprest2.10 libfmt9 libnghttp2-14 libprometheus-cpp-core1.0 libre2-9 libsimdjson14 libspdlog1.10 libssl3 \
      libstdc++6 libyaml-cpp0.7 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 82 penstock \
 && useradd --system --uid 101 --gid 82 --no-create-home --shell /usr/sbin/nologin penstock
USER 101:82
ENTRYPOINT []
CMD ["penstock", "--help"]

FROM runtime AS packaged
COPY build/release/bin/penstock build/release/bin/penstock-controller \
     build/release/bin/penstock-proxy /usr/bin/

FROM ${BASE} AS build
WORKDIR /src
COPY tests/support/install-deps.sh tests/support/
RUN tests/support/install-deps.sh
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY proxy proxy
COPY controller controller
RUN cmake --preset release && cmake --build --preset release

FROM runtime AS final
COPY --from=build /src/build/release/bin/penstock /src/build/release/bin/penstock-controller \
     /src/build/release/bin/penstock-proxy /usr/bin/
