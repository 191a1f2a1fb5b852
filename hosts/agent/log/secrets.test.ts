import { test } from "uvu";
import * as assert from "uvu/assert";
import { redactText } from "./redact.ts";
import { hideSecrets, keepSecret, keepSecretsOf } from "./secrets.ts";

test("what is known is hidden, as it is, in URLs, in JSON, and cut off", () => {
  const secret = 'Zq9 "äp"/+K3xw7RvT';
  keepSecret(` ${secret}\n`);
  for (const shown of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
    assert.is(hideSecrets(`a ${shown} b ${shown}`), "a (hidden) b (hidden)");
  }
  assert.is(hideSecrets(`cut: ${secret.slice(0, 15)}`), "cut: (hidden)");
});

test("user, password and query of a URL", () => {
  keepSecretsOf(new URL("http://robot-77:pw%2Fpw-99@proxy:3128/?ticket=8271-x"));
  for (const secret of ["robot-77", "pw/pw-99", "pw%2Fpw-99", "ticket=8271-x", btoa("robot-77:pw/pw-99")]) {
    assert.is(hideSecrets(`<${secret}>`), "<(hidden)>");
  }
});

test("short words stay, and the oldest secrets are given up", () => {
  keepSecret("a");
  keepSecret("short");
  keepSecret(undefined);
  assert.is(hideSecrets("a short one"), "a short one");
  keepSecret("the-first-of-many");
  for (let i = 0; i < 100; i++) keepSecret(`${i}-later-ones`);
  assert.is(hideSecrets("the-first-of-many"), "the-first-of-many");
  assert.is(hideSecrets("99-later-ones"), "(hidden)");
});

for (const [text, shown] of [
  ["https://u:p@h/x?token=abc#f", "https://(hidden)@h/x?(hidden)"],
  ["https://only-a-token@h:6443", "https://(hidden)@h:6443"],
  ['<a href="/login?next=%2F&t=abc">Found</a>', '<a href="/login?(hidden)">Found</a>'],
  ["body: access_token=abc&x=1", "body: access_token=(hidden)&x=1"],
  ["Authorization: Basic dTpw", "Authorization: Basic (hidden)"],
  ["is it so? yes = no", "is it so? yes = no"],
] as const) {
  test(`unknown ones by where they stand: ${text}`, () => {
    assert.is(redactText(text), shown);
  });
}

test.run();
