// What one `readDocuments` has found, but for the problems: the fields of the contract's `apply-result`. Strings are
// address and length of UTF-8 that lives until the call returns.

import { literalBytes } from "../abi/problems";
import { equalBytes } from "../bytes/compare";
import { arenaAlloc } from "../bytes/memory";
import { Lack } from "./cluster-ips";
import { clearText, newText, Text } from "./scratch";
import { wellFormed, wellFormedBytes } from "./utf8";

export let services: u32 = 0;
export let endpointSlices: u32 = 0;
export let nodes: u32 = 0;
export let serviceCIDRs: u32 = 0;
export let changed: u32 = 0;
/** Services without a cluster IP, by why. */
export let headless: u32 = 0;
export let externalName: u32 = 0;
export let unassigned: u32 = 0;

export const resourceVersion: Text = newText();
export const continueToken: Text = newText();
export let bookmark: bool = false;
export let initialEventsEnd: bool = false;

export let hasStatus: bool = false;
export let statusCode: u32 = 0;
export const statusReason: Text = newText();
export const statusMessage: Text = newText();
export let statusRetryAfter: u32 = 0;

/** Kinds beyond this many are counted together. */
const MAX_SKIPPED: u32 = 64;
/** Longer kinds are cut. */
const MAX_KIND_SIZE: usize = 253;
/** Address and length of the kind, count: `record skipped` as the canonical ABI lays it out. */
const SKIPPED_SIZE: usize = 12;

let skipped: usize = 0;
/** How many entries `skippedTable()` has. */
export let skippedCount: u32 = 0;

/** Address of `list<skipped>` in canonical form. */
export function skippedTable(): usize {
  return skipped;
}

export function resetResults(): void {
  services = 0;
  endpointSlices = 0;
  nodes = 0;
  serviceCIDRs = 0;
  changed = 0;
  headless = 0;
  externalName = 0;
  unassigned = 0;
  clearText(resourceVersion);
  clearText(continueToken);
  bookmark = false;
  initialEventsEnd = false;
  hasStatus = false;
  statusCode = 0;
  clearText(statusReason);
  clearText(statusMessage);
  statusRetryAfter = 0;
  skipped = 0;
  skippedCount = 0;
}

/** Keeps a text of the input as a result. */
function setText(result: Text, text: Text): void {
  result.length = wellFormed(text.bytes, text.length);
  result.bytes = wellFormedBytes;
}

/** @param lack why it has no cluster IP */
export function countService(lack: u32): void {
  services++;
  if (lack == Lack.HEADLESS) headless++;
  else if (lack == Lack.EXTERNAL_NAME) externalName++;
  else if (lack == Lack.UNASSIGNED) unassigned++;
}

export function countEndpointSlice(): void {
  endpointSlices++;
}

export function countNode(): void {
  nodes++;
}

export function countServiceCIDR(): void {
  serviceCIDRs++;
}

export function countChange(): void {
  changed++;
}

export function setResourceVersion(text: Text): void {
  if (text.length != 0) setText(resourceVersion, text);
}

export function setContinue(text: Text): void {
  setText(continueToken, text);
}

export function setBookmark(endsInitialEvents: bool): void {
  bookmark = true;
  if (endsInitialEvents) initialEventsEnd = true;
}

export function setStatus(code: u32, reason: Text, message: Text, retryAfter: u32): void {
  hasStatus = true;
  statusCode = code;
  setText(statusReason, reason);
  setText(statusMessage, message);
  statusRetryAfter = retryAfter;
}

const SLASH: u8 = 0x2f;
const fullKind: Text = newText();

/** Sets `fullKind` to `KIND.GROUP`, or in the core group to `KIND`. */
function nameKind(kind: Text, apiVersion: Text): void {
  fullKind.bytes = kind.bytes;
  fullKind.length = min<usize>(kind.length, MAX_KIND_SIZE);
  let group: usize = 0;
  while (group < apiVersion.length && load<u8>(apiVersion.bytes + group) != SLASH) group++;
  if (group == apiVersion.length || group > MAX_KIND_SIZE || kind.length == 0) return;
  const name = arenaAlloc(fullKind.length + 1 + group);
  memory.copy(name, fullKind.bytes, fullKind.length);
  store<u8>(name + fullKind.length, 0x2e);
  memory.copy(name + fullKind.length + 1, apiVersion.bytes, group);
  fullKind.bytes = name;
  fullKind.length += 1 + group;
}

/** Counts an object of a kind that is not read, by kind and API group as kubectl writes them: `Deployment.apps`. */
export function countSkipped(kind: Text, apiVersion: Text): void {
  nameKind(kind, apiVersion);
  let length = wellFormed(fullKind.bytes, fullKind.length);
  let bytes = wellFormedBytes;
  for (let i: u32 = 0; i < skippedCount; i++) {
    const entry = skipped + <usize>i * SKIPPED_SIZE;
    const isLast = i == MAX_SKIPPED;
    if (!isLast && !equalBytes(load<usize>(entry), load<usize>(entry, 4), bytes, length)) continue;
    store<u32>(entry, load<u32>(entry, 8) + 1, 8);
    return;
  }
  if (skippedCount == 0) skipped = arenaAlloc((<usize>MAX_SKIPPED + 1) * SKIPPED_SIZE);
  if (skippedCount == MAX_SKIPPED) {
    bytes = literalBytes("(other kinds)");
    length = 13;
  }
  const entry = skipped + <usize>skippedCount * SKIPPED_SIZE;
  store<usize>(entry, bytes);
  store<usize>(entry, length, 4);
  store<u32>(entry, 1, 8);
  skippedCount++;
}
