// Who gets the lock, who waits, and what is made of strangers. fixtures/agent/two-agents.test.ts has real agents.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as assert from "uvu/assert";
import { openLog } from "../../log/log.ts";
import { readGeneration } from "../../netlink/ruleset/generation.ts";
import { NetlinkSocket } from "../../netlink/sockets/socket.ts";
import { inNamespaces } from "../../netlink/testing/namespace.ts";
import { type Clock, systemClock } from "../../time/clock.ts";
import { lockHolder, NodeLock, type NodeLockOptions } from "./node-lock.ts";
import { type Claim, QueueLock, readQueue } from "./queue-lock.ts";

const contender = fileURLToPath(new URL("testing/contender.ts", import.meta.url));
const nameHolder = fileURLToPath(new URL("testing/name-holder.ts", import.meta.url));
/** Whoever runs behind it is root without any capability. */
const WITHOUT_CAPABILITIES = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];
const IN_ITS_OWN_PID_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

const kinds = process.getuid?.() === 0 ? (["root", "user"] as const) : (["user"] as const);

inNamespaces(import.meta.url, kinds, (test, kind) => {
  let lines: string[] = [];
  const open: { close(): unknown }[] = [];

  test.before.each(() => {
    lines = [];
  });
  test.after.each(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });

  /** @param speed seconds that pass in one */
  function lock(mode = "flat", speed = 1, more: Partial<NodeLockOptions> = {}): NodeLock & { isFree?: boolean } {
    const { log } = openLog({ format: "json", verbosity: 0 }, { write: (line) => void lines.push(line) });
    const clock: Clock = { ...systemClock, now: () => systemClock.now() * speed };
    const made: NodeLock & { isFree?: boolean } = new NodeLock({ mode, log, clock, ...more });
    void made.free.then(() => {
      made.isFree = true;
    });
    open.push(made);
    return made;
  }

  /** Runs name-holder.ts. */
  async function holder(words: string[], before: string[] = []): Promise<ChildProcess> {
    const command = [...before, process.execPath, "--import", "tsx", nameHolder, ...words];
    const [file = "", ...rest] = command;
    const child = spawn(file, rest, { stdio: ["ignore", "pipe", "inherit"] });
    open.push({ close: () => end(child) });
    const [said] = (await once(child.stdout, "data")) as [Buffer];
    assert.is(said.toString(), "ready\n");
    return child;
  }

  /** Runs contender.ts. */
  function contend(before: string[]): ChildProcess {
    const [file = "", ...rest] = [...before, process.execPath, "--import", "tsx", contender];
    const child = spawn(file, rest, { stdio: ["ignore", "pipe", "inherit"] });
    open.push({ close: () => end(child) });
    return child;
  }

  test("the first has it at once; the second knows whom it waits for, whatever its mode, and gets it when that one ends", async () => {
    const first = lock("nftables");
    await first.free;
    assert.is(first.holdUp, "");
    // It waits for longer than it would for a stranger.
    const second = lock("iptables", 1000);
    await until(() => second.holdUp !== "");
    assert.match(
      second.holdUp,
      `another sluice agent writes this node's rules (process ${process.pid}, mode nftables)`,
    );
    assert.equal(await lockHolder(), { isAgent: true, text: `process ${process.pid}, mode nftables` });
    await sleep(500);
    assert.not(second.isFree);
    assert.is(second.warning, "");
    await first.close();
    await second.free;
    assert.is(second.holdUp, "");
    assert.is((await lockHolder())?.text, `process ${process.pid}, mode iptables`);
    assert.is(lines.filter((line) => line.includes("its end is waited for")).length, 1, "said once");
    assert.is(lines.filter((line) => line.includes("the node's lock is free, and taken")).length, 1);
    await second.setMode("flat");
    assert.is((await lockHolder())?.text, `process ${process.pid}, mode flat`);
    await second.close();
    assert.is(await lockHolder(), undefined);
    assert.not.ok(typeof (await readQueue()) === "object");
  });

  test("taking it, waiting for it and letting it go are no changes of the ruleset", async () => {
    const before = await generation();
    const first = lock();
    await first.free;
    const second = lock();
    await until(() => second.holdUp !== "");
    await first.close();
    await second.free;
    await second.close();
    assert.is(await generation(), before);
  });

  test("one that ends while it waits does not get it", async () => {
    await lock().free;
    const second = lock();
    await until(() => second.holdUp !== "");
    await second.close();
    assert.not(second.isFree);
  });

  test("connections that others hold, however many, neither open nor keep a lock that is taken", async () => {
    const first = lock();
    await first.free;
    for (const before of [WITHOUT_CAPABILITIES, kind === "root" ? ["setpriv", "--reuid", "65534"] : []]) {
      await holder(["flood"], before);
    }
    const second = lock("flat", 1000);
    await until(() => second.holdUp !== "");
    await sleep(500);
    assert.not(second.isFree);
    // Its mode is read where the queue's listing may be read; else the flood keeps it from being asked for.
    assert.match(second.holdUp, `(process ${process.pid}`);
    await first.close();
    await second.free;
    assert.is(second.warning, "");
  });

  // What follows starts many processes: root's user namespace need not see it again.
  if (kind === "user" && /^ *0 +0 /.test(readFileSync("/proc/self/uid_map", "latin1"))) return;

  for (const form of ["padded", "exact"]) {
    test(`an agent of an earlier version has the ${form} name: its end is waited for, stopped and flooded too`, async () => {
      const earlier = await holder([form, "greets"]);
      const mine = lock("flat", 1000);
      await until(() => mine.holdUp !== "");
      const text = `process ${earlier.pid}, mode flat`;
      assert.match(mine.holdUp, `another sluice agent writes this node's rules (${text})`);
      // This test has the queue already, by the lock that waits.
      assert.ok((await lockHolder())?.isAgent);
      await mine.close();
      assert.equal(await lockHolder(), { isAgent: true, text });

      await holder(["flood"], kind === "root" ? ["setpriv", "--reuid", "65534"] : WITHOUT_CAPABILITIES);
      const flooded = lock("flat", 1000);
      await until(() => flooded.holdUp !== "");
      assert.match(flooded.holdUp, `another sluice agent writes this node's rules (process ${earlier.pid})`);
      await flooded.close();
      assert.not(flooded.isFree);

      earlier.kill("SIGSTOP");
      const last = lock("flat", 1000);
      await until(() => last.holdUp !== "");
      assert.match(last.holdUp, `(process ${earlier.pid}, stopped); its end is waited for`);
      await sleep(300);
      assert.not(last.isFree);
      await end(earlier);
      await last.free;
      assert.is(last.warning, "");
    });
  }

  for (const manner of ["greets", "hangs-up"]) {
    test(`root without capabilities that has both names and ${manner} holds nothing up; it is said, until it ends`, async () => {
      const stranger = await holder(["both", manner], WITHOUT_CAPABILITIES);
      assert.is((await lockHolder())?.isAgent, false);
      const mine = lock("flat", 1);
      await mine.free;
      assert.is(mine.holdUp, "");
      assert.match(
        mine.warning,
        `process ${stranger.pid} has the socket @sluice-agent and is no sluice agent: an agent of an earlier version on this node would not be noticed`,
      );
      // It has the lock nevertheless.
      const second = lock("flat", 1000);
      await until(() => second.holdUp !== "");
      assert.match(second.holdUp, "another sluice agent writes this node's rules");
      assert.not.match(second.holdUp, `process ${stranger.pid}`);
      assert.not(second.isFree);
    });
  }

  /** It has to wait for `text` for more than a minute of its time, and to get the lock after `release`. */
  async function waits(child: ChildProcess, text: string, release: () => Promise<unknown>): Promise<void> {
    let said = "";
    child.stdout?.on("data", (piece: Buffer) => {
      said += piece.toString();
    });
    await until(() => said.includes("\n"));
    assert.match(said, `another sluice agent writes this node's rules (${text}); its end is waited for`);
    await sleep(2_200);
    assert.not.match(said, "free\n");
    await release();
    await until(() => said.endsWith("free\n"));
  }

  test("an agent in another pod, whose process can't be seen, is waited for like any other", async () => {
    const mine = lock("iptables");
    await mine.free;
    await waits(contend(IN_ITS_OWN_PID_NAMESPACE), "mode iptables", () => mine.close());
  });

  test("an agent with fewer capabilities than one of an earlier version waits for it nevertheless", async () => {
    const earlier = await holder(["padded", "greets"]);
    const fewer = ["setpriv", "--bounding-set", "-all,+net_admin", "--inh-caps", "-all"];
    await waits(contend(fewer), `process ${earlier.pid}, mode flat`, () => end(earlier));
  });

  test("where it can't be seen whether a process of root may write rules, it is waited for for 45 s", async () => {
    await holder(["both", "greets"], IN_ITS_OWN_PID_NAMESPACE);
    const child = contend(IN_ITS_OWN_PID_NAMESPACE);
    let said = "";
    for await (const piece of child.stdout ?? []) said += piece;
    const text =
      "somebody has the socket @sluice-agent, and whether it is an agent of an earlier version can't be seen";
    const [first = "", second = "", third, ...more] = said.trimEnd().split("\n");
    assert.is((JSON.parse(first) as { msg: string }).msg, `${text}; it is tried again`);
    assert.is((JSON.parse(second) as { msg: string }).msg, text);
    assert.is(third, "free");
    assert.equal(more, []);
  });

  if (kind === "root") {
    test("somebody else's process that has both names holds nothing up", async () => {
      const stranger = await holder(["both", "is-silent"], ["setpriv", "--reuid", "65534"]);
      const mine = lock();
      await mine.free;
      assert.is(mine.holdUp, "");
      assert.match(mine.warning, `process ${stranger.pid} has the socket @sluice-agent and is no sluice agent`);
    });
  }

  test("one that says something else is no agent, whatever it may", async () => {
    await holder(["both", "says-else"]);
    const mine = lock();
    await mine.free;
    assert.match(mine.warning, "is no sluice agent");
  });

  test("a queue that another program has bound is waited for for 10 s; then the names are the lock", async () => {
    const foreign = new QueueLock();
    open.push(foreign);
    await foreign.take("another program's");
    // Not everybody may read whose queue it is; then it is taken for an agent's.
    if ((await readQueue()) === "unreadable") return;
    const mine = lock("flat", 10);
    await until(() => mine.holdUp !== "");
    assert.match(mine.holdUp, /another program has bound packet queue 21324 \(netlink port \d+\)/);
    await mine.free;
    assert.match(mine.warning, "another program has bound packet queue 21324");
    const second = lock("flat", 1000);
    await until(() => second.holdUp !== "");
    assert.match(second.holdUp, `(process ${process.pid}, mode flat)`);
    assert.not(second.isFree);
  });

  test("without queues in the kernel the names are the lock, and two that start at once don't wait for each other", async () => {
    const unavailable: Claim = { state: "unavailable", reason: "the kernel has no nfnetlink_queue" };
    const queue = { take: async () => unavailable, setMode: async () => {}, close: async () => {} };
    const both = [lock("flat", 1000, { queue }), lock("flat", 1000, { queue })];
    await until(() => both.some(({ isFree }) => isFree) && both.some(({ holdUp }) => holdUp !== ""));
    await sleep(500);
    const [first, second] = both[0]?.isFree ? both : [both[1], both[0]];
    assert.not(second?.isFree);
    await first?.close();
    await second?.free;
    assert.is(second?.warning, "");
    assert.ok(lines.some((line) => line.includes("the node's lock is no more than the socket @sluice-agent")));
  });

  test("nobody holds a lock that nobody has taken", async () => {
    assert.is(await lockHolder(), undefined);
  });
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function generation(): Promise<number> {
  const socket = NetlinkSocket.open();
  try {
    return await readGeneration(socket);
  } finally {
    await socket.close();
  }
}

function sleep(milliseconds: number): Promise<unknown> {
  return systemClock.sleep(milliseconds, new AbortController().signal);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}
