// Where the kernel takes only short batches from this process (no CAP_NET_ADMIN in the initial user namespace, a small
// net.core.wmem_max), everything is written in such, and the limit that is told is the true one.
import * as assert from "uvu/assert";
import { makeService, makeServiceCIDR, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import type { KubernetesObject } from "../../../fixtures/support/objects.ts";
import { lengthOf } from "../../shared/engine.ts";
import { FAMILIES } from "../../shared/families.ts";
import { viewOf } from "../netlink/messages/attributes.ts";
import { EMSGSIZE, EPERM } from "../netlink/messages/errno.ts";
import { SO_SNDBUF, SO_SNDBUFFORCE, SOL_SOCKET } from "../netlink/messages/uapi.ts";
import { type Libc, loadLibc } from "../netlink/sockets/libc.ts";
import { NetlinkSocket } from "../netlink/sockets/socket.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft, nftList } from "../netlink/testing/nft.ts";
import { Node } from "./testing/node.ts";

/** The real kernel, as it is to whoever may have no more than `wmemMax` bytes. */
function limitedLibc(wmemMax: number): Libc {
  const real = loadLibc();
  return {
    ...real,
    setsockopt: (fd, level, option, value) => {
      if (level !== SOL_SOCKET || (option !== SO_SNDBUF && option !== SO_SNDBUFFORCE)) {
        return real.setsockopt(fd, level, option, value);
      }
      if (option === SO_SNDBUFFORCE) return -EPERM;
      const wanted = viewOf(value).getInt32(0, true);
      return real.setsockopt(fd, level, option, new Uint8Array(new Int32Array([Math.min(wanted, wmemMax)]).buffer));
    },
  };
}

const cidr = makeServiceCIDR("kubernetes", ["10.96.0.0/16"]);
function cluster(services: number, endpoints: number, third: number): KubernetesObject[] {
  const objects: KubernetesObject[] = [cidr];
  for (let n = 0; n < services; n++) {
    const addresses = Array.from({ length: endpoints }, (_, i) => `10.${third}.${n >> 8}.${(n + i * 7) & 255}`);
    objects.push(makeService(`shop/s${n}`, { ip: `10.96.${n >> 8}.${n & 255}` }));
    objects.push(makeSlice(`shop/s${n}-1`, `s${n}`, [...new Set(addresses)]));
  }
  return objects;
}

/** A message that nobody takes, of so many bytes. */
function message(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  viewOf(bytes).setUint32(0, length, true);
  return bytes;
}

/** Services that each take more than 65,504 bytes: by their source ranges, their affinity, their many endpoints. */
function largeServices(): KubernetesObject[] {
  const many = (count: number, make: (index: number) => string) => Array.from({ length: count }, (_, i) => make(i));
  const ranges = many(3000, (i) => `172.${16 + (i >> 8)}.${i & 255}.8/31`);
  return [
    makeService("big/ranges", {
      ip: "10.96.200.1",
      type: "LoadBalancer",
      ingress: [{ ip: "203.0.113.1" }],
      loadBalancerSourceRanges: ranges,
    }),
    makeSlice("big/ranges-1", "ranges", ["10.9.0.1"]),
    makeService("big/affinity", { ip: "10.96.200.2", sessionAffinity: "ClientIP" }),
    makeSlice(
      "big/affinity-1",
      "affinity",
      many(60, (i) => `10.9.1.${i}`),
    ),
    makeService("big/endpoints", { ip: "10.96.200.3" }),
    makeSlice(
      "big/endpoints-1",
      "endpoints",
      many(3000, (i) => `10.9.${8 + (i >> 8)}.${i & 255}`),
    ),
  ];
}

inNamespaces(import.meta.url, ["user"], (test) => {
  test.before.each(() => nft("flush ruleset"));

  // Debian's default, and the least that a busy administrator might leave.
  for (const [wmemMax, limit, services] of [
    [212_992, 425_952, 1000],
    [32_768, 65_504, 200],
  ] as const) {
    test(`net.core.wmem_max ${wmemMax}: the kernel takes ${limit} bytes and not one more`, async () => {
      const socket = NetlinkSocket.open({ libc: limitedLibc(wmemMax) });
      assert.is(socket.sendLimit, limit);
      assert.is(await socket.send(message(limit)), 0);
      assert.is(await socket.send(message(limit + 1)), EMSGSIZE);
      await socket.close();
    });

    for (const mode of ["flat", "nftables"] as const) {
      test(`${mode}, net.core.wmem_max ${wmemMax}: ${services} Services are loaded, found again and replaced`, async () => {
        const libc = limitedLibc(wmemMax);
        const node = await Node.start(mode, FAMILIES, libc);
        assert.is(node.writer.batchLimits.largest, limit);
        const written = (of: Node) => of.writer.written.map(({ data }) => lengthOf(data));
        node.put(...cluster(services, 10, 1));
        await node.settle();
        assert.equal(
          node.state.use((engine) => engine.leftOut()),
          [],
        );
        assert.ok(written(node).length > 3);
        assert.ok(Math.max(...written(node)) <= limit, `${Math.max(...written(node))} bytes`);

        const restarted = await Node.start(mode, FAMILIES, libc);
        restarted.put(...cluster(services, 10, 1));
        await restarted.settle();
        assert.equal(written(restarted), []);

        // All endpoints are others: at once, and for a process that finds the old ones.
        restarted.put(...cluster(services, 9, 2));
        await restarted.settle();
        const again = await Node.start(mode, FAMILIES, libc);
        again.put(...cluster(services, 10, 3));
        await again.settle();
        for (const each of [restarted, again]) {
          assert.ok(
            written(each).length > 0 && Math.max(...written(each)) <= limit,
            `${Math.max(...written(each))} bytes`,
          );
          assert.equal(
            each.state.use((engine) => engine.leftOut()),
            [],
          );
        }
        again.clock.spend(2000);
        await again.settle();
        assert.equal(await again.difference(cluster(services, 10, 3)), []);
        for (const each of [node, restarted, again]) await each.writer.close();
      });
    }
  }

  for (const [mode, tooLong] of [
    ["flat", []],
    // A rule with an anonymous set or map can't be cut.
    ["nftables", ["big/endpoints", "big/ranges"]],
  ] as const) {
    test(`${mode}: what one Service has too much of is written by several transactions, or it is left out by name`, async () => {
      const node = await Node.start(mode, FAMILIES, limitedLibc(32_768));
      node.put(...cluster(20, 2, 1), ...largeServices());
      const reasons = new Map<string, string>();
      for (let run = 0; run < 12; run++) {
        const { dueIn } = await node.run();
        for (const { namespace, name, reason } of node.reports.flatMap(({ leftOut }) => leftOut)) {
          reasons.set(`${namespace}/${name}`, reason);
        }
        node.clock.spend(dueIn ?? 0);
      }
      assert.equal([...reasons.keys()].sort(), tooLong);
      for (const reason of reasons.values()) {
        assert.match(
          reason,
          /^a batch has \d+ bytes and the kernel takes 65504 from this process: give it CAP_NET_ADMIN/,
        );
      }
      assert.ok(Math.max(...node.writer.written.map(({ data }) => lengthOf(data))) <= 65_504);
      const rules = JSON.stringify(nftList("ruleset"));
      const isThere = (ip: string) => rules.includes(`"${ip}"`);
      assert.ok(isThere("10.96.0.19") && isThere("10.96.200.2"));
      assert.is(isThere("10.96.200.1"), mode === "flat");
      assert.is(isThere("203.0.113.1"), mode === "flat");
      await node.writer.close();
    });
  }
});
