#!/bin/bash
# What `make run` does: two HTTP servers, a TCP echo, and Penstock from a directory of manifests.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=build/dev/bin
port=${HTTP_PORT:-8080}
tls=${HTTPS_PORT:-8443}
"$bin/penstock-demo" --http one=127.0.0.1:18081 --http two=127.0.0.1:18082 \
  --tcp 127.0.0.1:18007 >/dev/null &
# However this ends, nothing of it stays behind.
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 130' INT TERM
cat <<TEXT

Penstock serves manifests/demo. Try, in another terminal:

  curl http://demo.localhost:$port/            # two servers in turn
  curl -k https://demo.localhost:$tls/ --resolve demo.localhost:$tls:127.0.0.1
  curl -d hello http://demo.localhost:$port/post
  echo hello | nc -N 127.0.0.1 9000              # a TCPService
  echo hello | nc -N 127.0.0.1 9001              # the tcp-services ConfigMap
  curl http://127.0.0.1:10254/metrics            # the controller's metrics
  $bin/penstock explain GET http://demo.localhost/private --manifests manifests/demo

Edit a file in manifests/demo and ask again: the change is live, nothing was cut. Ctrl-C ends.

TEXT
"$bin/penstock" run --manifests manifests/demo --http-port "$port" --https-port "$tls" \
  --tcp-services-configmap default/tcp-services "$@" &
wait $!
