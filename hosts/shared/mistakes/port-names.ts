// Ports of a Service that only their names tell apart, and that have none: of two without a name the later one counts.
import type { Diagnostic } from "../diagnostics.ts";
import { fieldsOf, listOf, type ManifestObject, textOf } from "../manifests/objects.ts";

const HINT = "Kubernetes refuses it; give each port a name of its own";

export function* portNames(service: ManifestObject): Generator<Diagnostic> {
  const ports = listOf(fieldsOf(service.fields.spec).ports);
  if (ports.length < 2) return;
  const seen = new Map<string, number>();
  for (const [index, port] of ports.entries()) {
    const name = textOf(fieldsOf(port).name);
    const field = `spec.ports[${index}]`;
    const other = seen.get(name);
    if (name === "") {
      yield service.about("warning", "unnamed-port", field, "it has no name, and is not the only port", HINT);
    } else if (other !== undefined) {
      const message = `${name} is the name of spec.ports[${other}], too`;
      yield service.about("warning", "port-name-twice", `${field}.name`, message, HINT);
    } else {
      seen.set(name, index);
    }
  }
}
