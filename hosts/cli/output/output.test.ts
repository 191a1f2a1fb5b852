import { PassThrough } from "node:stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { printable } from "../../shared/printable.ts";
import { write } from "../io.ts";
import { header } from "./header.ts";
import { skippedText } from "./skipped.ts";

test("printable leaves no control character, and no long line", () => {
  assert.is(printable("Ünïcode 木 ok"), "Ünïcode 木 ok");
  assert.is(printable("a\nb\r\u0000\u001b\u007f\u0085"), "a\\x0ab\\x0d\\x00\\x1b\\x7f\\x85");
  assert.is(printable("\u2028\u202e\ud800"), "\\u{2028}\\u{202e}\\u{d800}");
  assert.is(printable("\u009b31m\u2069\ufeff\u200b\u{e0041}"), "\\x9b31m\\u{2069}\\u{feff}\\u{200b}\\u{e0041}");
  assert.is(printable("x".repeat(600)).length, 501);
});

const facts = {
  mode: "iptables" as const,
  families: ["ipv4" as const],
  node: 'n"\n*nat',
  nodeKnown: true,
  assumed: "",
  conntrackTcpBeLiberal: false,
  kubeVersion: { major: 1, minor: 37 },
  listeners: [],
};
const bytes = (text: string) => [new TextEncoder().encode(text)];

test("the header is comments only, whatever the node's name is", () => {
  const lines = header(facts, bytes("")).trimEnd().split("\n");
  assert.ok(lines.every((line) => line.startsWith("# ")));
  assert.match(lines.join(), "iptables-restore");
});

test("the header says whose layout it is", () => {
  assert.match(header(facts, bytes("")), "as kube-proxy 1.37 has them");
  const flat = header({ ...facts, mode: "flat", families: ["ipv4", "ipv6"] }, bytes(""));
  assert.match(flat, "table sluice");
  assert.match(flat, "flat, IPv4 and IPv6");
  assert.match(flat, "nft -f THIS-FILE");
});

test("the header names the version that the rules follow, and the node ports for which the agent listens", () => {
  const version = { ...facts, mode: "nftables" as const, kubeVersion: { major: 1, minor: 38 } };
  assert.match(header(version, bytes("")), "as kube-proxy 1.38 has them");
  const endpoint = (address: string) => ({ address, port: 8080 });
  const web = { port: 30080, namespace: "shop", service: "web", portName: "http", affinitySeconds: 0 };
  const listeners = [
    { ...web, family: "ipv4" as const, endpoints: ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map(endpoint) },
    { ...web, family: "ipv6" as const, portName: "", endpoints: [endpoint("fd00::1")] },
    { ...web, family: "ipv4" as const, port: 30081, endpoints: [] },
  ];
  const text = header({ ...version, families: ["ipv4", "ipv6"], listeners }, bytes(""));
  assert.match(text, "#   127.0.0.1:30080 shop/web:http: 10.0.0.1:8080, 10.0.0.2:8080, 10.0.0.3:8080, and 1 more\n");
  assert.match(text, "#   [::1]:30080 shop/web: [fd00::1]:8080\n");
  assert.not.match(text, "30081");
  assert.not.match(header({ ...version, listeners }, bytes("")), "::1", "one family alone");
});

test("the header names the nfacct objects that the rules name", () => {
  assert.not.match(header(facts, bytes("no counters")), "nfacct");
  const both = bytes("--nfacct-name ct_state_invalid_dropped_pkts --nfacct-name  localhost_nps_accepted_pkts");
  assert.match(header(facts, both), "nfacct add ct_state_invalid_dropped_pkts; nfacct add localhost_nps_accepted_pkts");
  assert.not.match(header(facts, bytes("ct_state_invalid_dropped_pkts")), "localhost_nps");
});

test("objects of other kinds: only the sorts that there are", () => {
  const text = (...kinds: string[]) => skippedText(new Map([["a.yaml", new Map(kinds.map((kind) => [kind, 1]))]]));
  assert.is(text("Secret", "Role.rbac.authorization.k8s.io"), "2 objects of other kinds");
  const rollout = "1 custom resource, whose controllers may make Services and pods unknown here";
  assert.is(text("Rollout.argoproj.io"), `1 object of other kinds: ${rollout}`);
  assert.is(text("Secret", "Rollout.argoproj.io"), `2 objects of other kinds: 1 of Kubernetes' own, ${rollout}`);
});

test("write waits for room, and does nothing after the reader has gone", async () => {
  const stream = new PassThrough({ highWaterMark: 1 });
  let done = false;
  const written = write(stream, "abc").then(() => {
    done = true;
  });
  await Promise.resolve();
  assert.is(done, false);
  stream.read();
  await written;
  stream.on("error", () => {});
  stream.destroy(new Error("EPIPE"));
  await write(stream, "more");
});

test.run();
