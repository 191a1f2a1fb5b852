import { Readable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer, type Fault } from "../../../../fixtures/api-server/api-server.ts";
import { plainAccess } from "../testing/reflecting.ts";
import { ApiClient } from "./api-client.ts";
import { ApiError, ConnectionError } from "./api-error.ts";
import { ListFormatError, listAll } from "./paged-list.ts";

const test = suite<{ server: ApiServer; client: ApiClient }>("paged list");

const NAMES = ["a", "b", "c", "d", "e", "f", "g"];
const PATH = "/api/v1/services";

test.before.each(async (context) => {
  context.server = await ApiServer.start({ gzipFrom: 500 });
  context.server.apply(
    ...NAMES.map((name) => ({ apiVersion: "v1", kind: "Service", metadata: { name, namespace: "shop" }, spec: {} })),
  );
  context.client = new ApiClient(plainAccess(context.server.url), { userAgent: "sluice/test" });
});
test.after.each(async ({ client, server }) => {
  await client.close();
  await server.close();
});

interface Listed {
  /** Of what was taken last, in order. */
  names: string[];
  pauses: number[];
  restarts: number;
}

async function list(
  client: ApiClient,
  { pageSize = 3, pageTimeoutMs = 2000, onObject = (_name: string) => {} } = {},
): Promise<Listed> {
  const listed: Listed = { names: [], pauses: [], restarts: -1 };
  const take = {
    restart() {
      listed.names = [];
      listed.restarts++;
    },
    object({ metadata }: Readonly<Record<string, unknown>>) {
      const { name } = metadata as { name: string };
      listed.names.push(name);
      onObject(name);
    },
  };
  const signal = new AbortController().signal;
  await listAll(client, PATH, "Service", take, {
    signal,
    pageSize,
    pageTimeoutMs,
    sleep: async (ms) => void listed.pauses.push(ms),
  });
  return listed;
}

const refusal = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.unreachable("it did not fail");
};

const lists = (server: ApiServer) => server.requests.filter(({ path }) => path === PATH);

test("all pages, in order", async ({ client, server }) => {
  assert.equal(await list(client), { names: NAMES, pauses: [], restarts: 0 });
  assert.is(lists(server).length, 3);
});

test("a server without such objects", async ({ client }) => {
  const names: unknown[] = [];
  const take = { restart() {}, object: (object: unknown) => names.push(object) };
  const { signal } = new AbortController();
  await listAll(client, "/api/v1/pods", "Pod", take, { signal });
  assert.equal(names, []);
});

test("what passes is tried again, and what has come before stays", async ({ client, server }) => {
  const passing: Fault[] = [
    { fault: "status", code: 500 },
    { fault: "status", code: 503, body: "no upstream", contentType: "text/plain" },
    { fault: "reset", afterBytes: 0 },
    { fault: "reset", afterBytes: 60 },
    { fault: "truncate", afterBytes: 60 },
    { fault: "silence", afterBytes: 60 },
    { fault: "garbage", text: "<html>" },
  ];
  for (const fault of passing) {
    let armed = false;
    const onObject = () => {
      // The second page meets it.
      if (!armed) server.misbehave(fault, { resource: "services", verb: "list" });
      armed = true;
    };
    const listed = await list(client, { pageTimeoutMs: 300, onObject });
    assert.equal(listed, { names: NAMES, pauses: [500], restarts: 0 }, JSON.stringify(fault));
  }
});

test("a server that has too much to do says how long to wait", async ({ client, server }) => {
  server.misbehave({ fault: "status", code: 429, retryAfterSeconds: 7 }, { resource: "services" });
  assert.equal((await list(client)).pauses, [7000]);
});

