// Each line of a rendered text that an object or option causes has its owners; the others are there whatever objects say.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Engine,
  type Family,
  join,
  type Mode,
  makeEngine,
  makeNode,
  makeService,
  makeServiceCIDR,
  makeSlice,
  put,
  render,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("encodings: blame");

interface Owner {
  kind: string;
  namespace: string;
  name: string;
  field: string;
}

/** Each line of the text with its owners as `Kind namespace/name field`. */
function blamed(engine: Engine, family: Family = "ipv4"): { line: string; owners: string[] }[] {
  const lines = render(engine, family).split("\n").slice(0, -1);
  const blame = JSON.parse(join(engine.blame(family))) as { line: number; owners: Owner[] }[];
  const numbers = blame.map(({ line }) => line);
  assert.equal(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
    "each line once, in order",
  );
  assert.ok(numbers.every((number) => number >= 1 && number <= lines.length));
  const byLine = new Map(blame.map(({ line, owners }) => [line, owners]));
  return lines.map((line, i) => ({
    line,
    owners: (byLine.get(i + 1) ?? []).map(
      ({ kind, namespace, name, field }) => `${kind} ${namespace}/${name} ${field}`,
    ),
  }));
}

function ownersOf(all: { line: string; owners: string[] }[], part: string | RegExp): string[] {
  const found = all.filter(({ line }) => (typeof part === "string" ? line.includes(part) : part.test(line)));
  assert.ok(found.length > 0, `no line has ${part}`);
  const [first] = found;
  for (const { owners, line } of found) assert.equal(owners, first?.owners, line);
  return first?.owners ?? [];
}

function everything(mode: Mode): Engine {
  const engine = makeEngine(mode, {
    clusterCidr: "10.244.0.0/16,fd00:244::/64",
    nodePortAddresses: ["192.0.2.0/24", "127.0.0.0/8"],
  });
  put(
    engine,
    makeNode("node-a", { ips: ["192.0.2.10"] }),
    makeServiceCIDR("kubernetes", ["fd00:96::/112", "10.96.0.0/16"]),
    makeServiceCIDR("extra", ["10.100.0.0/16"]),
    makeService("shop/web", {
      type: "LoadBalancer",
      ip: "fd00:96::1,10.96.0.1",
      ports: [
        { name: "x", port: 7 },
        { name: "http", port: 80, nodePort: 30080 },
      ],
      externalIPs: ["192.0.2.100", "2001:db8::1", "192.0.2.101"],
      ingress: [{ hostname: "a" }, { ip: "192.0.2.200" }],
      loadBalancerSourceRanges: ["fd00::/8", "198.51.100.0/24", "192.0.2.0/24"],
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 31000,
      sessionAffinity: "ClientIP",
    }),
    makeSlice("shop/web-1", "web", ["10.0.0.9", { ip: "10.0.0.8", ready: false }, "10.0.0.1 node-a"], {
      ports: [{ name: "http", port: 8080 }],
    }),
    makeService("shop/plain", { ip: "10.96.0.3" }),
    makeSlice("shop/plain-1", "plain", ["10.0.0.3", "10.0.0.4"]),
    { ...makeService("shop/old"), spec: { clusterIP: "10.96.0.4", ports: [{ port: 443 }] } },
  );
  return engine;
}

const web = "Service shop/web";
const slice = "EndpointSlice shop/web-1";
const option = (name: string) => `KubeProxyConfiguration / ${name}`;

test("iptables: dispatch rules are the entry points', over filter rules and both streams of nat", () => {
  const all = blamed(everything("iptables"));
  assert.equal(ownersOf(all, 'shop/web:http cluster IP" -m tcp -p tcp -d 10.96.0.1 --dport 80 -j'), [
    `${web} spec.clusterIPs[1]`,
  ]);
  assert.equal(ownersOf(all, /KUBE-SERVICES .*-d 192\.0\.2\.100 .*dport 80/), [`${web} spec.externalIPs[0]`]);
  assert.equal(ownersOf(all, /KUBE-SERVICES .*-d 192\.0\.2\.101 .*dport 80/), [`${web} spec.externalIPs[2]`]);
  assert.equal(ownersOf(all, /KUBE-SERVICES .*-d 192\.0\.2\.200 .*dport 80/), [
    `${web} status.loadBalancer.ingress[1]`,
  ]);
  assert.equal(ownersOf(all, /KUBE-PROXY-FIREWALL -m comment .*-d 192\.0\.2\.200 .*dport 80/), [
    `${web} status.loadBalancer.ingress[1]`,
  ]);
  assert.equal(ownersOf(all, "--dport 30080"), [`${web} spec.ports[1].nodePort`]);
  assert.equal(ownersOf(all, "health check node port"), [`${web} spec.healthCheckNodePort`]);
  assert.equal(ownersOf(all, /-d 192\.0\.2\.100 .*--dport 7 -j REJECT/), [`${web} spec.externalIPs[0]`]);
  assert.equal(ownersOf(all, "-d 10.96.0.4 "), ["Service shop/old spec.clusterIP"]);
});

