// JSON as Go's decoder takes it, wherever it stands: escapes, keys, nulls, numbers, depth, UTF-8, managedFields.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  applyText,
  described,
  encode,
  endpointsOf,
  type KubernetesObject,
  makeEngine,
  makeNode,
  makeService,
  makeSlice,
  put,
  renderAll,
  serviceNames,
} from "../../fixtures/support/engine-tests.ts";

const test = suite("json: values");

const service = (spec: string, metadata = '"namespace":"shop","name":"web"') =>
  `{"apiVersion":"v1","kind":"Service","metadata":{${metadata}},"spec":{"clusterIP":"10.96.0.1",${spec}}}`;
const onePort = '"ports":[{"port":80}]';

test("the order of keys does not matter, at any level", () => {
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, each]) => [key, reversed(each)] as const)
        .reverse(),
    );
  };
  const objects = [
    makeService("shop/web", {
      type: "LoadBalancer",
      ip: "10.96.0.1,fd00:96::1",
      ports: [{ name: "http", port: 80, protocol: "UDP", nodePort: 30080 }],
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 33 } },
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 31000,
      externalIPs: ["192.0.2.1"],
      loadBalancerSourceRanges: ["10.0.0.0/8"],
      ingress: [{ ip: "192.0.2.2", ipMode: "VIP" }],
    }),
    makeSlice("shop/web-1", "web", [{ ip: "10.0.0.1", node: "node-a", forZones: ["z2", "z1"], ready: false }], {
      ports: [{ name: "http", port: 8080, protocol: "UDP" }],
    }),
    makeNode("node-a", { ips: ["192.0.2.10"], zone: "z1" }),
  ];
  const [plain, turned] = [makeEngine(), makeEngine()];
  put(plain, ...objects);
  put(turned, ...(objects.map(reversed) as KubernetesObject[]));
  assert.match(renderAll(plain), "192.0.2.2 . udp . 80");
  assert.is(renderAll(turned), renderAll(plain));
  assert.is(put(turned, ...objects).changed, 0);
});

test("of equal keys the last one counts", () => {
  const engine = makeEngine();
  const text = `{"kind":"Pod","apiVersion":"v1","kind":"Service","metadata":{"name":"x","labels":{"service.kubernetes.io/service-proxy-name":""}},
    "metadata":{"name":"y","namespace":"shop","name":"web"},
    "spec":{"clusterIP":"10.0.0.9","ports":[{"port":1},{"port":2}]},
    "spec":{"clusterIP":"10.96.0.1","ports":[{"port":1}],"ports":[{"port":81,"port":80,"name":"a","name":"b"}]}}`;
  assert.equal(applyText(engine, text).problems, []);
  assert.equal(
    described(engine, "shop/web:b")?.entryPoints.map(({ address, port }) => `${address}:${port}`),
    ["10.96.0.1:80"],
  );
});

test("null counts as absent wherever Go takes it", () => {
  const engine = makeEngine();
  const nulls = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":null,"labels":null,"annotations":null,"creationTimestamp":null,"managedFields":null},
    "spec":{"clusterIP":"10.96.0.1","clusterIPs":null,"ipFamilies":null,"type":null,"externalIPs":[null],"loadBalancerSourceRanges":null,
      "sessionAffinity":null,"sessionAffinityConfig":null,"externalTrafficPolicy":null,"internalTrafficPolicy":null,"healthCheckNodePort":null,
      "ports":[{"port":80,"name":null,"protocol":null,"nodePort":null}]},
    "status":{"loadBalancer":{"ingress":[null,{"ip":null,"ipMode":null}]}}}
  {"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"web-1","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4",
    "ports":[{"name":"","port":8080,"protocol":null},{"name":null,"port":9090},{"name":"","port":null},null],
    "endpoints":[null,{"addresses":null},{"addresses":[]},{"addresses":["10.0.0.1"],"conditions":{"ready":null,"serving":null,"terminating":null},"nodeName":null,"hints":{"forZones":null,"forNodes":[null]}}]}
  {"apiVersion":"v1","kind":"Node","metadata":{"name":"node-a","labels":null},"spec":null,"status":{"addresses":[null,{"type":null,"address":null}]}}
  {"apiVersion":"networking.k8s.io/v1","kind":"ServiceCIDR","metadata":{"name":"k"},"spec":{"cidrs":[null]}}`;
  const result = applyText(engine, nulls);
  assert.equal(result.problems, []);
  assert.equal([result.services, result.endpointSlices, result.nodes, result.serviceCidrs], [1, 1, 1, 1]);
  const port = described(engine, "default/web");
  assert.is(port?.port.protocol, "TCP");
  assert.is(port?.sessionAffinityTimeoutSeconds, 0);
  assert.equal(
    port?.endpoints.map(({ address, port: number, ready, serving, terminating }) => [
      address,
      number,
      ready,
      serving,
      terminating,
    ]),
    [["10.0.0.1", 8080, true, true, false]],
  );
});

test("escapes count like what they stand for, in keys and values", () => {
  const engine = makeEngine();
  const text = service(
    '"\\u0070orts":[{"p\\u006frt":80,"name":"\\u0068\\u0074tp","protoc\\u006F\\u006c":"U\\u0044P"}],"type":"\\u004eodePort"',
    '"n\\u0061mespace":"sh\\u006fp","name":"\\u0077e\\u0062"',
  );
  assert.equal(applyText(engine, text).problems, []);
  const port = described(engine, "shop/web:http");
  assert.equal([port?.port.protocol, port?.type], ["UDP", "NodePort"]);
});

test("names of nodes and zones may hold anything: surrogate pairs, lone halves, zero bytes", () => {
  const zone = '"\\ud83d\\ude00\\u00e9\\u20ac\\"\\\\\\/\\b\\f\\n\\r\\t\\udc00x\\ud800"';
  const text = `{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-a","labels":{"topology.kubernetes.io/zone":${zone}}}}`;
  const engine = makeEngine();
  assert.equal(applyText(engine, text).problems, []);
  assert.is(engine.node().zone, '😀é€"\\/\b\f\n\r\t\ufffdx\ufffd');
  put(engine, makeService("shop/web"), makeSlice("shop/web-1", "web", [{ ip: "10.0.0.1", zone: '\u0000\u001f"\\' }]));
  assert.is(described(engine, "shop/web")?.endpoints[0]?.zone, '\u0000\u001f"\\', "describe is JSON again");
});

