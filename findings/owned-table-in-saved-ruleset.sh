#!/bin/sh
# While any program owns an nftables table, a saved ruleset can't be loaded again.
#
# One would guess: a table with the flag `owner` (Linux 5.12, nft 0.9.9) can be changed by its owner alone, and is nobody else's concern.
# `nft flush ruleset` agrees: it passes the table over, and succeeds. So `nft list ruleset > saved`, and later
# `nft -f` of "flush ruleset" and what was saved, should work as ever.
# It does not: the listing has the owned table in it, and adding it, though it is there already and just so, is EPERM. A file is one
# transaction, so none of the administrator's own tables comes back either.
#
# Who meets it: whoever keeps rules by `nft list ruleset > /etc/nftables.conf`, on a machine where a program owns a table
# (firewalld can: NftablesTableOwner).
#
# Needs unshare, nft and a kernel with nf_tables; no root. Exits with 0 as long as it is so, 1 once it is not, 2 if it can't be tried.
set -eu
if [ "${1:-}" != inside ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  unshare --map-root-user --net true 2>/dev/null || { echo "no user namespaces here"; exit 2; }
  WORK=$work PATH=$PATH:/usr/sbin:/sbin unshare --map-root-user --net sh "$0" inside
  exit
fi

cd "$WORK"
nft --version
uname -sr
mkfifo commands
nft -i < commands > /dev/null &
owner=$!
exec 3> commands
echo 'add table inet owned { flags owner; }' >&3
tries=0
until nft list tables | grep -q owned; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || { echo "no table could be owned"; exit 2; }
  sleep 0.1
done
nft add table ip mine
{ echo 'flush ruleset'; nft list ruleset; } > saved
cat saved
flush=0 load=0
nft flush ruleset || flush=$?
echo "nft flush ruleset: exit $flush; tables left: $(nft list tables | tr '\n' ' ')"
nft -f saved || load=$?
echo "nft -f saved: exit $load; tables now: $(nft list tables | tr '\n' ' ')"
mine=$(nft list tables | grep -c mine || true)
exec 3>&-
wait "$owner" || true
[ "$flush" = 0 ] && [ "$load" != 0 ] && [ "$mine" = 0 ]
