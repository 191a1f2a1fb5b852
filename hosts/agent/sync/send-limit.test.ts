// Where the kernel takes only short batches from this process (no CAP_NET_ADMIN in the initial user namespace, a small
// net.core.wmem_max), everything is written in such, and the limit that is told is the true one.
import * as assert from "uvu/assert";
import { makeService, makeServiceCIDR, makeSlice } from "../../../engine/test-support.ts";
import type { KubernetesObject } from "../../../fixtures/support/objects.ts";
import { lengthOf } from "../../shared/engine.ts";
import { FAMILIES } from "../../shared/families.ts";
import { viewOf } from "../netlink/attributes.ts";
import { EMSGSIZE, EPERM } from "../netlink/errno.ts";
import { type Libc, loadLibc } from "../netlink/libc.ts";
import { NetlinkSocket } from "../netlink/socket.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft } from "../netlink/testing/nft.ts";
import { SO_SNDBUF, SO_SNDBUFFORCE, SOL_SOCKET } from "../netlink/uapi.ts";
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
});
