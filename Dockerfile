# Penstock: one image with the controller, the proxy and the `penstock` command.
#
#   docker build -t penstock .                      builds the programs, too
#   docker build --target packaged -t penstock .    takes them from build/release/bin
#
# With `--platform linux/arm64` (or amd64) for the other machine; `packaged` takes its programs with
# `--build-arg PROGRAMS=build/arm64/bin` then.
#
# BASE is Debian 12; another registry's copy may stand in its place.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS system
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libc-ares2 libcivetweb1 \
      libcpprest2.10 libfmt9 libnghttp2-14 libprometheus-cpp-core1.0 libre2-9 libsimdjson14 libspdlog1.10 libssl3 \
      libstdc++6 libyaml-cpp0.7 \
 && groupadd --system --gid 82 penstock \
 && useradd --system --uid 101 --gid 82 --no-create-home --shell /usr/sbin/nologin penstock
# What only installs, administers or is read by people goes; dpkg's database says what is left. Scripts
# of packages that go would miss each other's programs, and have nothing to do here. A shell
# and the core utilities stay, for the chart's hooks.
RUN find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && rm -rf /var/lib/apt/lists /usr/share/man /usr/share/info /usr/share/locale \
      /usr/share/lintian /usr/share/bash-completion /usr/lib/*-linux-gnu/gconv \
 && find /usr/share/doc -type f ! -name copyright -delete \
 && rm -f /var/lib/dpkg/info/*.prerm /var/lib/dpkg/info/*.postrm \
 && dpkg --purge --force-all --no-triggers adduser apt bsdutils debconf debian-archive-keyring diffutils \
      e2fsprogs fdisk gpgv init-system-helpers libapt-pkg6.0 libext2fs2 libfdisk1 libfile-find-rule-perl \
      libgdbm-compat4 libgdbm6 libnumber-compare-perl libpam-modules libpam-modules-bin libpam-runtime \
      libperl5.36 libss2 libtext-glob-perl login logsave mawk mount ncurses-bin openssl passwd perl \
      perl-base perl-modules-5.36 sed sysvinit-utils tzdata usr-is-merged usrmerge util-linux \
      util-linux-extra \
 && rm -rf /var/cache /var/log /var/lib/apt /var/lib/dpkg/*-old /tmp/* \
 && mkdir -p /var/cache /var/log

# Without the layers in which that was still there.
FROM scratch AS runtime
COPY --from=system / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 101:82
ENTRYPOINT []
CMD ["penstock", "--help"]

FROM runtime AS packaged
ARG PROGRAMS=build/release/bin
COPY ${PROGRAMS}/penstock ${PROGRAMS}/penstock-controller ${PROGRAMS}/penstock-proxy /usr/bin/

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
