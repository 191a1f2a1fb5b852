import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { limitedServer, sendText, serverName } from "../../http/limited-server.ts";
import { findLiveKubeProxy, liveKubeProxyMessage } from "./live-kube-proxy.ts";

const test = suite("live kube-proxy");

/** A /proc with these processes: command line, and network namespace (none: it may not be read). */
function fakeProc(processes: Record<string, { words: string[]; namespace?: string }>): string {
  const proc = mkdtempSync(join(tmpdir(), "sluice-proc-"));
  for (const [pid, { words, namespace }] of Object.entries({
    self: { words: [], namespace: "net:[1]" },
    ...processes,
  })) {
    mkdirSync(join(proc, pid, "ns"), { recursive: true });
    writeFileSync(join(proc, pid, "cmdline"), words.map((word) => `${word}\0`).join(""));
    if (namespace !== undefined) symlinkSync(namespace, join(proc, pid, "ns", "net"));
  }
  return proc;
}

async function seen(proc: string): Promise<readonly string[]> {
  try {
    return await findLiveKubeProxy({ proc, metrics: [], health: [] });
  } finally {
    rmSync(proc, { recursive: true });
  }
}

test("processes of this network namespace that keep writing", async () => {
  const namespace = "net:[1]";
  const proc = fakeProc({
    "10": { words: ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"], namespace },
    "11": { words: ["/hyperkube", "kube-proxy", "--v=2"], namespace },
    "12": { words: ["kube-proxy", "--cleanup=false"], namespace },
    // A node of a kind cluster.
    "20": { words: ["/usr/local/bin/kube-proxy"], namespace: "net:[2]" },
    "21": { words: ["/usr/local/bin/kube-proxy"] },
    "22": { words: ["kube-proxy", "--cleanup"], namespace },
    "23": { words: ["kube-proxy", "--write-config-to=/tmp/x"], namespace },
    "24": { words: ["vi", "kube-proxy"], namespace },
    "25": { words: ["kubectl", "logs", "kube-proxy"], namespace },
    "26": { words: ["/usr/bin/node", "sluice.js", "agent", "--config=/var/lib/kube-proxy/config.conf"], namespace },
    [String(process.pid)]: { words: ["kube-proxy"], namespace },
  });
  assert.equal(await seen(proc), [
    "process 10: /usr/local/bin/kube-proxy",
    "process 11: kube-proxy",
    "process 12: kube-proxy",
  ]);
});

test("without a readable /proc nothing is seen, and nothing fails", async () => {
  assert.equal(await findLiveKubeProxy({ proc: "/nonexistent", metrics: [], health: [] }), []);
});

async function serving<T>(listener: RequestListener, work: (base: string) => Promise<T>): Promise<T> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const answering = (body: string, headers: Record<string, string> = {}, status = 200): RequestListener => {
  return (_, response) => response.writeHead(status, headers).end(body);
};
const asked = (listener: RequestListener) =>
  serving(listener, async (base) => {
    const options = { proc: "/nonexistent", timeout: 300 };
    const metrics = await findLiveKubeProxy({ ...options, metrics: [base], health: [] });
    const health = await findLiveKubeProxy({ ...options, metrics: [], health: [base] });
    return {
      metrics: metrics.map((text) => text.replace(base, "")),
      health: health.map((text) => text.replace(base, "")),
    };
  });

test("kube-proxy's answers on its ports, of all versions, and not our own", async () => {
  for (const mode of ["iptables", "ipvs", "nftables"]) {
    assert.equal((await asked(answering(mode))).metrics, [`/proxyMode answers ${mode}`]);
    assert.equal((await asked(answering(mode, { server: serverName }))).metrics, []);
  }
  const bodies = [
    '{"lastUpdated": "2026-11-01 10:00:00.1 +0000 UTC m=+0.1","currentTime": "2026-11-01 10:00:00.1 +0000 UTC", "nodeEligible": true}',
    '{"lastUpdated":"2026-11-01T10:00:00.1Z","currentTime":"2026-11-01T10:00:00.1Z","nodeEligible":true,"healthy":true,"status":{}}',
  ];
  for (const body of bodies) {
    // A tainted node answers 503 and has a kube-proxy all the same.
    assert.equal((await asked(answering(body, {}, 503))).health, ["/healthz answers as kube-proxy does"]);
    assert.equal((await asked(answering(body, { server: serverName }, 503))).health, []);
  }
});

test("our own servers say who they are", async () => {
  const server = limitedServer(
    (_, response) => sendText(response, 200, "nftables"),
    (error) => {
      throw error;
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  assert.equal(await findLiveKubeProxy({ proc: "/nonexistent", metrics: [base], health: [] }), []);
  server.closeAllConnections();
  server.close();
});

test("other servers on those ports, silent, endless and broken ones are none", async () => {
  const others: RequestListener[] = [
    answering("flat"),
    answering("not found", {}, 404),
    answering('{"status":"ok"}'),
    () => {},
    (_, response) => void response.write("x".repeat(1 << 20)),
    (request) => request.socket.destroy(),
  ];
  for (const listener of others) assert.equal(await asked(listener), { metrics: [], health: [] });
});

test("the message says what is seen and what to do", () => {
  const evidence = ["process 10: /usr/local/bin/kube-proxy"];
  assert.match(liveKubeProxyMessage("nftables", evidence), /process 10.*mode nftables.*remove it first/);
  assert.match(liveKubeProxyMessage("flat", evidence), /process 10.*Services work/);
});

test.run();
