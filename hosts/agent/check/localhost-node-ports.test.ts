// What --check says of node ports on localhost, with a fake API server.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer } from "../../../fixtures/api-server/api-server.ts";
import { makeNode, makeService, makeSlice } from "../../../fixtures/support/engine-tests.ts";
import type { KubeVersion } from "../../shared/config/kube-version.ts";
import { type AgentConfig, parseAgentConfig } from "../config/agent-config.ts";
import { ApiClient } from "../kube/client/api-client.ts";
import { plainAccess } from "../kube/testing/reflecting.ts";
import type { AccessReviews } from "./api-access.ts";
import type { Finding } from "./finding.ts";
import { checkLocalhost } from "./localhost-node-ports.ts";

const test = suite("--check: node ports on localhost");

const on = "featureGates: {KubeProxyNFTablesLocalhostNodePorts: true}\n";
const named = "nodePortAddresses: [primary, localhost]\n";

function configOf(yaml: string): AgentConfig {
  const head =
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nhealthzBindAddress: 127.0.0.1:1\n";
  return parseAgentConfig({ name: "c.yaml", bytes: new TextEncoder().encode(head + yaml) }).config as AgentConfig;
}

function reviewsOf(server: ApiServer): AccessReviews {
  const client = new ApiClient(plainAccess(server.url), { userAgent: "sluice/test" });
  return {
    post: () => Promise.reject(new Error("nothing is asked for")),
    get: (path) => client.json({ method: "GET", path }),
    serves: async () => true,
  };
}

interface Options {
  reviews?: AccessReviews;
  openFiles?: number;
  version?: KubeVersion;
}
const look = (yaml: string, { reviews, openFiles = 65_536, version }: Options = {}) =>
  checkLocalhost(configOf(yaml), "node-a", reviews, { openFiles, serverVersion: async () => version });
const lines = (findings: readonly Finding[]) => findings.map(({ status, detail }) => `${status}: ${detail}`);

async function holdPort(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

test("for which the agent would listen, and which of them somebody has", async () => {
  const server = await ApiServer.start();
  const { server: other, port } = await holdPort();
  try {
    const nodePort = (number: number) => ({ type: "NodePort", ports: [{ port: 80, nodePort: number }] });
    server.apply(makeNode("node-a", { zone: "z1" }), makeNode("node-b"));
    server.apply(makeService("shop/web", nodePort(port)), makeSlice("shop/web-1", "web", ["10.0.0.1"]));
    server.apply(makeService("shop/empty", { ip: "10.96.0.3", ...nodePort(1) }));
    assert.equal(lines(await look(`mode: flat\n${on}${named}`, { reviews: reviewsOf(server) })), [
      `ok: the agent listens for 1: 127.0.0.1:${port} (shop/web)`,
      `warning: the agent can't listen on 127.0.0.1:${port} (shop/web): EADDRINUSE`,
      "ok: 65536 open files are enough for 16384 connections at once",
    ]);
    // More than one page of them, and only those of this node under the Local policy.
    for (let i = 0; i < 600; i++) {
      const fields = { ip: `10.96.${1 + (i >> 8)}.${i & 255}`, externalTrafficPolicy: "Local", ...nodePort(2 + i) };
      const node = i % 2 === 0 ? "node-a" : "node-b";
      server.apply(
        makeService(`x/s${i}`, fields),
        makeSlice(`x/s${i}-1`, `s${i}`, [`10.1.${i >> 8}.${i & 255} ${node}`]),
      );
    }
    const [first] = await look(`mode: nftables\n${on}${named}`, { reviews: reviewsOf(server) });
    assert.match(
      first?.detail ?? "",
      /^the agent listens for 301: (127\.0\.0\.1:\d+ \([^)]*\), ){4}127\S+ \S+ and 296 more$/,
    );
  } finally {
    other.close();
    await server.close();
  }
});

test("the gate is off: said where loopback is named, with what decides", async () => {
  const off = "KubeProxyNFTablesLocalhostNodePorts is off";
  const detail = `warning: they do not answer, though nodePortAddresses names loopback addresses: ${off}`;
  const version = (minor: number) => ({ version: { major: 1, minor } });
  assert.equal(lines(await look(`mode: flat\n${named}`, version(37))), [`${detail} (the API server is 1.37)`]);
  assert.equal(lines(await look(`mode: flat\n${named}`)), [`${detail} (the API server does not tell its version)`]);
  assert.equal(lines(await look(`mode: flat\n${on.replace("true", "false")}${named}`, version(38))), [detail]);
  assert.match(
    lines(await look(`mode: flat\n${named}`, version(38))).join(),
    /^ok: the agent listens for TCP; for which, /,
  );
  assert.equal(await look("mode: flat\nnodePortAddresses: [primary]\n"), []);
  assert.equal(await look(`mode: iptables\n${on}${named}`), []);
});

test("too few open files are a warning that says who sets them", async () => {
  const [, room] = await look(`mode: flat\n${on}${named}`, { openFiles: 1_024 });
  assert.equal([room?.status, room?.detail], ["warning", "1024 open files are enough for 0 connections at once"]);
  assert.match(room?.hint ?? "", /LimitNOFILE .* containerd/);
});

test.run();
