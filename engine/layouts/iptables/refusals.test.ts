// What becomes of a Service whose line iptables-restore refuses. The tool here is a model that refuses lines with a
// certain text; hosts/agent/sync/iptables-refusals.test.ts asks the real ones.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  defaultOptions,
  type EngineInstance,
  type Family,
  join,
  makeEngine,
  makeService,
  makeSlice,
  put,
  remove,
} from "../../../fixtures/support/engine-tests.ts";

const test = suite("layouts: refusals in iptables mode");

const web = makeService("shop/web", { ip: "10.96.0.1,fd00::1" });
const webEndpoints = (...ips: string[]) => makeSlice("shop/web-1", "web", ips);
const webEndpointsIPv6 = makeSlice("shop/web-6", "web", ["fd00:1::1"], { addressType: "IPv6" });
const database = makeService("shop/database", {
  ip: "10.96.0.2",
  type: "LoadBalancer",
  ports: [{ port: 5432, nodePort: 30432 }],
  externalIPs: ["192.0.2.7"],
  ingress: [{ ip: "203.0.113.5" }],
  loadBalancerSourceRanges: ["198.51.100.0/24"],
  sessionAffinity: "ClientIP",
});
const databaseEndpoints = makeSlice("shop/database-1", "database", ["10.0.0.3", "10.0.0.4"]);
const idle = makeService("shop/idle", { ip: "10.96.0.9" });
const all = [web, webEndpoints("10.0.0.1", "10.0.0.2"), webEndpointsIPv6, database, databaseEndpoints, idle];

function started(...objects: Parameters<typeof put>[1][]): EngineInstance {
  const engine = makeEngine("iptables") as EngineInstance;
  put(engine, ...(objects.length === 0 ? all : objects));
  return engine;
}

interface Sent {
  named: string[];
  text: Record<Family, string>;
}

/** Sends a plan to a tool that refuses lines that `refuse` matches, in one family or both. */
function send(engine: EngineInstance, now: number, refuse?: RegExp, families: Family[] = ["ipv4", "ipv6"]): Sent {
  const sent: Sent = { named: [], text: { ipv4: "", ipv6: "" } };
  for (const { id, family, data } of engine.plan(now)) {
    const text = join(data);
    const bad = text
      .split("\n")
      .flatMap((line, index) => (refuse?.test(line) === true && families.includes(family) ? [index + 1] : []));
    if (bad.length === 0) {
      sent.text[family] = text;
      engine.committed(id, now);
    } else {
      sent.named.push(...engine.refused(id, bad, now).map(({ namespace, name }) => `${family} ${namespace}/${name}`));
    }
  }
  return sent;
}

const leftOut = (engine: EngineInstance) => engine.leftOut().map(({ namespace, name }) => `${namespace}/${name}`);

test("each line is laid at the door of the Service that it names, and of nobody if it names none", () => {
  const [batch] = started().plan(0);
  const lines = join(batch?.data ?? []).split("\n");
  const seen = new Set<string>();
  let chain = "";
  for (const [index, line] of lines.slice(0, -1).entries()) {
    const engine = started();
    const [again] = engine.plan(0);
    const names = engine.refused(again?.id ?? 0, [index + 1], 0).map(({ namespace, name }) => `${namespace}/${name}`);
    chain = /^-A (\S+)/.exec(line)?.[1] ?? chain;
    const named = /"?(?:traffic for |other traffic to )?(shop\/\w+)/.exec(line)?.[1];
    const ofAService = /^(:|-A )KUBE-(SVC|SEP|EXT|FW|SVL)-/.test(line);
    if (named !== undefined) assert.equal(names, [named], line);
    else if (!ofAService) assert.equal(names, ["/"], line);
    else assert.match(names.join(), /^shop\/(web|database)$/, line);
    for (const name of names) seen.add(name);
  }
  assert.equal([...seen].sort(), ["/", "shop/database", "shop/idle", "shop/web"]);
  const engine = started();
  const [beyond] = engine.plan(0);
  assert.equal(engine.refused(beyond?.id ?? 0, [0, lines.length + 5], 0), [{ namespace: "", name: "" }]);
});

