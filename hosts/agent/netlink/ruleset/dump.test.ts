import * as assert from "uvu/assert";
import { lengthOf } from "../../../shared/engine.ts";
import { sendBatch } from "../batches/batch.ts";
import { findAttribute, readAttributes, readString } from "../messages/attributes.ts";
import { ATTRIBUTES, type Message, messageFamily, readMessages } from "../messages/messages.ts";
import * as uapi from "../messages/uapi.ts";
import { NetlinkSocket } from "../sockets/socket.ts";
import { load, stock, TABLE } from "../testing/flat.ts";
import { inNamespaces } from "../testing/namespace.ts";
import { type NftObject, nft, nftList } from "../testing/nft.ts";
import { describeStalls, leastStall } from "../testing/stalls.ts";
import { startWriter } from "../testing/writer.ts";
import { dumpTable, type TableDump } from "./dump.ts";

const RULESET = `
table ip other { chain lb-2 { counter; }
  set numbers { type inet_service; elements = { 1, 2 } }
}
table ip6 flat { chain lb-2 { counter; }
  set numbers { type inet_service; elements = { 5 } }
}
table ip flat {
  chain lb-2 { ip daddr 10.1.2.3 counter; }
  chain lb-3 { }
  chain nat { type nat hook prerouting priority -100; ip daddr . meta l4proto . th dport vmap @verdicts; tcp dport { 4, 5 } return; }
  set numbers { type inet_service; elements = { 1, 2, 80 } }
  set ranges { type ipv4_addr; flags interval; elements = { 10.0.0.0/24, 10.0.1.0/25, 192.0.2.1 } }
  set affinity { type ipv4_addr; flags dynamic,timeout; timeout 3h; elements = { 192.0.2.7 } }
  map verdicts { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.0.0.1 . tcp . 80 : goto lb-2 } }
}
`;

type Complete = Extract<TableDump, { outcome: "complete" }>;

async function complete(table = TABLE): Promise<Complete> {
  const dump = await dumpTable(table);
  if (dump.outcome !== "complete") throw new Error(JSON.stringify(dump));
  return dump;
}

function text(message: Message, type: number): string | undefined {
  return readString(findAttribute(message.bytes, type, ATTRIBUTES));
}

function messagesOf(dump: Complete): Message[] {
  return dump.pieces.flatMap((piece) => [...readMessages(piece)]);
}

function named(dump: Complete, type: number, attribute: number): string[] {
  return messagesOf(dump).flatMap((message) => (message.type === type ? [text(message, attribute) ?? ""] : []));
}

/** Keys in hexadecimal, of each set. */
function keys(dump: Complete): Map<string, string[]> {
  const keys = new Map<string, string[]>();
  for (const message of messagesOf(dump)) {
    if (message.type !== uapi.NFT_MSG_NEWSETELEM) continue;
    const set = text(message, uapi.NFTA_SET_ELEM_LIST.SET) ?? "";
    const of = keys.get(set) ?? [];
    keys.set(set, of);
    const list = findAttribute(message.bytes, uapi.NFTA_SET_ELEM_LIST.ELEMENTS, ATTRIBUTES) ?? new Uint8Array();
    for (const { payload } of readAttributes(list)) {
      const key = findAttribute(payload, uapi.NFTA_SET_ELEM.KEY) ?? new Uint8Array();
      of.push(Buffer.from(findAttribute(key, uapi.NFTA_DATA.VALUE) ?? []).toString("hex"));
    }
  }
  return keys;
}

function namesIn(objects: readonly NftObject[], kind: string): string[] {
  return objects.flatMap((object) => (object[kind] === undefined ? [] : [object[kind].name as string]));
}

