// Mode iptables where the real iptables-restore, of either variant, refuses rules of some Services: these are named and left
// out, all others go in, and they follow as soon as they can.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { applyJson, engineModule } from "../../../fixtures/support/engine.ts";
import { defaultOptions, listOf, makeService, makeSlice, remove } from "../../../fixtures/support/engine-tests.ts";
import type { KubernetesObject } from "../../../fixtures/support/objects.ts";
import type { Family, Options } from "../../shared/contract.ts";
import { commandRunner } from "../kernel/commands/run-command.ts";
import { findLeftovers, type LeftoverOptions, removeLeftovers } from "../kernel/leftovers/leftovers.ts";
import { fakeCommands, flushAll, hasLegacy, sayWhatIsLeftOut, shell } from "../kernel/testing/node.ts";
import { IptablesWriter } from "../kernel/writers/iptables-writer.ts";
import { inNamespaces } from "../netlink/testing/namespace.ts";
import { ManualClock } from "../time/testing/manual-clock.ts";
import { ClusterState } from "./cluster-state.ts";
import type { FamilyReport } from "./family-run.ts";
import { Synchronizer } from "./synchronizer.ts";

class Node {
  readonly clock = new ManualClock();
  readonly state: ClusterState;
  readonly writer: IptablesWriter;
  readonly synchronizer: Synchronizer;
  reports: FamilyReport[] = [];

  private constructor(writer: IptablesWriter, options: Partial<Options>) {
    this.writer = writer;
    const ignore = () => {};
    const all = {
      ...defaultOptions("iptables"),
      nfacctInvalidDropped: false,
      nfacctLocalhostAccepted: false,
      ...options,
    };
    this.state = new ClusterState(engineModule, all, undefined, {
      changed: ignore,
      synced: ignore,
      progressed: () => {},
      problems: ignore,
      trapping: ignore,
      lost: ignore,
    });
    const events = {
      written: ignore,
      readOn: ignore,
      finished: (report: FamilyReport) => this.reports.push(report),
      firstWave: ignore,
    };
    this.synchronizer = new Synchronizer(this.state, writer, this.clock, events);
  }

  /** @param infix "-nft", "-legacy" */
  static async start(infix: string, options: Partial<Options> = {}, path?: string): Promise<Node> {
    shell(`iptables${infix} -t mangle -N KUBE-IPTABLES-HINT 2>&1 || :`);
    const opened = await IptablesWriter.open({ run: commandRunner(path) });
    if (opened.outcome !== "opened") throw new Error(opened.message);
    assert.is(opened.writer.tools.variant, infix === "-nft" ? "nf_tables" : "legacy");
    return new Node(opened.writer, options);
  }

  put(...objects: KubernetesObject[]): void {
    this.state.use((engine) => applyJson(engine, listOf(objects)));
  }

  delete(...objects: KubernetesObject[]): void {
    this.state.use((engine) => remove(engine, ...objects));
  }

  /** One run; what was left out by it, as `family namespace/name`, and the reasons. */
  async run(): Promise<{ leftOut: string[]; reasons: string[] }> {
    this.reports = [];
    const { failed, dueIn } = await this.synchronizer.run();
    assert.equal([failed, dueIn], [false, undefined], JSON.stringify(this.reports));
    const leftOut = this.reports.flatMap((report) =>
      report.leftOut.map((each) => ({ family: report.family, ...each })),
    );
    return {
      leftOut: leftOut.map(({ family, namespace, name }) => `${family} ${namespace}/${name}`).sort(),
      reasons: leftOut.map(({ reason }) => reason),
    };
  }
}

/** Services with clients' addresses in both families, two endpoints in each. */
function shop(from: number, to: number, fields: object = {}): KubernetesObject[] {
  const objects: KubernetesObject[] = [];
  for (let i = from; i < to; i++) {
    const name = `s${i}`;
    objects.push(
      makeService(`shop/${name}`, { ip: `10.96.0.${i},fd00::${i}`, ports: [{ port: 80 }], ...fields }),
      makeSlice(`shop/${name}-4`, name, [`10.0.${i}.1`, `10.0.${i}.2`]),
      makeSlice(`shop/${name}-6`, name, [`fd00:1::${i}:1`, `fd00:1::${i}:2`], { addressType: "IPv6" }),
    );
  }
  return objects;
}

