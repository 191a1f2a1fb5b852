// The options of the instance as `configure` has taken them. Meaning and spelling: engine.wit, `record options`.
import { SLACK } from "../bytes/memory";

export namespace Mode {
  export const IPTABLES: u8 = 0;
  export const NFTABLES: u8 = 1;
  export const FLAT: u8 = 2;
}

export namespace DetectLocalMode {
  export const CLUSTER_CIDR: u8 = 0;
  export const NODE_CIDR: u8 = 1;
  export const BRIDGE_INTERFACE: u8 = 2;
  export const INTERFACE_NAME_PREFIX: u8 = 3;
}

/** Linux: IFNAMSIZ less the terminating zero. */
export const MAX_INTERFACE_NAME: usize = 15;

/**
 * The record as the canonical ABI lays it out: a string or list is address and length (of bytes or strings), an
 * option<list> has its discriminant before it.
 */
@unmanaged
export class Options {
  mode: u8;
  nodeName: usize;
  nodeNameLength: usize;
  bindAddress: usize;
  bindAddressLength: usize;
  detectLocalMode: u8;
  clusterCIDR: usize;
  clusterCIDRLength: usize;
  bridgeInterface: usize;
  bridgeInterfaceLength: usize;
  interfaceNamePrefix: usize;
  interfaceNamePrefixLength: usize;
  masqueradeAll: bool;
  masqueradeBit: u8;
  nodePortAddresses: usize;
  nodePortAddressCount: usize;
  localhostNodePorts: bool;
  allowServiceExternalIPs: bool;
  nftablesLocalhostNodePorts: bool;
  hasInterfaceAddresses: u32; // one byte, then three of padding that mean nothing
  interfaceAddresses: usize;
  interfaceAddressCount: usize;
  nfacctInvalidDropped: bool;
  nfacctLocalhostAccepted: bool;
  conntrackTCPBeLiberal: bool;
  randomFully: bool;
}

/** The options in force; 0 before the first `configure`. Its strings are blocks of their own. */
let current: usize = 0;

export function options(): Options {
  return changetype<Options>(current);
}

function keepBytes(at: usize): void {
  const length = load<usize>(at, 4);
  const copy = heap.alloc(length + SLACK);
  memory.copy(copy, load<usize>(at), length);
  store<usize>(at, copy);
}

function keepList(at: usize): void {
  const size = load<usize>(at, 4) << 3;
  const copy = heap.alloc(size + SLACK);
  memory.copy(copy, load<usize>(at), size);
  store<usize>(at, copy);
  for (let i: usize = 0; i < size; i += 8) keepBytes(copy + i);
}

function freeList(at: usize): void {
  const list = load<usize>(at);
  const size = load<usize>(at, 4) << 3;
  for (let i: usize = 0; i < size; i += 8) heap.free(load<usize>(list + i));
  heap.free(list);
}

/** Applies `one` to each string, `many` to each list of strings of the record at `at`. */
function eachPart(at: usize, one: (at: usize) => void, many: (at: usize) => void): void {
  one(at + offsetof<Options>("nodeName"));
  one(at + offsetof<Options>("bindAddress"));
  one(at + offsetof<Options>("clusterCIDR"));
  one(at + offsetof<Options>("bridgeInterface"));
  one(at + offsetof<Options>("interfaceNamePrefix"));
  many(at + offsetof<Options>("nodePortAddresses"));
  if ((changetype<Options>(at).hasInterfaceAddresses & 0xff) != 0) many(at + offsetof<Options>("interfaceAddresses"));
}

/** Copies the options from the call's arguments and makes them those in force. */
export function takeOptions(from: usize): void {
  if (current != 0) {
    eachPart(
      current,
      (at: usize) => {
        heap.free(load<usize>(at));
      },
      freeList,
    );
    heap.free(current);
  }
  current = heap.alloc(offsetof<Options>());
  memory.copy(current, from, offsetof<Options>());
  eachPart(current, keepBytes, keepList);
}
