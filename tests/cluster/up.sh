#!/bin/bash
# Brings up a real Kubernetes inside namespaces of its own.
#   TC   name of the cluster and of its cgroup (default tc0)
#   NODE real: with containerd, runc, kubelet and kube-proxy; none: the control plane alone
#   IMAGES more image archives for the node
set -euo pipefail
. "$(dirname "$0")/env.sh"
[ -x "$BIN/kube-apiserver" ] || { echo "no tools in $BIN: run build.sh first" >&2; exit 1; }
RT=${RT:-}              # folder with containerd, ctr, shim, runc, CNI plugins; empty: Debian's
CTD=${RT:-/usr/bin}/containerd CTR=${RT:-/usr/bin}/ctr CNI=${RT:-/usr/lib/cni}
NODE=${NODE:-real}
NODEIP=172.30.0.1
SVC=10.96.0.0/16
PODS=10.244.0.0/24      # real pods (bridge cni0)
FAKE=10.245.0.0/16      # every address of it can be bound by a test's own server
t0=${EPOCHREALTIME/./}
say() { local t=$((${EPOCHREALTIME/./} - t0)); printf '%4d.%02d s  %s\n' $((t / 1000000)) $((t / 10000 % 100)) "$*"; }

[ -e "$D/up" ] && { echo "$D is up already; run down.sh" >&2; exit 1; }
rm -rf "$D"; mkdir -p "$D"/{pki,log,pid,etcd,cni,containerd,kubelet,pods}

# "machine": own net, mount, pid, uts, ipc and cgroup namespaces; its pid 1 only reaps. Killing it ends everything in it.
CGS=()   # our own cgroup of every v1 hierarchy, plus /$TC
while IFS=: read -r _ ctl path; do
	case $ctl in '') d=unified ;; name=*) d=${ctl#name=} ;; *) d=$ctl ;; esac
	d=/sys/fs/cgroup/$d
	[ -d "$d" ] || continue
	mkdir -p "${d}${path%/}/$TC"
	CGS+=("${d}${path%/}/$TC")
	case $ctl in *cpuset*) for f in cpus mems; do cat "$d${path%/}/cpuset.$f" >"${d}${path%/}/$TC/cpuset.$f"; done ;; esac
