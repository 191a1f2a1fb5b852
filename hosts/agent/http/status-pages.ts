// /statusz and /flagz as Kubernetes' components have them: text for people, in the form of component-base's zpages.

/** As on the pages of Kubernetes' own components, so that their readers find the same here. */
const WARNING =
  "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for " +
  "debugging purposes only.";
/** The component that Sluice stands in for. */
const COMPONENT = "kube-proxy";
/** Whose behaviour ours is held to. */
const EMULATED = "1.37";

export interface Status {
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly nowMs: number;
  /** Of Node.js, where Kubernetes' components tell Go's. */
  readonly runtimeVersion: string;
  readonly version: string;
  readonly paths: readonly string[];
}

export function statusz({ startedMs, nowMs, runtimeVersion, version, paths }: Status): string {
  const lines = {
    Started: unixDate(startedMs),
    Up: upFor(nowMs - startedMs),
    "Go version": runtimeVersion,
    "Binary version": version,
    "Emulation version": EMULATED,
    Paths: [...paths].sort().join(" "),
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}: ${value}\n`);
  return `\n${COMPONENT} statusz\n${WARNING}\n\n${text.join("")}`;
}

export function flagz(flags: ReadonlyMap<string, string>): string {
  const names = [...flags.keys()].sort();
  const lines = names.map((name) => `${name}: ${flags.get(name)}\n`);
  return `\n${COMPONENT} flagz\n${WARNING}\n${lines.join("")}`;
}

/** Go's time.UnixDate: `Mon Nov 30 00:49:03 UTC 2026`. */
function unixDate(ms: number): string {
  const [day = "", date = "", month = "", year = "", time = ""] = new Date(ms).toUTCString().split(/,? /);
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} UTC ${year}`;
}

function upFor(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  return `${Math.floor(seconds / 3600)} hr ${two(Math.floor(seconds / 60) % 60)} min ${two(seconds % 60)} sec`;
}
