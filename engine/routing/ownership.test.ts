// One address, protocol and port, or node port, has one owner.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  commitAll,
  described,
  type Engine,
  FakeIptables,
  FakeNft,
  type KubernetesObject,
  linesWith,
  makeEngine,
  makeService,
  makeSlice,
  plan,
  put,
  remove,
  render,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("routing: ownership");

const vip = "192.0.2.100";
const old = "2025-01-01T00:00:00Z";
const young = "2026-01-01T00:00:00Z";

const clusterIP = (name: string, created?: string) => makeService(name, { ip: vip, ...(created ? { created } : {}) });
let next = 1;
const loadBalancer = (name: string, created?: string) =>
  makeService(name, {
    ip: `10.96.0.${next++}`,
    type: "LoadBalancer",
    ingress: [{ ip: vip }],
    ...(created ? { created } : {}),
  });
const external = (name: string, created?: string) =>
  makeService(name, { ip: `10.96.0.${next++}`, externalIPs: [vip], ...(created ? { created } : {}) });

function ownerOf(engine: Engine, ...names: string[]): string {
  const owners = names.filter((name) =>
    described(engine, name)?.entryPoints.some(({ address, owner }) => address === vip && owner),
  );
  assert.is(owners.length, 1, `one owner of ${names}`);
  return owners[0] ?? "";
}

const ranks: [string, KubernetesObject, KubernetesObject][] = [
  ["a cluster IP comes before a load-balancer IP", clusterIP("x/b", young), loadBalancer("x/a", old)],
  ["a cluster IP comes before an external IP", clusterIP("x/b", young), external("x/a", old)],
  ["a load-balancer IP comes before an external IP", loadBalancer("x/b", young), external("x/a", old)],
  ["of equals the older one has it", external("x/b", old), external("x/a", young)],
  ["a Service without creationTimestamp is younger than any", clusterIP("x/b", young), clusterIP("x/a")],
  ["of equally old ones the first by name", external("x/a", old), external("x/b", old)],
  ["of equally old ones the first by namespace", external("a/b", old), external("b/a", old)],
  ["namespaces are compared before names", external("a/z", old), external("a-b/a", old)],
  [
    "times are compared, not texts",
    external("x/b", "2025-12-31T23:30:00+01:00"),
    external("x/a", "2025-12-31T23:00:00Z"),
  ],
];

for (const [what, winner, loser] of ranks) {
  test(what, () => {
    const nameOf = ({ metadata }: KubernetesObject) => `${metadata.namespace}/${metadata.name}`;
    for (const order of [
      [winner, loser],
      [loser, winner],
    ]) {
      const engine = makeEngine();
      for (const each of order) put(engine, each);
      assert.is(ownerOf(engine, nameOf(winner), nameOf(loser)), nameOf(winner));
      const points = described(engine, nameOf(loser))?.entryPoints ?? [];
      assert.is(points.find(({ owner }) => !owner)?.takenBy, nameOf(winner));
    }
  });
}

