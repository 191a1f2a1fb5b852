// Whose an address and port are: from the engine's description, for whoever explains packets.
import type { Description } from "./describe.ts";

/** Finds `namespace/service:port` by destination. */
export class EntryPoints {
  readonly #names = new Map<string, string>();
  readonly #description: Description;

  constructor(description: Description) {
    this.#description = description;
    for (const { namespace, service, port, entryPoints } of description.servicePorts) {
      const name = `${namespace}/${service}${port.name === "" ? "" : `:${port.name}`}`;
      for (const { address, port: number, owner } of entryPoints) {
        if (owner) this.#names.set(key(address, port.protocol, number), name);
      }
    }
  }

  /** Undefined: it is no Service's. Node ports are found by their port alone. */
  at(destination: string, protocol: string, port: number): string | undefined {
    return this.#names.get(key(destination, protocol, port)) ?? this.#names.get(key("", protocol, port));
  }

  /** Some Service has the address, with other ports or protocols. */
  hasAddress(address: string): string | undefined {
    const found = this.#description.servicePorts.find(({ entryPoints }) =>
      entryPoints.some((entry) => entry.address === address),
    );
    return found === undefined ? undefined : `${found.namespace}/${found.service}`;
  }

  /** Some Service has an entry point of the kind. */
  hasKind(kind: string): boolean {
    return this.#description.servicePorts.some(({ entryPoints }) => entryPoints.some((entry) => entry.kind === kind));
  }

  /** Addresses of a Service's entry points of a kind, with the port of a number or name (empty: its only one). */
  of(name: string, kind: string, port: string): { address: string; port: number; protocol: string }[] {
    return this.#description.servicePorts
      .filter(({ namespace, service }) => `${namespace}/${service}` === name)
      .filter((each) => port === "" || each.port.name === port || `${each.port.port}` === port)
      .flatMap(({ port: { protocol }, entryPoints }) =>
        entryPoints
          .filter((entry) => entry.kind === kind)
          .map((entry) => ({ address: entry.address, port: entry.port, protocol })),
      );
  }
}

function key(address: string, protocol: string, port: number): string {
  return `${address} ${protocol.toLowerCase()} ${port}`;
}