test("where a line of no Service is refused as well, no Service is to blame", () => {
  const engine = started();
  // As without the extension: rules of everybody have comments.
  assert.equal(send(engine, 0, /--comment/).named, ["ipv4 /", "ipv6 /"]);
  assert.equal(leftOut(engine), []);
  assert.match(send(engine, 1).text.ipv4, "shop/web");
});

test("the Service is left out, the rest goes in, and a change tries it again", () => {
  const engine = started();
  assert.equal(send(engine, 0, /10\.0\.0\.2/).named, ["ipv4 shop/web"]);
  assert.equal(leftOut(engine), ["shop/web"]);
  const { named, text } = send(engine, 1, /10\.0\.0\.2/);
  assert.equal(named, []);
  assert.match(text.ipv4, "10.0.0.3");
  assert.match(text.ipv4, "shop/idle has no endpoints");
  assert.not.match(text.ipv4, "shop/web");
  assert.equal(engine.plan(2), [], "nothing else is left to do");
  put(engine, webEndpoints("10.0.0.1"));
  assert.equal(leftOut(engine), []);
  assert.match(send(engine, 3).text.ipv4, "shop/web cluster IP");
});

test("the other family keeps the Service", () => {
  const engine = started();
  assert.equal(send(engine, 0, /shop\/web/, ["ipv4"]).named, ["ipv4 shop/web"]);
  put(engine, makeService("shop/other", { ip: "10.96.0.77,fd00::77" }));
  const { text } = send(engine, 1);
  assert.not.match(text.ipv4, "shop/web");
  assert.match(text.ipv6, "shop/web cluster IP");
  assert.match(text.ipv6, "shop/other");
});

test("where only endpoints have changed, what the kernel holds stays, and is led to as before", () => {
  const engine = started();
  const before = send(engine, 0).text.ipv4;
  put(engine, webEndpoints("10.0.0.1", "10.0.0.66"));
  assert.equal(send(engine, 1, /10\.0\.0\.66/).named, ["ipv4 shop/web"]);
  const rest = send(engine, 2, /10\.0\.0\.66/);
  assert.equal(rest.named, []);
  const dispatch = (text: string) => text.split("\n").filter((line) => line.includes('"shop/web cluster IP" -m tcp'));
  assert.equal(
    dispatch(rest.text.ipv4),
    dispatch(before).filter((line) => line.startsWith("-A KUBE-SERVICES")),
  );
  assert.not.match(rest.text.ipv4, /^-X/m);
  assert.not.match(rest.text.ipv4, /^:KUBE-SEP/m);
  engine.retry();
  const { text } = send(engine, 3);
  assert.match(text.ipv4, "10.0.0.66");
  assert.is(text.ipv4.match(/^-X KUBE-SEP-/gm)?.length, 1, "the endpoint that is gone");
});

test("without any endpoint left that the kernel would take, what it holds stays as well", () => {
  const engine = started();
  send(engine, 0);
  put(engine, webEndpoints());
  assert.equal(send(engine, 1, /shop\/web has no endpoints/).named, ["ipv4 shop/web"]);
  const { text } = send(engine, 2, /shop\/web has no endpoints/);
  assert.match(text.ipv4, /-A KUBE-SERVICES .*"shop\/web cluster IP".* -j KUBE-SVC-/);
});

