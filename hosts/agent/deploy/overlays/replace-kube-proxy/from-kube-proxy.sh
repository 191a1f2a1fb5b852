#!/bin/sh
# Makes config.conf and kubeconfig.conf, beside this script, of those that kubeadm gave to kube-proxy. What changes: the mode
# is flat, the kubeconfig's path ours, and the OOM score what the pod has already (less would need CAP_SYS_RESOURCE).
# Then says what `sluice agent --check` finds in config.conf, and ends with 1 if that has to be corrected before a node is labelled.
# SLUICE: the command, where it is neither in PATH nor built in this clone.
set -eu
cd "$(dirname "$0")"
get() { # KEY
  kubectl --namespace kube-system get configmap kube-proxy --output "jsonpath={.data.$1}"
}
get 'config\.conf' >config.conf.new
get 'kubeconfig\.conf' >kubeconfig.conf.new
if ! grep -q '^kind: KubeProxyConfiguration' config.conf.new || ! grep -q 'server: ' kubeconfig.conf.new; then
  rm config.conf.new kubeconfig.conf.new
  echo "ConfigMap kube-system/kube-proxy does not hold kubeadm's config.conf and kubeconfig.conf: write both by hand" >&2
  exit 1
fi
{
  printf 'mode: flat\noomScoreAdj: -997\n'
  sed -e '/^mode:/d' -e '/^oomScoreAdj:/d' -e 's#/var/lib/kube-proxy/#/etc/sluice/#' config.conf.new
} >config.conf
mv kubeconfig.conf.new kubeconfig.conf
rm config.conf.new
grep -E '^(mode|clusterCIDR|oomScoreAdj):' config.conf
grep -E '^ +server:' kubeconfig.conf

built=../../../../../build/cli/sluice.js
if [ -n "${SLUICE:-}" ]; then
  sluice() { "$SLUICE" "$@"; }
elif ! command -v sluice >/dev/null; then
  if ! [ -f "$built" ]; then
    echo 'config.conf is not checked, for there is no sluice here: `npm ci && npm run build` makes it' >&2
    exit 0
  fi
  sluice() { node "$built" "$@"; }
fi
# What it finds on this machine says nothing about the nodes.
found=$(sluice agent --config=config.conf --hostname-override=node --check 2>check.err |
  awk '$1 != "→" { is_ours = $2 == "configuration" } is_ours') || true
[ -n "$found" ] || found=$(sed 's/^/FAILED  /' check.err)
rm check.err
printf '%s\n' "$found"
if printf '%s\n' "$found" | grep -q '^FAILED'; then
  echo 'config.conf has to be corrected before a node is labelled (kube-proxy may run with it; what it leaves out is named above)' >&2
  exit 1
fi
