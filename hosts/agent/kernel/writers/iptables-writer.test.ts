import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { report } from "../../../../fixtures/kernel/diff.ts";
import { compareIptables } from "../../../../fixtures/kernel/normalise-iptables.ts";
import type { Listings } from "../../../../fixtures/oracle/oracle.ts";
import { oracleCases, oracleSequences } from "../../../../fixtures/oracle/oracle.ts";
import { encode } from "../../../../fixtures/support/engine.ts";
import { makeService } from "../../../../fixtures/support/engine-tests.ts";
import { watchLine } from "../../../../fixtures/support/objects.ts";
import type { Family } from "../../../shared/contract.ts";
import type { EngineInstance } from "../../../shared/engine.ts";
import { FAMILIES } from "../../../shared/families.ts";
import { inNamespaces } from "../../netlink/testing/namespace.ts";
import { type IptablesHost, thisHost } from "../commands/iptables-tools.ts";
import { commandRunner, type RunCommand } from "../commands/run-command.ts";
import { engineFor, fakeCommands, flushAll, hasLegacy, prepareNode, sayWhatIsLeftOut, shell } from "../testing/node.ts";
import type { WriteResult } from "../writer.ts";
import { IptablesWriter } from "./iptables-writer.ts";

async function opened(path?: string): Promise<IptablesWriter> {
  const run = commandRunner(path);
  const result = await IptablesWriter.open({ run, timeout: 10_000 });
  if (result.outcome !== "opened") throw new Error(result.message);
  return result.writer;
}

async function writeAll(engine: EngineInstance, writer: IptablesWriter, now: number): Promise<number> {
  let bytes = 0;
  for (const batch of engine.plan(now)) {
    const result = await writer.write(batch);
    assert.equal(result, { outcome: "written" });
    engine.committed(batch.id, now);
    bytes += batch.data.reduce((sum, piece) => sum + piece.length, 0);
  }
  return bytes;
}

function differences(wanted: Listings, infix: string, unreachable: boolean): string {
  const options = { unreachable };
  return [
    report("ipv4", compareIptables(wanted.iptables, shell(`iptables${infix}-save`), options)),
    report("ipv6", compareIptables(wanted.ip6tables, shell(`ip6tables${infix}-save`), options)),
  ].join("");
}

function refused(result: WriteResult) {
  if (result.outcome !== "refused") throw new Error(`${result.outcome} instead of refused`);
  return result;
}

/** A writer of the variant that kubelet's chain asks for. */
async function openedFor(infix: string): Promise<IptablesWriter> {
  shell(`iptables${infix} -t mangle -N KUBE-IPTABLES-HINT`);
  const writer = await opened();
  shell(`iptables${infix} -t mangle -X KUBE-IPTABLES-HINT`);
  assert.is(writer.tools.variant, infix === "-nft" ? "nf_tables" : "legacy");
  return writer;
}

sayWhatIsLeftOut();

