// After a family is planned, what was stale is stale no more; and what nothing is left of is forgotten. In slices: there may
// be a million keys.
import { Vector } from "../bytes/memory";
import { isSpentOnOne } from "../bytes/slices";
import { sortVector } from "../bytes/sort";
import { Service } from "../cluster/services";
import { dropUnusedChains } from "../layouts/flat/layout";
import { noteKeySettled, notePortSettled } from "../routing/flow-checks";
import { changedKeys, dropUnusedKey, Key } from "../routing/keys";
import { forgetGone, stalePorts } from "../routing/refresh";
import { FamilyPort } from "../routing/service-ports";
import { settledKeys, settleKey } from "../transactions/key-journal";
import { settledPorts } from "../transactions/port-journal";
import { isKeyWaiting, isWaiting } from "../transactions/waves";

/** How far `settleFamily` has come: what it has looked at, and what of it stays. */
let portsSeen: u32 = 0;
let portsKept: u32 = 0;
let keysSeen: u32 = 0;
let keysKept: u32 = 0;

/** The family that is planned next settles from the start. */
export function beginSettling(): void {
  portsSeen = 0;
  portsKept = 0;
  keysSeen = 0;
  keysKept = 0;
}

/** What was stale of the family has been planned; true: all of it is settled. */
export function settleFamily(family: u32): bool {
  while (portsSeen < stalePorts.length) {
    const at = stalePorts.get(portsSeen++);
    const port = changetype<FamilyPort>(<usize>at);
    if (port.family != family || isWaiting(port)) {
      stalePorts.set(portsKept++, at);
    } else {
      port.stale = false;
      if (!port.open) notePortSettled(port);
      settledPorts.push(at);
    }
    if (isSpentOnOne(portsSeen)) return false;
  }
  stalePorts.length = portsKept;
  portsSeen = portsKept;
  while (keysSeen < changedKeys.length) {
    const at = changedKeys.get(keysSeen++);
    const key = changetype<Key>(<usize>at);
    if (<u32>key.family != family || isKeyWaiting(key)) {
      changedKeys.set(keysKept++, at);
    } else {
      key.changed = false;
      if (!key.open) noteKeySettled(key);
      settleKey(key);
    }
    if (isSpentOnOne(keysSeen)) return false;
  }
  changedKeys.length = keysKept;
  keysSeen = keysKept;
  return true;
}

/** Services that may be gone. */
const gone = new Vector();

function compareNumbers(a: u32, b: u32): i32 {
  return a < b ? -1 : a == b ? 0 : 1;
}

/** Frees service ports, Services and keys that nothing is left of; true: all of them. */
export function forgetSettled(): bool {
  while (settledPorts.length != 0) {
    const port = changetype<FamilyPort>(<usize>settledPorts.pop());
    if (!port.present) {
      const service = <u32>changetype<usize>(port.port.service);
      if (gone.length == 0 || gone.get(gone.length - 1) != service) gone.push(service);
    }
    if (isSpentOnOne(settledPorts.length)) return false;
  }
  sortVector(gone, 0, gone.length, compareNumbers);
  for (let i: u32 = 0; i < gone.length; i++) {
    if (i == 0 || gone.get(i) != gone.get(i - 1)) forgetGone(changetype<Service>(<usize>gone.get(i)));
  }
  gone.clear();
  while (settledKeys.length != 0) {
    const key = changetype<Key>(<usize>settledKeys.pop());
    key.settled = false;
    dropUnusedKey(key);
    if (isSpentOnOne(settledKeys.length)) return false;
  }
  dropUnusedChains();
  return true;
}
