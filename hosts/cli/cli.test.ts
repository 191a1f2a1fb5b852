// The command as it is installed, in a process of its own, with the real engine.
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { version } from "./version.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const command = join(root, "build", "cli", "sluice.js");
const shop = join(root, "fixtures", "clusters", "shop");

const cli = suite<{ dir: string; file: (name: string, text: string | Uint8Array) => string }>("cli");

cli.before(() => {
  assert.ok(existsSync(command), "build/cli/sluice.js is missing: `npm run build`");
});
cli.before.each((context) => {
  const dir = mkdtempSync(join(tmpdir(), "sluice-cli-"));
  context.dir = dir;
  context.file = (name, text) => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  };
});
cli.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }));

function sluice(args: string[], input: string | Uint8Array = ""): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [command, ...args], { input, encoding: "utf8", maxBuffer: 1 << 30 });
}

const render = (...args: string[]) => sluice(["render", ...args]);
const config = ["--config", join(shop, "kube-proxy.conf")];

const service = (name: string, spec: object, metadata: object = {}) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { namespace: "shop", name, ...metadata },
  spec: { type: "ClusterIP", ports: [{ port: 80, protocol: "TCP", name: "http" }], ...spec },
});
const slice = (name: string, serviceName: string | undefined, address: string, more: object = {}) => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    namespace: "shop",
    name,
    labels: serviceName === undefined ? {} : { "kubernetes.io/service-name": serviceName },
  },
  addressType: "IPv4",
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  endpoints: [{ addresses: [address], conditions: { ready: true } }],
  ...more,
});
const node = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-a" },
  status: { addresses: [{ type: "InternalIP", address: "192.168.10.11" }] },
};
const web = [
  service("web", { clusterIP: "10.96.0.10", clusterIPs: ["10.96.0.10"], ipFamilies: ["IPv4"] }),
  slice("web-1", "web", "10.244.1.5"),
];
const list = (...items: object[]) =>
  JSON.stringify({ apiVersion: "v1", kind: "List", items: [node, ...web, ...items] });

/** The good objects of the input must be in the rules, whatever stands beside them. */
function assertWebIsThere(stdout: string): void {
  assert.match(stdout, "10.96.0.10");
  assert.match(stdout, "10.244.1.5");
}

const tables = { flat: "table ip sluice", nftables: "table ip kube-proxy", iptables: "-A KUBE-SERVICES" };
const modes = Object.keys(tables) as (keyof typeof tables)[];

cli("the recorded cluster renders in every mode, cleanly and twice the same", () => {
  for (const mode of modes) {
    const first = render("-f", shop, ...config, "--mode", mode);
    assert.is(first.status, 0, first.stderr);
    assert.not.match(first.stderr, /error|warning/);
    assert.match(first.stdout, tables[mode]);
    assert.is(render("-f", shop, ...config, "--mode", mode).stdout, first.stdout);
  }
});