test("a zero byte in a hint does not end the name", () => {
  const engine = makeEngine();
  put(
    engine,
    makeNode("node-a", { zone: "z1" }),
    makeService("shop/web"),
    makeSlice("shop/web-1", "web", [
      { ip: "10.0.0.1", forZones: ["z1\u0000x"] },
      { ip: "10.0.0.2", forZones: ["z2"] },
    ]),
  );
  assert.is(described(engine, "shop/web")?.topology, "none");
});

test("64 levels are read and skipped, 65 are too many", () => {
  const nested = (levels: number, open: string, close: string) => open.repeat(levels) + close.repeat(levels);
  for (const [levels, code] of [
    [62, undefined],
    [63, "json-too-deep"],
  ] as const) {
    for (const value of [nested(levels, "[", "]"), `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`]) {
      const result = applyText(makeEngine(), service(`${onePort},"other":${value}`));
      assert.is(result.problems[0]?.code, code, `${levels} levels in spec`);
      assert.is(result.services, code === undefined ? 1 : 0);
    }
  }
  // A reader's own brackets count as well: ports[0] is 4 deep, its unknown field may have 60 more.
  const inPort = (levels: number) => service(`"ports":[{"port":80,"other":${nested(levels, "[", "]")}}]`);
  assert.is(applyText(makeEngine(), inPort(60)).services, 1);
  assert.is(applyText(makeEngine(), inPort(61)).problems[0]?.code, "json-too-deep");
  const list = (levels: number) =>
    `{"kind":"ServiceList","apiVersion":"v1","items":[${service(`${onePort},"o":${nested(levels, "[", "]")}`)}]}`;
  assert.is(applyText(makeEngine(), list(60)).services, 1);
  assert.is(applyText(makeEngine(), list(61)).problems[0]?.code, "json-too-deep");
  assert.is(applyText(makeEngine(), "[".repeat(1_000_000)).problems.length, 1);
  assert.is(applyText(makeEngine(), `{"a":${"[".repeat(1_000_000)}`).problems[0]?.code, "json-too-deep");
});

test("whole numbers may have a fraction of zeros or an exponent, as kubectl reads them", () => {
  for (const text of [
    "80",
    "80.0",
    "8e1",
    "8.0E+1",
    "0.8e2",
    "800e-1",
    `80.${"0".repeat(400)}`,
    `${"8".padEnd(22, "0")}e-20`,
  ]) {
    const engine = makeEngine();
    assert.equal(applyText(engine, service(`"ports":[{"port":${text}}]`)).problems, [], text);
    assert.is(described(engine, "shop/web")?.port.port, 80, text);
  }
  for (const text of ["0e99999999999", "0.0"]) {
    assert.is(applyText(makeEngine(), service(`"ports":[{"port":${text}}]`)).problems[0]?.code, "invalid-port", text);
  }
});