test("a loser keeps its other entry points; the owner may change while it stands by", () => {
  const engine = makeEngine();
  const winner = clusterIP("x/a", old);
  const loser = makeService("x/b", {
    ip: "10.96.0.77",
    externalIPs: [vip, "192.0.2.101"],
    ports: [{ port: 80, nodePort: 30080 }],
  });
  put(engine, winner, loser, makeSlice("x/b-1", "b", ["10.0.0.1"]));
  const elements = () =>
    linesWith(render(engine), "add element ip kube-proxy service-")
      .filter((line) => line.includes("/b/"))
      .map((line) => /\{ (.*?) : /.exec(line)?.[1]);
  assert.equal(elements(), ["10.96.0.77 . tcp . 80", "192.0.2.101 . tcp . 80", "tcp . 30080"]);
  remove(engine, winner);
  assert.equal(elements(), [
    "10.96.0.77 . tcp . 80",
    "192.0.2.100 . tcp . 80",
    "192.0.2.101 . tcp . 80",
    "tcp . 30080",
  ]);
  assert.equal(engine.problems(), []);
});

test("another port or protocol is another key", () => {
  const engine = makeEngine();
  put(
    engine,
    makeService("x/a", { ip: vip, ports: [{ port: 53, protocol: "UDP" }] }),
    makeService("x/b", { ip: vip, ports: [{ port: 53 }] }),
    makeService("x/c", { ip: vip, ports: [{ port: 54 }] }),
  );
  assert.equal(engine.problems(), []);
});

test("an address twice in one Service hurts nobody", () => {
  const engine = makeEngine();
  put(engine, makeService("x/a", { ip: "10.96.0.1", externalIPs: [vip, vip, "10.96.0.1"], ingress: [{ ip: vip }] }));
  assert.equal(engine.problems(), []);
  assert.ok(described(engine, "x/a")?.entryPoints.every(({ owner }) => owner));
});

test("two ports of one Service with one node port: the first by name has it", () => {
  const engine = makeEngine();
  const ports = [
    { name: "b", port: 81, nodePort: 30080 },
    { name: "a", port: 80, nodePort: 30080 },
  ];
  put(engine, makeService("x/a", { ports }));
  const [problem] = engine.problems();
  assert.is(problem?.field, "spec.ports[0].nodePort");
  assert.is(described(engine, "x/a:b")?.entryPoints[1]?.takenBy, "x/a");
});

test("problems: whom they concern, in which words, in which order", () => {
  const engine = makeEngine();
  put(
    engine,
    makeService("b/late", { ip: vip, created: young, ports: [{ port: 80, nodePort: 30080 }] }),
    makeService("a/thief", { ip: "10.96.0.9", created: old, externalIPs: ["192.0.2.99", vip], ports: [{ port: 80 }] }),
    makeService("a/lb", {
      ip: "10.96.0.8",
      created: old,
      ingress: [{ hostname: "x" }, { ip: vip }],
      ports: [{ port: 80 }],
    }),
    makeService("c/np", {
      ip: "10.96.0.7,fd00:96::7",
      created: young,
      ports: [{ port: 1 }, { name: "n", port: 80, nodePort: 30080 }],
    }),
    makeService("c/six", { ip: "fd00:96::7", created: young, ports: [{ name: "n", port: 80, protocol: "TCP" }] }),
    makeService("d/same", { ip: vip, created: young }),
  );
  assert.equal(
    engine
      .problems()
      .map(({ severity, code, kind, namespace, name, field, message, offset }) => [
        `${severity} ${code} ${kind} ${namespace}/${name} ${field} ${offset}`,
        message,
      ]),
    [
      [
        "error address-taken Service a/lb status.loadBalancer.ingress[1] 0",
        "192.0.2.100 port 80/tcp belongs to Service b/late, whose claim is stronger (cluster IP before load-balancer IP before external IP)",
      ],
      [
        "error address-taken Service a/thief spec.externalIPs[1] 0",
        "192.0.2.100 port 80/tcp belongs to Service b/late, whose claim is stronger (cluster IP before load-balancer IP before external IP)",
      ],
      [
        "error node-port-taken Service c/np spec.ports[1].nodePort 0",
        "node port 30080/tcp belongs to Service b/late, which is older or comes first by name",
      ],
      [
        "error address-taken Service c/six spec.clusterIPs[0] 0",
        "fd00:96::7 port 80/tcp belongs to Service c/np, which is older or comes first by name",
      ],
      [
        "error address-taken Service d/same spec.clusterIPs[0] 0",
        "192.0.2.100 port 80/tcp belongs to Service b/late, which is older or comes first by name",
      ],
    ],
  );
  assert.ok(engine.problems().every(({ hint }) => hint.includes("other entry points")));
  remove(engine, makeService("b/late"));
  assert.equal(
    engine.problems().map(({ namespace, name, code }) => `${namespace}/${name} ${code}`),
    ["a/lb address-taken", "a/thief address-taken", "c/six address-taken"],
  );
});

test("a cluster IP that came from spec.clusterIP is named so", () => {
  const engine = makeEngine();
  const plain = (name: string) => ({ ...makeService(name), spec: { clusterIP: vip, ports: [{ port: 80 }] } });
  put(engine, plain("x/a"), plain("x/b"));
  assert.is(engine.problems()[0]?.field, "spec.clusterIP");
});

test("iptables: all claims are written, the owner's rule first", () => {
  for (const [first, second] of [
    ["x/a", "x/b"],
    ["x/b", "x/a"],
  ] as const) {
    const engine = makeEngine("iptables");
    put(
      engine,
      makeService(first, { ip: vip, created: old, ports: [{ port: 80, nodePort: 30080 }] }),
      makeService(second, { ip: vip, created: young, ports: [{ port: 80, nodePort: 30080 }] }),
      makeSlice("x/a-1", "a", ["10.0.0.1"]),
      makeSlice("x/b-1", "b", ["10.0.0.2"]),
    );
    const order = (chain: string) =>
      linesWith(render(engine), `-A ${chain} `)
        .filter((line) => line.includes(`-d ${vip} `) || line.includes("--dport 30080"))
        .filter((line) => !line.includes("127.0.0.0/8"))
        .map((line) => /x\/[ab]/.exec(line)?.[0]);
    assert.equal(order("KUBE-SERVICES"), [first, second]);
    assert.equal(order("KUBE-NODEPORTS"), [first, second]);
  }
});

for (const mode of ["iptables", "nftables"] as const) {
  test(`${mode}: an address and a node port that move from Service to Service, in every way`, () => {
    const engine = makeEngine(mode);
    const nft = new FakeNft();
    const iptables = new FakeIptables();
    let now = 0;
    const load = (text: string) => (mode === "nftables" ? nft.load(text) : iptables.restore(text));
    const sync = () => {
      for (const batch of plan(engine, now)) {
        if (batch.family === "ipv4") load(batch.text);
        engine.committed(batch.id, now + batch.notBeforeMs);
      }
      now += 5000;
    };
    const check = (what: string) => {
      if (mode === "nftables") {
        const fresh = new FakeNft();
        fresh.load(render(engine));
        assert.equal(nft.state(), fresh.state(), what);
      } else {
        const fresh = new FakeIptables();
        fresh.restore(render(engine));
        assert.equal(iptables.state(), fresh.state(), what);
      }
    };
    const ports = [{ port: 80, nodePort: 30080 }];
    const a = makeService("x/a", { ip: "10.96.0.1", externalIPs: [vip], ports, created: young });
    const b = makeService("x/b", { ip: "10.96.0.2", externalIPs: [vip], ports, created: young });
    const bare = (name: string, ip: string) => makeService(name, { ip });
    put(engine, makeSlice("x/a-1", "a", ["10.0.0.1 node-a"]), makeSlice("x/b-1", "b", ["10.0.0.2 node-a"]));
    const steps: [string, () => void][] = [
      ["a has them", () => void put(engine, a)],
      ["b wants them, too", () => void put(engine, b)],
      ["a gives them up", () => void put(engine, bare("x/a", "10.96.0.1"))],
      ["a takes them back", () => void put(engine, a)],
      ["a goes", () => void remove(engine, a)],
      [
        "a comes for b's in one step",
        () => {
          remove(engine, b);
          put(engine, a);
        },
      ],
      ["they swap cluster IPs", () => void put(engine, bare("x/a", "10.96.0.2"), bare("x/b", "10.96.0.1"))],
      [
        "b becomes the older one",
        () => void put(engine, a, { ...b, metadata: { ...b.metadata, creationTimestamp: old } }),
      ],
      ["b's endpoints go", () => void remove(engine, makeSlice("x/b-1", "b", []))],
      [
        "a's endpoints go, b loses the address",
        () => {
          remove(engine, makeSlice("x/a-1", "a", []));
          put(engine, bare("x/b", "10.96.0.2"));
        },
      ],
      ["all goes", () => void remove(engine, a, b)],
    ];
    for (const [what, step] of steps) {
      step();
      sync();
      sync(); // what had to rest is gone now
      check(what);
    }
    commitAll(engine, now);
  });
}

test("nftables: an address that moves is deleted and added in one batch", () => {
  const engine = makeEngine();
  put(engine, external("x/a"), makeSlice("x/a-1", "a", ["10.0.0.1"]), makeSlice("x/b-1", "b", ["10.0.0.2"]));
  commitAll(engine, 0);
  put(engine, makeService("x/a", { ip: "10.96.9.1" }), external("x/b"));
  const [batch] = plan(engine, 5000);
  const about = linesWith(batch?.text ?? "", `${vip} . tcp . 80`);
  assert.is(about.length, 2);
  assert.match(about[0] ?? "", "delete element ip kube-proxy service-ips");
  assert.match(about[1] ?? "", /^add element ip kube-proxy service-ips .*\/b\//);
});

test.run();
