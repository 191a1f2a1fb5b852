// Which file people edit, where what was read was made from it.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Origins } from "./origins.ts";

const test = suite("origins");

function originsOf(text: string): Origins {
  const origins = new Origins();
  origins.add({ name: "stdin", bytes: new TextEncoder().encode(text) });
  return origins;
}

test("helm template: the comment at the head of each document", () => {
  const lines = [
    "---", // 1
    "# Source: shop/templates/web.yaml",
    "kind: Service",
    "---", // 4
    "# Source: shop/charts/db/templates/service.yaml",
    "kind: Service",
    "---", // 7
    "kind: Service",
  ];
  for (const end of ["\n", "\r\n"]) {
    const origins = originsOf(lines.join(end));
    const found = [1, 3, 4, 6, 8].map((line) => origins.of("stdin", line));
    const [web, db] = ["shop/templates/web.yaml", "shop/charts/db/templates/service.yaml"];
    assert.equal(found, [web, web, db, db, ""]);
    assert.is(origins.of("other.yaml", 3), "");
  }
});

test("kustomize: the annotation, also of a remote base and of generated objects", () => {
  const object = (...origin: string[]) =>
    [
      "apiVersion: v1",
      "kind: Service",
      "metadata:",
      "  annotations:",
      "    config.kubernetes.io/origin: |",
      ...origin.map((line) => `      ${line}`),
      "  name: web",
      "",
    ].join("\n");
  const documents = [
    object("path: ../base/service.yaml"),
    object("path: deploy/service.yaml", "repo: https://example.com/shop", "ref: v1"),
    object("configuredIn: kustomization.yaml", "configuredBy:", "  kind: Generator"),
  ];
  const text = documents.join("---\n");
  const origins = originsOf(text);
  const found = [...text.matchAll(/^kind: Service/gm)].map(({ index }) => {
    return origins.of("stdin", text.slice(0, index).split("\n").length);
  });
  assert.equal(found, ["../base/service.yaml", "https://example.com/shop/deploy/service.yaml", "kustomization.yaml"]);
});

test("files that people edit themselves have none", () => {
  assert.is(originsOf("kind: Service\n# Sources: a\n").of("stdin", 1), "");
});

test.run();
