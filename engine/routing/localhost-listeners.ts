// TCP node ports on 127.0.0.1 and ::1, where the host listens itself: no rule can lead their packets away (kube-proxy's
// feature gate KubeProxyNFTablesLocalhostNodePorts). It is told which ports, and to which endpoints it forwards, as changes.
import { setString } from "../abi/lists";
import { arenaAlloc } from "../bytes/memory";
import { IPV4, IPV6 } from "../bytes/protocols";
import { sortVector } from "../bytes/sort";
import { endpointAt, endpoints, Routed } from "./endpoints";
import { factsOf } from "./family-facts";
import { dropUnusedKey, eachKey, Key, listenerKeys, noteListener } from "./keys";
import { routeUnsigned } from "./route";
import { Decision, externalIsLocal, FamilyPort, recordOf } from "./service-ports";

/** The host has to be told all of them: it knows none yet, or what they depend on has changed. */
let isAnew: bool = true;
/** All of them are being told, by several calls perhaps. */
let isTellingAll: bool = false;
/** How many of `listenerKeys` have been told. */
let told: u32 = 0;

export function tellListenersAnew(): void {
  isAnew = true;
}

function compareListeners(a: u32, b: u32): i32 {
  const left = changetype<Key>(<usize>a);
  const right = changetype<Key>(<usize>b);
  return (<i32>left.family - <i32>right.family) * 65536 + <i32>left.port - <i32>right.port;
}

/** `record localhost-listener` as the canonical ABI lays it out. */
@unmanaged
class Row {
  family: u8;
  port: u16;
  namespace: usize;
  namespaceLength: usize;
  service: usize;
  serviceLength: usize;
  name: usize;
  nameLength: usize;
  affinitySeconds: u32;
  endpoints: usize;
  endpointCount: u32;
}

/** `record endpoint-address` likewise. */
@unmanaged
class EndpointRow {
  address: usize;
  addressLength: usize;
  port: u32;
}

function listEndpoints(row: Row, port: FamilyPort): void {
  // As kube-proxy: under the Local policy what comes from the node itself goes to endpoints on it, too.
  const policy = externalIsLocal(port) ? Routed.LOCAL_POLICY : Routed.CLUSTER;
  let count: u32 = 0;
  for (let i: u32 = 0; i < endpoints.length; i++) if ((endpointAt(i).flags & policy) != 0) count++;
  let at = arenaAlloc(<usize>count * offsetof<EndpointRow>());
  row.endpoints = at;
  row.endpointCount = count;
  for (let i: u32 = 0; i < endpoints.length; i++) {
    const endpoint = endpointAt(i);
    if ((endpoint.flags & policy) == 0) continue;
    // Texts of endpoints are written over by the next that are routed.
    const length = endpoint.bareLength();
    const text = arenaAlloc(length);
    memory.copy(text, endpoint.address(), length);
    setString(at, text, length);
    changetype<EndpointRow>(at).port = endpoint.port;
    at += offsetof<EndpointRow>();
  }
}

/** Fills the row; returns how many endpoints were looked at. */
function describeListener(row: Row, key: Key): u32 {
  memory.fill(changetype<usize>(row), 0, offsetof<Row>());
  row.family = key.family;
  row.port = <u16>key.port;
  if (key.claims == 0 || !factsOf(<u32>key.family).listensOnLocalhost) return 0;
  const port = key.owner().port;
  const service = port.port.service;
  // It is taken up in portions, and what has become of this port comes with a later one.
  if (!port.present) return 0;
  row.namespace = service.key;
  row.namespaceLength = service.namespaceLength;
  row.service = service.key + service.namespaceLength + 1;
  row.serviceLength = service.keyLength - service.namespaceLength - 1;
  row.name = port.port.name();
  row.nameLength = port.port.nameLength;
  row.affinitySeconds = recordOf(port).affinityTimeout;
  routeUnsigned(port);
  if ((port.decision & Decision.EXTERNAL) != 0) listEndpoints(row, port);
  return endpoints.length;
}

function listAll(): void {
  isAnew = false;
  isTellingAll = true;
  // Those that wait stay: nobody may have them any more.
  for (let i = told; i < listenerKeys.length; i++) listenerKeys.set(i - told, listenerKeys.get(i));
  listenerKeys.length -= told;
  told = 0;
  if (factsOf(IPV4).listensOnLocalhost || factsOf(IPV6).listensOnLocalhost) {
    eachKey((key: Key) => {
      if (key.claims != 0) noteListener(key);
    });
  }
  sortVector(listenerKeys, 0, listenerKeys.length, compareListeners);
}

/**
 * The contract's `localhost-listeners`, into the record at `result`: ports that may have changed since the last call, about `work`
 * endpoints of them. Changes must have been taken up; ports that wait for their portion are told again after it.
 */
export function tellListeners(result: usize, work: u32): void {
  if (isAnew) listAll();
  const first = told;
  const isFirst = isTellingAll && first == 0;
  const rows = arenaAlloc(<usize>(listenerKeys.length - first) * offsetof<Row>());
  let left: i64 = max<u32>(work, 1);
  for (; told < listenerKeys.length && left > 0; told++) {
    const key = changetype<Key>(<usize>listenerKeys.get(told));
    const row = changetype<Row>(rows + <usize>(told - first) * offsetof<Row>());
    key.listenerChanged = false;
    left -= 1 + describeListener(row, key);
    dropUnusedKey(key);
  }
  const more = told < listenerKeys.length;
  store<u8>(result, <u8>isTellingAll);
  store<u8>(result, <u8>isFirst, 1);
  store<u8>(result, <u8>more, 2);
  setString(result + 4, rows, <usize>(told - first));
  if (more) return;
  listenerKeys.clear();
  told = 0;
  isTellingAll = false;
}
