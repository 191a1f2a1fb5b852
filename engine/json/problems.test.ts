// Every problem that the reader knows: which object, which field, which byte, in which words.
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { applyText, encode, makeEngine, type Problem } from "../../fixtures/support/engine-tests.ts";

const test = suite("json: problems");

interface Case {
  code: string;
  /** `^` stands in front of the byte that the problem is about. */
  text: string;
  object?: string;
  field?: string;
  message: string;
  severity?: Problem["severity"];
}

const service = (spec: string) =>
  `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","name":"web"},"spec":{"clusterIP":"10.96.0.1",${spec}}}`;
const ports = (port: string) => service(`"ports":[{"port":80},${port}]`);
const slice = (members: string) =>
  `{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"namespace":"shop","name":"web-1","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4",${members}}`;
const node = (members: string) => `{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-a"},${members}}`;
const long = (length: number) => "x".repeat(length);
/** More items than 16 bits can number. */
const many = (item: string, count: number) => `[${new Array(count).fill(item).join(",")}]`;

const web = "Service shop/web";
const web1 = "EndpointSlice shop/web-1";
const nodeA = "Node /node-a";
const noPort = "is no port number";

const cases: Case[] = [
  // What is no JSON
  { code: "not-an-object", text: "^[1,2]", message: 'expected an object, found "[1,2]"' },
  { code: "not-an-object", text: '^"kind"', message: 'expected an object, found ""kind""' },
  { code: "not-an-object", text: "^0123456789abcdef0123", message: 'expected an object, found "0123456789abcdef"' },
  {
    code: "json-syntax",
    text: '{"kind":"Service",^}',
    object: "Service /",
    message: 'expected a key in double quotes, found "}"',
  },
  {
    code: "json-syntax",
    text: service('"ports":[{"port":80 ^"nodePort":1}]'),
    object: web,
    field: "spec.ports[0].port",
    message: 'expected a comma or }, found ""nodePort":1}]}}"',
  },
  {
    code: "json-syntax",
    text: service('"type":"Node\\^xPort"'),
    object: web,
    field: "spec.type",
    message: 'expected a letter of an escape, found "xPort"}}"',
  },
  {
    code: "json-syntax",
    text: service('"type":"\\u00^g0"'),
    object: web,
    field: "spec.type",
    message: 'expected a hexadecimal digit, found "g0"}}"',
  },
  {
    code: "json-syntax",
    text: service('"type":"a^\nb"'),
    object: web,
    field: "spec.type",
    message: 'expected no control character in a string, found "?b"}}"',
  },
  {
    code: "json-syntax",
    text: service('"ports":[{"port":0^80}]'),
    object: web,
    field: "spec.ports[0].port",
    message: 'expected no digit after a leading 0, found "80}]}}"',
  },
  {
    code: "json-syntax",
    text: service('"other":tru^'),
    object: web,
    field: "spec.other",
    message: 'expected true, found "}}"',
  },
  {
    code: "json-syntax",
    text: service('"other":1.^}'),
    object: web,
    field: "spec.other",
    message: 'expected a digit, found "}}}"',
  },
  {
    code: "json-syntax",
    text: '{"kind" ^"Service"}',
    field: "kind",
    message: 'expected a colon, found ""Service"}"',
  },
  {
    code: "json-truncated",
    text: '{"apiVersion":"v1","kind":"Service","metadata":{"name":"web^',
    object: "Service /",
    field: "metadata.name",
    message: "expected the closing quote of a string, found the end of the data",
  },
  {
    code: "json-truncated",
    text: '{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","managedFields":[{"a":"]"}^',
    object: "Service /web",
    field: "metadata.managedFields[0]",
    message: "expected the end of managedFields, found the end of the data",
  },
  {
    code: "json-too-deep",
    text: service(`"other":${"[".repeat(62)}^[]${"]".repeat(62)}`),
    object: web,
    field: `spec.other${"[0]".repeat(62)}`,
    message: "objects and arrays are nested more than 64 deep",
  },
  {
    code: "invalid-utf8",
    text: service('"type":"ClusterIP","other":"caf^\xff"'),
    object: web,
    field: "spec.other",
    message: "the text is not UTF-8",
  },
  {
    code: "invalid-utf8",
    text: service('"sessionAffinity":"^\xc0\xaf"'),
    object: web,
    field: "spec.sessionAffinity",
    message: "the text is not UTF-8",
  },

  // What the document is
  {
    code: "missing-kind",
    text: '^{"apiVersion":"v1","metadata":{"name":"web"}}',
    object: " /web",
    message: "the object has no kind",
  },
  {
    code: "missing-api-version",
    text: '^{"kind":"Service","metadata":{"name":"web"}}',
    object: "Service /web",
    message: "the object has no apiVersion",
  },
  {
    code: "unknown-watch-type",
    text: '{"type":^"CREATED","object":{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"}}}',
    field: "type",
    message: '"CREATED" is no type of watch event; the line is skipped',
  },
  {
    code: "wrong-type",
    text: '{"type":"ADDED","object":^7}',
    field: "object",
    message: 'expected an object, found "7"',
  },
  {
    code: "duplicate-items",
    text: '{"apiVersion":"v1","kind":"ServiceList","items":[],"items":^[]}',
    object: "ServiceList /",
    field: "items",
    message: "the list has items twice; only the first ones are read",
  },
  {
    code: "wrong-type",
    text: '{"apiVersion":"v1","kind":"ServiceList","items":[{"metadata":{"name":"x"}},^7]}',
    object: "ServiceList /",
    field: "items[1]",
    message: 'expected an object, found "7"',
  },
  {
    code: "wrong-type",
    text: '{"apiVersion":"v1","kind":"ServiceList","items":^{}}',
    object: "ServiceList /",
    field: "items",
    message: "expected an array, found an object",
  },
  {
    code: "list-in-list",
    text: '{"apiVersion":"v1","kind":"List","items":[^{"apiVersion":"v1","kind":"List","metadata":{},"items":[]}]}',
    object: "List /",
    message: "a list stands where an object should be",
  },

  // Names
  {
    code: "missing-name",
    text: '^{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop"}}',
    object: "Service shop/",
    message: "the object has no metadata.name",
  },
  {
    code: "missing-name",
    text: '{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","name":^""}}',
    object: "Service shop/",
    field: "metadata.name",
    message: "the object has no metadata.name",
  },
  {
    code: "invalid-name",
    text: '{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","name":^"; flush ruleset; "}}',
    object: "Service shop/; flush ruleset; ",
    field: "metadata.name",
    message: '"; flush ruleset; " has characters that a name cannot have',
  },
  {
    code: "invalid-name",
    text: `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","name":^"${long(254)}"}}`,
    object: `Service shop/${long(253)}`,
    field: "metadata.name",
    message: `"${long(64)}..." is longer than 253 bytes`,
  },
  {
    code: "invalid-name",
    text: `{"apiVersion":"v1","kind":"Service","metadata":{"namespace":^"${long(64)}","name":"web"}}`,
    object: `Service ${long(64)}/web`,
    field: "metadata.namespace",
    message: `"${long(64)}" is longer than 63 bytes`,
  },
  {
    code: "invalid-name",
    text: ports('{"port":81,"name":^"a b"}'),
    object: web,
    field: "spec.ports[1].name",
    message: '"a b" has characters that a name cannot have',
  },
  {
    code: "invalid-name",
    text: slice('"ports":[{"port":81,"name":^"a\\nb"}]'),
    object: web1,
    field: "ports[0].name",
    message: '"a?b" has characters that a name cannot have',
  },
  {
    code: "invalid-name",
    text: '{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"s","labels":{"kubernetes.io/service-name":^"a/b"}},"addressType":"IPv4"}',
    object: "EndpointSlice default/s",
    field: "metadata.labels[kubernetes.io/service-name]",
    message: '"a/b" has characters that a name cannot have',
  },

  // Services
  {
    code: "wrong-type",
    text: '{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":^[]}',
    object: "Service default/web",
    field: "spec",
    message: "expected an object, found an array",
  },
  {
    code: "wrong-type",
    text: service('"ports":^{}'),
    object: web,
    field: "spec.ports",
    message: "expected an array, found an object",
  },
  {
    code: "wrong-type",
    text: service('"type":^1.50'),
    object: web,
    field: "spec.type",
    message: 'expected a string, found "1.50"',
  },
  {
    code: "wrong-type",
    text: ports('{"port":^"81"}'),
    object: web,
    field: "spec.ports[1].port",
    message: 'expected a whole number, found the string "81"',
  },
  {
    code: "wrong-type",
    text: ports('{"port":^81.5}'),
    object: web,
    field: "spec.ports[1].port",
    message: 'expected a whole number of 32 bits, found "81.5"',
  },
  {
    code: "wrong-type",
    text: ports('{"port":81,"nodePort":^2147483648}'),
    object: web,
    field: "spec.ports[1].nodePort",
    message: 'expected a whole number of 32 bits, found "2147483648"',
  },
  {
    code: "invalid-port",
    text: ports('^{"name":"a"}'),
    object: web,
    field: "spec.ports[1]",
    message: "there is no port number",
  },
  {
    code: "invalid-port",
    text: ports("^null"),
    object: web,
    field: "spec.ports[1]",
    message: "there is no port number",
  },
  {
    code: "invalid-port",
    text: ports('{"port":^70000}'),
    object: web,
    field: "spec.ports[1].port",
    message: `70000 ${noPort}`,
  },
  {
    code: "invalid-port",
    text: ports('{"port":^0}'),
    object: web,
    field: "spec.ports[1].port",
    message: `0 ${noPort}`,
  },
  {
    code: "invalid-port",
    text: ports('{"port":^-2147483648}'),
    object: web,
    field: "spec.ports[1].port",
    message: `-2147483648 ${noPort}`,
  },
  {
    code: "invalid-port",
    text: ports('{"nodePort":^65536,"port":81}'),
    object: web,
    field: "spec.ports[1].nodePort",
    message: `65536 ${noPort}`,
  },
  {
    code: "invalid-port",
    text: service('"healthCheckNodePort":^-1'),
    object: web,
    field: "spec.healthCheckNodePort",
    message: `-1 ${noPort}`,
  },
  {
    code: "invalid-protocol",
    text: ports('{"port":81,"protocol":^"tcp"}'),
    object: web,
    field: "spec.ports[1].protocol",
    message: '"tcp" is no protocol',
  },
  {
    code: "invalid-type",
    text: service('"type":^"Headless"'),
    object: web,
    field: "spec.type",
    message: '"Headless" is no type of Service',
  },
  {
    code: "invalid-address",
    text: '{"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","name":"web"},"spec":{"clusterIP":^"10.96.0.300"}}',
    object: web,
    field: "spec.clusterIP",
    message: '"10.96.0.300" is no IP address',
  },
  {
    code: "invalid-address",
    text: service('"clusterIPs":["10.96.0.1",^"10.96.0.2"],"ipFamilies":["IPv4","IPv6"]'),
    object: web,
    field: "spec.clusterIPs[1]",
    message: '"10.96.0.2" is of another family than spec.ipFamilies says',
  },
  {
    code: "invalid-timeout",
    severity: "warning",
    text: service('"sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":^0}}'),
    object: web,
    field: "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
    message: "the timeout is less than a second; 10800 is used",
  },
  {
    code: "invalid-external-ip",
    severity: "warning",
    text: service('"externalIPs":["192.0.2.1",^"not\\u0020an ip"]'),
    object: web,
    field: "spec.externalIPs[1]",
    message: '"not an ip" is no IP address; it is left out',
  },
  {
    code: "invalid-source-range",
    severity: "warning",
    text: service('"loadBalancerSourceRanges":[" 10.0.0.0/8 ",^" 10.0.0.1 "]'),
    object: web,
    field: "spec.loadBalancerSourceRanges[1]",
    message: '"10.0.0.1" is no CIDR; it is left out',
  },
  {
    code: "invalid-ingress-ip",
    severity: "warning",
    text: `${service('"type":"LoadBalancer"').slice(0, -1)},"status":{"loadBalancer":{"ingress":[{"hostname":"a"},{"ip":^"1.2.3"}]}}}`,
    object: web,
    field: "status.loadBalancer.ingress[1].ip",
    message: '"1.2.3" is no IP address; it is left out',
  },
  {
    code: "too-many",
    text: `^${service(
      `"ports":[${Array.from({ length: 1449 }, (_, i) => `{"port":80,"name":"p${i}"}`).join(",")}],` +
        `"externalIPs":${many('"1.2.3.4"', 1447)}`,
    )}`,
    object: web,
    message:
      "ports times addresses and source ranges are more than 2097152; the Service is left out and its old rules are removed",
  },

  // EndpointSlices
  {
    code: "invalid-port",
    text: slice('"ports":[{"name":"a","port":^65536}]'),
    object: web1,
    field: "ports[0].port",
    message: `65536 ${noPort}`,
  },
  {
    code: "invalid-protocol",
    text: slice('"ports":[{"name":"a","port":80,"protocol":^"ICMP"}]'),
    object: web1,
    field: "ports[0].protocol",
    message: '"ICMP" is no protocol',
  },
  {
    code: "wrong-type",
    text: slice('"endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":^"true"}}]'),
    object: web1,
    field: "endpoints[0].conditions.ready",
    message: 'expected true or false, found the string "true"',
  },
  {
    code: "wrong-type",
    text: slice('"endpoints":[{"addresses":^"10.0.0.1"}]'),
    object: web1,
    field: "endpoints[0].addresses",
    message: 'expected an array, found the string "10.0.0.1"',
  },
  {
    code: "wrong-type",
    text: slice('"endpoints":[{"addresses":["10.0.0.1"],"hints":{"forZones":[^"z1"]}}]'),
    object: web1,
    field: "endpoints[0].hints.forZones[0]",
    message: 'expected an object, found the string "z1"',
  },
  {
    code: "invalid-address",
    severity: "warning",
    text: slice('"endpoints":[{"addresses":["10.0.0.1"]},{"addresses":[^"fd00::1"]}]'),
    object: web1,
    field: "endpoints[1].addresses[0]",
    message: '"fd00::1" is no IPv4 address; the endpoint is left out',
  },
  {
    code: "invalid-address",
    severity: "warning",
    text: slice('"endpoints":[{"addresses":[^"10.0.0.1"]}]').replace("IPv4", "IPv6"),
    object: web1,
    field: "endpoints[0].addresses[0]",
    message: '"10.0.0.1" is no IPv6 address; the endpoint is left out',
  },

  // Nodes and ServiceCIDRs
  {
    code: "invalid-address",
    severity: "warning",
    text: node(
      '"status":{"addresses":[{"type":"Hostname","address":"node-a"},{"type":"InternalIP","address":^"node-a"}]}',
    ),
    object: nodeA,
    field: "status.addresses[1].address",
    message: '"node-a" is no IP address; it is left out',
  },
  {
    code: "invalid-cidr",
    severity: "warning",
    text: node('"spec":{"podCIDRs":["10.244.1.0/24",^"10.244.1.0/33"]}'),
    object: nodeA,
    field: "spec.podCIDRs[1]",
    message: '"10.244.1.0/33" is no CIDR; it is left out',
  },
  {
    code: "invalid-cidr",
    severity: "warning",
    text: '{"apiVersion":"networking.k8s.io/v1","kind":"ServiceCIDR","metadata":{"name":"kubernetes"},"spec":{"cidrs":[^"10.96.0.0"]}}',
    object: "ServiceCIDR /kubernetes",
    field: "spec.cidrs[0]",
    message: '"10.96.0.0" is no CIDR; it is left out',
  },
];