cli("YAML and JSON of the same objects give the same rules", ({ file }) => {
  const objects = JSON.parse(list()).items as object[];
  const json = render("-f", file("a.json", list()));
  assert.is(json.status, 0, json.stderr);
  assertWebIsThere(json.stdout);
  const yaml = objects.map((object) => JSON.stringify(object, null, 2).replace(/^\{\n/, "{ # yaml\n")).join("\n---\n");
  assert.is(render("-f", file("a.yaml", yaml)).stdout, json.stdout);
});

cli("stdin, -o and --describe", ({ dir }) => {
  const piped = sluice(["render", "-f", "-", "--describe"], list());
  assert.is(piped.status, 0, piped.stderr);
  const description = JSON.parse(piped.stdout);
  assert.is(description.node.name, "node-a");
  const port = description.servicePorts.find((it: { service: string }) => it.service === "web");
  assert.is(port.entryPoints[0].address, "10.96.0.10");
  assert.is(port.endpoints[0].address, "10.244.1.5");
  const written = sluice(["render", "-f", "-", "--mode", "iptables", "--family", "all", "-o", `${dir}/out/`], list());
  assert.equal([written.status, written.stdout], [0, ""]);
  assert.ok(existsSync(join(dir, "out", "iptables.rules")) && existsSync(join(dir, "out", "ip6tables.rules")));
});

cli("--blame adds comments only, and names the line", ({ file }) => {
  const path = file("a.json", JSON.stringify(JSON.parse(list()), null, 1));
  for (const mode of modes) {
    const plain = render("-f", path, "--mode", mode).stdout;
    const blamed = render("-f", path, "--mode", mode, "--blame").stdout;
    const without = (text: string) =>
      text
        .split("\n")
        .filter((line) => !line.startsWith("#"))
        .join("\n");
    assert.is(without(blamed), without(plain));
    assert.match(blamed, /^# Service shop\/web spec\.\S+ \(.*a\.json:\d+\)$/m);
  }
});

cli("--no-nfacct leaves the counters out", ({ file }) => {
  const path = file("a.json", list());
  assert.match(render("-f", path, "--mode", "iptables").stdout, "nfacct add ct_state_invalid_dropped_pkts");
  assert.not.match(render("-f", path, "--mode", "iptables", "--no-nfacct").stdout, "nfacct");
});

cli("a truncated file: an error with its place, and no trap", ({ file }) => {
  const text = list(service("api", { clusterIP: "10.96.0.11" }));
  for (let cut = 1; cut < text.length; cut += 97) {
    const { status, stderr } = render("-f", file("cut.json", text.slice(0, cut)), "--node", "node-a");
    assert.is(status, 1, `cut at ${cut}: ${stderr}`);
    assert.match(stderr, /cut\.json(:\d+:\d+)?: error: /);
    assert.not.match(stderr, "engine stopped");
  }
});

cli("random bytes: an error, and the good file is rendered", ({ dir, file }) => {
  file("a.json", list());
  let seed = 4711;
  for (let round = 0; round < 10; round++) {
    const bytes = Uint8Array.from({ length: 500 }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed >>> 24;
    });
    if (round % 2 === 0) bytes.set([0x7b, 0x22]);
    file("b.yaml", bytes);
    const { status, stdout, stderr } = render("-f", dir);
    assert.is(status, 1, `seed 4711, round ${round}`);
    assertWebIsThere(stdout);
    assert.match(stderr, /b\.yaml(:\d+:\d+)?: error: /);
  }
});

cli("names and comments cannot smuggle lines into the rules", ({ file }) => {
  const evil = '"; flush ruleset; "\n*nat\n-F\n#';
  const port = { name: evil, port: 80, protocol: "TCP" };
  const objects = [
    service(evil, { clusterIP: "10.96.0.66", ports: [port] }),
    service("b", { clusterIP: "10.96.0.67", ports: [port] }, { namespace: evil, annotations: { note: evil } }),
    slice("evil", evil, "10.244.1.66", { ports: [{ name: evil, port: 8080, protocol: "TCP" }] }),
  ];
  for (const mode of modes) {
    for (const more of [[], ["--blame"]]) {
      const { stdout, status } = render("-f", file("a.json", list(...objects)), "--mode", mode, ...more);
      assert.ok(status === 0 || status === 1);
      assertWebIsThere(stdout);
      assert.not.match(stdout, /^[^#]*flush ruleset(?![^"\n]*")/m, "outside of a comment or a string");
      assert.not.match(stdout, /^(-F|\*nat\n-F)/m);
    }
  }
});

const badServices: [name: string, spec: object][] = [
  ["port 70000", { clusterIP: "10.96.0.20", ports: [{ port: 70000 }] }],
  ["port as text", { clusterIP: "10.96.0.20", ports: [{ port: "80" }] }],
  ["ports as a mapping", { clusterIP: "10.96.0.20", ports: { port: 80 } }],
];

for (const [name, spec] of badServices) {
  cli(`${name}: an error with object, field and line; the other Service is rendered`, ({ file }) => {
    const text = JSON.stringify(JSON.parse(list(service("bad", spec))), null, 1);
    const { status, stdout, stderr } = render("-f", file("a.json", text));
    assert.is(status, 1);
    assertWebIsThere(stdout);
    assert.not.match(stdout, "10.96.0.20");
    assert.match(stderr, /a\.json:\d+:\d+: error: Service shop\/bad: spec\.ports/);
    assert.is(render("-f", file("a.json", text), "--keep-going").status, 0);
  });
}

const unread: [name: string, text: string][] = [
  ["truncated JSON", JSON.stringify({ ...service("web", { clusterIP: "10.96.0.9" }) }).slice(0, -3)],
  ["JSON that breaks after a good object", `${JSON.stringify(service("web", { clusterIP: "10.96.0.9" }))}\nx`],
  ["broken YAML after a good document", "apiVersion: v1\nkind: ConfigMap\n---\na: [\n"],
  ["an empty file", ""],
  ["a list whose items are none", '{"kind":"List","apiVersion":"v1","items":5}'],
];

for (const [name, text] of unread) {
  cli(`--keep-going does not forgive ${name}: nobody knows what is missing`, ({ file }) => {
    const good = file("good.json", JSON.stringify(service("good", { clusterIP: "10.96.0.21" })));
    const { status, stdout } = render("-f", good, "-f", file("bad.json", text), "--keep-going");
    assert.is(status, 1);
    assert.match(stdout, "10.96.0.21");
  });
}

cli("problems in YAML point to its lines; numbers and words are read as kubectl reads them", ({ file }) => {
  const yaml = [
    "# a comment",
    "kind: Service",
    "apiVersion: v1",
    "metadata: {name: octal, namespace: shop}",
    "spec:",
    "  clusterIP: 10.96.0.60",
    "  ports: &ports",
    "  - port: 0x50",
    "    name: http",
    "---",
    "kind: Service",
    "apiVersion: v1",
    "metadata:",
    "  name: on",
    "  namespace: shop",
    "spec:",
    "  clusterIP: 10.96.0.61",
    "  ports:",
    "  - port: 80",
    "---",
    "kind: Service",
    "apiVersion: v1",
    "metadata: {name: big, namespace: shop}",
    "spec:",
    "  clusterIP: 10.96.0.62",
    "  ports:",
    "  - name: http",
    "    port: 70000",
  ].join("\n");
  const { status, stdout, stderr } = render("-f", file("a.yaml", yaml), "-f", file("a.json", list()));
  assert.is(status, 1);
  assertWebIsThere(stdout);
  assert.match(stdout, /10\.96\.0\.60 \. tcp \. 80/);
  assert.match(stderr, /a\.yaml:14:9: error: .*metadata\.name/);
  assert.match(stderr, 'write "on"');
  assert.match(stderr, /a\.yaml:28:11: error: Service shop\/big: spec\.ports\[0\]\.port/);
});

const addresses: [clusterIP: string, inRules: RegExp | undefined][] = [
  ["10.96.0.300", undefined],
  ["::ffff:10.96.0.30", /10\.96\.0\.30\b/],
  ["010.096.000.031", /10\.96\.0\.31\b/],
];

for (const [clusterIP, inRules] of addresses) {
  cli(`clusterIP ${clusterIP} of a Service that a cluster has has a defined result`, ({ file }) => {
    const objects = [service("odd", { clusterIP }, { uid: "1" }), slice("odd-1", "odd", "10.244.1.9")];
    const { status, stdout, stderr } = render("-f", file("a.json", list(...objects)));
    assertWebIsThere(stdout);
    if (inRules === undefined) assert.not.match(stdout, clusterIP);
    else {
      assert.is(status, 0, stderr);
      assert.match(stdout, inRules);
    }
  });
}

cli("a slice without service is ignored", ({ file }) => {
  const { status, stdout } = render("-f", file("a.json", list(slice("lost", undefined, "10.244.9.9"))));
  assert.is(status, 0);
  assertWebIsThere(stdout);
  assert.not.match(stdout, "10.244.9.9");
});

/** Conflicts are standing problems: reported, with their severity deciding the exit code as for all problems. */
function assertConflict(
  { status, stderr }: SpawnSyncReturns<string>,
  loser: string,
  field: string,
  winner: string,
): void {
  const line = stderr.split("\n").find((text) => text.includes(`Service ${loser}: ${field}: `)) ?? "";
  assert.match(line, /a\.json:\d+:\d+: (error|warning): /);
  assert.match(line, winner);
  assert.is(status, line.includes(": error: ") ? 1 : 0);
}

cli("two Services that claim one address: the older has it, and both are named", ({ file }) => {
  const claim = (name: string, time: string) =>
    service(name, { clusterIP: "10.96.0.50" }, { creationTimestamp: `${time}T00:00:00Z`, uid: name });
  const endpoints = [slice("a-1", "a", "10.244.1.77"), slice("z-1", "z", "10.244.1.78")];
  const text = list(claim("a", "2026-02-02"), claim("z", "2026-01-01"), ...endpoints);
  const outcome = render("-f", file("a.json", text));
  assertWebIsThere(outcome.stdout);
  assertConflict(outcome, "shop/a", "spec.clusterIP", "shop/z");
  assert.match(outcome.stdout, "10.244.1.78");
});

cli("two Services that claim one node port: both are named", ({ file }) => {
  const ports = [{ name: "http", port: 80, protocol: "TCP", nodePort: 30080 }];
  const objects = ["one", "two"].map((name, index) =>
    service(name, { type: "NodePort", clusterIP: `10.96.1.${index + 1}`, ports }, { uid: name }),
  );
  const outcome = render("-f", file("a.json", list(...objects)));
  assertWebIsThere(outcome.stdout);
  assertConflict(outcome, "shop/two", "spec.ports[0].nodePort", "shop/one");
});

cli("a YAML alias bomb and a directory loop end in errors and notes", ({ dir, file }) => {
  const lines = ["kind: Service", "a0: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 15; i++)
    lines.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(", ")}]`,
    );
  file("bomb.yaml", lines.join("\n"));
  file("a.json", list());
  spawnSync("ln", ["-s", ".", join(dir, "loop")]);
  const { status, stdout, stderr } = render("-f", dir);
  assert.is(status, 1);
  assertWebIsThere(stdout);
  assert.match(stderr, /bomb\.yaml:\d+:\d+: error: aliases/);
  assert.match(stderr, "loop: note: ");
});

cli("a 200 MB file is read", ({ file }) => {
  const filler = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x" },
    data: { text: "x".repeat(20_000_000) },
  };
  const path = file("big.json", list(...Array.from({ length: 10 }, () => filler)));
  const { status, stdout, stderr } = render("-f", path);
  assert.is(status, 0, stderr);
  assertWebIsThere(stdout);
  assert.match(stderr, "skipped 10 objects");
});

cli("deep nesting is a problem, no trap", ({ file }) => {
  const text = list(service("deep", { clusterIP: "10.96.0.40", x: "DEEP" }));
  const deep = text.replace('"DEEP"', `${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  const { status, stdout, stderr } = render("-f", file("a.json", deep));
  assert.is(status, 1);
  assertWebIsThere(stdout);
  assert.match(stderr, "a.json:1:");
  assert.not.match(stderr, "engine stopped");
});

cli("a reader that has seen enough is no failure", async () => {
  const child = spawn(process.execPath, [command, "render", "-f", shop, ...config], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdout.once("data", () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.is(code, 0, stderr);
  assert.not.match(stderr, "EPIPE");
});

cli("npx finds the command in the project root", () => {
  const { status, stdout, stderr } = spawnSync("npx", ["--no-install", "sluice", "--version"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.is(status, 0, stderr);
  assert.is(stdout, `sluice ${version}\n`);
});

cli.run();
