// Kubeconfigs and service accounts of every kind, against a server that checks who asks.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ApiServer, type ApiServerOptions } from "../../../../fixtures/api-server/api-server.ts";
import { Authority, lackingForCertificates } from "../../../../fixtures/api-server/certificates.ts";
import { testNeeding } from "../../../../fixtures/support/needing.ts";
import { ManualClock } from "../../time/testing/manual-clock.ts";
import { ApiClient } from "../client/api-client.ts";
import { ApiError, ConnectionError } from "../client/api-error.ts";
import type { ClusterAccess } from "./cluster-access.ts";
import { ClusterAccessError } from "./cluster-access-error.ts";
import { findCluster } from "./find-cluster.ts";
import { inCluster } from "./in-cluster.ts";

const test = suite("cluster and credentials");
const needsCertificates = (name: string, run: () => Promise<void>) =>
  testNeeding(test, name, lackingForCertificates(), run);

let directory = "";
test.before.each(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-kubeconfig-"));
});
test.after.each(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

/** A kubeconfig of one context; JSON is YAML, too. */
function kubeconfig(cluster: object, user: object, more: object = {}): string {
  return file(
    "kubeconfig",
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "here",
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user }],
      contexts: [{ name: "here", context: { cluster: "c", user: "u" } }],
      ...more,
    }),
  );
}

