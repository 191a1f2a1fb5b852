// UDP entry points that no Service claims any more, with the name of the one that had them last. conntrack still sends
// the packets of old flows to where the Service was, so they are remembered until those flows have been looked for.
import { SLACK, Vector } from "../bytes/memory";
import { Protocol } from "../bytes/protocols";
import { dropUnusedKey, Key } from "./keys";
import { FamilyPort } from "./service-ports";

/** Who had the entry point. After it: `namespace/name`, then the port's name. */
@unmanaged
export class GoneEntryPoint {
  /** One of `EntryPoint`, or UNKNOWN_ENTRY_POINT. */
  entryPoint: u32;
  namespaceLength: u32;
  /** Of `namespace/name`. */
  keyLength: u32;
  portNameLength: u32;
  /** The run that has begun looks for its flows. */
  looked: bool;

  namespace(): usize {
    return changetype<usize>(this) + offsetof<GoneEntryPoint>();
  }

  portName(): usize {
    return this.namespace() + this.keyLength;
  }
}

/** Of what an earlier instance has left in the kernel no more than the key is known: names are empty. */
const UNKNOWN_ENTRY_POINT: u32 = 4;

/** What comes beyond it is not remembered: its flows stay until nobody sends any more. */
const MOST_REMEMBERED: u32 = 65536;

/** Keys with `gone`, each once. */
const remembered = new Vector();

/** Key, service port, entry point: claims given back since the last `refresh`. */
const givenBack = new Vector();

/** The service port has given back the last claim of the key. Another may claim it before `refresh` has ended. */
export function noteGivenBack(key: Key, port: FamilyPort, entryPoint: u32): void {
  if (port.port.protocol != Protocol.UDP) return;
  givenBack.push(<u32>changetype<usize>(key));
  givenBack.push(<u32>changetype<usize>(port));
  givenBack.push(entryPoint);
}

/** At the end of `refresh`: remembers which entry points are gone. */
export function rememberGone(): void {
  for (let i: u32 = 0; i < givenBack.length; i += 3) {
    const key = changetype<Key>(<usize>givenBack.get(i));
    if (key.claims == 0) remember(key, changetype<FamilyPort>(<usize>givenBack.get(i + 1)), givenBack.get(i + 2));
  }
  givenBack.clear();
}

function remember(key: Key, port: FamilyPort, entryPoint: u32): void {
  if (key.gone == 0 && remembered.length >= MOST_REMEMBERED) return;
  if (key.gone != 0) heap.free(key.gone);
  else remembered.push(<u32>changetype<usize>(key));
  const service = port.port.service;
  const at = heap.alloc(offsetof<GoneEntryPoint>() + <usize>service.keyLength + port.port.nameLength + SLACK);
  const gone = changetype<GoneEntryPoint>(at);
  gone.entryPoint = entryPoint;
  gone.namespaceLength = service.namespaceLength;
  gone.keyLength = service.keyLength;
  gone.portNameLength = port.port.nameLength;
  gone.looked = false;
  memory.copy(gone.namespace(), service.key, service.keyLength);
  memory.copy(gone.portName(), port.port.name(), port.port.nameLength);
  key.gone = at;
}

/** The kernel still leads what comes to the key somewhere, and nobody claims it. */
export function rememberLeftOver(key: Key): void {
  if (key.gone != 0 || remembered.length >= MOST_REMEMBERED) return;
  remembered.push(<u32>changetype<usize>(key));
  key.gone = heap.alloc(offsetof<GoneEntryPoint>() + SLACK);
  memory.fill(key.gone, 0, offsetof<GoneEntryPoint>());
  changetype<GoneEntryPoint>(key.gone).entryPoint = UNKNOWN_ENTRY_POINT;
}

/** A run begins: it looks for flows of those that the kernel does not hold any more. */
export function lookForGone(family: u32): void {
  for (let i: u32 = 0; i < remembered.length; i++) {
    const key = changetype<Key>(<usize>remembered.get(i));
    if (<u32>key.family == family) changetype<GoneEntryPoint>(key.gone).looked = !key.changed && !key.open;
  }
}

/** The run has seen all flows: forgets what it has looked for, and what is claimed again. */
export function forgetLookedFor(family: u32): void {
  let kept: u32 = 0;
  for (let i: u32 = 0; i < remembered.length; i++) {
    const key = changetype<Key>(<usize>remembered.get(i));
    if (<u32>key.family != family || (key.claims == 0 && !changetype<GoneEntryPoint>(key.gone).looked)) {
      remembered.set(kept++, remembered.get(i));
      continue;
    }
    heap.free(key.gone);
    key.gone = 0;
    dropUnusedKey(key);
  }
  remembered.length = kept;
}
