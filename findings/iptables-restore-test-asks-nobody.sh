#!/bin/sh
# `iptables-restore --test` accepts what the same command without --test refuses.
#
# One would guess: --test, which constructs the ruleset and does not commit it, says whether a file would load. Scripts and CI run it
# before they touch a firewall, and programs ask it whether an extension can be used.
# It only parses. The kernel is never asked, in neither variant (legacy, nf_tables): a match whose module, or whose object, the kernel does
# not have passes with exit code 0. Only a real write finds out, and then the whole table is refused. With nf_tables its exit code is 4
# besides, which in iptables' own header is RESOURCE_PROBLEM, and which also says that somebody else holds the lock: a program that tries
# again on 4 does so for ever.
#
# Who meets it: whoever checks rules by --test, for example in an image for a kernel with fewer modules; who retries on exit code 4.
#
# Needs unshare and iptables (1.8.9 here, both variants); no root. Exits with 0 as long as it is so, 1 once it is not, 2 if it can't be tried.
set -eu
if [ "${1:-}" != inside ]; then
  unshare --map-root-user --net true 2>/dev/null || { echo "no user namespaces here"; exit 2; }
  PATH=$PATH:/usr/sbin:/sbin unshare --map-root-user --net sh "$0" inside
  exit
fi

rules='*filter
:MINE - [0:0]
-A MINE -m nfacct --nfacct-name no-such-counter -j RETURN
COMMIT
'
uname -sr
same=0
for variant in nft legacy; do
  command -v "iptables-$variant-restore" > /dev/null || { echo "no iptables-$variant-restore"; exit 2; }
  "iptables-$variant-restore" --version
  test=0 write=0
  printf '%s' "$rules" | "iptables-$variant-restore" --noflush --test || test=$?
  printf '%s' "$rules" | "iptables-$variant-restore" --noflush || write=$?
  echo "with --test: exit $test; without: exit $write"
  if [ "$test" = 0 ] && [ "$write" != 0 ]; then same=$((same + 1)); fi
  [ "$variant" = legacy ] || code=$write
done
[ "$same" = 2 ] && [ "$code" = 4 ]
