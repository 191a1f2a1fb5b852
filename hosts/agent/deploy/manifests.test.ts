// The manifests as an API server and kubectl would take them, and what they give the agent: no more than is shown here.
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { schemaProblems } from "../../../fixtures/recordings/openapi.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { healthzPort } from "../../shared/config/config.ts";
import { parseAgentConfig } from "../config/agent-config.ts";
import { kubeadmConfig } from "./testing/kubeadm.ts";
import { kustomize, type Manifest, manifestsIn } from "./testing/kustomize.ts";
import { composed, replacement } from "./testing/renderings.ts";

const deploy = fileURLToPath(new URL(".", import.meta.url));
const command = fileURLToPath(new URL("../../../build/cli/sluice.js", import.meta.url));

interface Container {
  name: string;
  image: string;
  args?: string[];
  securityContext: {
    privileged: boolean;
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem: boolean;
    capabilities?: { drop: string[]; add?: string[] };
  };
  resources: { limits?: object };
  startupProbe: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
  terminationMessagePolicy?: string;
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
}

interface Probe {
  httpGet: { path: string; port: number };
  initialDelaySeconds?: number;
  periodSeconds: number;
  failureThreshold?: number;
}

interface PodSpec {
  serviceAccountName: string;
  hostNetwork: boolean;
  hostPID?: boolean;
  priorityClassName: string;
  nodeSelector: Record<string, string>;
  tolerations: object[];
  securityContext: object;
  initContainers?: Container[];
  containers: [Container];
  volumes: { name: string; hostPath?: { path: string; type: string } }[];
}

const test = suite<{ directory: string }>("manifests");

test.before.each((context) => {
  context.directory = mkdtempSync(join(tmpdir(), "sluice-deploy-"));
  cpSync(deploy, context.directory, { recursive: true });
});
test.after.each(({ directory }) => rmSync(directory, { recursive: true, force: true }));

/** The overlay, after its script has read kubeadm's ConfigMap. */
function overlay(directory: string, config = kubeadmConfig): string {
  const { status, stderr } = replacement(directory, config, command);
  assert.is(stderr, "");
  assert.is(status, 0);
  return join(directory, "overlays/replace-kube-proxy");
}

function rendered(directory: string): Record<string, Manifest[]> {
  return {
    base: kustomize(join(directory, "base")),
    "base with both components": kustomize(composed(directory, ["iptables", "kernel-settings"])),
    "replace-kube-proxy": kustomize(overlay(directory)),
    cleanup: kustomize(join(directory, "overlays/cleanup")),
  };
}

interface DaemonSetSpec {
  selector: object;
  updateStrategy: object;
  template: { metadata: { annotations?: object }; spec: PodSpec };
}

function daemonSetOf(manifests: Manifest[]): Manifest & { spec: DaemonSetSpec } {
  const [daemonSet] = manifests.filter(({ kind }) => kind === "DaemonSet");
  return daemonSet as Manifest & { spec: DaemonSetSpec };
}

function podOf(manifests: Manifest[]): PodSpec {
  return daemonSetOf(manifests).spec.template.spec;
}

function configMapOf(manifests: Manifest[]): Record<string, string> {
  return manifests.find(({ kind }) => kind === "ConfigMap")?.data as Record<string, string>;
}

test("everything fits the API server's schemas", ({ directory }) => {
  for (const [name, manifests] of Object.entries(rendered(directory))) {
    assert.ok(manifests.length > 0, name);
    for (const manifest of manifests) assert.equal(schemaProblems(manifest), [], name);
  }
});

test("the schemas find what is wrong", () => {
  const wrong = daemonSetOf(kustomize(join(deploy, "base")));
  const pod = podOf([wrong]) as unknown as Record<string, unknown> & PodSpec;
  pod.hostNetwork = "yes" as unknown as boolean;
  pod.priorityClass = "system-node-critical";
  pod.dnsPolicy = "Node";
  pod.containers[0].livenessProbe.httpGet.port = true as unknown as number;
  pod.volumes.push({ name: "run" });
  delete (pod.containers[0] as { name?: string }).name;
  const at = "DaemonSet.spec.template.spec";
  assert.equal(schemaProblems(wrong).sort(), [
    `${at}.containers[0].livenessProbe.httpGet.port: is none of the types that it may be`,
    `${at}.containers[0].name: is required`,
    `${at}.dnsPolicy: "Node" is none of ClusterFirst, ClusterFirstWithHostNet, Default, None`,
    `${at}.hostNetwork: "yes" is no boolean`,
    `${at}.priorityClass: no such field`,
    `${at}.volumes: "run" is there twice`,
  ]);
  assert.equal(schemaProblems({ apiVersion: "apps/v2", kind: "DaemonSet" }).length, 1);
});