const withNodePort = (name: string, nodePort: number) =>
  makeService(`shop/${name}`, { ip: `10.96.1.${nodePort % 100}`, type: "NodePort", ports: [{ port: 80, nodePort }] });

/** A directory with all of iptables' extensions but some, for XTABLES_LIBDIR. */
function extensionsBut(missing: RegExp): string {
  const standard = ["/usr/lib/x86_64-linux-gnu/xtables", "/usr/lib/aarch64-linux-gnu/xtables", "/usr/lib/xtables"].find(
    existsSync,
  );
  if (standard === undefined) throw new Error("no directory of iptables' extensions");
  const directory = mkdtempSync(join(tmpdir(), "sluice-xtables-"));
  for (const file of readdirSync(standard)) {
    if (!missing.test(file)) symlinkSync(join(standard, file), join(directory, file));
  }
  return directory;
}

/** Names of Services that nat or filter lead to. */
function served(infix: string, family: "" | "6"): string[] {
  const saved = shell(`ip${family}tables${infix}-save`);
  assert.not.match(saved, "SLUI-");
  return [...saved.matchAll(/^-A KUBE-SERVICES .*--comment "shop\/(\w+) /gm)].map((match) => match[1] ?? "").sort();
}

const namesOf = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `s${from + i}`).sort();

sayWhatIsLeftOut();

inNamespaces(import.meta.url, ["root"], (test) => {
  test.before.each(flushAll);
  const variants = () => (hasLegacy() ? ["-nft", "-legacy"] : ["-nft"]);

  test("a rule that the kernel refuses costs its Service, at the start and later, and no other", async () => {
    for (const infix of variants()) {
      flushAll();
      // The kernel has no such counter: a real refusal, of one line of each Service with a node port. Legacy does not say which.
      const node = await Node.start(infix, { nfacctLocalhostAccepted: true });
      node.put(...shop(1, 20), withNodePort("bad", 30_001), makeSlice("shop/bad-1", "bad", ["10.0.99.1"]));
      const first = await node.run();
      assert.equal(first.leftOut, ["ipv4 shop/bad"], infix);
      assert.match(first.reasons[0] ?? "", infix === "-nft" ? "line" : "restore refused");
      assert.equal(served(infix, ""), namesOf(1, 20), infix);
      assert.equal(served(infix, "6"), namesOf(1, 20), infix);
      assert.equal((await node.run()).leftOut, [], "and that is all there is to do");
      assert.is(
        node.reports.reduce((sum, { transactions }) => sum + transactions, 0),
        0,
      );

      node.put(withNodePort("worse", 30_002), makeSlice("shop/worse-1", "worse", ["10.0.99.2"]), ...shop(20, 22));
      assert.equal((await node.run()).leftOut, ["ipv4 shop/worse"], infix);
      assert.equal(served(infix, ""), namesOf(1, 22), infix);
      assert.equal(
        node.state.use((engine) => engine.leftOut()).map(({ name }) => name),
        ["bad", "worse"],
      );

      shell("nfacct add localhost_nps_accepted_pkts");
      try {
        assert.is(node.synchronizer.retryLeftOut(), 2);
        assert.equal((await node.run()).leftOut, []);
        assert.equal(served(infix, ""), [...namesOf(1, 22), "bad", "worse"].sort(), infix);
      } finally {
        await node.writer.cleanup();
        // The kernel frees rules a moment after they are gone.
        shell("for i in $(seq 50); do nfacct delete localhost_nps_accepted_pkts && exit; sleep 0.05; done; exit 1");
        await node.writer.close();
      }
    }
  });

  test("what the tool itself lacks costs the Services that need it, in both families, whether it is known before or not", async () => {
    const directory = extensionsBut(/_(recent|udp|REJECT)\.so$/);
    process.env.XTABLES_LIBDIR = directory;
    try {
      for (const infix of variants()) {
        flushAll();
        const node = await Node.start(infix);
        assert.equal(
          node.writer.missingExtensions.map(({ probe, families }) => [probe.name, families]),
          [
            ["recent", ["ipv4", "ipv6"]],
            ["REJECT", ["ipv4", "ipv6"]],
          ],
        );
        node.put(...shop(1, 4), ...shop(4, 6, { sessionAffinity: "ClientIP" }));
        const ports = [{ port: 53, protocol: "UDP" as const }];
        node.put(
          makeService("shop/dns", { ip: "10.96.0.9,fd00::9", ports }),
          makeSlice("shop/dns-4", "dns", ["10.0.9.1"], { ports }),
        );
        node.put(makeSlice("shop/dns-6", "dns", ["fd00:1::9:1"], { ports, addressType: "IPv6" }));
        // Without REJECT connections to it time out: nobody is left out for that.
        node.put(makeService("shop/idle", { ip: "10.96.0.19,fd00::19" }));
        const { leftOut, reasons } = await node.run();
        const expected = ["dns", "s4", "s5"].flatMap((name) => [`ipv4 shop/${name}`, `ipv6 shop/${name}`]);
        assert.equal(leftOut, expected.sort(), infix);
        assert.ok(
          reasons.some((each) =>
            /lacks the extension recent: .*load xt_recent.*Couldn't load match `recent'/.test(each),
          ),
        );
        assert.ok(
          reasons.some((each) => /Couldn't load match `udp'.*; line \d+ is: -A KUBE-SERVICES .*shop\/dns/.test(each)),
        );
        for (const family of ["", "6"] as const) assert.equal(served(infix, family), namesOf(1, 4));

        // What is known to be missing is not tried again; without affinity the Service is served.
        assert.equal((await node.run()).leftOut, []);
        assert.is(node.synchronizer.retryLeftOut(), 3);
        assert.equal(
          (await node.run()).leftOut,
          expected.filter((each) => each.includes("dns")),
        );
        node.put(...shop(4, 5));
        assert.equal((await node.run()).leftOut, []);
        for (const family of ["", "6"] as const) assert.equal(served(infix, family), namesOf(1, 5));
        // Where it comes to need it, its rules go.
        node.put(...shop(4, 5, { sessionAffinity: "ClientIP" }));
        assert.equal((await node.run()).leftOut, ["ipv4 shop/s4", "ipv6 shop/s4"]);
        for (const family of ["", "6"] as const) assert.equal(served(infix, family), namesOf(1, 4));
        await node.writer.close();
      }
    } finally {
      delete process.env.XTABLES_LIBDIR;
      rmSync(directory, { recursive: true });
    }
  });

  test("without comments all Services are served, and what was written is found again and removed", async () => {
    const directory = extensionsBut(/_comment\.so$/);
    process.env.XTABLES_LIBDIR = directory;
    try {
      for (const infix of variants()) {
        flushAll();
        const node = await Node.start(infix);
        assert.equal(
          node.writer.missingExtensions.map(({ probe, families }) => [probe.name, probe.isNeeded, families]),
          [["comment", undefined, ["ipv4", "ipv6"]]],
        );
        node.put(...shop(1, 3), makeService("shop/idle", { ip: "10.96.0.19,fd00::19" }));
        assert.equal((await node.run()).leftOut, []);
        const saved = () => ["", "6"].map((family) => shell(`ip${family}tables${infix}-save`)).join("");
        assert.not.match(saved(), "comment");
        for (const rule of [
          "-A PREROUTING -j KUBE-SERVICES",
          "-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES",
          "-A KUBE-SERVICES -d 10.96.0.2/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-",
          "-A KUBE-SERVICES -d fd00::19/128 -p tcp -m tcp --dport 80 -j REJECT",
        ]) {
          assert.match(saved(), rule, infix);
        }
        // A next process finds its jumps.
        await node.writer.close();
        const next = await Node.start(infix);
        next.put(...shop(1, 3));
        await next.run();
        assert.is(saved().match(/^-A PREROUTING -j KUBE-SERVICES$/gm)?.length, 2, infix);

        const { leftovers } = await findLeftovers("none");
        const { kept, failed } = await removeLeftovers(leftovers);
        assert.equal([kept, failed], [[], []]);
        assert.not.match(saved(), /(-j |:)KUBE-(?!IPTABLES-HINT|FIREWALL)/);
        // One of them alone is somebody's own, and keeps what it leads to.
        const iptables = `iptables${infix} -t nat`;
        shell(`${iptables} -N KUBE-POSTROUTING; ${iptables} -I POSTROUTING -j KUBE-POSTROUTING`);
        const again = await removeLeftovers((await findLeftovers("none")).leftovers);
        assert.equal(again.kept, ["chain KUBE-POSTROUTING stays: a rule of chain POSTROUTING leads to it"]);
        await next.writer.close();
      }
    } finally {
      delete process.env.XTABLES_LIBDIR;
      rmSync(directory, { recursive: true });
    }
  });

  test("where only COMMIT is named, others keep what they have while it is looked for, in IPv6 as well", async () => {
    // Refuses what it is told to as legacy's does, and notes what is in the kernel each time.
    const directory = mkdtempSync(join(tmpdir(), "sluice-refusing-"));
    for (const infix of variants()) {
      const tool = `ip6tables${infix}-restore`;
      const real = shell(`command -v ${tool}`).trim();
      const fake = fakeCommands({
        [tool]: `case "$*" in *--version*) exec ${real} "$@";; esac
input=$(mktemp); cat > $input
line=$(awk '/fd00::7 /{bad=1} /^COMMIT/{if (bad) {print NR; exit}}' $input)
ip6tables${infix}-save | grep -c 'KUBE-SERVICES.*shop/s' >> ${directory}/served
if [ -n "$line" ]; then echo "ip6tables-restore: line $line failed" >&2; rm $input; exit 1; fi
${real} "$@" < $input; code=$?; rm $input; exit $code`,
      });
      try {
        flushAll();
        writeFileSync(join(directory, "served"), "");
        const node = await Node.start(infix, {}, `${fake.path}:${process.env.PATH}`);
        node.put(...shop(1, 7), ...shop(8, 10));
        assert.equal((await node.run()).leftOut, []);
        const before = served(infix, "6");
        writeFileSync(join(directory, "served"), "");
        node.put(...shop(7, 8));
        assert.equal((await node.run()).leftOut, ["ipv6 shop/s7"], infix);
        const seen = readFileSync(join(directory, "served"), "utf8").trim().split("\n");
        assert.ok(seen.length > 5, "there were trials");
        assert.equal([...new Set(seen)], [String(before.length)], "nobody was without rules meanwhile");
        assert.equal(served(infix, ""), namesOf(1, 10));
        assert.equal(served(infix, "6"), before);
        await node.writer.close();
      } finally {
        fake.remove();
      }
    }
    rmSync(directory, { recursive: true });
  });

  test("a chain that nobody knows of leads to one that is to go: others go on, and both are gone after the next look", async () => {
    for (const infix of variants()) {
      flushAll();
      const node = await Node.start(infix);
      node.put(...shop(1, 3));
      await node.run();
      const saved = () => shell(`iptables${infix}-save -t nat`);
      const chain = /-A (KUBE-SVC-\w+) .*"shop\/s1/.exec(saved())?.[1] ?? "";
      const stranger = chain.replace("SVC", "EXT");
      const rule = `:${stranger} - [0:0]\n-A ${stranger} -j ${chain}\n`;
      shell(`iptables${infix}-restore --noflush`, `*nat\n${rule}COMMIT\n`);
      node.delete(...shop(1, 2));
      node.put(...shop(3, 4));
      assert.ok((await node.synchronizer.run()).failed, `${infix}: the deletion was not refused`);
      // A plan that nobody sends, as for /debug/plan, changes nothing.
      await node.state.plan((engine) => engine.beginPlan(node.clock.now()));
      node.clock.advance(1000);
      await node.run();
      assert.not.match(saved(), "shop/s1");
      assert.match(saved(), "shop/s3");
      const options: LeftoverOptions = {
        tools: node.writer.tools,
        chainsInUse: (family, names) => node.state.use((engine) => engine.chainsInUse(family, names)),
      };
      const { leftovers } = await findLeftovers("iptables", options);
      await removeLeftovers(leftovers, options);
      assert.not.match(saved(), chain.slice(-16));
      await node.writer.close();
    }
  });

  test("chains of a Service to which nothing leads as long as another one owns its address are not deleted", async () => {
    for (const infix of variants()) {
      flushAll();
      const node = await Node.start(infix);
      const address = { externalIPs: ["192.0.2.7"] };
      const owner = makeService("shop/a", { ip: "10.96.0.1", ...address, externalTrafficPolicy: "Local" });
      const other = makeService("shop/b", { ip: "10.96.0.2", ...address });
      const endpoints = ["a", "b"].map((name) => makeSlice(`shop/${name}-4`, name, ["10.0.0.1"]));
      node.put(owner, other, ...endpoints);
      await node.run();
      const saved = () => shell(`iptables${infix}-save -t nat`);
      assert.match(saved(), /^:KUBE-EXT-/m);
      assert.not.match(saved(), /-d 192\.0\.2\.7.*shop\/b.*-j KUBE-EXT/);
      const tools = { tools: node.writer.tools };
      const kinds = async (options: LeftoverOptions) =>
        (await findLeftovers("iptables", options)).leftovers.map(({ kind }) => kind);
      assert.equal(await kinds(tools), ["stale-chains"], infix);
      const chainsInUse = (family: Family, names: readonly string[]) =>
        node.state.use((engine) => engine.chainsInUse(family, names));
      assert.equal(await kinds({ ...tools, chainsInUse }), [], infix);
      node.delete(owner);
      await node.run();
      assert.match(saved(), /-d 192\.0\.2\.7.*shop\/b.*-j KUBE-EXT/);
      await node.writer.close();
    }
  });

  test("a family that can't be written at all makes no Service a culprit", async () => {
    for (const [why, script] of [
      [
        "every rule needs what is missing",
        `input=$(mktemp); cat > $input; awk '/^-A KUBE/{print "line " NR ": RULE_APPEND failed (No such file or directory): rule in chain X"; bad=1} END{exit bad}' $input >&2 && iptables-nft-restore-real "$@" < $input; code=$?; rm $input; [ $code = 0 ] || exit 4`,
      ],
      ["it fails", "cat > /dev/null; echo 'iptables-restore: line 1 failed' >&2; exit 1"],
      ["the lock is held", "cat > /dev/null; echo 'Another app is currently holding the xtables lock.' >&2; exit 4"],
    ] as const) {
      flushAll();
      const tool = "iptables-nft-restore";
      const real = shell(`command -v ${tool}`).trim();
      const fake = fakeCommands({
        [tool]: `case "$*" in *--version*) exec ${real} "$@";; esac\n${script.replace("iptables-nft-restore-real", real)}`,
      });
      try {
        const node = await Node.start("-nft", {}, `${fake.path}:${process.env.PATH}`);
        node.put(...shop(1, 4));
        assert.is((await node.synchronizer.run()).failed, true, why);
        const [ipv4, ipv6] = node.reports;
        assert.ok(ipv4?.failure !== undefined && ipv6?.failure === undefined, why);
        assert.equal([ipv4?.leftOut, ipv6?.leftOut], [[], []]);
        assert.equal(served("-nft", "6"), namesOf(1, 4), why);
        await node.writer.close();
      } finally {
        fake.remove();
      }
    }
  });
});
