import { test } from "uvu";
import * as assert from "uvu/assert";
import { environmentProxy } from "./environment-proxy.ts";

const proxied = (server: string, noProxy: string) =>
  environmentProxy(new URL(server), { HTTPS_PROXY: "proxy:3128", NO_PROXY: noProxy })?.href ?? "";

test("the scheme decides which variable counts, and nothing goes through a proxy to this machine", () => {
  assert.is(proxied("https://10.0.0.1:6443", ""), "http://proxy:3128/");
  assert.is(proxied("http://10.0.0.1:6443", ""), "");
  assert.is(environmentProxy(new URL("https://a"), { https_proxy: "https://p" })?.href, "https://p/");
  for (const local of ["https://localhost:6443", "https://127.0.0.1", "https://127.9.9.9", "https://[::1]:6443"]) {
    assert.is(proxied(local, ""), "", local);
  }
});

test("NO_PROXY: addresses, networks, domains, ports", () => {
  const cases: [string, string, boolean][] = [
    ["https://10.0.0.1:6443", "10.0.0.1", false],
    ["https://10.0.0.1:6443", "10.0.0.0/8", false],
    ["https://11.0.0.1:6443", "10.0.0.0/8", true],
    ["https://[fd00::1]:6443", "fd00::/16", false],
    ["https://10.0.0.1:6443", "10.0.0.1:6443", false],
    ["https://10.0.0.1:6443", "10.0.0.1:443", true],
    ["https://[fd00::1]:6443", "[fd00::1]:6443", false],
    ["https://api.example.com", "example.com", false],
    ["https://example.com", "example.com", false],
    ["https://notexample.com", "example.com", true],
    ["https://example.com", ".example.com", true],
    ["https://api.example.com", ".example.com", false],
    ["https://api.example.com", "*.example.com", false],
    ["https://api.example.com", "a, Example.COM ,b", false],
    ["https://api.example.com", "*", false],
    ["https://api.example.com", ",", true],
  ];
  for (const [server, exception, wanted] of cases) {
    assert.is(proxied(server, exception) !== "", wanted, `${server} with NO_PROXY=${exception}`);
  }
});

test.run();
