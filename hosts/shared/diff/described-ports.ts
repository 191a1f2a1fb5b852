// What `describe` returns, port by port. Of two descriptions only what differs is ever parsed.
import type { DescribedServicePort } from "../describe.ts";

/** The engine writes one Service port a line, in one family. */
export class DescribedPorts {
  readonly #lines: ReadonlySet<string>;

  /** @param description as the engine writes it */
  constructor(description: string) {
    const start = description.indexOf('"servicePorts":[') + '"servicePorts":['.length;
    const end = description.lastIndexOf("]}");
    const text = description.slice(start, end);
    this.#lines = new Set(text === "" ? [] : text.split(",\n"));
  }

  /** Those that the other description does not have in the same words. */
  notIn(other: DescribedPorts): DescribedServicePort[] {
    const found: DescribedServicePort[] = [];
    for (const line of this.#lines) if (!other.#lines.has(line)) found.push(JSON.parse(line) as DescribedServicePort);
    return found;
  }

  /** `namespace/name` of all Services that have rules. */
  services(): Set<string> {
    const names = new Set<string>();
    for (const line of this.#lines) {
      const [, namespace = "", service = ""] = /^\{"namespace":"([^"\\]*)","service":"([^"\\]*)"/.exec(line) ?? [];
      names.add(`${namespace}/${service}`);
    }
    return names;
  }
}
