// Node ports on loopback addresses: what is refused there, as ports come and go. What 1.38 has is compared in fixtures/oracle137.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NftModel } from "../../../fixtures/kernel/nft-model.ts";
import {
  commitAll,
  defaultOptions,
  type Engine,
  join,
  linesWith,
  makeEngine,
  makeService,
  makeSlice,
  plan,
  put,
  remove,
  render,
  renderAll,
} from "../../../fixtures/support/engine-tests.ts";

const test = suite("layouts: node ports on localhost");

const map = "localhost-nodeport-reject-ports";
const web = makeService("shop/web", {
  type: "NodePort",
  ports: [
    { name: "t", port: 80, nodePort: 30080 },
    { name: "u", port: 80, nodePort: 30081, protocol: "UDP" },
    { name: "s", port: 80, nodePort: 30082, protocol: "SCTP" },
  ],
});
const on = { nftablesLocalhostNodePorts: true };
const listening = { ...on, nodePortAddresses: ["primary", "localhost"] };

for (const mode of ["nftables", "flat"] as const) {
  const table = mode === "flat" ? "sluice" : "kube-proxy";
  const elements = (text: string) =>
    linesWith(text, ` element ip ${table} ${map} `).map((line) => line.replace(` ip ${table} ${map}`, ""));

  test(`${mode}: an element comes and goes with its port, whoever has it and whatever serves it`, () => {
    const engine = makeEngine(mode, on);
    let now = commitAll(engine, 0);
    const changed = () => {
      const text = plan(engine, now)
        .map((batch) => batch.text)
        .join("");
      now = commitAll(engine, now);
      return elements(text);
    };
    put(engine, web);
    assert.equal(changed(), [
      "add element { sctp . 30082 : goto localhost-nodeport-reject-sctp }",
      "add element { tcp . 30080 : goto localhost-nodeport-reject-tcp }",
      "add element { udp . 30081 : goto localhost-nodeport-reject-udp }",
    ]);
    put(engine, makeSlice("shop/web-1", "web", ["10.0.0.1"], { ports: [{ name: "t", port: 8080 }] }));
    assert.equal(changed(), []);
    const taker = makeService("shop/taker", {
      ip: "10.96.0.9",
      type: "NodePort",
      ports: [{ port: 80, nodePort: 30080 }],
    });
    put(engine, taker);
    remove(engine, web);
    assert.equal(changed(), ["delete element { sctp . 30082 }", "delete element { udp . 30081 }"]);
    remove(engine, taker);
    assert.equal(changed(), ["delete element { tcp . 30080 }"]);
    assert.equal(plan(engine, now), []);
  });

  test(`${mode}: where the agent listens, TCP is not refused by rules`, () => {
    const engine = makeEngine(mode, listening);
    put(engine, web);
    const text = renderAll(engine);
    assert.is(linesWith(text, "localhost-nodeport-reject-tcp").length, 0);
    assert.equal(elements(text).length, 2);
  });

  test(`${mode}: TCP is refused ${mode === "flat" ? "with a reset" : "by ICMP"}, and packets are counted`, () => {
    const text = render(makeEngine(mode, on));
    const [tcp, how] = mode === "flat" ? ["meta l4proto tcp ", "reject with tcp reset"] : ["", "reject"];
    for (const [protocol, match, answer] of [
      ["tcp", tcp, how],
      ["udp", "", "reject"],
      ["sctp", "", "reject"],
    ] as const) {
      const rule = `add rule ip ${table} localhost-nodeport-reject-${protocol} ${match}counter name "localhost-nodeport-rejected-${protocol}" ${answer}`;
      assert.ok(text.includes(`${rule}\n`), rule);
    }
  });

  test(`${mode}: switched while it runs, nothing is left in the kernel and nothing lacks`, () => {
    const engine = makeEngine(mode, on);
    put(engine, web);
    const kernel = new NftModel();
    let now = 0;
    const write = (from: Engine, to: NftModel) => {
      for (const { id, data } of from.plan(now)) {
        to.apply(join(data));
        from.committed(id, now);
      }
      now += 10_000;
    };
    write(engine, kernel);
    for (const options of [listening, {}, listening, on, {}]) {
      assert.equal(engine.configure({ ...defaultOptions(mode), ...options }), []);
      for (let i = 0; i < 3; i++) write(engine, kernel);
      const fresh = makeEngine(mode, options);
      put(fresh, web);
      const other = new NftModel();
      write(fresh, other);
      assert.equal(kernel.tables, other.tables);
      assert.equal([...kernel.counters].sort(), [...other.counters].sort());
      assert.is(renderAll(engine), renderAll(fresh));
      assert.equal(plan(engine, now), []);
    }
  });
}

test("iptables mode knows no such thing", () => {
  const engine = makeEngine("iptables", listening);
  put(engine, web);
  const without = makeEngine("iptables", { nodePortAddresses: ["primary", "localhost"] });
  put(without, web);
  assert.is(renderAll(engine), renderAll(without));
});

test.run();
