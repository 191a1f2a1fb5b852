#!/bin/sh
# Makes config.conf and kubeconfig.conf, beside this script, of those that kubeadm gave to kube-proxy. What changes: the mode
# is flat, the kubeconfig's path ours, and the OOM score what the pod has already (less would need CAP_SYS_RESOURCE).
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