async function serving(options: ApiServerOptions, run: (server: ApiServer) => Promise<void>): Promise<void> {
  const server = await ApiServer.start(options);
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

/** HTTP status of a list of Services. */
async function ask(client: ApiClient): Promise<number> {
  try {
    const { status, body } = await client.open({ path: "/api/v1/services" });
    await body.resume().toArray();
    return status;
  } catch (error) {
    if (error instanceof ApiError) return error.status;
    throw error;
  }
}

async function asking(access: ClusterAccess, run: (client: ApiClient) => Promise<void>): Promise<void> {
  const client = new ApiClient(access, { userAgent: "sluice/test" });
  try {
    await run(client);
  } finally {
    await client.close();
  }
}

async function refusal(promise: Promise<unknown>): Promise<ClusterAccessError> {
  try {
    await promise;
  } catch (error) {
    assert.instance(error, ClusterAccessError);
    return error as ClusterAccessError;
  }
  throw new Error("it was not refused");
}

const lastHeaders = (server: ApiServer) => server.requests.at(-1)?.headers ?? {};

test("a token, a user with password, impersonation, and a path in front of all others", () =>
  serving({}, async (server) => {
    const headersFor = async (user: object) => {
      const access = await findCluster({ kubeconfig: kubeconfig({ server: server.url }, user) }, {});
      await asking(access, async (client) => assert.is(await ask(client), 200));
      return lastHeaders(server);
    };
    assert.is((await headersFor({ token: " secret\n" })).authorization, "Bearer secret");
    assert.is((await headersFor({ username: "a", password: "b" })).authorization, `Basic ${base64("a:b")}`);
    assert.is((await headersFor({ token: "x", as: "somebody" }))["impersonate-user"], "somebody");
    assert.is((await headersFor({})).authorization, undefined);

    const prefixed = await findCluster(
      { kubeconfig: kubeconfig({ server: `${server.url}/k8s/clusters/c-1/` }, {}) },
      {},
    );
    await asking(prefixed, async (client) => assert.is(await ask(client), 404));
    assert.is(server.requests.at(-1)?.path, "/k8s/clusters/c-1/api/v1/services");
  }));

test("a token file counts before a token, is read again after a while, trimmed, and at once after a 401", () =>
  serving({ tokens: ["one"] }, async (server) => {
    const clock = new ManualClock();
    file("token", "one\n");
    const access = await findCluster(
      { kubeconfig: kubeconfig({ server: server.url }, { token: "old", tokenFile: "token" }) },
      {},
      clock,
    );
    await asking(access, async (client) => {
      assert.is(await ask(client), 200);
      file("token", "two\n");
      clock.pass(49_000);
      assert.is(await ask(client), 200);
      assert.is(lastHeaders(server).authorization, "Bearer one");
      clock.pass(2_000);
      server.setTokens(["two"]);
      assert.is(await ask(client), 200);

      // Rotated before its time: the refusal makes us look.
      file("token", "three");
      server.setTokens(["three"]);
      assert.is(await ask(client), 401);
      assert.is(await ask(client), 200);

      // Unreadable or empty: the last one counts on.
      file("token", "");
      clock.pass(60_000);
      assert.is(await ask(client), 200);
      rmSync(join(directory, "token"));
      clock.pass(60_000);
      assert.is(await ask(client), 200);
      // JSON requests try once more by themselves.
      file("token", "four");
      server.setTokens(["four"]);
      await client.json({ path: "/version" });
    });
  }));

test("a token file that is not there is said with its field, and counts as soon as it is", () =>
  serving({ tokens: ["late"] }, async (server) => {
    const path = kubeconfig({ server: server.url }, { tokenFile: "./token" });
    const access = await findCluster({ kubeconfig: path }, {});
    await asking(access, async (client) => {
      const error = await refusal(client.open({ path: "/api/v1/services" }));
      assert.is(error.file, join(directory, "token"));
      assert.match(error.field, /kubeconfig: users\[0\]\.user\.tokenFile$/);
      file("token", "late");
      assert.is(await ask(client), 200);
    });
  }));

test("--master takes the place of the kubeconfig's server, and does without one", () =>
  serving({ tokens: ["t"] }, async (server) => {
    const path = kubeconfig({ server: "https://nowhere.invalid" }, { token: "t" });
    const access = await findCluster({ kubeconfig: path, master: server.url }, {});
    assert.is(access.server.origin, server.url);
    await asking(access, async (client) => assert.is(await ask(client), 200));
    const bare = await findCluster({ master: server.url.replace("http://", "") }, {});
    assert.is(bare.server.origin, server.url);
    await asking(bare, async (client) => assert.is(await ask(client), 401));
  }));

test("of several contexts the current one counts", async () => {
  const path = file(
    "many",
    `
apiVersion: v1
kind: Config
current-context: second
clusters:
- {name: c1, cluster: {server: "https://one"}}
- {name: c2, cluster: {server: "https://two:8443"}}
users:
- {name: u1, user: {token: one}}
- {name: u2, user: {token: two}}
contexts:
- {name: first, context: {cluster: c1, user: u1}}
- {name: second, context: {cluster: c2, user: u2}}
`,
  );
  const access = await findCluster({ kubeconfig: path }, {});
  assert.is(access.server.href, "https://two:8443/");
  assert.is((await access.credentials.current()).headers.authorization, "Bearer two");
  assert.is(access.source, `${path}, context second`);
});

test("errors name file, field and what to do", async () => {
  const cases: [string, RegExp, RegExp][] = [
    [join(directory, "absent"), /^$/, /ENOENT/],
    [file("broken", "a: ["), /^$/, /no YAML/],
    [file("list", "[]"), /^$/, /no kubeconfig/],
    [kubeconfigAt("1", { "current-context": "" }), /^current-context$/, /one of: here/],
    [kubeconfigAt("2", { "current-context": "gone" }), /^current-context$/, /"gone".*there is: here/],
    [kubeconfigAt("3", { clusters: [] }), /^contexts\[0\]\.context\.cluster$/, /"c", which is not in clusters/],
    [
      kubeconfigAt("4", { clusters: [{ name: "c", cluster: { server: 6443 } }] }),
      /^clusters\[0\]\.cluster\.server$/,
      /no text/,
    ],
    [kubeconfigAt("5", { clusters: [{ name: "c", cluster: {} }] }), /^clusters$/, /no server/],
    [kubeconfigAt("6", { clusters: [{ name: "c", cluster: { server: "https://a b" } }] }), /server$/, /no address/],
    [
      kubeconfigAt("7", { users: [{ name: "u", user: { "client-certificate-data": base64("x") } }] }),
      /^users\[0\]\.user\.client-certificate-data$/,
      /no PEM/,
    ],
    [kubeconfigAt("8", { users: [{ name: "u", user: { "client-key": "k" } }] }), /client-certificate$/, /is missing/],
    [
      kubeconfigAt("9", { users: [{ name: "u", user: { exec: { command: "x", apiVersion: "v1alpha1" } } }] }),
      /exec\.apiVersion$/,
      /neither v1 nor v1beta1/,
    ],
    [kubeconfigAt("10", { users: [{ name: "u", user: { "as-groups": ["g"] } }] }), /as-groups$/, /not supported/],
    [
      kubeconfigAt("11", { clusters: [{ name: "c", cluster: { server: "https://x", "proxy-url": "ftp://p" } }] }),
      /proxy-url$/,
      /no URL of a proxy/,
    ],
  ];
  for (const [path, field, message] of cases) {
    const error = await refusal(findCluster({ kubeconfig: path }, {}));
    assert.is(error.file, path);
    assert.match(error.field, field, error.message);
    assert.match(error.message, message);
    assert.not.match(error.hint, /^$/);
  }
  const none = await refusal(findCluster({}, {}));
  assert.is(none.field, "KUBERNETES_SERVICE_HOST");
  assert.match(none.hint, /--kubeconfig/);
});

function kubeconfigAt(name: string, more: object): string {
  return file(
    name,
    JSON.stringify({
      "current-context": "here",
      clusters: [{ name: "c", cluster: { server: "https://x" } }],
      users: [{ name: "u", user: {} }],
      contexts: [{ name: "here", context: { cluster: "c", user: "u" } }],
      ...more,
    }),
  );
}

needsCertificates(
  "client certificates from files and from data, the server's name, and no trust by chance",
  async () => {
    const authority = new Authority("test");
    const stranger = new Authority("stranger");
    const serverCertificate = authority.issue("server", ["DNS:kubernetes.default"]);
    const client = authority.issue("node");
    file("client.pem", client.cert);
    file("client-key.pem", client.key);
    file("ca.pem", authority.cert);
    await serving({ tls: { ...serverCertificate, clientCa: authority.cert }, tokens: [] }, async (server) => {
      const status = async (cluster: object, user: object) => {
        const access = await findCluster({ kubeconfig: kubeconfig({ server: server.url, ...cluster }, user) }, {});
        let result: number | string = 0;
        await asking(access, async (asked) => {
          result = await ask(asked).catch((error: unknown) =>
            error instanceof ConnectionError ? error.code : String(error),
          );
        });
        return result;
      };
      const files = { "client-certificate": "client.pem", "client-key": "client-key.pem" };
      const data = { "client-certificate-data": base64(client.cert), "client-key-data": base64(client.key) };
      const named = { "tls-server-name": "kubernetes.default" };
      assert.is(await status({ "certificate-authority": "ca.pem", ...named }, files), 200);
      assert.is(await status({ "certificate-authority-data": base64(authority.cert), ...named }, data), 200);
      assert.is(await status({ "certificate-authority": "ca.pem", ...named }, {}), 401);
      // The certificate is not for 127.0.0.1, and not of that authority.
      assert.is(await status({ "certificate-authority": "ca.pem" }, files), "ERR_TLS_CERT_ALTNAME_INVALID");
      const strange = { "certificate-authority-data": base64(stranger.cert), ...named };
      assert.match(String(await status(strange, files)), /CERT|VERIFY/);
      const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
      try {
        assert.match(String(await status(strange, files)), /CERT|VERIFY/);
      } finally {
        if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
        else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
      }
      assert.is(await status({ "insecure-skip-tls-verify": true }, files), 200);
    });
  },
);

needsCertificates("authority and client certificate are replaced while we run", async () => {
  const old = new Authority("old");
  const renewed = new Authority("renewed");
  const clock = new ManualClock();
  const put = (authority: Authority) => {
    const { cert, key } = authority.issue("node");
    file("client.pem", cert);
    file("client-key.pem", key);
    file("ca.pem", authority.cert);
  };
  const tlsOf = (authority: Authority) => ({
    ...authority.issue("server", ["IP:127.0.0.1"]),
    clientCa: authority.cert,
  });
  put(old);
  await serving({ tls: tlsOf(old), tokens: [] }, async (server) => {
    const path = kubeconfig(
      { server: server.url, "certificate-authority": "ca.pem" },
      { "client-certificate": "client.pem", "client-key": "client-key.pem" },
    );
    const access = await findCluster({ kubeconfig: path }, {}, clock);
    await asking(access, async (client) => {
      assert.is(await ask(client), 200);
      // A key without its certificate, as in the middle of a rotation: the old pair counts on.
      file("client-key.pem", renewed.issue("node").key);
      clock.pass(61_000);
      assert.is(await ask(client), 200);
      await server.refuse();
      await server.listen(tlsOf(renewed));
      put(renewed);
      // The first connection fails, which makes us look at the files at once.
      let failed = false;
      await ask(client).catch(() => {
        failed = true;
      });
      assert.ok(failed);
      assert.is(await ask(client), 200);
    });
  });
});

needsCertificates("in a pod: the service account, at an IPv6 address, too", async () => {
  const authority = new Authority("test");
  mkdirSync(join(directory, "account"));
  file("account/token", "pod\n");
  file("account/ca.crt", authority.cert);
  const hasIPv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === "::1"));
  const ipv6 = inCluster({ KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" }, new ManualClock());
  assert.is(ipv6.server.href, "https://[fd00::1]/");
  for (const host of hasIPv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
    const tls = authority.issue("server", ["IP:127.0.0.1", "IP:::1"]);
    await serving({ tls, host, tokens: ["pod"] }, async (server) => {
      const environment = { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: String(server.port) };
      const access = inCluster(environment, new ManualClock(), join(directory, "account"));
      await asking(access, async (client) => assert.is(await ask(client), 200));
    });
  }
});

test("exec plugins run once for all, again after a 401 and before they expire", () =>
  serving({ tokens: ["plugin-1"] }, async (server) => {
    const count = file("count", "");
    const plugin = file(
      "plugin",
      `#!/bin/sh
echo x >> ${count}
n=$(wc -l < ${count})
case "$KUBERNETES_EXEC_INFO" in *'"server":"${server.url}"'*) ;; *) exit 3;; esac
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'$PREFIX-$n'","expirationTimestamp":"'$(date -u -d '+1000 seconds' +%FT%TZ)'"}}'
`,
    );
    chmodSync(plugin, 0o755);
    const clock = new ManualClock();
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "./plugin",
      env: [{ name: "PREFIX", value: "plugin" }],
      provideClusterInfo: true,
    };
    const access = await findCluster({ kubeconfig: kubeconfig({ server: server.url }, { exec }) }, {}, clock);
    await asking(access, async (client) => {
      assert.equal(await Promise.all([ask(client), ask(client), ask(client)]), [200, 200, 200]);
      assert.is(lastHeaders(server).authorization, "Bearer plugin-1");
      server.setTokens(["plugin-2", "plugin-3"]);
      assert.equal([await ask(client), await ask(client)], [401, 200]);
      clock.pass(950_000);
      assert.is(await ask(client), 200);
      assert.is(lastHeaders(server).authorization, "Bearer plugin-3");
    });
  }));

