// Names, labels and ports as Kubernetes wants them: each function gives the reasons against a text, none if it is right
// (staging/src/k8s.io/apimachinery/pkg/util/validation). The words are the API server's.

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE = `(${NAME})?`;

const isLabel = whole(LABEL);
const isSubdomain = whole(SUBDOMAIN);
const isName = whole(NAME);
const isLabelValue = whole(LABEL_VALUE);

function whole(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`);
}

function wants(what: string, examples: readonly string[], pattern: string): string {
  const list = examples.map((each) => `'${each}'`).join(",  or ");
  return `${what} (e.g. ${list}, regex used for validation is '${pattern}')`;
}

const END = "and must start and end with an alphanumeric character";
const labelForm = wants(
  `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', ${END}`,
  ["my-name", "123-abc"],
  LABEL,
);
const subdomainForm = wants(
  `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', ${END}`,
  ["example.com"],
  SUBDOMAIN,
);
const nameForm = wants(
  `must consist of alphanumeric characters, '-', '_' or '.', ${END}`,
  ["MyName", "my.name", "123-abc"],
  NAME,
);
const labelValueForm = wants(
  `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', ${END}`,
  ["MyValue", "my_value", "12345"],
  LABEL_VALUE,
);

/** The server counts bytes, and says so in some places. */
function isLonger(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && new TextEncoder().encode(text).length > bytes);
}

function longest(bytes: number, unit: "bytes" | "characters" = "characters"): string {
  return `must be no more than ${bytes} ${unit}`;
}

/** Of a Service, a port, a host. */
export function* againstLabel(text: string): Generator<string> {
  if (isLonger(text, 63)) yield longest(63);
  if (isLabel.test(text)) return;
  yield isSubdomain.test(text) ? "must not contain dots" : labelForm;
}

/** Of an EndpointSlice, a Node, an external name. */
export function* againstSubdomain(text: string, unit?: "bytes"): Generator<string> {
  if (isLonger(text, 253)) yield longest(253, unit);
  if (!isSubdomain.test(text)) yield subdomainForm;
}

/** Of a label's key, an appProtocol, a load balancer's class: `name` or `prefix.example.com/name`. */
export function* againstQualifiedName(text: string): Generator<string> {
  const parts = text.split("/");
  const [prefix, name] = parts.length === 1 ? [undefined, parts[0]] : parts;
  if (parts.length > 2 || name === undefined) {
    yield `a valid label key ${nameForm} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`;
    return;
  }
  if (prefix === "") yield "prefix part must be non-empty";
  else if (prefix !== undefined) for (const why of againstSubdomain(prefix, "bytes")) yield `prefix part ${why}`;
  if (name === "") yield "name part must be non-empty";
  else if (isLonger(name, 63)) yield `name part ${longest(63, "bytes")}`;
  if (!isName.test(name)) yield `name part ${nameForm}`;
}

export function* againstLabelValue(text: string): Generator<string> {
  if (isLonger(text, 63)) yield longest(63, "bytes");
  if (!isLabelValue.test(text)) yield labelValueForm;
}

export function* againstPortNumber(port: number): Generator<string> {
  if (port < 1 || port > 65_535) yield "must be between 1 and 65535, inclusive";
}

/** Of a container's port (RFC 6335). */
export function* againstPortName(name: string): Generator<string> {
  if (isLonger(name, 15)) yield longest(15);
  if (!/^[-a-z0-9]+$/.test(name)) yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
  if (!/[a-z]/.test(name)) yield "must contain at least one letter (a-z)";
  if (name.includes("--")) yield "must not contain consecutive hyphens";
  if (name.startsWith("-") || name.endsWith("-")) yield "must not begin or end with a hyphen";
}
