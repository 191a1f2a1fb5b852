import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer, type ApiServerOptions } from "../../../../fixtures/api-server/api-server.ts";
import { makeService, makeSlice } from "../../../../fixtures/support/engine-tests.ts";
import type { KubernetesObject } from "../../../../fixtures/support/objects.ts";
import { ApiClient } from "../client/api-client.ts";
import { plainAccess } from "../testing/reflecting.ts";
import { readUrgentLists } from "./urgent-lists.ts";

const test = suite("urgent lists");

const dns = { "k8s-app": "kube-dns" };
const kubernetes = makeService("default/kubernetes", { ip: "10.96.0.1" });
const web = makeService("shop/web", { ip: "10.96.0.12" });
const others = [
  web,
  makeSlice("shop/web-1", "web", ["10.0.0.1"]),
  makeService("shop/kubernetes", { ip: "10.96.0.13" }),
];

async function asking(
  objects: KubernetesObject[],
  run: (names: () => Promise<string[]>, server: ApiServer) => Promise<void>,
  options: ApiServerOptions = {},
): Promise<void> {
  const server = await ApiServer.start(options);
  const client = new ApiClient(plainAccess(server.url), { userAgent: "sluice/test" });
  server.load(objects);
  const names = async () => {
    const lists = await readUrgentLists(client, AbortSignal.timeout(10_000));
    return lists.flatMap(({ kind, data }) => {
      const { items } = JSON.parse(Buffer.from(data).toString()) as { items: KubernetesObject[] };
      return items.map(({ metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
    });
  };
  try {
    await run(names, server);
  } finally {
    await client.close();
    await server.close();
  }
}

test("the API server's Service, and DNS under any name, with all their slices, and nothing else", () =>
  asking(
    [
      ...others,
      kubernetes,
      makeSlice("default/kubernetes", "kubernetes", ["192.0.2.1"]),
      makeService("kube-system/rke2-coredns", { ip: "10.96.0.10", labels: dns }),
      makeSlice("kube-system/rke2-coredns-1", "rke2-coredns", ["10.0.0.3"]),
      makeSlice("kube-system/rke2-coredns-2", "rke2-coredns", ["10.0.0.4"]),
      makeService("mesh/dns", {
        ip: "10.96.0.14",
        labels: { ...dns, "service.kubernetes.io/service-proxy-name": "mesh" },
      }),
    ],
    async (names) => {
      assert.equal(await names(), [
        "service default/kubernetes",
        "service kube-system/rke2-coredns",
        "endpoint-slice default/kubernetes",
        "endpoint-slice kube-system/rke2-coredns-1",
        "endpoint-slice kube-system/rke2-coredns-2",
      ]);
    },
  ));

test("without such Services there are no lists", () =>
  asking(others, async (names, server) => {
    assert.equal(await names(), []);
    assert.is(server.requests.filter(({ path }) => path.endsWith("endpointslices")).length, 0);
  }));

test("it is all or nothing", () =>
  asking([kubernetes, makeSlice("default/kubernetes", "kubernetes", ["192.0.2.1"])], async (names, server) => {
    for (const resource of ["services", "endpointslices"]) {
      server.misbehave({ fault: "status", code: 503 }, { resource });
      await names().then(
        () => assert.unreachable(`without ${resource}`),
        (error: Error) => assert.match(error.message, "503"),
      );
    }
    assert.is((await names()).length, 2);
  }));

test("where many Services have DNS' label they are no head start", () =>
  asking(
    Array.from({ length: 101 }, (_, n) =>
      makeService(`vcluster-${n}/kube-dns-${n}`, { ip: `10.96.1.${n}`, labels: dns }),
    ),
    async (names) => {
      await names().then(
        () => assert.unreachable(),
        (error: Error) => assert.match(error.message, "101 Services"),
      );
    },
  ));

test.run();