/** UTF-8, but for characters \x80 to \xff, which become single bytes. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

for (const wanted of cases) {
  const { code, text, severity = "error", object = " /", field = "", message } = wanted;
  const title = text.length > 150 ? `${text.slice(0, 150)}…` : text;
  test(`${code}: ${title}`, () => {
    const offset = text.indexOf("^");
    const data = bytesOf(text.slice(0, offset) + text.slice(offset + 1));
    const result = makeEngine().apply(data);
    const [problem] = result.problems;
    assert.is(result.problems.length, 1, JSON.stringify(result.problems));
    assert.ok(problem);
    const { kind, namespace, name, hint, ...rest } = problem;
    assert.equal(
      { ...rest, object: `${kind} ${namespace}/${name}` },
      { severity, code, object, field, offset, message },
    );
    assert.ok(hint.length > 0, "a hint says what to do");
    assert.is(/[\r\n]/.test(hint + problem.message), false);
    const accepted = result.services + result.endpointSlices + result.nodes + result.serviceCidrs;
    const tolerated = severity === "warning" || code === "duplicate-items" || field === "items[1]";
    assert.is(accepted > 0 || code === "duplicate-items", tolerated, "only errors refuse an object");
  });
}

test("each code of the sources has a case here", () => {
  const directory = new URL(".", import.meta.url);
  const codes = new Set<string>();
  for (const file of readdirSync(directory)) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    for (const [, code = ""] of readFileSync(new URL(file, directory), "utf8").matchAll(
      /(?<!stringIs\()"([a-z0-9]+(?:-[a-z0-9]+)+)"/g, // names of labels are no codes
    )) {
      codes.add(code);
    }
  }
  assert.equal([...codes].sort(), [...new Set(cases.map(({ code }) => code))].sort());
});

test("offsets count bytes of the whole data, over documents, a byte order mark and characters of several bytes", () => {
  const text = `\ufeff{"apiVersion":"v1","kind":"Pod","metadata":{"name":"naïve-日本-😀"}}\n${service('"type":"X"')}`;
  const [problem] = applyText(makeEngine(), text).problems;
  assert.is(problem?.offset, encode(text.slice(0, text.indexOf('"X"'))).length);
  assert.is(problem?.field, "spec.type");
});

test("a problem of an item in a list: the item's name, the path from the item, the offset in the data", () => {
  const item = '{"metadata":{"name":"web","namespace":"shop"},"spec":{"ports":[{"port":0}]}}';
  const text = `{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[${item.replace(":0", ":80")},${item}]}`;
  const { problems } = applyText(makeEngine(), text);
  assert.equal(
    problems.map(({ kind, namespace, name, field, offset }) => [kind, namespace, name, field, offset]),
    [["Service", "shop", "web", "spec.ports[0].port", text.lastIndexOf(":0") + 1]],
  );
});

test("several problems of one object come in the order in which they were found, each with its path", () => {
  const text = service(
    '"type":"X","ports":[{"port":0},{"port":"a"},{"port":80,"protocol":"Q"}],"externalIPs":["a","","b"]',
  );
  const { problems } = applyText(makeEngine(), text);
  assert.equal(
    problems.map(({ severity, code, field }) => `${severity} ${code} ${field}`),
    [
      "error invalid-type spec.type",
      "error invalid-port spec.ports[0].port",
      "error wrong-type spec.ports[1].port",
      "error invalid-protocol spec.ports[2].protocol",
      "warning invalid-external-ip spec.externalIPs[0]",
      "warning invalid-external-ip spec.externalIPs[2]",
    ],
  );
});

test("the first 1,000 problems are told, the others counted", () => {
  const text = service(`"externalIPs":[${Array.from({ length: 1234 }, (_, i) => `"x${i}"`).join(",")}]`);
  const engine = makeEngine();
  const result = applyText(engine, text);
  assert.is(result.problems.length, 1000);
  assert.is(result.moreProblems, 234);
  assert.is(result.services, 1);
  assert.is(result.problems[999]?.field, "spec.externalIPs[999]");
  assert.is(applyText(engine, text.replace(/"externalIPs".*]/, '"type":"ClusterIP"')).moreProblems, 0);
});

test("more than 1,000 errors refuse their object like one", () => {
  const engine = makeEngine();
  const text = service(`"ports":[${new Array(1100).fill('{"port":0}').join(",")}]`);
  const result = applyText(engine, `${text}${text}`);
  assert.is(result.services, 0);
  assert.is(result.problems.length + result.moreProblems, 2200);
});

test("messages quote input on one line, in UTF-8, cut between characters", () => {
  const value = `${"x".repeat(63)}é\\u0000\\n${"y".repeat(100)}`;
  const [problem] = applyText(makeEngine(), service(`"externalIPs":["${value}"]`)).problems;
  assert.is(problem?.message, `"${"x".repeat(63)}..." is no IP address; it is left out`);
  const [short] = applyText(makeEngine(), service('"externalIPs":["\\u0001\\u007f\\ud800"]')).problems;
  assert.is(short?.message, '"??\ufffd" is no IP address; it is left out');
});

test.run();