test("iptables: chains and their rules are the port's, the endpoints' and the fields' that make them", () => {
  const all = blamed(everything("iptables"));
  assert.equal(ownersOf(all, /^:KUBE-EXT-/), [`${web} spec.ports[1]`]);
  assert.equal(ownersOf(all, /-A KUBE-FW-.*-s 198\.51\.100\.0\/24/), [`${web} spec.loadBalancerSourceRanges[1]`]);
  assert.equal(ownersOf(all, /-A KUBE-FW-.*-s 192\.0\.2\.0\/24/), [`${web} spec.loadBalancerSourceRanges[2]`]);
  assert.equal(ownersOf(all, /-A KUBE-FW-.*-s 192\.0\.2\.200 /), [`${web} status.loadBalancer.ingress[1]`]);
  assert.equal(ownersOf(all, /-A KUBE-FW-.*other traffic/), [`${web} spec.ports[1]`]);
  assert.equal(ownersOf(all, /pod traffic for|LOCAL traffic for/), [`${web} spec.externalTrafficPolicy`]);
  assert.equal(ownersOf(all, /-A KUBE-SVC-.*shop\/web:http cluster IP/), [
    `${web} spec.clusterIPs[1]`,
    option("detectLocalMode"),
  ]);
  assert.equal(ownersOf(all, /-A KUBE-SVC-.*-> 10\.0\.0\.9:8080" -m recent/), [
    `${slice} endpoints[0]`,
    `${web} spec.sessionAffinity`,
  ]);
  assert.equal(ownersOf(all, /-A KUBE-SVC-.*-> 10\.0\.0\.1:8080" -m statistic/), [`${slice} endpoints[2]`]);
  assert.equal(ownersOf(all, /-A KUBE-SEP-.*10\.0\.0\.1(:8080| )/), [`${slice} endpoints[2]`]);
  assert.is(
    all.some(({ owners }) => owners.some((owner) => owner.includes("web-1 endpoints[1]"))),
    false,
    "what is not used owns nothing",
  );
});

test("iptables: stock rules are an option's or nobody's", () => {
  const all = blamed(everything("iptables"));
  assert.equal(ownersOf(all, /KUBE-POSTROUTING -(m mark|j MARK)|KUBE-MARK-MASQ -j MARK|KUBE-FORWARD .*--mark/), [
    option("masqueradeBit"),
  ]);
  assert.equal(ownersOf(all, "block incoming localnet"), [option("localhostNodePorts")]);
  assert.equal(ownersOf(all, "NOTE: this must be the last rule"), [option("nodePortAddresses")]);
  assert.equal(
    ownersOf(all, /^(\*|COMMIT|:KUBE-SERVICES|:KUBE-NODEPORTS|:INPUT|-A INPUT|-A OUTPUT|-A FORWARD|-A PREROUTING)/),
    [],
  );
});

test("nftables: elements are the entry points', sets and chains the endpoints' and ports'", () => {
  const all = blamed(everything("nftables"));
  assert.equal(ownersOf(all, /cluster-ips \{ 10\.96\.0\.1 \}/), [`${web} spec.clusterIPs[1]`]);
  assert.equal(ownersOf(all, "{ 10.96.0.1 . tcp . 80 : goto service-"), [`${web} spec.clusterIPs[1]`]);
  assert.equal(ownersOf(all, "{ 192.0.2.101 . tcp . 80 : goto external-"), [`${web} spec.externalIPs[2]`]);
  assert.equal(ownersOf(all, /\{ 192\.0\.2\.200 \. tcp \. 80 : goto (external|firewall)-/), [
    `${web} status.loadBalancer.ingress[1]`,
  ]);
  assert.equal(ownersOf(all, "{ tcp . 30080 : goto external-"), [`${web} spec.ports[1].nodePort`]);
  assert.equal(ownersOf(all, "{ 10.96.0.4 . tcp . 443 comment"), ["Service shop/old spec.clusterIP"]);
  assert.equal(ownersOf(all, "hairpin-connections { 10.0.0.1 "), [`${slice} endpoints[2]`]);
  assert.equal(ownersOf(all, /(add|flush) chain ip kube-proxy (service|local|external|firewall)-\S+web\S+http$/), [
    `${web} spec.ports[1]`,
  ]);
  assert.equal(ownersOf(all, /(add|flush) chain ip kube-proxy endpoint-\S+__10\.0\.0\.9/), [`${slice} endpoints[0]`]);
});

test("nftables: rules", () => {
  const all = blamed(everything("nftables"));
  assert.equal(ownersOf(all, /add rule \S+ \S+ firewall-\S+http /), [
    `${web} spec.ports[1]`,
    `${web} spec.loadBalancerSourceRanges[1]`,
    `${web} spec.loadBalancerSourceRanges[2]`,
    `${web} status.loadBalancer.ingress[1]`,
  ]);
  assert.equal(ownersOf(all, /short-circuit|masquerade local traffic/), [`${web} spec.externalTrafficPolicy`]);
  assert.equal(ownersOf(all, /add set .*affinity-\S+__10\.0\.0\.9/), [
    `${web} spec.sessionAffinity`,
    `${slice} endpoints[0]`,
  ]);
  assert.equal(ownersOf(all, /saddr @affinity-\S+__10\.0\.0\.9\S+ goto/), [
    `${web} spec.sessionAffinity`,
    `${slice} endpoints[0]`,
  ]);
  assert.equal(ownersOf(all, /service-\S+http numgen random mod 2 vmap/), [
    `${web} spec.ports[1]`,
    `${slice} endpoints[2]`,
    `${slice} endpoints[0]`,
  ]);
  assert.equal(ownersOf(all, /add rule \S+ \S+ endpoint-\S+__10\.0\.0\.1\//), [`${slice} endpoints[2]`]);
  assert.equal(ownersOf(all, /service-\S+plain\S+ meta l4proto tcp dnat/), [
    "Service shop/plain spec.ports[0]",
    "EndpointSlice shop/plain-1 endpoints[0]",
    "EndpointSlice shop/plain-1 endpoints[1]",
  ]);
});

test("nftables: stock", () => {
  const all = blamed(everything("nftables"));
  assert.equal(ownersOf(all, "unallocated ClusterIPs"), [
    "ServiceCIDR /kubernetes spec.cidrs[1]",
    "ServiceCIDR /extra spec.cidrs[0]",
  ]);
  assert.equal(ownersOf(all, "mark set mark xor"), [option("masqueradeBit")]);
  assert.equal(ownersOf(all, "from outside cluster"), [option("detectLocalMode")]);
  assert.equal(ownersOf(all, "nodeport-ips { 192.0.2.10 }"), [
    option("nodePortAddresses"),
    "Node /node-a status.addresses",
  ]);
  assert.equal(ownersOf(all, /add table|base|reject-chain reject|add map .* service-ips /), []);
  const six = blamed(everything("nftables"), "ipv6");
  assert.equal(ownersOf(six, "unallocated ClusterIPs"), ["ServiceCIDR /kubernetes spec.cidrs[0]"]);
});

test("flat: a slot has its entry point and its endpoint's slice, and what Services share has no owner", () => {
  const engine = makeEngine("flat");
  put(
    engine,
    makeService("shop/web", {
      type: "NodePort",
      ports: [{ port: 80, nodePort: 30080 }],
      externalTrafficPolicy: "Local",
    }),
    makeSlice("shop/web-1", "web", ["10.0.0.1", "10.0.0.2 node-a"]),
    makeSlice("shop/web-2", "web", ["10.0.0.3"]),
  );
  const all = blamed(engine);
  const clusterIP = "Service shop/web spec.clusterIPs[0]";
  const nodePort = "Service shop/web spec.ports[0].nodePort";
  assert.equal(ownersOf(all, " backends { 10.96.0.1 . tcp . 80 . 1 :"), [
    clusterIP,
    "EndpointSlice shop/web-1 endpoints[1]",
  ]);
  assert.equal(ownersOf(all, " backends { 10.96.0.1 . tcp . 80 . 2 :"), [
    clusterIP,
    "EndpointSlice shop/web-2 endpoints[0]",
  ]);
  assert.equal(ownersOf(all, " local-nodeport-backends { tcp . 30080 . 0 :"), [
    nodePort,
    "EndpointSlice shop/web-1 endpoints[1]",
  ]);
  assert.equal(ownersOf(all, "service-ips { 10.96.0.1 . tcp . 80 : goto lb-3"), [clusterIP]);
  assert.equal(ownersOf(all, /add (chain|rule) ip sluice (nodeport-)?lb-3|add map .* (backends|service-ips) /), []);
});

for (const mode of ["iptables", "nftables"] as const) {
  for (const family of ["ipv4", "ipv6"] as const) {
    test(`${mode} ${family}: exactly the lines that an engine without objects does not write have an object as owner`, () => {
      const engine = everything(mode);
      const empty = makeEngine(mode, {
        clusterCidr: "10.244.0.0/16,fd00:244::/64",
        nodePortAddresses: ["192.0.2.0/24", "127.0.0.0/8"],
      });
      put(empty, makeNode("node-a", { ips: ["192.0.2.10"] }));
      const stock = new Set(render(empty, family).split("\n"));
      for (const { line, owners } of blamed(engine, family)) {
        const objects = owners.filter(
          (owner) => !owner.startsWith("KubeProxyConfiguration") && !owner.startsWith("Node "),
        );
        assert.is(objects.length > 0, !stock.has(line), `${line}: ${owners}`);
      }
    });
  }
}

for (const mode of ["iptables", "nftables", "flat"] as const) {
  test(`${mode}: blame changes no text, and texts and plans know nothing of it`, () => {
    const engine = everything(mode);
    const before = render(engine);
    const first = join(engine.blame("ipv4"));
    assert.is(render(engine), before);
    assert.is(join(engine.blame("ipv4")), first);
    assert.is(join(makeEngine(mode).blame("ipv6")).startsWith("["), true);
  });
}

test.run();
