#!/bin/sh
# nft lists iptables' `! --ctstate RELATED,ESTABLISHED,DNAT` as `ct status dnat`: the opposite.
#
# One would guess: nft's listing of rules that iptables-nft has made is what they do, in other words, or says that it can't tell
# (`xt match …`). iptables itself can print such a translation before the rules are moved: `iptables-translate`.
# Where the states of `-m conntrack --ctstate` have DNAT or SNAT among them, both leave out all other states and the `!`. In the kernel the
# rule is right, and drops what was not translated; the listing says that it drops what was. Loaded again, it does.
#
# Who meets it: who moves a node's rules with `iptables-translate`, or saves them with `nft list ruleset`. kube-proxy's chain
# KUBE-FIREWALL has this very match: the copy drops what was translated to an address of 127.0.0.0/8, and lets in what the rule was there to stop.
#
# Needs unshare, nft, iptables-nft and a kernel with nf_tables; no root. Exits with 0 as long as it is so, 1 once it is not, 2 if it can't be
# tried.
set -eu
if [ "${1:-}" != inside ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  unshare --map-root-user --net true 2>/dev/null || { echo "no user namespaces here"; exit 2; }
  XTABLES_LOCKFILE=$work/lock PATH=$PATH:/usr/sbin:/sbin unshare --map-root-user --net sh "$0" inside
  exit
fi

iptables-nft --version
nft --version
uname -sr
iptables-nft -A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP || exit 2
echo "iptables-save: $(iptables-nft-save | grep -- '-A FORWARD')"
listed=$(nft list chain ip filter FORWARD | grep ct)
echo "nft list: $listed"
translated=$(iptables-translate -A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP)
echo "iptables-translate: $translated"
case $listed in *"ct status dnat"*) ;; *) exit 1 ;; esac
case $listed$translated in *"!"* | *established*) exit 1 ;; esac