done </proc/self/cgroup
printf '%s\n' "${CGS[@]}" >"$D/cgroups"
setsid bash -c '
	while read -r h; do echo $$ >"$h/cgroup.procs" || exit 1; done <$1/cgroups
	exec unshare -n -m -p -u -i -C --propagation private --fork bash -ec "
		mount -t proc proc /proc
		mkdir -p $1/old; mount --rbind /sys/fs/cgroup $1/old
		mount -t sysfs sysfs /sys
		mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
		for h in $1/old/*; do
			n=\$(basename \$h); mkdir /sys/fs/cgroup/\$n
			case \$n in
			unified) mount -t cgroup2 cgroup2 /sys/fs/cgroup/\$n ;;
			systemd) mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/\$n ;;
			*) mount -t cgroup -o \$n cgroup /sys/fs/cgroup/\$n ;;
			esac
		done
		umount -R $1/old
		while umount -R -l /run/netns 2>/dev/null; do :; done
		mount -t tmpfs -o mode=755 tmpfs /run
		mkdir -p /run/netns /run/lock
		hostname node1
		touch $1/booted
		exec sleep infinity"
' boot "$D" "$BIN" >"$D/log/boot" 2>&1 </dev/null &
for _ in $(seq 100); do [ -e "$D/booted" ] && break; sleep 0.1; done
[ -e "$D/booted" ] || { cat "$D/log/boot"; exit 1; }
INIT=$(for p in $(cat "${CGS[0]}/cgroup.procs"); do [ "$(cat /proc/$p/comm)" = sleep ] && echo $p; done)
echo "$INIT" >"$D/init"
ns() { nsenter -t "$INIT" -n -m -p -u -i -C -- "$@"; }
start() { # start NAME COMMAND...
	local n=$1; shift
	printf '%q ' "$@" >"$D/pid/$n.cmd"
	D=$D "$here/ctl.sh" start "$n"
}
until_ok() { # until_ok SECONDS NAME COMMAND...
	local end=$(($(date +%s) + $1)) n=$2; shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $end ] || { echo "no $n" >&2; return 1; }
		sleep 0.1
	done
	say "$n"
}

# network
ns ip link set lo up
ns ip link add node0 type bridge
ns ip addr add $NODEIP/24 dev node0
ns ip link set node0 up
ns ip route add $SVC dev node0            # a route, so that locally sent packets reach kube-proxy's NAT
ns ip route add local $FAKE dev lo
ns sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start'

# certificates
cd "$D/pki"
export OPENSSL_CONF=/dev/null
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>/dev/null; }
cert() { # cert NAME SUBJECT [EXTENSIONS]
	key "$1"
	openssl req -new -key "$1.key" -subj "$2" -out "$1.csr" 2>/dev/null
	printf '%b' "keyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n${3-}" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -sha256 -extfile "$1.ext" -out "$1.crt" 2>/dev/null
}
key ca
printf '[req]\ndistinguished_name=d\nx509_extensions=x\n[d]\n[x]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\nsubjectKeyIdentifier=hash\n' >ca.cnf
OPENSSL_CONF=ca.cnf openssl req -x509 -new -key ca.key -config ca.cnf -subj /CN=testcluster -days 3650 -out ca.crt
cert apiserver /CN=kube-apiserver "subjectAltName=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:10.96.0.1,IP:127.0.0.1,IP:$NODEIP\n"
cert admin /O=system:masters/CN=admin
cert kcm /CN=system:kube-controller-manager
cert scheduler /CN=system:kube-scheduler
cert proxy /CN=system:kube-proxy
cert kubelet /O=system:nodes/CN=system:node:node1
cert proxyclient /CN=front-proxy
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
b64() { base64 -w0 "$1"; }
for u in admin kcm scheduler proxy kubelet; do
	cat >"$D/$u.conf" <<-E
	apiVersion: v1
	kind: Config
	clusters: [{name: c, cluster: {server: "https://$NODEIP:6443", certificate-authority-data: $(b64 ca.crt)}}]
	users: [{name: u, user: {client-certificate-data: $(b64 $u.crt), client-key-data: $(b64 $u.key)}}]
	contexts: [{name: c, context: {cluster: c, user: u}}]
	current-context: c
	E
done
echo 'admin-token,admin,admin,"system:masters"' >"$D/tokens.csv"
cd "$here"
say certificates

# container runtime
if [ "$NODE" = real ] || [ "$NODE" = runtime ]; then
	cat >"$D/cni/10-bridge.conflist" <<-E
	{"cniVersion": "0.4.0", "name": "pods", "plugins": [
	  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
	   "ipam": {"type": "host-local", "dataDir": "$D/ipam", "ranges": [[{"subnet": "$PODS"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
	  {"type": "portmap", "capabilities": {"portMappings": true}}]}
	E
	cat >"$D/containerd.toml" <<-E
	version = 2
	root = "$D/containerd"
	state = "$D/containerd-state"
	disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
	[grpc]
	  address = "$D/containerd.sock"
	[plugins."io.containerd.grpc.v1.cri"]
	  sandbox_image = "localhost/pause:1"
	  restrict_oom_score_adj = true
	  [plugins."io.containerd.grpc.v1.cri".cni]
	    bin_dir = "$CNI"
	    conf_dir = "$D/cni"
	  [plugins."io.containerd.grpc.v1.cri".containerd]
	    snapshotter = "overlayfs"
	    default_runtime_name = "runc"
	    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
	      runtime_type = "io.containerd.runc.v2"
	      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
	        SystemdCgroup = false
	        Root = "$D/runc"
	E
	start containerd env PATH="${RT:+$RT:}$PATH" "$CTD" --config "$D/containerd.toml" --log-level info
	until_ok 30 containerd "$CTR" -a "$D/containerd.sock" version
	for i in "$TOOLS"/images/*.tar ${IMAGES:-}; do "$CTR" -a "$D/containerd.sock" -n k8s.io images import "$i" >>"$D/log/import" 2>&1; done
	say "images imported"
fi
[ "$NODE" = runtime ] && exit

# control plane
start etcd "$BIN/etcd" --name e --data-dir "$D/etcd" --unsafe-no-fsync --log-level warn \
	--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
	--listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster e=http://127.0.0.1:2380
start apiserver "$BIN/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
	--advertise-address $NODEIP --bind-address 0.0.0.0 --secure-port 6443 --cert-dir "$D/pki" \
	--tls-cert-file "$D/pki/apiserver.crt" --tls-private-key-file "$D/pki/apiserver.key" \
	--client-ca-file "$D/pki/ca.crt" --token-auth-file "$D/tokens.csv" \
	--authorization-mode Node,RBAC --service-cluster-ip-range $SVC \
	--service-account-issuer https://kubernetes.default.svc --service-account-key-file "$D/pki/sa.pub" --service-account-signing-key-file "$D/pki/sa.key" \
	--kubelet-client-certificate "$D/pki/admin.crt" --kubelet-client-key "$D/pki/admin.key" --kubelet-preferred-address-types InternalIP \
	--requestheader-client-ca-file "$D/pki/ca.crt" --requestheader-allowed-names front-proxy --requestheader-username-headers X-Remote-User \
	--requestheader-group-headers X-Remote-Group --requestheader-extra-headers-prefix X-Remote-Extra- \
	--proxy-client-cert-file "$D/pki/proxyclient.crt" --proxy-client-key-file "$D/pki/proxyclient.key" \
	--enable-aggregator-routing --allow-privileged --enable-admission-plugins NodeRestriction --profiling=false --service-node-port-range 30000-32767
ln -sfn "$BIN/kubectl" "$D/kubectl"
k() { ns "$BIN/kubectl" --kubeconfig "$D/admin.conf" "$@"; }
until_ok 180 "apiserver /readyz" ns curl -sf --cacert "$D/pki/ca.crt" --cert "$D/pki/admin.crt" --key "$D/pki/admin.key" https://$NODEIP:6443/readyz
if [ -x "$BIN/kube-controller-manager" ]; then
start kcm "$BIN/kube-controller-manager" --kubeconfig "$D/kcm.conf" --bind-address 127.0.0.1 --leader-elect=false \
	--use-service-account-credentials --kube-api-qps 1000 --kube-api-burst 1000 --service-account-private-key-file "$D/pki/sa.key" --root-ca-file "$D/pki/ca.crt" \
	--cluster-signing-cert-file "$D/pki/ca.crt" --cluster-signing-key-file "$D/pki/ca.key" --profiling=false
start scheduler "$BIN/kube-scheduler" --kubeconfig "$D/scheduler.conf" --bind-address 127.0.0.1 --leader-elect=false --profiling=false
fi

if [ "$NODE" = real ]; then
	: >"$D/resolv.conf"
	cat >"$D/kubelet.yaml" <<-E
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	failCgroupV1: false
	failSwapOn: false
	cgroupDriver: cgroupfs
	containerRuntimeEndpoint: unix://$D/containerd.sock
	authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
	authorization: {mode: AlwaysAllow}
	podLogsDir: $D/pods
	clusterDNS: [10.96.0.10]
	resolvConf: $D/resolv.conf
	imageGCHighThresholdPercent: 100
	evictionHard: {nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%", memory.available: "50Mi"}
	serializeImagePulls: false
	maxPods: 110
	kubeAPIQPS: 200
	kubeAPIBurst: 400
	E
	start kubelet "$BIN/kubelet" --config "$D/kubelet.yaml" --kubeconfig "$D/kubelet.conf" --root-dir "$D/kubelet" --cert-dir "$D/kubelet/pki" --hostname-override node1 --node-ip $NODEIP
	cat >"$D/proxy.yaml" <<-E
	apiVersion: kubeproxy.config.k8s.io/v1alpha1
	kind: KubeProxyConfiguration
	mode: nftables
	hostnameOverride: node1
	clusterCIDR: $PODS
	clientConnection: {kubeconfig: $D/proxy.conf}
	conntrack: {maxPerCore: 0, min: 0}
	nodePortAddresses: ["$NODEIP/32"]
	E
	start proxy "$BIN/kube-proxy" --config "$D/proxy.yaml"
	until_ok 120 "node Ready" k wait --for=condition=Ready node/node1 --timeout=1s
fi
[ ! -x "$BIN/kube-controller-manager" ] || until_ok 60 "default service account" k get serviceaccount default
touch "$D/up"
say "up"