inNamespaces(import.meta.url, ["root", "user"], (test, kind) => {
  test.before.each(() => nft("flush ruleset"));

  test("a dump holds what nft lists of that table, and nothing of others", async () => {
    nft(RULESET);
    const dump = await complete();
    const objects = nftList("table", "ip", "flat");
    assert.equal(named(dump, uapi.NFT_MSG_NEWTABLE, uapi.NFTA_TABLE.NAME), ["flat"]);
    assert.equal(named(dump, uapi.NFT_MSG_NEWCHAIN, uapi.NFTA_CHAIN.NAME), namesIn(objects, "chain"));
    const sets = named(dump, uapi.NFT_MSG_NEWSET, uapi.NFTA_SET.NAME);
    // nft prints anonymous sets inside their rules.
    assert.equal(
      sets.filter((name) => !name.startsWith("__")).sort(),
      [...namesIn(objects, "set"), ...namesIn(objects, "map")].sort(),
    );
    assert.equal(
      named(dump, uapi.NFT_MSG_NEWRULE, uapi.NFTA_RULE.CHAIN),
      objects.flatMap(({ rule }) => (rule === undefined ? [] : [rule.chain as string])),
    );
    const found = keys(dump);
    assert.equal(found.get("numbers")?.sort(), ["0001", "0002", "0050"]);
    assert.equal(found.get("verdicts"), ["0a000001060000000050" + "0000"]);
    assert.equal(found.get("__set0")?.sort(), ["0004", "0005"]);
    // Starts and ends of ranges; the tree begins with the end of what is before the first.
    assert.is(found.get("ranges")?.includes("0a000100"), true);
    assert.is(found.has("affinity"), false);
    assert.is(
      messagesOf(dump).every((message) => messageFamily(message) === uapi.NFPROTO_IPV4),
      true,
    );
    const elements = [...found.values()].reduce((sum, of) => sum + of.length, 0);
    assert.equal([dump.chains, dump.sets, dump.rules, dump.elements, dump.attempts], [3, sets.length, 3, elements, 1]);
  });

  test("IPv6, an empty table, and no table", async () => {
    nft(`${RULESET}\ntable ip empty { }`);
    const six = await complete({ family: uapi.NFPROTO_IPV6, table: "flat" });
    assert.equal(keys(six).get("numbers"), ["0005"]);
    const empty = await complete({ family: uapi.NFPROTO_IPV4, table: "empty" });
    assert.equal([empty.chains, empty.sets, empty.rules, empty.elements], [0, 0, 0, 0]);
    assert.equal(named(empty, uapi.NFT_MSG_NEWTABLE, uapi.NFTA_TABLE.NAME), ["empty"]);
    const absent = await dumpTable({ family: uapi.NFPROTO_IPV4, table: "nowhere" });
    assert.is(absent.outcome, "absent");
    assert.is("generation" in absent && absent.generation, empty.generation);
  });

  test("a long dump says that it gets on", async () => {
    await fill(2_000);
    let parts = 0;
    const dump = await dumpTable(TABLE, { onPart: () => parts++ });
    if (dump.outcome !== "complete") throw new Error(JSON.stringify(dump));
    const messages = messagesOf(dump).length;
    assert.ok(parts >= messages - 1, `${parts} of ${messages}`);
    assert.ok(messages > dump.chains + dump.sets + dump.rules);
  });

  test("a dump while somebody writes into another table is complete", async () => {
    await fill(2_000);
    nft("add table ip other\nadd set ip other s { type ipv4_addr; }");
    const busy = await startWriter("other", "s");
    try {
      const dump = await complete();
      assert.is(dump.attempts > 1, true);
      assert.is(new Set(keys(dump).get("backends")).size, 20_000);
    } finally {
      busy.kill();
    }
  });

  test("a dump while somebody writes into the same table gives up, and is complete when they are done", async () => {
    await fill(2_000);
    nft("add set ip flat s { type ipv4_addr; }");
    const busy = await startWriter("flat", "s");
    try {
      const dump = await dumpTable(TABLE, { attempts: 3 });
      assert.is(dump.outcome, "unstable");
      assert.is("reason" in dump && dump.reason, "somebody changed the ruleset while it was read");
      setTimeout(() => busy.kill(), 100);
      const patient = await dumpTable(TABLE, { attempts: 50 });
      assert.is(patient.outcome, "complete");
      assert.is("attempts" in patient && patient.attempts > 1, true);
    } finally {
      busy.kill();
    }
  });

  if (kind === "root") {
    test("a set whose hash table is being rebuilt is read until each element comes once", async () => {
      await fill(20_000, 20_000);
      const dump = await complete();
      assert.is(dump.elements, 200_000);
      assert.is(new Set(keys(dump).get("backends")).size, 200_000);
    });

    test("timers run while 200,000 elements are read", async () => {
      await fill(20_000, 20_000);
      const dumped = await leastStall(50, () => complete());
      const { result, stall } = dumped;
      console.log(`200,000 elements, ${lengthOf(result.pieces)} bytes: ${describeStalls(dumped)}`);
      assert.is(result.elements, 200_000);
      assert.is(stall < 50, true, `stalled for ${stall} ms`);
    });
  }
});

/** Services × 10 backends, in batches of so many services: 500 are what an unprivileged socket takes. */
async function fill(services: number, together = 500): Promise<void> {
  const socket = NetlinkSocket.open();
  assert.is((await sendBatch(socket, stock())).outcome, "acknowledged");
  for (let start = 0; start < services; start += together) {
    const result = await sendBatch(socket, load(together, 10, 1, start));
    assert.is(result.outcome, "acknowledged");
  }
  await socket.close();
}
