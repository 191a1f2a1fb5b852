// Counters of packets that rules have refused on loopback addresses, in the kernel of a network namespace.
import * as assert from "uvu/assert";
import { type Libc, loadLibc } from "../netlink/sockets/libc.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft } from "../netlink/testing/nft.ts";
import { readRejected } from "./rejected.ts";

inNamespaces(import.meta.url, ["user"], (test) => {
  test("those that are there, of both families, and no thread is used for it", async () => {
    const libc: Libc = {
      ...loadLibc(),
      sendOnThread: () => Promise.reject(new Error("a scrape takes a thread")),
      recvOnThread: () => Promise.reject(new Error("a scrape takes a thread")),
    };
    assert.equal(await readRejected("flat", libc), []);
    nft(`table ip sluice {
      counter localhost-nodeport-rejected-tcp { packets 3 bytes 180 }
      counter localhost-nodeport-rejected-udp { packets 4294967297 bytes 1 }
    }
    table ip6 sluice {
      counter localhost-nodeport-rejected-sctp { packets 7 bytes 1 }
      counter another { packets 9 bytes 1 }
    }`);
    assert.equal(await readRejected("flat", libc), [
      { family: "ipv4", protocol: "tcp", packets: 3 },
      { family: "ipv4", protocol: "udp", packets: 4_294_967_297 },
      { family: "ipv6", protocol: "sctp", packets: 7 },
    ]);
    assert.equal(await readRejected("nftables", libc), []);
  });
});
