// Addresses and ports that one Service has, so that no other can get them.
import { addressText, parseAddress } from "../cidr.ts";
import { hasNodePorts, needsHealthCheck, type ServiceSpec } from "./objects.ts";

/** A Service, and how a message names it. */
export interface Owner {
  /** `namespace/name` */
  readonly key: string;
  /** As `Service shop/web at web.yaml:12:3`. */
  readonly shown: () => string;
}

export class Taken {
  readonly #owners = new Map<string, Owner>();
  readonly #keys = new Map<string, string[]>();

  /** Whoever else has this cluster IP. */
  ofAddress(address: string, key: string): Owner | undefined {
    return this.#other(addressKey(address), key);
  }

  /** Whoever else has this node port: one number serves one Service, whatever its protocol. */
  ofPort(port: number, key: string): Owner | undefined {
    return this.#other(`${port}`, key);
  }

  /** From now on the Service has these, and not what it had before. */
  take(owner: Owner, spec: ServiceSpec): void {
    for (const each of this.#keys.get(owner.key) ?? []) this.#owners.delete(each);
    const wanted = keysOf(spec).filter((each) => !this.#owners.has(each));
    for (const each of wanted) this.#owners.set(each, owner);
    this.#keys.set(owner.key, wanted);
  }

  #other(wanted: string, key: string): Owner | undefined {
    const owner = this.#owners.get(wanted);
    return owner?.key === key ? undefined : owner;
  }
}

function keysOf(spec: ServiceSpec): string[] {
  if (spec.type === "ExternalName") return [];
  const { clusterIP = "", clusterIPs = [clusterIP], ports = [], healthCheckNodePort = 0 } = spec;
  const numbers = hasNodePorts(spec) ? ports.map(({ nodePort = 0 }) => nodePort) : [];
  if (needsHealthCheck(spec)) numbers.push(healthCheckNodePort);
  return [
    ...clusterIPs.filter((address) => address !== "" && address !== "None").map(addressKey),
    ...[...new Set(numbers)].filter((number) => number !== 0).map(String),
  ];
}

/** The same for all forms of an address. */
function addressKey(text: string): string {
  if (/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return text;
  const address = parseAddress(text);
  return address === undefined ? text : addressText(address);
}
