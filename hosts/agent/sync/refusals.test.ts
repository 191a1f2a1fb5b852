// What the kernel does not take costs the Service that it belongs to, and no other: whatever it says, and whenever.
import { spawnSync } from "node:child_process";
import * as assert from "uvu/assert";
import { makeService, makeServiceCIDR, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import type { KubernetesObject } from "../../../fixtures/support/objects.ts";
import { lengthOf } from "../../shared/engine.ts";
import { FAMILIES } from "../../shared/families.ts";
import type { NetlinkMode } from "../kernel/writers/netlink-writer.ts";
import { EMLINK, EMSGSIZE, ENOBUFS, ENOMEM, EPERM } from "../netlink/messages/errno.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { nft } from "../netlink/testing/nft.ts";
import { type Refusing, refusingLibc } from "../netlink/testing/refusing-libc.ts";
import { Node } from "./testing/node.ts";

const cidr = makeServiceCIDR("kubernetes", ["10.96.0.0/16"]);
const COUNT = 40;
/** The Service whose rules are refused: by its endpoint's address. */
const BAD = 23;
const BAD_ADDRESS = Buffer.from([10, 0, 99, BAD]);

const objectsOf = (n: number, endpoint = `10.0.${n === BAD ? 99 : 0}.${n}`): KubernetesObject[] => [
  makeService(`shop/s${n}`, { ip: `10.96.0.${n}` }),
  makeSlice(`shop/s${n}-1`, `s${n}`, [endpoint]),
];
const shop = (endpoint?: (n: number) => string) => [
  cidr,
  ...Array.from({ length: COUNT }, (_, i) => objectsOf(i + 1, endpoint?.(i + 1))).flat(),
];

/** Numbers of the Services that lead to their endpoint. */
function served(): number[] {
  const text = spawnSync("nft", ["list", "ruleset"], { encoding: "utf8" }).stdout;
  const reachable = new Set([...text.matchAll(/10\.96\.0\.(\d+) \. tcp \. 80 : goto/g)].map(([, n]) => Number(n)));
  const endpoints = new Set([...text.matchAll(/10\.0\.\d+\.(\d+)(?: \. |:)8080/g)].map(([, n]) => Number(n)));
  return [...reachable].filter((n) => endpoints.has(n)).sort((a, b) => a - b);
}
const others = Array.from({ length: COUNT }, (_, i) => i + 1).filter((n) => n !== BAD);
const everybody = Array.from({ length: COUNT }, (_, i) => i + 1);

/** Refuses batches with a part that has the bad Service in it. */
const wholly =
  (errno: number): Refusing =>
  (batch) =>
    Buffer.from(batch).includes(BAD_ADDRESS) ? errno : undefined;

/** Spoils the attribute that has the address, so that the kernel itself refuses the message, and says which. */
const spoiled: Refusing = (batch) => {
  const bytes = Buffer.from(batch);
  let found = false;
  for (let at = bytes.indexOf(BAD_ADDRESS); at >= 0; at = bytes.indexOf(BAD_ADDRESS, at + 1)) {
    bytes.writeUInt16LE(0x3ff, at - 2);
    found = true;
  }
  return found ? bytes : undefined;
};

const REFUSALS: readonly (readonly [string, Refusing])[] = [
  ["message by message", spoiled],
  ["wholly, for lack of memory (ENOMEM)", wholly(ENOMEM)],
  ["wholly, for lack of buffers (ENOBUFS)", wholly(ENOBUFS)],
  ["wholly, as too long (EMSGSIZE)", wholly(EMSGSIZE)],
  ["wholly, for too many jumps (EMLINK)", wholly(EMLINK)],
];

inNamespaces(import.meta.url, ["user"], (test) => {
  test.before.each(() => nft("flush ruleset"));

  for (const mode of ["flat", "nftables"] as const) {
    const start = async (mode: NetlinkMode) => {
      const control: { refusing: Refusing | undefined } = { refusing: undefined };
      const libc = refusingLibc((batch) => control.refusing?.(batch));
      return { control, libc, node: await Node.start(mode, FAMILIES, libc) };
    };
    /** Runs until one has not failed: three at most. Returns who was left out. */
    const runs = async (node: Node): Promise<string[]> => {
      const leftOut = new Set<string>();
      for (let i = 0; i < 4; i++) {
        const { failed } = await node.run();
        for (const report of node.reports) for (const { name } of report.leftOut) leftOut.add(name);
        if (!failed) return [...leftOut];
        assert.ok(i < 3, JSON.stringify(node.reports));
      }
      return [];
    };
    const settled = async (node: Node, objects: KubernetesObject[]) => {
      node.clock.spend(2000);
      await node.settle();
      assert.equal(await node.difference(objects), []);
      await node.writer.close();
    };

    for (const [how, refusing] of REFUSALS) {
      test(`${mode}: refused ${how}, at the start, in a change, and after a restart`, async () => {
        const { control, libc, node } = await start(mode);
        control.refusing = refusing;
        node.put(...shop());
        assert.equal(await runs(node), [`s${BAD}`]);
        assert.equal(served(), others);
        assert.ok(libc.refused > 0 && libc.refused < 60, `${libc.refused} refused`);
        assert.equal((await node.run()).failed, false);
        assert.equal(
          node.state.use((engine) => engine.leftOut()).map(({ name }) => name),
          [`s${BAD}`],
        );

        // Tried again in vain, while others change: these wait for nothing.
        assert.is(node.synchronizer.retryLeftOut(), 1);
        node.put(...objectsOf(5, "10.0.0.205"));
        assert.equal(await runs(node), [`s${BAD}`]);
        assert.match(spawnSync("nft", ["list", "ruleset"], { encoding: "utf8" }).stdout, /10\.0\.0\.205/);

        // Another process, which finds some of them changed.
        const restarted = await start(mode);
        restarted.control.refusing = refusing;
        restarted.node.put(...shop((n) => (n === BAD ? `10.0.99.${n}` : `10.0.1.${n}`)));
        assert.equal(await runs(restarted.node), [`s${BAD}`]);
        assert.equal(served(), others);

        // It passes.
        restarted.control.refusing = undefined;
        assert.is(restarted.node.synchronizer.retryLeftOut(), 1);
        assert.equal(await runs(restarted.node), []);
        assert.equal(served(), everybody);
        await settled(
          restarted.node,
          shop((n) => (n === BAD ? `10.0.99.${n}` : `10.0.1.${n}`)),
        );
        await node.writer.close();
      });
    }

    test(`${mode}: refused when the table has to be made anew: the others' rules are in it`, async () => {
      const { control, node } = await start(mode);
      node.put(...shop());
      await node.settle();
      control.refusing = wholly(ENOMEM);
      node.state.use((engine) => engine.forget());
      assert.equal(await runs(node), [`s${BAD}`]);
      assert.equal(served(), others);
      control.refusing = undefined;
      node.synchronizer.retryLeftOut();
      await settled(node, shop());
    });

    test(`${mode}: several are refused, one of them message by message`, async () => {
      const { control, node } = await start(mode);
      const alsoBad = [3, 4, 38].map((n) => Buffer.from([10, 0, 0, n]));
      control.refusing = (batch) =>
        alsoBad.some((address) => Buffer.from(batch).includes(address)) ? ENOMEM : spoiled(batch);
      node.put(...shop());
      assert.equal((await runs(node)).sort(), [`s${BAD}`, "s3", "s38", "s4"]);
      assert.equal(
        served(),
        others.filter((n) => ![3, 4, 38].includes(n)),
      );
      control.refusing = undefined;
      assert.is(node.synchronizer.retryLeftOut(), 4);
      await settled(node, shop());
    });

    test(`${mode}: what is taken in parts and not together goes in smaller batches, and nobody is left out`, async () => {
      const { control, node } = await start(mode);
      node.put(cidr);
      await node.settle();
      const written = node.writer.written.length;
      control.refusing = (batch) => (batch.length > 9000 ? ENOMEM : undefined);
      node.put(...shop());
      assert.equal(await runs(node), []);
      assert.equal(served(), everybody);
      const batches = node.writer.written.slice(written).map(({ data }) => lengthOf(data));
      assert.ok(batches.length > 1 && Math.max(...batches) <= 9000, String(batches));
      control.refusing = undefined;
      node.synchronizer.retryLeftOut();
      await settled(node, shop());
    });

    test(`${mode}: memory that comes back in time costs nobody anything`, async () => {
      const { control, node } = await start(mode);
      control.refusing = () => ENOMEM;
      node.put(...shop());
      assert.is((await node.run()).failed, true);
      assert.equal(node.reports[0]?.leftOut, []);
      control.refusing = undefined;
      assert.equal(await runs(node), []);
      assert.equal(served(), everybody);
      await settled(node, shop());
    });

    test(`${mode}: where nothing at all may be written, nobody is to blame`, async () => {
      for (const errno of [ENOMEM, EPERM]) {
        const { control, node } = await start(mode);
        node.put(...shop());
        await node.settle();
        control.refusing = () => errno;
        node.put(...objectsOf(7, "10.0.0.207"));
        for (let i = 0; i < 5; i++) {
          assert.is((await node.run()).failed, true);
          assert.equal(node.reports[0]?.leftOut, []);
          assert.is(node.reports[0]?.mayRestartHelp, false);
        }
        control.refusing = undefined;
        assert.equal(await runs(node), []);
        await settled(node, [...shop(), ...objectsOf(7, "10.0.0.207")]);
      }
    });
  }
});
