// EndpointSlices whose endpoints no Service gets, and why. Which port of a slice feeds which of a Service: the one of its name
// and protocol (kube-proxy: pkg/proxy/endpointslicecache.go).
import type { Diagnostic } from "../diagnostics.ts";
import {
  type Fields,
  fieldsOf,
  isEndpointSlice,
  isFromCluster,
  isService,
  listOf,
  type ManifestObject,
  textOf,
} from "../manifests/objects.ts";
import { plural } from "../plural.ts";

const SERVICE_NAME = "kubernetes.io/service-name";
const HEADLESS = "service.kubernetes.io/headless";
/** Of one object; there may be thousands. */
const PORTS_NAMED = 5;

export class Unfed {
  readonly #services = new Map<string, ManifestObject>();
  /** The first one of each name, in whichever namespace. */
  readonly #named = new Map<string, ManifestObject>();
  readonly #slices: ManifestObject[] = [];
  readonly #written = new Set<string>();

  look(object: ManifestObject): void {
    if (isEndpointSlice(object)) this.#slices.push(object);
    if (!isService(object)) return;
    this.#services.set(keyOf(object), object);
    if (!this.#named.has(object.name)) this.#named.set(object.name, object);
  }

  /** As it stands in the file. It may be refused, which is said elsewhere, and then its slices are none of nobody's. */
  lookAtWritten(object: ManifestObject): void {
    if (isService(object)) this.#written.add(keyOf(object));
  }

  *diagnostics(): Generator<Diagnostic> {
    for (const slice of this.#slices) yield* this.#look(slice);
  }

  *#look(slice: ManifestObject): Generator<Diagnostic> {
    const labels = fieldsOf(fieldsOf(slice.fields.metadata).labels);
    // A cluster has empty ones for Services without endpoints.
    if (Object.hasOwn(labels, HEADLESS) || listOf(slice.fields.endpoints).length === 0) return;
    const name = textOf(labels[SERVICE_NAME]);
    if (name === "") {
      const hint = `add \`${SERVICE_NAME}: NAME\``;
      yield slice.about(
        "warning",
        "slice-without-service",
        "metadata.labels",
        "no label says whose endpoints these are",
        hint,
      );
      return;
    }
    const key = keyOf({ namespace: slice.namespace, name });
    const service = this.#services.get(key);
    if (service === undefined) {
      // A cluster may have sent the Services of one proxy alone.
      if (!isFromCluster(slice) && !this.#written.has(key)) yield this.#orphan(slice, name);
      return;
    }
    yield* feeding(slice, service);
  }

  #orphan(slice: ManifestObject, name: string): Diagnostic {
    const wanted = slice.namespace === "" ? name : `${slice.namespace}/${name}`;
    const other = this.#named.get(name);
    const hint =
      other === undefined ? "" : `there is ${other.namespace}/${name}: a slice is in its Service's namespace`;
    const field = `metadata.labels["${SERVICE_NAME}"]`;
    return slice.about("warning", "slice-without-service", field, `Service ${wanted} is not among the objects`, hint);
  }
}

function* feeding(slice: ManifestObject, service: ManifestObject): Generator<Diagnostic> {
  const type = textOf(slice.fields.addressType);
  const about = (field: string, message: string, hint = "") =>
    slice.about("warning", "slice-feeds-nobody", field, message, hint);
  if (type === "FQDN") {
    // Of others, admission says it.
    if (isFromCluster(slice))
      yield about("addressType", "no rule leads to names, and these are no IP addresses", "use IPv4 or IPv6");
    return;
  }
  const addresses = clusterIPs(fieldsOf(service.fields.spec));
  // It has no rules at all, which is said elsewhere.
  if (addresses.length === 0) return;
  if (!addresses.some((address) => address.includes(":") === (type === "IPv6"))) {
    const message = `Service ${service.name} has no ${type} cluster IP, so no rule leads to ${type} endpoints`;
    yield about("addressType", message, "give the Service one, or leave the slice out");
    return;
  }
  const ports = listOf(slice.fields.ports).map(fieldsOf);
  if (ports.length === 0) yield about("ports", "it lists no ports, so no rule leads to its endpoints", "list them");
  const wanted = listOf(fieldsOf(service.fields.spec).ports).map(fieldsOf);
  let unfed = 0;
  for (const [index, port] of ports.entries()) {
    const why = whyUnfed(port, wanted);
    if (why === undefined || ++unfed > PORTS_NAMED) continue;
    yield about(`ports[${index}]`, `no rule leads to it: ${why}`, `Service ${service.name} has ${listText(wanted)}`);
  }
  if (unfed > PORTS_NAMED) yield about("ports", `no rule leads to ${plural(unfed - PORTS_NAMED, "port")} more`);
}

/** Why the slice's port feeds none of the Service's. */
function whyUnfed(port: Fields, wanted: readonly Fields[]): string | undefined {
  if (typeof port.name !== "string") return 'it has no name (a Service\'s port without one is called "")';
  if (port.port === undefined || port.port === null || port.port === 0) return "it has no number";
  const name = textOf(port.name);
  const named = wanted.filter((each) => textOf(each.name) === name);
  if (named.length === 0) return `the Service has no port ${nameText(name)}`;
  return named.some((each) => protocolOf(each) === protocolOf(port))
    ? undefined
    : `the Service's port ${nameText(name)} is not ${protocolOf(port)}`;
}

function protocolOf(port: Fields): string {
  return textOf(port.protocol) || "TCP";
}

function nameText(name: string): string {
  return name === "" ? "without a name" : name;
}

function listText(ports: readonly Fields[]): string {
  const named = ports.slice(0, PORTS_NAMED).map(portText).join(", ");
  return ports.length > PORTS_NAMED ? `${named}, …` : named;
}

/** `http 80/TCP` */
function portText(port: Fields): string {
  const name = textOf(port.name);
  return `${name === "" ? "" : `${name} `}${typeof port.port === "number" ? port.port : JSON.stringify(port.port)}/${protocolOf(port)}`;
}

function clusterIPs(spec: Fields): readonly string[] {
  const all = listOf(spec.clusterIPs).map(textOf);
  return (all.length > 0 ? all : [textOf(spec.clusterIP)]).filter((address) => address !== "" && address !== "None");
}

function keyOf({ namespace, name }: Pick<ManifestObject, "namespace" | "name">): string {
  return `${namespace || "default"}/${name}`;
}