inNamespaces(import.meta.url, ["root", "user"], (test, kind) => {
  test.before(prepareNode);
  test.before.each(flushAll);

  test("kube-proxy's rules, from an empty kernel on and through changes, in both variants", async () => {
    for (const infix of hasLegacy() ? ["-nft", "-legacy"] : ["-nft"]) {
      // Whole cases take long in a user namespace, and are the same there.
      for (const sequence of oracleSequences().slice(0, kind === "root" ? 4 : 1)) {
        flushAll();
        const engine = engineFor(sequence, "iptables");
        const writer = await openedFor(infix);
        await writeAll(engine, writer, 0);
        assert.is(differences(sequence.listings, infix, true), "", `${infix} ${sequence.name} at first`);
        for (const [step, { events, listings }] of sequence.steps.entries()) {
          const lines = events.map(({ verb, object }) => watchLine(verb === "delete" ? "DELETED" : "MODIFIED", object));
          engine.apply(encode(lines.join("")));
          await writeAll(engine, writer, (step + 1) * 10_000);
          assert.is(differences(listings, infix, false), "", `${infix} ${sequence.name} step ${step}`);
        }
        await writer.close();
      }
    }
  });

  test("the variant is kubelet's, else kube-proxy's, else where the only rules are, else the machine's", async () => {
    const variant = async () => {
      const writer = await opened();
      await writer.close();
      return [writer.tools.variant, writer.tools.reason];
    };
    assert.is((await variant())[1], "the machine's iptables-restore");
    if (!hasLegacy()) return;
    shell("iptables-legacy -A FORWARD -s 192.0.2.7 -j ACCEPT");
    assert.equal(await variant(), ["legacy", "only legacy tables have rules (1)"]);
    shell("iptables-nft -t mangle -N KUBE-PROXY-CANARY");
    assert.equal(await variant(), ["nf_tables", "kube-proxy's chain KUBE-PROXY-CANARY is in nf_tables"]);
    shell("ip6tables-legacy -t mangle -N KUBE-KUBELET-CANARY");
    assert.equal(await variant(), ["legacy", "kubelet's chain KUBE-KUBELET-CANARY is in legacy tables"]);
  });

  test("foreign rules and kubelet's chains stay, and jumps that are there are not made again", async () => {
    const foreign = `*nat
:MINE - [0:0]
-A PREROUTING -s 192.0.2.9/32 -j MINE
-A MINE -j RETURN
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -s 192.0.2.66/32 -j DROP
COMMIT
`;
    shell("iptables-nft-restore", foreign);
    const before = shell("iptables-nft-save").replaceAll(/^#.*\n/gm, "");
    const each = oracleCases()[5];
    if (each === undefined) throw new Error("no such case");
    // With localhostNodePorts kube-proxy writes KUBE-FIREWALL too.
    const engine = engineFor(
      { ...each, config: { ...each.config, iptables: { localhostNodePorts: false } } },
      "iptables",
    );
    const writer = await opened();
    await writeAll(engine, writer, 0);
    engine.forget();
    await writeAll(engine, writer, 10_000);
    const saved = shell("iptables-nft-save");
    assert.match(saved, "-A PREROUTING -s 192.0.2.9/32 -j MINE");
    assert.match(saved, "-A KUBE-FIREWALL -s 192.0.2.66/32 -j DROP");
    assert.is(saved.match(/-A INPUT -j KUBE-FIREWALL/g)?.length, 1);
    assert.is(saved.match(/-A PREROUTING .*-j KUBE-SERVICES/g)?.length, 1);
    // As of a trial that was killed.
    shell(
      "iptables-nft -t nat -N SLUI-SVC-X; iptables-nft -t nat -A SLUI-SVC-X -j RETURN; iptables-nft -N SLUI-SERVICES",
    );
    await writer.cleanup();
    // KUBE-FIREWALL's second jump is kubelet's as well as ours; nothing says who made it.
    shell("iptables-nft -D OUTPUT -j KUBE-FIREWALL");
    assert.is(withoutCounters(shell("iptables-nft-save")), withoutCounters(before));
    await writer.close();
  });

  test("flushed chains, deleted chains and missing jumps are noticed, and one full write mends them", async () => {
    const each = oracleCases()[5];
    if (each === undefined) throw new Error("no such case");
    const variants = hasLegacy() ? ["-nft", "-legacy"] : ["-nft"];
    for (const infix of variants) {
      flushAll();
      const engine = engineFor(each, "iptables");
      const writer = await openedFor(infix);
      assert.is(await writer.intactness("ipv4"), "perhaps-touched");
      await writeAll(engine, writer, 0);
      const harms =
        infix === "-nft"
          ? ["-t nat -F", "-F", "-t nat -D PREROUTING 1", "-t mangle -X KUBE-PROXY-CANARY", "-t nat -F KUBE-SERVICES"]
          : ["-t mangle -X KUBE-PROXY-CANARY"];
      for (const [index, harm] of harms.entries()) {
        assert.is(await writer.intactness("ipv4"), "untouched", harm);
        assert.is(await writer.intactness("ipv6"), "untouched", harm);
        shell(`iptables${infix} ${harm}`);
        assert.is(await writer.intactness("ipv4"), "perhaps-touched", harm);
        assert.is(await writer.intactness("ipv6"), "untouched", harm);
        engine.forget();
        await writeAll(engine, writer, (index + 1) * 10_000);
        assert.is(differences(each.listings, infix, false), "", harm);
      }
      await writer.close();
    }
  });

  test("others' tables are nothing to us, and what somebody flushes while we write is not taken for ours", async () => {
    const each = oracleCases()[5];
    if (each === undefined) throw new Error("no such case");
    const engine = engineFor(each, "iptables");
    const real = commandRunner();
    let afterwards = "";
    const run: RunCommand = async (command, ...rest) => {
      const result = await real(command, ...rest);
      if (afterwards !== "" && command.endsWith("-restore")) shell(afterwards);
      return result;
    };
    const opened = await IptablesWriter.open({ run });
    if (opened.outcome !== "opened") throw new Error(opened.message);
    const { writer } = opened;
    assert.is(writer.checksByProcess, false);
    assert.equal(await writer.dump("ipv4"), { outcome: "unsupported", drift: undefined });
    await writeAll(engine, writer, 0);
    for (const foreign of ["add table ip other", "add chain ip other mine", "add chain ip6 filter mine"]) {
      shell(`nft ${foreign}`);
      for (const family of FAMILIES) {
        assert.is(await writer.intactness(family), "untouched", foreign);
        assert.is(await writer.intactness(family), "untouched", "the same generation again");
      }
    }
    shell("nft delete table ip other; iptables-nft -F; nft delete chain ip nat KUBE-PROXY-CANARY");
    assert.is(await writer.intactness("ipv4"), "perhaps-touched");
    const dump = await writer.dump("ipv4");
    if (dump.outcome !== "unsupported" || dump.drift === undefined) throw new Error("no drift");
    assert.is(dump.drift.rebuilt, true);
    assert.is(dump.drift.missing, 0);
    assert.ok(dump.drift.changed > 3 && dump.drift.names.includes("filter KUBE-FORWARD"), JSON.stringify(dump.drift));
    assert.ok(dump.drift.names.every((name) => name.startsWith("filter ")));
    engine.forget();
    await writeAll(engine, writer, 1);
    assert.equal(await writer.dump("ipv4"), { outcome: "unsupported", drift: undefined });
    shell("nft flush ruleset");
    assert.is(await writer.intactness("ipv6"), "perhaps-touched");
    assert.match(JSON.stringify(await writer.dump("ipv6")), '"missing":9');

    engine.forget();
    await writeAll(engine, writer, 2);
    const service = { type: "MODIFIED", object: makeService("shop/late", { ip: "10.96.0.250" }) };
    engine.apply(encode(JSON.stringify(service)));
    afterwards = "iptables-nft -F; iptables-nft -t nat -F";
    await writeAll(engine, writer, 3);
    assert.is(await writer.intactness("ipv4"), "perhaps-touched");
    await writer.close();
  });

  test("a refusal says which line, what is wrong with it, and leaves the table as it was", async () => {
    const writer = await opened();
    const text = "*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -j NOWHERE\nCOMMIT\n";
    const result = refused(await writer.write(batchOf("ipv4", text)));
    assert.is(result.transient, false);
    assert.match(result.message, "Chain 'NOWHERE' does not exist");
    const line = /; line (\d) is: (.*)$/.exec(result.message);
    // iptables-nft 1.8 notices it at COMMIT.
    assert.is(text.split("\n")[Number(line?.[1]) - 1], line?.[2]);
    assert.not.match(shell("iptables-nft-save"), "KUBE-SERVICES");
    const unknown = refused(await writer.write(batchOf("ipv6", "*filter\n:X - [0:0]\n-A X --bogus\nCOMMIT\n")));
    assert.match(unknown.message, /ip6tables-nft-restore refused \(exit code 2\).*bogus.*line 3 is: -A X --bogus$/);
    await writer.close();
  });

  test("while another process holds the lock of legacy tables, a write waits, then says so and may be tried again", async () => {
    if (!hasLegacy()) return;
    const lock = join(tmpdir(), `sluice-lock-${process.pid}`);
    process.env.XTABLES_LOCKFILE = lock;
    const writer = await openedFor("-legacy");
    delete process.env.XTABLES_LOCKFILE;
    const holder = spawn("flock", [lock, "sh", "-c", "echo held; cat"], { stdio: ["pipe", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    try {
      const result = refused(await writer.write(batchOf("ipv4", "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n")));
      assert.is(result.transient, true);
      assert.match(result.message, /exit code 4.*lock/);
    } finally {
      holder.stdin.end();
      await once(holder, "close");
    }
    rmSync(lock);
    await writer.close();
  });

  test("iptables-restore has more time for more rules, so that a slow node gets them in the end", async () => {
    const timeouts: number[] = [];
    const real = commandRunner();
    const run: RunCommand = async (command, args, options) => {
      if (!command.endsWith("-restore") || options?.input === undefined) return real(command, args, options);
      timeouts.push(options.timeout ?? 0);
      return { outcome: "exited", code: 0, stdout: "", stderr: "" };
    };
    const opened = await IptablesWriter.open({ run, timeout: 1000 });
    if (opened.outcome !== "opened") throw new Error(opened.message);
    timeouts.length = 0;
    const commit = "*nat\nCOMMIT\n";
    await opened.writer.attempt("ipv4", [encode(commit)]);
    await opened.writer.attempt("ipv4", [encode(commit), encode("#".repeat(3_000_000))]);
    assert.equal(timeouts, [1000, 11_000]);
    await opened.writer.close();
  });

  test("failing, hanging, dying and missing commands are told apart, and nothing stays behind", async () => {
    const version = 'case "$*" in *--version*) echo "iptables-restore v1.8.9 (nf_tables)"; exit;; esac\n';
    const sleep = `60.${process.pid}`;
    const cases: [string, (result: WriteResult) => void][] = [
      [
        'cat >/dev/null; echo "Another app is currently holding the xtables lock." >&2; exit 4',
        (result) => {
          assert.is(refused(result).transient, true);
          assert.match(refused(result).message, "Another app is currently holding the xtables lock.");
        },
      ],
      [
        // A child of a wrapper script holds the pipes.
        `sleep ${sleep}`,
        (result) => {
          assert.is(result.outcome, "unknown", JSON.stringify(result));
          assert.match(result.outcome === "unknown" ? result.message : "", "did not end within 2.5 s and was killed");
        },
      ],
      [
        "kill -9 $$",
        (result) => {
          assert.is(result.outcome, "unknown", JSON.stringify(result));
          assert.match(result.outcome === "unknown" ? result.message : "", "was killed by SIGKILL");
        },
      ],
      // It does not read a megabyte of input.
      ["exit 3", (result) => assert.match(refused(result).message, "exit code 3): it said nothing")],
    ];
    for (const [script, check] of cases) {
      const fake = fakeCommands({
        "iptables-nft-restore": version + script,
        "ip6tables-nft-restore": version + script,
      });
      try {
        const result = await IptablesWriter.open({
          run: commandRunner(`${fake.path}:${process.env.PATH}`),
          timeout: 500,
        });
        if (result.outcome !== "opened") throw new Error(result.message);
        check(await result.writer.write(batchOf("ipv4", `*nat\n${"# a comment\n".repeat(100_000)}COMMIT\n`)));
        await result.writer.close();
        // The kernel ends a killed process a moment later.
        for (let wait = 0; wait < 40 && processesWith(sleep).length > 0; wait++) {
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        assert.equal(processesWith(sleep), [], script);
      } finally {
        fake.remove();
      }
    }
  });

  test("no iptables on the machine, or none any more, is said with what to do", async () => {
    const none: RunCommand = async () => ({ outcome: "missing" });
    const nowhere = await IptablesWriter.open({ run: none });
    assert.is(nowhere.outcome, "unavailable");
    assert.match(nowhere.outcome === "unavailable" ? nowhere.message : "", "apt-get install iptables");

    const real = commandRunner();
    let there = true;
    const vanishing: RunCommand = async (...args) => (there ? real(...args) : { outcome: "missing" });
    const result = await IptablesWriter.open({ run: vanishing });
    if (result.outcome !== "opened") throw new Error(result.message);
    there = false;
    const gone = refused(await result.writer.write(batchOf("ipv4", "*nat\nCOMMIT\n")));
    assert.match(gone.message, "iptables-nft-restore is not on the path");
    await result.writer.close();
  });

  test("a family that the machine lacks is refused with the reason, and the other one is written", async () => {
    const each = oracleCases()[5];
    if (each === undefined) throw new Error("no such case");
    const real = commandRunner();
    const without: Record<string, IptablesHost> = {
      "ip6tables-nft-restore is not on the path": thisHost(async (command, ...rest) =>
        command.startsWith("ip6tables") ? { outcome: "missing" } : real(command, ...rest),
      ),
      "IPv6 is switched off in this kernel": {
        ...thisHost(real),
        read: (path) => (path === "/proc/net/if_inet6" ? undefined : ""),
      },
    };
    for (const [reason, host] of Object.entries(without)) {
      flushAll();
      const result = await IptablesWriter.open({ run: real, host });
      if (result.outcome !== "opened") throw new Error(result.message);
      for (const batch of engineFor(each, "iptables").plan(0)) {
        const written = await result.writer.write(batch);
        if (batch.family === "ipv4") assert.equal(written, { outcome: "written" });
        else assert.match(refused(written).message, reason);
      }
      assert.is(await result.writer.intactness("ipv4"), "untouched");
      await result.writer.cleanup();
      assert.not.match(shell("iptables-nft-save"), /KUBE-(?!FIREWALL)/);
      await result.writer.close();
    }
  });
});

function withoutCounters(text: string): string {
  // A base chain without rules and with policy ACCEPT is as good as none.
  return text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\[\d+:\d+\]/g, "")
    .replaceAll(/^:[A-Z]+ ACCEPT \n/gm, "")
    .replaceAll(/^\*\w+\nCOMMIT\n/gm, "");
}

/** Of the processes that are running, and are not about to be collected. */
function processesWith(argument: string): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").includes(argument);
    } catch {
      return false;
    }
  });
}

let nextId = 1;
function batchOf(family: Family, text: string) {
  return { id: nextId++, family, notBeforeMs: 0, data: [encode(text)], services: 1, full: false };
}