test("exec plugins that fail or hang are told by name", async () => {
  const execOf = (command: string, args: string[] = []) => ({
    exec: { apiVersion: "client.authentication.k8s.io/v1", command, args },
  });
  const failing = await findCluster(
    { kubeconfig: kubeconfig({ server: "http://x" }, execOf("sh", ["-c", "echo no login >&2; exit 1"])) },
    {},
  );
  assert.match(
    (await refusal(failing.credentials.current())).message,
    /users\[0\]\.user\.exec: sh failed: it ended with exit code 1;/,
  );
  const silent = await findCluster({ kubeconfig: kubeconfig({ server: "http://x" }, execOf("echo", ["{}"])) }, {});
  assert.match((await refusal(silent.credentials.current())).message, /neither a token nor a certificate/);
  const { ExecCredentials } = await import("./plugin-credentials.ts");
  const hanging = new ExecCredentials(
    "f",
    {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "sleep",
      args: ["60"],
      env: [],
      provideClusterInfo: false,
      field: "exec",
    },
    { server: new URL("http://x"), tls: {} },
    new ManualClock(),
    50,
  );
  assert.match((await refusal(hanging.current())).message, /sleep did not answer within 0.05 s/);
});

test("auth providers go through client-node", async () => {
  const claims = Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 3600 })).toString("base64url");
  const token = `${Buffer.from("{}").toString("base64url")}.${claims}.x`;
  const provider = {
    name: "oidc",
    config: { "id-token": token, "refresh-token": "r", "client-id": "c", "idp-issuer-url": "https://x" },
  };
  const access = await findCluster(
    { kubeconfig: kubeconfig({ server: "http://x" }, { "auth-provider": provider }) },
    {},
  );
  assert.is((await access.credentials.current()).headers.authorization, `Bearer ${token}`);
});