test("where even what led to the old chains is refused, these go, and all comes back", () => {
  const engine = started();
  const before = send(engine, 0).text.ipv4;
  put(engine, makeService("shop/other", { ip: "10.96.0.77" }));
  // Nothing of shop/web has changed, but its dispatch is written whole.
  for (const now of [1, 2]) assert.equal(send(engine, now, /shop\/web cluster IP/, ["ipv4"]).named, ["ipv4 shop/web"]);
  const { named, text } = send(engine, 3, /shop\/web cluster IP/, ["ipv4"]);
  assert.equal(named, []);
  assert.not.match(text.ipv4, "shop/web");
  assert.is(text.ipv4.match(/^-X KUBE-/gm)?.length, 3);
  assert.match(text.ipv4, "shop/other");
  assert.equal(engine.plan(4), []);
  engine.retry();
  const back = send(engine, 5).text.ipv4;
  const lines = (all: string) => all.split("\n").filter((line) => line.includes("shop/web"));
  assert.equal(lines(back), lines(before));
});

test("where the Service itself has changed, its rules go: nothing leads to what is not there", () => {
  const engine = started();
  const chains = [...send(engine, 0).text.ipv4.matchAll(/^:(KUBE-(?:SVC|SEP|EXT|FW)-\S+)/gm)].map((match) => match[1]);
  const wider = makeService("shop/database", { ip: "10.96.0.2", externalIPs: ["192.0.2.8"], ports: [{ port: 5432 }] });
  put(engine, wider);
  assert.equal(send(engine, 1, /192\.0\.2\.8/).named, ["ipv4 shop/database"]);
  const { named, text } = send(engine, 2, /192\.0\.2\.8/);
  assert.equal(named, []);
  assert.not.match(text.ipv4, "shop/database");
  const deleted = [...text.ipv4.matchAll(/^-X (\S+)/gm)].map((match) => match[1]);
  // Of seven chains those of shop/web's two endpoints and its own stay.
  assert.is(deleted.length, chains.length - 3);
  assert.equal(engine.plan(3), []);
  engine.retry();
  assert.match(send(engine, 4).text.ipv4, "192.0.2.8");
});

test("an entry point of a Service that is left out is nobody else's", () => {
  const younger = makeService("shop/young", {
    ip: "10.96.0.5",
    externalIPs: ["192.0.2.50"],
    created: "2024-01-01T00:00:00Z",
  });
  const older = makeService("shop/old", {
    ip: "10.96.0.6",
    externalIPs: ["192.0.2.50"],
    created: "2020-01-01T00:00:00Z",
  });
  const endpoints = [makeSlice("shop/young-1", "young", ["10.0.0.7"]), makeSlice("shop/old-1", "old", ["10.0.0.8"])];
  const engine = started(younger, ...endpoints);
  assert.match(send(engine, 0).text.ipv4, "192.0.2.50");
  put(engine, older);
  assert.equal(send(engine, 1, /10\.0\.0\.8/).named, ["ipv4 shop/old"]);
  const { named, text } = send(engine, 2, /10\.0\.0\.8/);
  assert.equal(named, []);
  assert.not.match(text.ipv4, "192.0.2.50");
  assert.match(text.ipv4, "shop/young cluster IP");
  assert.equal(engine.plan(3), []);
  remove(engine, older);
  assert.match(send(engine, 4).text.ipv4, /"shop\/young external IP".*192\.0\.2\.50/);
});

test("a Service that is left out and deleted leaves nothing behind", () => {
  const engine = started();
  send(engine, 0);
  put(engine, webEndpoints("10.0.0.66"));
  send(engine, 1, /10\.0\.0\.66/);
  send(engine, 2, /10\.0\.0\.66/);
  remove(engine, web, webEndpoints(), webEndpointsIPv6);
  const { text } = send(engine, 3);
  assert.is(text.ipv4.match(/^-X KUBE-/gm)?.length, 3);
  assert.equal(leftOut(engine), []);
});