test("numbers: int32 and nothing else", () => {
  const port = (text: string) => applyText(makeEngine(), service(`"ports":[{"port":${text}}]`));
  const codeOf = (text: string) => port(text).problems[0]?.code;
  assert.is(codeOf("65535"), undefined);
  assert.is(codeOf("1"), undefined);
  assert.is(codeOf("65536"), "invalid-port");
  assert.is(codeOf("-0"), "invalid-port");
  assert.is(codeOf("2147483647"), "invalid-port");
  assert.is(codeOf("-2147483648"), "invalid-port");
  for (const text of [
    "2147483648",
    "-2147483649",
    "18446744073709551697",
    "4294967376",
    "80.5",
    "8e-1",
    "1e10",
    "80.00000000000000000001",
    "99999999999999999999e-1",
    "true",
    '"80"',
    "[]",
    "{}",
  ]) {
    assert.is(codeOf(text), "wrong-type", text);
  }
  for (const text of ["080", "+80", "0x50", "8e", "8e+", ".8", "80.", "-", "NaN", "--8", "1 2"]) {
    assert.is(codeOf(text), "json-syntax", text);
  }
});

test("RFC 8259 holds in what is skipped, too", () => {
  for (const value of [
    '"\\x"',
    '"\\u12"',
    '"a\tb"',
    "01",
    "1.",
    "tru",
    "nul",
    "{a:1}",
    "[1,]",
    '{"a":1,}',
    "[1 2]",
    "'a'",
    "{]",
    "[}",
    "",
    "//",
  ]) {
    const result = applyText(makeEngine(), service(`${onePort},"other":${value}`));
    assert.equal([result.problems.length, result.problems[0]?.code, result.services], [1, "json-syntax", 0], value);
  }
  for (const value of [
    '"\\u12aF\\"\\\\"',
    "-0.5e-10",
    "1E+9",
    "[ ]",
    "{ }",
    '[[],{},"",0,true,false,null]',
    '{"a" : [ 1 , 2 ] }',
  ]) {
    assert.is(applyText(makeEngine(), service(`${onePort},"other":${value}`)).services, 1, value);
  }
});

test("strings of every length around the width of the vector unit are read to their end", () => {
  const engine = makeEngine();
  for (let length = 1; length <= 63; length++) {
    for (const filler of [0, 1, 15]) {
      const name = "n".repeat(length);
      const pad = "p".repeat(filler);
      const text = service(`"${pad}":"${pad}\\"","ports":[{"name":"${name}","port":80}]`, `"name":"x${name}"`);
      assert.equal(applyText(engine, text).problems, [], text);
      assert.ok(described(engine, `default/x${name}:${name}`));
    }
  }
});

