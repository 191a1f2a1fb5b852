#!/bin/sh
# A TCP connection that nobody has answered keeps its translation, however the rules change, and passes it on to the next one.
#
# One would guess: once a pod has gone and its address is out of the rules, a client whose SYN it did not answer any more reaches
# another pod with the next SYN, which it sends a second later; and a new connection surely does.
# Neither does. conntrack has an entry for the first SYN (SYN_SENT, unreplied), and translates by it whatever the client
# sends from that port. Each SYN, also that of a new connection from the same port, keeps the entry for 120 s more
# (nf_conntrack_tcp_timeout_syn_sent). So the attempt times out though healthy pods are there, and load balancers with few ports
# meet it again. Only the removal of the entry helps: then the next SYN goes by the rules of now.
#
# Who meets it: rolling updates under load, with any proxy that translates by conntrack (kube-proxy in all modes). Sluice removes
# such entries together with the endpoint.
#
# Needs unshare, nft, ip, conntrack and python3; no root. Exits with 0 as long as it is so, 1 once it is not, 2 if it can't be tried.
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
conntrack --version 2>&1 | head -1
uname -sr
ip link set lo up
ip link add eth0 type veth peer name peer
ip address add 192.0.2.1/24 dev eth0
ip address add 10.0.0.2/32 dev lo # the new pod
ip link set eth0 up
ip link set peer up
# The old pod, which has gone: what is sent to it is lost.
ip route add 10.0.0.1/32 dev eth0
ip neighbour replace 10.0.0.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent
ip route add 10.96.0.0/16 dev eth0
leads_to() {
  nft -f - <<RULES
add table ip t
delete table ip t
table ip t {
  chain output {
    type nat hook output priority -100
    ip daddr 10.96.0.10 dnat to $1
  }
}
RULES
}
cat > client.py <<'CLIENT'
import socket, subprocess, sys, threading, time
port, then = int(sys.argv[1]), sys.argv[2:]
# 1 s after the first SYN another one is sent, 2 s after that a third.
threading.Timer(0.5, lambda: [subprocess.run(each, shell=True, check=True) for each in then]).start()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("192.0.2.1", port))
s.settimeout(5)
try:
    s.connect(("10.96.0.10", 80))
    print("connected")
except OSError as error:
    print(error)
CLIENT
python3 -c '
import socket
s = socket.socket()
s.bind(("10.0.0.2", 80))
s.listen()
while True: s.accept()' &
pod=$!
trap 'kill "$pod"' EXIT
leads_to 10.0.0.2
control=$(python3 client.py 40000 true)
echo "a connection by rules that lead to the new pod: $control"
leads_to 10.0.0.1
cat > change.sh <<'CHANGE'
printf 'flush chain ip t output\nadd rule ip t output ip daddr 10.96.0.10 dnat to 10.0.0.2\n' | nft -f -
CHANGE
kept=$(python3 client.py 40001 "sh change.sh")
conntrack -L -p tcp --orig-port-src 40001 2>/dev/null || true
echo "the rules lead to the new pod since half a second after the first SYN: $kept"
again=$(python3 client.py 40001 true)
echo "a new connection from the same port: $again"
leads_to 10.0.0.1
removed=$(python3 client.py 40002 "sh change.sh" "conntrack -D -p tcp --orig-port-src 40002 >/dev/null 2>&1")
echo "the same as the first, and the entry removed with the change: $removed"
[ "$control" = connected ] && [ "$kept" = "timed out" ] && [ "$again" = "timed out" ] && [ "$removed" = connected ]