test("the agent may change the network and nothing else", ({ directory }) => {
  const pod = podOf(kustomize(join(directory, "base")));
  const [{ securityContext, volumeMounts }] = pod.containers;
  assert.equal(securityContext, {
    privileged: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"], add: ["NET_ADMIN"] },
  });
  assert.equal(pod.securityContext, { seccompProfile: { type: "RuntimeDefault" } });
  assert.is(pod.initContainers, undefined);
  assert.is(pod.hostPID, undefined);
  assert.equal(
    pod.volumes.filter(({ hostPath }) => hostPath !== undefined),
    [],
  );
  assert.equal(
    volumeMounts?.map(({ name, readOnly }) => [name, readOnly ?? false]),
    [
      ["config", true],
      ["run", false],
    ],
  );
});

test("components add what their purpose needs", ({ directory }) => {
  const pod = podOf(kustomize(composed(directory, ["iptables", "kernel-settings"])));
  const [agent] = pod.containers;
  assert.equal(agent.securityContext.capabilities, { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] });
  assert.equal(
    pod.volumes.flatMap(({ hostPath }) => hostPath ?? []),
    [{ path: "/run/xtables.lock", type: "FileOrCreate" }],
  );
  assert.ok(agent.volumeMounts?.some(({ mountPath }) => mountPath === "/run/xtables.lock"));
  const [settings] = pod.initContainers as [Container];
  assert.is(settings.securityContext.privileged, true);
  const args = agent.args?.filter((argument) => !argument.startsWith("--debug-socket"));
  assert.equal(settings.args, [...(args ?? []), "--init-only"]);
});

test("the cluster's built-in role is all that the agent asks for", ({ directory }) => {
  const manifests = kustomize(join(directory, "base"));
  const account = { kind: "ServiceAccount", name: "sluice", namespace: "kube-system" };
  const [binding, ...more] = manifests.filter(({ apiVersion }) => apiVersion.startsWith("rbac"));
  assert.equal(more, []);
  assert.equal(binding?.subjects, [account]);
  assert.equal(binding?.roleRef, {
    apiGroup: "rbac.authorization.k8s.io",
    kind: "ClusterRole",
    name: "system:node-proxier",
  });
  assert.is(podOf(manifests).serviceAccountName, account.name);
});

test("it runs on every Linux node, first and last, and is replaced a tenth at a time", ({ directory }) => {
  const manifests = kustomize(join(directory, "base"));
  const pod = podOf(manifests);
  assert.equal(pod.tolerations, [{ operator: "Exists" }]);
  assert.equal(pod.nodeSelector, { "kubernetes.io/os": "linux" });
  assert.is(pod.priorityClassName, "system-node-critical");
  assert.is(pod.hostNetwork, true);
  assert.is(pod.containers[0].resources.limits, undefined);
  assert.equal(daemonSetOf(manifests).spec.updateStrategy, {
    type: "RollingUpdate",
    rollingUpdate: { maxUnavailable: "10%" },
  });
});

test("images and probes are those of this version", ({ directory }) => {
  for (const [name, manifests] of Object.entries(rendered(directory))) {
    const { initContainers = [], containers } = podOf(manifests);
    for (const { image } of [...initContainers, ...containers]) assert.is(image, `sluice:${packageJson.version}`, name);
  }
  const [{ livenessProbe, readinessProbe }] = podOf(kustomize(join(directory, "base"))).containers;
  assert.equal(livenessProbe.httpGet, { path: "/livez", port: healthzPort });
  assert.equal(readinessProbe.httpGet, { path: "/readyz", port: healthzPort });
});

test("an ordinary start leaves no warnings: nobody asks before it listens, nor whether it is ready before it is", ({
  directory,
}) => {
  const [{ startupProbe, livenessProbe, readinessProbe }] = podOf(kustomize(join(directory, "base"))).containers;
  // A start takes some tenths of a second, and two seconds more where lists are long.
  assert.equal([startupProbe.httpGet.path, startupProbe.initialDelaySeconds], ["/livez", 5]);
  assert.is(readinessProbe.initialDelaySeconds, 10);
  // A container that can't start to listen is ended as late as one that hangs.
  const patience = (probe: Probe) => (probe.failureThreshold ?? 0) * probe.periodSeconds;
  assert.is(patience(startupProbe), patience(livenessProbe));
});

test("why a container ended stands in the pod's status, and logs are those of the agent", ({ directory }) => {
  const manifests = kustomize(composed(directory, ["kernel-settings"]));
  const { initContainers = [], containers } = podOf(manifests);
  for (const { name, terminationMessagePolicy } of [...initContainers, ...containers]) {
    assert.is(terminationMessagePolicy, "FallbackToLogsOnError", name);
  }
  const annotation = { "kubectl.kubernetes.io/default-container": containers[0].name };
  assert.equal(daemonSetOf(manifests).spec.template.metadata.annotations, annotation);
});

