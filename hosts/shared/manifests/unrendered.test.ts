// Files of a repository that are no manifests as they stand.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sortSources } from "./unrendered.ts";

const test = suite("unrendered files");

const template = `kind: Service\nmetadata:\n  name: {{ include "web.name" . }}\nspec:\n  type: {{ .Values.type }}\n`;
const service = "kind: Service\napiVersion: v1\nmetadata: {name: web}\n";

function sort(files: Record<string, string>, isWalked = true) {
  const encoder = new TextEncoder();
  const sources = Object.entries(files).map(([name, text]) => ({ name, bytes: encoder.encode(text), isWalked }));
  const { manifests, diagnostics } = sortSources(sources);
  return {
    read: manifests.map(({ name }) => name),
    said: diagnostics.map(({ severity, code, message }) => `${severity} ${code}: ${message}`),
    hints: diagnostics.map(({ hint }) => hint),
  };
}

test("templates of Helm charts: said once, with the command", () => {
  const found = sort({
    "shop/Chart.yaml": "apiVersion: v2\nname: shop\n",
    "shop/values.yaml": "replicas: 1\n",
    "shop/values-prod.yaml": "replicas: 3\n",
    "shop/templates/web.yaml": template,
    "shop/templates/db.yaml": `{{- if .Values.db.enabled }}\n${service}{{- end }}\n`,
    "shop/templates/plain.yaml": service,
    "shop/crds/web.yaml": "kind: CustomResourceDefinition\n",
  });
  assert.equal(found.read, ["shop/crds/web.yaml"]);
  assert.equal(found.said, [
    "warning helm-templates: 3 Helm templates not rendered, so what they make is unknown: shop/templates/web.yaml, shop/templates/db.yaml, shop/templates/plain.yaml",
  ]);
  assert.equal(found.hints, ["`helm template shop | sluice render -f -`"]);
  const two = sort({ "a/templates/x.yaml": template, "b/templates/x.yaml": template });
  assert.equal(two.hints, ["`helm template a | sluice render -f -`, and so for each of 2 charts"]);
});

test("a template that is YAML is told by the names in it", () => {
  const found = sort({ "deploy/web.yaml": `kind: Service\nmetadata:\n  name: "{{ .Values.name }}"\n` });
  assert.equal(found.read, []);
  assert.match(found.said[0] ?? "", "warning helm-templates: ");
});

test("a template that somebody has named is an error", () => {
  assert.match(sort({ "web.yaml": template }, false).said[0] ?? "", /^error helm-templates: 1 Helm template /);
});

const manifests: [what: string, text: string][] = [
  ["plain", service],
  ["actions of others in strings", `kind: Rollout\nspec:\n  args: ["{{args.service}}", "{{ inputs.x }}"]\n`],
  [
    "a rendered ConfigMap with a template in it",
    `kind: ConfigMap\ndata:\n  alert.tmpl: |\n    {{ define "x" }}{{ .Values }}{{ end }}\n`,
  ],
  [
    "such a ConfigMap with names in it",
    `kind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: |\n    name: {{ .Values.name }}\n`,
  ],
  ["in braces", "{apiVersion: v1, kind: Service, metadata: {name: web}}\n"],
  ["a list of objects, which Kubernetes takes for none", "- apiVersion: v1\n  kind: Service\n"],
  ["broken", "kind: Service\nspec: [\n"],
  ["without a kind, but with metadata", "metadata: {name: web}\n"],
  ["a List in JSON", '{"items":[],"kind":"List"}'],
  ["comments alone", "# nothing\n---\n"],
  ["UTF-16", "\ufeffkind: Service\n"],
];
for (const [what, text] of manifests) {
  test(`stays a manifest: ${what}`, () => {
    const bytes = what === "UTF-16" ? new Uint8Array(Buffer.from(text, "utf16le")) : new TextEncoder().encode(text);
    const { manifests, diagnostics } = sortSources([{ name: "dir/a.yaml", bytes, isWalked: true }]);
    assert.is(manifests.length, 1);
    assert.equal(diagnostics, []);
  });
}

test("kustomizations: not built, and their patches are no objects", () => {
  const found = sort({
    "base/kustomization.yaml": "resources: [service.yaml]\n",
    "base/service.yaml": service,
    "overlays/prod/kustomization.yaml":
      "resources: [../../base]\npatchesStrategicMerge: [replicas.yaml]\npatches:\n- path: ./type.yaml\n- patch: |\n    a\n" +
      "patchesJson6902:\n- path: ../shared/ports.yaml\n",
    "overlays/prod/replicas.yaml": service,
    "overlays/prod/type.yaml": service,
    "overlays/shared/ports.yaml": service,
  });
  assert.equal(found.read, ["base/service.yaml"]);
  assert.equal(found.said, [
    "warning kustomizations: 2 kustomizations not built, and 3 files with patches left out: base/kustomization.yaml, overlays/prod/kustomization.yaml",
  ]);
  assert.match(found.hints[0] ?? "", "kustomize build base | sluice render -f -");
});

test("a kustomization that nobody can read does no harm", () => {
  assert.equal(sort({ "kustomization.yaml": "resources: [\n", "web.yaml": service }).read, ["web.yaml"]);
});

test("ytt's templates", () => {
  const found = sort({ "a.yaml": `#@ load("@ytt:data", "data")\n${service}` });
  assert.equal([found.read, found.said.length], [[], 1]);
  assert.match(found.said[0] ?? "", "warning ytt-templates: 1 ytt template not rendered");
});

test("what is something else is named once", () => {
  const found = sort({
    "docker-compose.yaml": "services: {web: {}}\n",
    "mkdocs.yml": "site_name: x\n",
    "web.yaml": service,
  });
  assert.equal(found.read, ["web.yaml"]);
  assert.equal(found.said, [
    "note no-kubernetes-objects: 2 files without Kubernetes objects (neither kind nor apiVersion): docker-compose.yaml, mkdocs.yml",
  ]);
  assert.equal(sort({ "docker-compose.yaml": "services: {}\n" }, false).read, ["docker-compose.yaml"]);
  const more = sort({
    "ci/daemonset-values.yaml": "controller:\n  kind: DaemonSet\n",
    "alertmanager.yaml": 'global:\n  title: \'{{ template "x" . }}\n',
    "kustomizeconfig.yaml": "nameReference:\n- kind: Service\n  version: v1\n",
    "labels.yaml": "app.kubernetes.io/part-of: shop\n",
    "index.yaml": "apiVersion: v1\nentries: {}\n",
    "empty-values.yaml": "",
    "templates/app.yaml": "message: '{{.app.metadata.name}}'\n",
    "patch.yaml": "- op: replace\n  path: /spec/type\n  value: NodePort\n",
    "manifest.json": '{"short_name": "x", "icons": [{"kind": 1}]}',
  });
  assert.equal(more.read, []);
  assert.match(more.said[0] ?? "", "6 files without Kubernetes objects");
});

test.run();
