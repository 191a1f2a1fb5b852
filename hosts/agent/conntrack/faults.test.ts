// What the kernel may answer, and an engine that is lost on the way.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { StaleFlow } from "../../shared/contract.ts";
import { EBUSY, EINVAL, ENOBUFS, ENOENT, EPERM } from "../netlink/messages/errno.ts";
import { readMessages, request } from "../netlink/messages/messages.ts";
import { NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTI, NLMSG_DONE } from "../netlink/messages/uapi.ts";
import { acknowledgement, type FakeAnswer, fakeLibc } from "../netlink/testing/fake-libc.ts";
import { ConntrackReconciler, type FlowEngine, type FlowRemoval } from "./reconciler.ts";
import { flowMessage } from "./testing/flows.ts";
import * as uapi from "./uapi.ts";

const test = suite("conntrack: faults");

const done = (sequence: number): Uint8Array => request({ type: NLMSG_DONE, flags: NLM_F_MULTI, sequence, family: 0 });

/** A flow of a dump, with an id. */
function dumped(sequence: number, flags = 0): Uint8Array {
  const made = flowMessage({ client: "192.0.2.7:4000", destination: "10.96.0.10:53" }, sequence);
  const header = { type: uapi.IPCTNL_MSG_CT_NEW, flags: NLM_F_MULTI | flags, sequence, family: 2 };
  return request(header, (writer) => {
    writer.copy(made.subarray(20));
    writer.u32(uapi.CTA.ID, 0x1234);
  }).slice();
}

interface Kernel {
  /** Answers to the n-th dump that is asked for. */
  dump(sequence: number, n: number): readonly FakeAnswer[] | number;
  remove?(sequences: readonly number[]): readonly FakeAnswer[] | number;
}

/** An engine for which every flow is stale. */
function everythingStale(calls: string[]): FlowEngine {
  const flow: Omit<StaleFlow, "offset"> = {
    reason: "never-translated",
    entryPoint: "cluster-ip",
    namespace: "x",
    service: "dns",
    port: "dns",
    client: "192.0.2.7:4000",
    destination: "10.96.0.10:53",
    answers: "10.96.0.10:53",
  };
  return {
    flowCheckDue: () => true,
    beginFlowCheck: (family) => void calls.push(`begin ${family}`),
    endFlowCheck: (family, _, complete) => void calls.push(`end ${family} ${complete}`),
    staleFlows: (_, dump) => {
      let offset = 0;
      return [...readMessages(dump)].map(({ bytes }) => {
        const stale = { ...flow, offset };
        offset += bytes.length;
        return stale;
      });
    },
  };
}

async function run(kernel: Kernel, engine?: Partial<FlowEngine>) {
  let dumps = 0;
  const requests: Uint8Array[] = [];
  const libc = fakeLibc((_, bytes) => {
    const messages = [...readMessages(bytes)];
    const [first] = messages;
    if (first === undefined) throw new Error("an empty datagram");
    requests.push(bytes.slice());
    if ((first.flags & NLM_F_DUMP) === NLM_F_DUMP) return kernel.dump(first.sequence, ++dumps);
    const sequences = messages.map(({ sequence }) => sequence);
    return kernel.remove?.(sequences) ?? [acknowledgement(sequences.at(-1) ?? 0)];
  });
  const calls: string[] = [];
  const removals: FlowRemoval[] = [];
  const made = { ...everythingStale(calls), ...engine };
  const reconciler = new ConntrackReconciler({
    engine: (ask) => ask(made),
    dryRun: false,
    log: (removal) => removals.push(removal),
    libc,
  });
  const result = await reconciler.run("ipv4", "udp");
  return { ...result, calls, removals: removals.length, dumps, requests };
}

test("a kernel that refuses the filter is asked without it", async () => {
  const result = await run({
    dump: (sequence, n) => (n === 1 ? [acknowledgement(sequence, EINVAL)] : [dumped(sequence), done(sequence)]),
  });
  assert.equal([result.errors, result.removed, result.removals, result.dumps], [[], 1, 1, 2]);
  assert.is(result.requests[1]?.length, 20, "no attributes");
});

test("without ctnetlink, and without permission", async () => {
  const without = await run({ dump: (sequence) => [acknowledgement(sequence, EINVAL)] });
  assert.match(without.errors[0] ?? "", "load the module nf_conntrack_netlink");
  assert.equal(without.calls, ["begin ipv4", "end ipv4 false"]);
  const forbidden = await run({ dump: (sequence) => [acknowledgement(sequence, EPERM)] });
  assert.match(forbidden.errors[0] ?? "", "needs CAP_NET_ADMIN");
  assert.is(forbidden.complete, false);
});

test("of a dump with lost parts, or an interrupted one, what came counts, and it stays due", async () => {
  const lost = await run({ dump: (sequence) => [dumped(sequence), ENOBUFS, done(sequence)] });
  assert.equal([lost.removed, lost.complete], [1, false]);
  assert.match(lost.errors[0] ?? "", "dropped parts");
  const interrupted = await run({ dump: (sequence) => [dumped(sequence, NLM_F_DUMP_INTR), done(sequence)] });
  assert.equal([interrupted.removed, interrupted.complete], [1, false]);
  assert.equal(interrupted.calls, ["begin ipv4", "end ipv4 false"]);
});

test("flows that are gone are no error; others that stay are", async () => {
  const three = (sequence: number) => [dumped(sequence), dumped(sequence), dumped(sequence), done(sequence)];
  const gone = await run({
    dump: three,
    remove: ([first = 0, , last = 0]) => [acknowledgement(first, ENOENT), acknowledgement(last)],
  });
  assert.equal([gone.errors, gone.removed, gone.complete], [[], 2, true]);
  const busy = await run({
    dump: three,
    remove: ([first = 0, second = 0, last = 0]) => [
      acknowledgement(first, EBUSY),
      acknowledgement(second, EBUSY),
      acknowledgement(last),
    ],
  });
  assert.equal(busy.errors, ["the kernel does not remove a flow: EBUSY (2 times)"]);
  assert.equal([busy.removed, busy.complete], [1, false]);
  const unanswered = await run({ dump: three, remove: () => [ENOBUFS] });
  assert.match(unanswered.errors[0] ?? "", "dropped answers");
  assert.equal([unanswered.removed, unanswered.removals, unanswered.complete], [0, 0, false]);
});

test("an engine that is lost on the way is an error of the run", async () => {
  const lost = (): never => {
    throw new Error("the engine stopped");
  };
  const dump = (sequence: number) => [dumped(sequence), done(sequence)];
  for (const engine of [{ beginFlowCheck: lost }, { staleFlows: lost }, { endFlowCheck: lost }]) {
    const result = await run({ dump }, engine);
    assert.equal([result.errors, result.complete], [["the engine stopped"], false]);
  }
  const reconciler = new ConntrackReconciler({ engine: lost, dryRun: false, log: () => {} });
  assert.equal(await reconciler.runDue("udp"), []);
});

test("flows are removed a hundred odd at a time, and asked about once each time", async () => {
  const sizes: number[] = [];
  const result = await run({
    dump: (sequence) => [...Array.from({ length: 300 }, () => dumped(sequence)), done(sequence)],
    remove: (sequences) => {
      sizes.push(sequences.length);
      return [acknowledgement(sequences.at(-1) ?? 0)];
    },
  });
  assert.equal([sizes, result.removed], [[128, 128, 44], 300]);
});

test.run();
