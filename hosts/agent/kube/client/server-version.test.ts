// The API server's version: asked for until there is an answer, and what counts as none.
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ApiError, ConnectionError } from "./api-error.ts";
import { readServerVersion } from "./server-version.ts";

/** A server that gives these answers, one after the other; an error is thrown. */
function server(...answers: unknown[]) {
  const paths: string[] = [];
  const json = async <T>({ path }: { path: string }): Promise<T> => {
    paths.push(path);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer as T;
  };
  return { json, paths };
}
const never = new AbortController().signal;
const status = (code: number) => new ApiError(code, "", `${code}`);

for (const [answer, major, minor] of [
  [{ major: "1", minor: "38", gitVersion: "v1.38.0" }, 1, 38],
  [{ major: "1", minor: "38+", gitVersion: "v1.38.1-eks-1" }, 1, 38],
  [{ gitVersion: "v1.30.5" }, 1, 30],
] as const) {
  test(JSON.stringify(answer), async () => {
    const client = server(answer);
    assert.equal(await readServerVersion(client, never), { major, minor });
    assert.equal(client.paths, ["/version"]);
  });
}

test("whoever can't be reached is asked again, and so is one that fails", async () => {
  const away = new ConnectionError("10.0.0.1:6443", new Error("ECONNREFUSED"));
  const client = server(away, status(503), { major: "1", minor: "37" });
  assert.equal(await readServerVersion(client, never), { major: 1, minor: 37 });
  assert.is(client.paths.length, 3);
});

for (const code of [401, 408, 429, 500, 503]) {
  test(`${code}, ten times: it is asked until it tells`, async () => {
    const client = server(...Array.from({ length: 10 }, () => status(code)), { major: "1", minor: "38" });
    assert.equal(await readServerVersion(client, never, async () => {}), { major: 1, minor: 38 });
  });
}

test("a refusal that does not pass, five times: it does not tell", async () => {
  const client = server(...Array.from({ length: 9 }, () => status(400)));
  assert.is(await readServerVersion(client, never, async () => {}), undefined);
  assert.is(client.paths.length, 5);
});

for (const code of [403, 404]) {
  test(`${code}: it does not tell`, async () => {
    assert.is(await readServerVersion(server(status(code)), never), undefined);
  });
}

test("an answer that is no version: it does not tell", async () => {
  assert.is(await readServerVersion(server({ major: "x" }), never), undefined);
});

test("it ends with its signal", async () => {
  const ending = new AbortController();
  const client = server(...Array.from({ length: 9 }, () => new ConnectionError("h", new Error("away"))));
  const read = readServerVersion(client, ending.signal);
  ending.abort(new Error("over"));
  await read.then(
    () => assert.unreachable(),
    (error: Error) => assert.match(String(error.cause ?? error), "over"),
  );
});

test.run();