test("config.conf and kubeconfig.conf are what the agent reads, with nothing to say about them", ({ directory }) => {
  for (const name of ["base", "replace-kube-proxy"]) {
    const files = configMapOf(rendered(directory)[name] ?? []);
    rmSync(join(directory, "own"), { recursive: true });
    const { config, diagnostics } = parseAgentConfig({
      name: "config.conf",
      bytes: Buffer.from(files["config.conf"] ?? ""),
    });
    assert.equal(diagnostics, [], name);
    assert.is(config?.mode, "flat");
    assert.is(config?.kubeconfig, "/etc/sluice/kubeconfig.conf");
    assert.is(config?.oomScoreAdj, -997);
    assert.is(config?.healthzBindAddress?.port, healthzPort);
    const kubeconfig = parse(files["kubeconfig.conf"] ?? "");
    const account = "/var/run/secrets/kubernetes.io/serviceaccount";
    assert.is(kubeconfig["current-context"], kubeconfig.contexts[0].name);
    assert.is(kubeconfig.contexts[0].context.cluster, kubeconfig.clusters[0].name);
    assert.is(kubeconfig.contexts[0].context.user, kubeconfig.users[0].name);
    assert.is(kubeconfig.clusters[0].cluster["certificate-authority"], `${account}/ca.crt`);
    assert.equal(kubeconfig.users[0].user, { tokenFile: `${account}/token` });
  }
});

test("from-kube-proxy.sh keeps what kubeadm configured", ({ directory }) => {
  const files = configMapOf(kustomize(overlay(directory, kubeadmConfig.replace('mode: ""', "mode: iptables"))));
  const { config } = parseAgentConfig({ name: "config.conf", bytes: Buffer.from(files["config.conf"] ?? "") });
  assert.is(config?.mode, "flat");
  assert.is(config?.rules.clusterCidr, "10.244.0.0/16,fd00:244::/32");
  assert.is(parse(files["kubeconfig.conf"] ?? "").clusters[0].cluster.server, "https://192.168.10.1:6443");
});

test("taking over from kube-proxy, it may remove what iptables-legacy holds", ({ directory }) => {
  const [agent] = podOf(kustomize(overlay(directory))).containers;
  assert.equal(agent.securityContext.capabilities?.add, ["NET_ADMIN", "NET_RAW"]);
  assert.ok(
    agent.volumeMounts?.some(({ mountPath, readOnly }) => mountPath === "/run/xtables.lock" && readOnly !== true),
  );
});

test("from-kube-proxy.sh says what is wrong with the configuration before a node is labelled", ({ directory }) => {
  const clean = replacement(directory, kubeadmConfig, command);
  assert.is(clean.status, 0, clean.stderr);
  assert.match(clean.stdout, /^ok +configuration +mode +flat$/m);
  assert.not.match(clean.stdout, "API server");
  const old = replacement(
    directory,
    `${kubeadmConfig}\nudpIdleTimeout: 250ms\nfeatureGates: {HPAScaleToZero: true}\n`,
    command,
  );
  assert.is(old.status, 1);
  assert.match(
    old.stdout,
    /^FAILED +configuration +udpIdleTimeout +config\.conf:\d+:1: not known since Kubernetes 1\.26/m,
  );
  assert.match(old.stdout, /^ +→ remove it$/m);
  assert.match(old.stdout, /^warning +configuration +featureGates\.HPAScaleToZero/m);
  assert.match(old.stderr, /before a node is labelled/);
  const broken = replacement(directory, `${kubeadmConfig}\nportRange: nonsense\n`, command);
  assert.is(broken.status, 1);
  assert.match(broken.stdout, /^FAILED +config\.conf:\d+:12: error: portRange/m);
  const { stderr } = replacement(directory, kubeadmConfig, "");
  assert.match(stderr, /config\.conf is not checked/);
});

test("from-kube-proxy.sh changes nothing when there is no such ConfigMap", ({ directory }) => {
  const { status, stderr } = replacement(directory, "", command);
  assert.is(status, 1);
  assert.match(stderr, /write both by hand/);
  assert.throws(() => kustomize(join(directory, "overlays/replace-kube-proxy")), /ENOENT.*config\.conf/);
});

test("no node has both proxies, and none has neither", ({ directory }) => {
  const label = "service-proxy";
  assert.is(podOf(kustomize(overlay(directory))).nodeSelector[label], "sluice");
  const [patch] = manifestsIn(join(directory, "overlays/replace-kube-proxy/leave-to-sluice.yaml"));
  const others = { matchExpressions: [{ key: label, operator: "NotIn", values: ["sluice"] }] };
  const affinity = {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [others] } },
  };
  assert.equal(patch, { spec: { template: { spec: { affinity } } } } as unknown as Manifest);
  // Where rules are removed no agent must be at work.
  const { affinity: cleaned } = podOf(kustomize(join(directory, "overlays/cleanup"))) as unknown as {
    affinity: typeof affinity & { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: object[] } };
  };
  const { selector } = daemonSetOf(kustomize(join(directory, "base"))).spec;
  assert.equal(cleaned.nodeAffinity, affinity.nodeAffinity);
  assert.equal(cleaned.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution, [
    { topologyKey: "kubernetes.io/hostname", labelSelector: selector },
  ]);
});

test.run();