test("a trial has the rules of the Services that are asked for in chains that nobody else has, and removes them", () => {
  const engine = started();
  for (const { id, family, data } of engine.plan(0)) {
    const batch = join(data);
    const count = engine.suspects(id);
    assert.is(count, family === "ipv4" ? 3 : 1);
    const trial = join(engine.trial(id, 0, count));
    assert.not.match(trial, /^(:|-A |-X )(?!SLUI-)/m);
    assert.not.match(trial, /-j KUBE-/);
    const names = (pattern: RegExp) => [...trial.matchAll(pattern)].map((match) => match[1]);
    const [made, again] = [names(/^:(\S+)/gm), names(/^-X (\S+)/gm)];
    assert.equal(made.sort(), [...again, ...again].sort());
    // All that is said of Services, and nothing else.
    const rules = (text: string) =>
      text.split("\n").filter((line) => line.startsWith("-A ") && /shop\/|-j DNAT|-j \S+-SV/.test(line));
    assert.equal(rules(trial).sort(), rules(batch.replaceAll(/(?<=^-A |-j )KUBE-/gm, "SLUI-")).sort());
    const nothing = join(engine.trial(id, count, 5));
    assert.not.match(nothing, "-A ");
    assert.is(join(engine.trial(id, 0, 0)), nothing);
    assert.is(join(engine.trial(4711, 0, 5)), nothing);
  }
});

test("suspects are named by their numbers, and left out", () => {
  const engine = started();
  for (const { id, family } of engine.plan(0)) {
    const trial = (first: number) => join(engine.trial(id, first, 1));
    const numbers = Array.from({ length: engine.suspects(id) }, (_, i) => i).filter((i) =>
      trial(i).includes("shop/web"),
    );
    assert.is(numbers.length, 1);
    assert.equal(
      engine.refusedSuspects(id, [...numbers, ...numbers, 99], 0),
      [{ namespace: "shop", name: "web" }],
      family,
    );
  }
  assert.equal(leftOut(engine), ["shop/web"]);
  const { text } = send(engine, 1);
  assert.not.match(text.ipv4 + text.ipv6, "shop/web");
  assert.match(text.ipv4, "shop/database");
  const flat = makeEngine("flat") as EngineInstance;
  put(flat, ...all);
  assert.is(flat.suspects(flat.plan(0)[0]?.id ?? 0), 0);
});

test("where the node lacks comments, all rules are the same without them: the whole text, plans and trials", () => {
  // With everything that has rules of its own.
  const options = {
    ...defaultOptions("iptables"),
    nodePortAddresses: ["0.0.0.0/0"],
    localhostNodePorts: true,
    nfacctInvalidDropped: true,
    nfacctLocalhostAccepted: true,
  };
  const local = makeService("shop/local", {
    ip: "10.96.0.7",
    type: "LoadBalancer",
    ports: [{ port: 80, nodePort: 30080 }],
    ingress: [{ ip: "203.0.113.6" }],
    externalTrafficPolicy: "Local",
    healthCheckNodePort: 31000,
  });
  const localEndpoints = makeSlice("shop/local-1", "local", ["10.0.0.5 node=node-b"]);
  const texts = (families: Family[]) => {
    const engine = makeEngine("iptables") as EngineInstance;
    engine.configure(options);
    put(engine, ...all, local, localEndpoints);
    for (const family of families) engine.setMissingExtensions(family, ["comment"]);
    const plans = engine
      .plan(0)
      .map(({ id, family, data }) => ({ family, text: [data, engine.trial(id, 0, 9)].map(join) }));
    return (["ipv4", "ipv6"] as const).map((family) =>
      [join(engine.render(family)), ...plans.flatMap((plan) => (plan.family === family ? plan.text : []))].join(""),
    );
  };
  const [ipv4 = "", ipv6 = ""] = texts([]);
  const without = (text: string) => text.replaceAll(/ -m comment --comment ("[^"]*"|\S+)/g, "");
  for (const comment of ["health check node port", "traffic not accepted by KUBE-FW", " -> 10.0.0.4:", "localnet"]) {
    assert.match(ipv4, comment);
  }
  assert.equal(texts(["ipv4", "ipv6"]), [without(ipv4), without(ipv6)]);
  assert.equal(texts(["ipv6"]), [ipv4, without(ipv6)]);
});

test.run();