test("what does not pass is an error, and no shorter list", async ({ client, server }) => {
  const lasting: [Fault, new (...args: never[]) => Error][] = [
    [{ fault: "status", code: 500 }, ApiError],
    [{ fault: "reset", afterBytes: 60 }, ConnectionError],
    [{ fault: "truncate", afterBytes: 60 }, ListFormatError],
    [{ fault: "silence", afterBytes: 60 }, ConnectionError],
    [{ fault: "garbage", text: "<html>" }, ListFormatError],
  ];
  for (const [fault, wanted] of lasting) {
    let seen = 0;
    const onObject = () => {
      if (++seen === 1) server.misbehave(fault, { resource: "services", verb: "list", times: 5 });
    };
    const error = await refusal(list(client, { pageTimeoutMs: 100, onObject }));
    assert.instance(error, wanted, `${JSON.stringify(fault)}: ${error}`);
    server.behave();
  }
});

test("a refusal is final: 403 at once, 401 after the credentials were asked for anew", async ({ client, server }) => {
  for (const [code, requests] of [
    [403, 1],
    [401, 2],
    [404, 1],
    [400, 1],
  ] as const) {
    const before = lists(server).length;
    server.misbehave({ fault: "status", code }, { resource: "services", times: 9 });
    const error = await refusal(list(client));
    assert.is((error as ApiError).status, code);
    assert.is(lists(server).length - before, requests, `${code}`);
    server.behave();
  }
});

test("a list that expires between its pages begins anew, as of a later moment", async ({ client, server }) => {
  let changed = false;
  const onObject = () => {
    if (changed) return;
    changed = true;
    server.apply({ apiVersion: "v1", kind: "Service", metadata: { name: "aa", namespace: "shop" }, spec: {} });
    server.loseHistory();
  };
  const listed = await list(client, { onObject });
  assert.equal(listed.names, ["a", "aa", "b", "c", "d", "e", "f", "g"], "and not the old beginning with the new rest");
  assert.is(listed.restarts, 1);
});

test("one that always expires is asked for whole", async ({ client, server }) => {
  const listed = await list(client, { onObject: () => server.loseHistory() });
  assert.equal(listed.names, NAMES);
  assert.is(listed.restarts, 2);
  assert.is(lists(server).at(-1)?.query.get("limit"), null);
});

/** A client whose answers are these texts. */
function answering(...bodies: string[]): Pick<ApiClient, "open" | "host"> {
  return {
    host: "api",
    open: async () => ({ status: 200, body: Readable.from([Buffer.from(bodies.shift() ?? "{}")]) }),
  };
}

test("what is no page of the list is refused", async () => {
  const item = '{"metadata":{"name":"a"}}';
  const wrong = {
    "another kind": `{"kind":"PodList","metadata":{},"items":[${item}]}`,
    "a Status": '{"kind":"Status","metadata":{},"code":500}',
    "an item without a name": '{"kind":"ServiceList","metadata":{},"items":[{"metadata":{}}]}',
    "an item that is a text": '{"kind":"ServiceList","metadata":{},"items":["a"]}',
    "items that are no list": '{"kind":"ServiceList","metadata":{},"items":{}}',
    "no metadata": `{"kind":"ServiceList","items":[${item}]}`,
    "a token that is none": `{"kind":"ServiceList","metadata":{"continue":7},"items":[${item}]}`,
    "more objects without a token": `{"kind":"ServiceList","metadata":{"remainingItemCount":2},"items":[${item}]}`,
    "a list": `[${item}]`,
  };
  const { signal } = new AbortController();
  for (const [what, text] of Object.entries(wrong)) {
    const client = answering(...Array.from({ length: 5 }, () => text));
    const listing = listAll(client, PATH, "Service", { restart() {}, object() {} }, { signal, sleep: async () => {} });
    assert.instance(await refusal(listing), ListFormatError, what);
  }
});

test("the caller can end it, also while it waits", async ({ client, server }) => {
  server.misbehave({ fault: "status", code: 500 }, { resource: "services", times: 99 });
  const controller = new AbortController();
  const sleep = async () => controller.abort(new Error("enough"));
  const listing = listAll(client, PATH, "Service", { restart() {}, object() {} }, { signal: controller.signal, sleep });
  assert.is(((await refusal(listing)) as Error).message, "enough");
});

test.run();
