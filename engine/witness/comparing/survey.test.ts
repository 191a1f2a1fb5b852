// Surveys of one rule set: what they tell of packets is what the plain trace says of each, and nothing is left out.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { configured, namespaceOptions } from "../../../fixtures/conformance/run.ts";
import { oracleCases } from "../../../fixtures/oracle/oracle.ts";
import { Random, seedFromEnvironment } from "../../../fixtures/random/random.ts";
import { applyJson, encode, families, join, type Mode, newEngine } from "../../../fixtures/support/engine.ts";
import { internalIPs, listOf } from "../../../fixtures/support/objects.ts";
import { parseAddress } from "../../../hosts/shared/cidr.ts";
import type { Packet, Witness } from "../../../hosts/shared/witness.ts";
import type { Ending, Packets, Survey } from "../../../hosts/shared/witness-answers.ts";
import { newWitness, packet } from "../test-support.ts";

const test = suite("witness: surveys");
const seed = seedFromEnvironment();
const protocols = { tcp: 6, udp: 17, sctp: 132 };

/** Rules of some clusters in one mode, with the addresses that are the node's. */
function* rulesOf(mode: Mode): Generator<{ witness: Witness; local: readonly string[]; entries: readonly Entry[] }> {
  for (const { config, objects } of oracleCases().filter((_, index) => index % 20 === 3)) {
    const engine = configured(newEngine, namespaceOptions(config, mode, internalIPs(objects)));
    applyJson(engine, listOf(objects));
    const witness = newWitness();
    const local = internalIPs(objects);
    witness.setFacts(local);
    for (const family of families) witness.load(0, encode(join(engine.render(family))), family);
    const { servicePorts } = JSON.parse(join(engine.describe())) as {
      servicePorts: { port: { protocol: string }; entryPoints: { address: string; port: number }[] }[];
    };
    const entries = servicePorts.flatMap(({ port, entryPoints }) =>
      entryPoints
        .filter(({ address }) => address !== "")
        .map(({ address, port: number }) => ({ address, port: number, protocol: port.protocol.toLowerCase() })),
    );
    yield { witness, local, entries: entries as Entry[] };
  }
}

interface Entry {
  readonly address: string;
  readonly port: number;
  readonly protocol: keyof typeof protocols;
}

/** The first packet of those. */
function firstOf({ origin, source, destination, protocol, port, inInterface = "" }: Packets): Packet {
  return packet(destination.split("-")[0] ?? "", port[0], {
    origin,
    source: source.split("-")[0] ?? "",
    protocol: protocols[protocol as "tcp"] ?? 253,
    sourcePort: port[0] === 0 && port[1] === 0 ? 0 : 40_000,
    inInterface: inInterface.replace("*", "-any"),
  });
}

const endOf = ({ ending, address, port }: Ending) => `${ending} ${address} ${port}`;

/** `range`: an address, or `A-B`. */
function isIn(address: string, range: string): boolean {
  const [first = "", last = first] = range.split("-");
  const value = (text: string) => parseAddress(text)?.value ?? -1n;
  return value(first) <= value(address) && value(address) <= value(last);
}

function expectTrue({ found }: Survey, witness: Witness, name: string): void {
  for (const each of found) {
    const traced = (witness.trace(0, firstOf(each))?.paths ?? []).map(endOf);
    assert.equal(new Set(each.endings.map(endOf).sort()), new Set(traced.sort()), `${name} ${JSON.stringify(each)}`);
  }
}

for (const mode of ["iptables", "nftables", "flat"] as const) {
  test(`${mode}: which sources reach what, SEED=${seed}`, () => {
    const random = new Random(seed);
    for (const { witness, entries } of rulesOf(mode)) {
      for (const { address, port, protocol } of entries.slice(0, 6)) {
        const what = { about: "everything", destination: address, port, protocol: protocols[protocol] } as const;
        const survey = witness.survey(0, what);
        assert.ok(survey.complete && survey.more === 0);
        expectTrue(survey, witness, mode);
        // Any source is in one range of those, and ends as it says.
        const source = address.includes(":") ? `2001:db8::${random.below(9999)}` : `198.18.0.${random.below(250)}`;
        const here = packet(address, port, { source, protocol: protocols[protocol] });
        const traced = new Set((witness.trace(0, here)?.paths ?? []).map(endOf).sort());
        const around = survey.found.filter((each) => each.origin === "network" && isIn(source, each.source));
        assert.ok(around.length > 0, `${mode} ${JSON.stringify(here)}`);
        for (const { endings } of around)
          assert.equal(new Set(endings.map(endOf).sort()), traced, `${mode} ${JSON.stringify(here)}`);
      }
    }
  });

  test(`${mode}: what leads to an endpoint is what the trace of each entry point says`, () => {
    for (const { witness, entries } of rulesOf(mode)) {
      const leads = new Map<string, Set<string>>();
      for (const { address, port, protocol } of entries) {
        const paths = witness.trace(0, packet(address, port, { protocol: protocols[protocol] }))?.paths ?? [];
        for (const { ending, address: endpoint = "", port: endpointPort } of paths) {
          if (ending !== "endpoint") continue;
          const key = `${endpoint} ${endpointPort}`;
          leads.set(key, (leads.get(key) ?? new Set()).add(`${protocol} ${address} ${port}`));
        }
      }
      for (const [key, wanted] of [...leads].slice(0, 4)) {
        const [endpoint = "", endpointPort] = key.split(" ");
        const survey = witness.survey(0, { about: "endpoint", endpoint, endpointPort: Number(endpointPort) });
        assert.ok(survey.complete);
        expectTrue(survey, witness, mode);
        const found = new Set(
          survey.found.map(({ protocol, destination, port }) => `${protocol} ${destination} ${port[0]}`),
        );
        for (const entry of wanted) assert.ok(found.has(entry), `${mode}: ${entry} leads to ${key}`);
      }
      assert.equal(witness.survey(0, { about: "endpoint", endpoint: "192.0.2.77", endpointPort: 1 }).found, []);
    }
  });

  test(`${mode}: what is stopped`, () => {
    let stopped = 0;
    for (const { witness, entries } of rulesOf(mode)) {
      const survey = witness.survey(0, { about: "stopped" });
      expectTrue(survey, witness, mode);
      const found = new Set(
        survey.found.map(({ protocol, destination, port }) => `${protocol} ${destination} ${port[0]}`),
      );
      for (const { address, port, protocol } of entries) {
        const paths = witness.trace(0, packet(address, port, { protocol: protocols[protocol] }))?.paths ?? [];
        if (!paths.some(({ ending }) => ending === "drop" || ending === "reject")) continue;
        stopped++;
        assert.ok(
          survey.more > 0 || found.has(`${protocol} ${address} ${port}`),
          `${mode}: ${protocol} ${address} ${port}`,
        );
      }
    }
    assert.ok(stopped > 0);
  });
}

test("a limit is said", () => {
  for (const { witness } of rulesOf("flat")) {
    const { complete, classes } = witness.survey(0, { about: "everything" }, 5);
    assert.equal([complete, classes], [false, 5]);
    break;
  }
});

test.run();
