// A table like the flat layout's, for tests: backends in slots, and verdicts.
import { BatchWriter, type Element } from "../messages/batch-writer.ts";
import { NFPROTO_IPV4, NLM_F_ACK, NLM_F_CREATE } from "../messages/uapi.ts";
import { concatenate, podAddress, port, serviceAddress, slot, tcp } from "./bytes.ts";

export const TABLE = { family: NFPROTO_IPV4, table: "flat" };

export function batch(firstSequence = 1): BatchWriter {
  return new BatchWriter(NFPROTO_IPV4, TABLE.table, firstSequence);
}

/** Table, chain lb-2, map backends, verdict map service-ips. */
export function stock(size?: number): Uint8Array {
  const stock = batch();
  stock.addTable();
  stock.addChain("lb-2");
  stock.addSet("backends", { key: [4, 1, 2, 4], data: 8, ...(size === undefined ? {} : { size }) });
  stock.addSet("service-ips", { key: [4, 1, 2], data: "verdict" }, NLM_F_CREATE | NLM_F_ACK);
  return stock.end();
}

export function backendKey(service: number, at: number): Uint8Array {
  return concatenate(serviceAddress(service), tcp, port(80), slot(at));
}

export function backend(service: number, at: number, pod: number): Element {
  return { key: backendKey(service, at), data: concatenate(podAddress(pod), port(8080)) };
}

/** Services × endpoints elements of the map backends, in one batch that asks for one answer. */
export function load(services: number, endpoints: number, firstSequence = 1, firstService = 0): Uint8Array {
  const load = batch(firstSequence);
  const elements: Element[] = [];
  for (let service = firstService; service < firstService + services; service++) {
    for (let at = 0; at < endpoints; at++) elements.push(backend(service, at, service * endpoints + at));
  }
  load.addElements("backends", elements);
  load.addChain("loaded", undefined, NLM_F_CREATE | NLM_F_ACK);
  return load.end();
}

/** Replaces the endpoint in slot 0 of a service: delete and add of the same key. */
export function replace(service: number, pod: number, firstSequence: number): Uint8Array {
  const replace = batch(firstSequence);
  replace.deleteElements("backends", [{ key: backendKey(service, 0) }]);
  replace.addElements("backends", [backend(service, 0, pod)], NLM_F_CREATE | NLM_F_ACK);
  return replace.end();
}
