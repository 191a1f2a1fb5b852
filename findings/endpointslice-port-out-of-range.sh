#!/bin/sh
# Kubernetes takes an EndpointSlice with port 70000, or -5, and no rule can be written for it.
#
# One would guess: `ports[].port` must be 1 to 65535, as a Service's port and targetPort must. Validation (pkg/apis/discovery/validation)
# looks at name, protocol and appProtocol of a port, and not at its number; an API server 1.37.2 answers 201 and stores it. kube-proxy
# (pkg/proxy/endpointslicecache.go) leaves out ports without a number and 0, and no others, so such a slice gets into its rules. nft and
# iptables-restore refuse the number, and with it the whole transaction, in which all other Services' rules stand too.
#
# Who meets it: whoever writes slices by hand or by a controller of their own for a Service without selector; and everybody else on the node.
#
# Needs Go (downloads k8s.io/kubernetes 1.37.2, builds for minutes the first time), nft, iptables, unshare; no root. Exits with 0 as long
# as it is so, 1 once it is not, 2 if it can't be tried.
set -eu
PATH=$PATH:/usr/local/go/bin:/usr/sbin:/sbin
for tool in go nft iptables-restore unshare; do
  command -v "$tool" >/dev/null || { echo "no $tool here"; exit 2; }
done
unshare --map-root-user --net true 2>/dev/null || { echo "no user namespaces here"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$(dirname "$0")"/../fixtures/admission/judge/* "$work"
cd "$work"
go build -o judge .
grep 'k8s.io/kubernetes v' go.mod
nft --version
iptables-restore --version
same=0
for port in 70000 -5; do
  slice='{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"web-1","namespace":"shop"},"addressType":"IPv4",'
  slice="$slice"'"endpoints":[{"addresses":["10.244.0.5"]}],"ports":[{"port":'"$port"'}]}'
  answer=$(echo "$slice" | ./judge)
  echo "port $port: $answer"
  printf 'table ip t {\n chain c {\n  meta l4proto tcp dnat to 10.244.0.5:%s\n }\n}\n' "$port" >rules.nft
  printf '*nat\n-A OUTPUT -p tcp -j DNAT --to-destination 10.244.0.5:%s\nCOMMIT\n' "$port" >rules.iptables
  nft=0 iptables=0
  unshare --map-root-user --net nft --check --file rules.nft || nft=$?
  unshare --map-root-user --net iptables-restore rules.iptables || iptables=$?
  echo "nft: exit $nft; iptables-restore: exit $iptables"
  case $answer in *'"causes":[]'*) [ "$nft" != 0 ] && [ "$iptables" != 0 ] && same=$((same + 1)) ;; esac
done
[ "$same" = 2 ]