test("through a proxy, from the kubeconfig or the environment", () =>
  serving({}, async (server) => {
    const proxy: Server = createServer();
    const tunnels: string[] = [];
    proxy.on("connect", (request, socket) => {
      tunnels.push(request.url ?? "");
      const upstream = connect(server.port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.pipe(socket).pipe(upstream);
      });
      socket.on("error", () => upstream.destroy());
      upstream.on("error", () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    try {
      const configured = await findCluster(
        { kubeconfig: kubeconfig({ server: "http://api.test:6443", "proxy-url": url }, {}) },
        {},
      );
      await asking(configured, async (client) => assert.is(await ask(client), 200));
      const fromEnvironment = await findCluster({ master: "http://api.test:6444" }, { HTTP_PROXY: url });
      await asking(fromEnvironment, async (client) => assert.is(await ask(client), 200));
      assert.equal(tunnels, ["api.test:6443", "api.test:6444"]);
    } finally {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    }
  }));

test("requests are counted by verb, code and host, answers but those of watches by their bytes", () =>
  serving({}, async (server) => {
    const seen: string[] = [];
    const client = new ApiClient(await findCluster({ master: server.url }, {}), {
      userAgent: "x",
      onRequest: ({ verb, code, host, seconds, requestBytes }) => {
        assert.ok(seconds >= 0);
        seen.push(`${verb} ${code} ${host} ${requestBytes}`);
      },
      onResponse: (verb, host, bytes) => seen.push(`read ${verb} ${host} ${bytes}`),
    });
    await client.json({ method: "POST", path: "/nowhere", body: { a: "é" } }).catch(() => 0);
    const signal = AbortSignal.timeout(5000);
    const { body } = await client.open({
      path: "/api/v1/services",
      query: { watch: "true", timeoutSeconds: "1" },
      signal,
    });
    await body.resume().toArray();
    assert.equal(client.transports, { made: 1, closed: 0 });
    assert.is(await ask(client), 200);
    assert.is(server.requests.length, 3);
    await server.refuse();
    await ask(client).catch(() => 0);
    await client.close();
    const host = server.url.replace("http://", "");
    assert.match(seen[1] ?? "", /^read POST [\w.:]+ [1-9]\d*$/);
    assert.match(seen[4] ?? "", /^read GET [\w.:]+ [1-9]\d*$/);
    const requests = seen.filter((each) => !each.startsWith("read"));
    const expected = [`POST 404 ${host} 10`, `GET 200 ${host} 0`, `GET 200 ${host} 0`, `GET <error> ${host} 0`];
    assert.equal([requests, seen.length], [expected, 6]);
  }));

test.run();
