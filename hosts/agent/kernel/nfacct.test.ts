import { createSocket } from "node:dgram";
import * as assert from "uvu/assert";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { ensureNfacct, INVALID_DROPPED, LOCALHOST_ACCEPTED, readNfacct } from "./nfacct.ts";
import { shell } from "./testing/node.ts";

inNamespaces(import.meta.url, ["root", "user"], (test) => {
  test("the objects are made once, and count packets", async () => {
    assert.is(await readNfacct(INVALID_DROPPED), undefined);
    assert.equal(await ensureNfacct(), { invalidDropped: true, localhostAccepted: true });
    assert.equal(await ensureNfacct(), { invalidDropped: true, localhostAccepted: true });
    for (const name of [INVALID_DROPPED, LOCALHOST_ACCEPTED]) assert.match(shell("nfacct list"), name);
    assert.is(await readNfacct(LOCALHOST_ACCEPTED), 0n);
    shell(`ip link set lo up
      iptables-nft -A OUTPUT -p udp -m nfacct --nfacct-name ${LOCALHOST_ACCEPTED} -j ACCEPT`);
    const socket = createSocket("udp4");
    for (let count = 0; count < 3; count++) {
      await new Promise((resolve) => socket.send("packet", 9, "127.0.0.1", resolve));
    }
    socket.close();
    assert.is(await readNfacct(LOCALHOST_ACCEPTED), 3n);
  });
});