const invalid: [string, number[]][] = [
  ["a lone continuation", [0x80]],
  ["an overlong slash", [0xc0, 0xaf]],
  ["an overlong euro", [0xf0, 0x82, 0x82, 0xac]],
  ["a surrogate", [0xed, 0xa0, 0x80]],
  ["beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
  ["a cut sequence", [0xe2, 0x82]],
  ["0xff", [0xff]],
];

function withBytes(text: string, bytes: number[]): Uint8Array {
  const at = text.indexOf("§");
  return Uint8Array.from([...encode(text.slice(0, at)), ...bytes, ...encode(text.slice(at + 1))]);
}

for (const [what, bytes] of invalid) {
  test(`bad UTF-8 (${what}) refuses the object it is in, whether the string is read or skipped`, () => {
    for (const spec of [
      `${onePort},"sessionAffinity":"§"`,
      `${onePort},"other":"§"`,
      `${onePort},"§":1`,
      `${onePort},"o":"${"x".repeat(200)}§"`,
    ]) {
      const engine = makeEngine();
      put(engine, makeService("shop/web", { ports: [{ name: "old", port: 81 }] }));
      const list = `{"apiVersion":"v1","kind":"List","items":[${service(spec)},${service(onePort, '"name":"other"')}]}`;
      const result = engine.apply(withBytes(list, bytes));
      assert.equal(
        result.problems.map(({ code, name, offset }) => [code, name, offset]),
        [["invalid-utf8", "web", encode(list.slice(0, list.indexOf("§"))).length]],
      );
      assert.equal(serviceNames(engine), ["default/other", "shop/web"]);
      assert.ok(described(engine, "shop/web:old"), "the last good state stays");
    }
  });
}

test("bad UTF-8 outside of objects is a problem of the document, not of its objects", () => {
  const engine = makeEngine();
  const list = `{"apiVersion":"v1","kind":"List","metadata":{"x":"§"},"items":[${service(onePort)}]}`;
  const result = engine.apply(withBytes(list, [0xff]));
  assert.equal(
    result.problems.map(({ code, kind, name, field }) => [code, kind, name, field]),
    [["invalid-utf8", "List", "", "metadata.x"]],
  );
  assert.is(result.services, 1);
});

test("a name that is no UTF-8 is shown with ? in its place", () => {
  const result = makeEngine().apply(withBytes(service(onePort, '"name":"we§b"'), [0xff]));
  assert.equal(
    result.problems.map(({ code, name }) => [code, name]),
    [
      ["invalid-utf8", "we?b"],
      ["invalid-name", "we?b"],
    ],
  );
});

test("characters of two to four bytes are UTF-8, at every offset from the blocks in which it is checked", () => {
  for (let shift = 0; shift < 70; shift++) {
    const text = service(
      `${onePort},"other":"${"x".repeat(shift)}éࠀ€\u{d7ff}\u{e000}\u{10000}\u{10ffff}😀${"y".repeat(70)}"`,
    );
    assert.equal(applyText(makeEngine(), text).problems, []);
  }
});

test("managedFields: brackets, quotes and backslashes in strings mislead nobody, wherever blocks of 64 bytes end", () => {
  const nasty = [
    '{"f:a":{}}',
    '"]}"',
    '"[[{{"',
    '"\\\\"',
    '"\\""',
    '"\\\\\\""',
    '"\\\\\\\\]"',
    '"\\u005d"',
    "[[],[{}]]",
    "1",
    "{}",
  ];
  const before = makeEngine();
  put(before, makeService("shop/web"));
  for (let shift = 0; shift < 130; shift++) {
    const fields = `[{"manager":"${"m".repeat(shift)}"},${nasty.join(",")},"${"\\\\".repeat(shift % 70)}"]`;
    const text = service(onePort, `"managedFields":${fields},"namespace":"shop","name":"web"`);
    const engine = makeEngine();
    assert.equal(applyText(engine, text).problems, [], `shift ${shift}`);
    assert.is(renderAll(engine), renderAll(before));
  }
});

test("managedFields that are no array are skipped like anything else", () => {
  for (const value of ["{}", "7", '"x]"', '{"a":[1]}']) {
    const text = service(onePort, `"managedFields":${value},"namespace":"shop","name":"web"`);
    assert.is(applyText(makeEngine(), text).services, 1, value);
  }
});

test("garbage in managedFields that balances is passed over; only its UTF-8 is looked at", () => {
  const text = service(onePort, '"managedFields":[nonsense, {,,"a"::} 0777],"namespace":"shop","name":"web"');
  assert.is(applyText(makeEngine(), text).services, 1);
  const bad = service(onePort, '"managedFields":["§"],"namespace":"shop","name":"web"');
  assert.is(makeEngine().apply(withBytes(bad, [0xff])).problems[0]?.code, "invalid-utf8");
});

for (const [text, wanted] of [
  ["10.96.0.10", "10.96.0.10"],
  ["010.096.000.010", "10.96.0.10"],
  ["::ffff:10.96.0.10", "10.96.0.10"],
  ["::FFFF:0A60:000a", "10.96.0.10"],
  ["FD00:0:0:0:0:0:0:1", "fd00::1"],
  ["fd00::0:0:1:0:0:0", "fd00::1:0:0:0"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["fd00:1:2:3:4:5:6:0", "fd00:1:2:3:4:5:6:0"],
  ["::", "::"],
  ["fd00::192.0.2.1", "fd00::c000:201"],
] as const) {
  test(`the address ${text} is ${wanted}`, () => {
    const engine = makeEngine();
    assert.equal(applyText(engine, service(onePort).replace("10.96.0.1", text)).problems, []);
    const family = wanted.includes(":") ? "IPv6" : "IPv4";
    assert.is(described(engine, "shop/web", family)?.entryPoints[0]?.address, wanted);
  });
}

test("what is no address", () => {
  for (const text of [
    "10.96.0",
    "10.96.0.1.2",
    "10.96.0.256",
    "10.96..1",
    " 10.96.0.1",
    "10.96.0.1/32",
    "0x0a.1.1.1",
    "fd00::1%eth0",
    "1::2::3",
    ":1",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "[::1]",
    "localhost",
    "x",
  ]) {
    assert.is(
      applyText(makeEngine(), service(onePort).replace("10.96.0.1", text)).problems[0]?.code,
      "invalid-address",
      text,
    );
  }
});

test("ports of equal name and protocol: the last one takes the place of the first", () => {
  const engine = makeEngine();
  put(
    engine,
    makeService("shop/web", {
      ports: [
        { name: "a", port: 80 },
        { name: "a", port: 81, protocol: "UDP" },
        { name: "a", port: 82 },
      ],
    }),
    makeSlice("shop/web-1", "web", ["10.0.0.1"], { ports: [{ name: "a", port: 8080 }] }),
  );
  const text = renderAll(engine);
  assert.match(text, "10.96.0.1 . tcp . 82");
  assert.match(text, "10.96.0.1 . udp . 81");
  assert.not.match(text, "10.96.0.1 . tcp . 80 ");
  assert.equal(endpointsOf(engine, "shop/web:a"), ["10.0.0.1:8080"]);
});

test.run();
