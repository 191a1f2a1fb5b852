// `metadata` of an object or list: what of it matters to any kind.
import { Severity } from "../abi/problems";
import { SLACK } from "../bytes/memory";
import { NO_TIMESTAMP, parseTimestamp } from "../bytes/timestamp";
import { literalProblem, objectStart, valueProblem } from "./report";
import { moreMembers, readKey, stringAt, stringIs, stringLength, valueAt } from "./scanner";
import { clearText, newText, Text } from "./scratch";
import { skipManagedFields, skipValue } from "./skip";
import { openObject, readText } from "./values";

/** Reads a string or null into `text`. */
export function readInto(text: Text): void {
  clearText(text);
  if (!readText()) return;
  text.bytes = stringAt;
  text.length = stringLength;
  text.valueAt = valueAt;
}

export const namespaceText: Text = newText();
export const nameText: Text = newText();
export const resourceVersionText: Text = newText();
export const continueText: Text = newText();
/** Label kubernetes.io/service-name */
export const serviceNameText: Text = newText();
/** Label topology.kubernetes.io/zone */
export const zoneText: Text = newText();
/** Seconds since 1970, or NO_TIMESTAMP. */
export let creationTimestamp: u64 = NO_TIMESTAMP;
/** Annotation endpoints.kubernetes.io/last-change-trigger-time */
export const triggerTimeText: Text = newText();
/** deletionTimestamp is there. */
export let isDeleting: bool = false;
/** Label service.kubernetes.io/service-proxy-name is there, whatever its value. */
export let hasProxyName: bool = false;
/** Label service.kubernetes.io/headless is there. */
export let hasHeadless: bool = false;
/** Label k8s-app is `kube-dns`. */
export let isDNS: bool = false;
/** Annotation k8s.io/initial-events-end is "true". */
export let initialEventsEnd: bool = false;

function resetLabels(): void {
  hasProxyName = false;
  hasHeadless = false;
  isDNS = false;
  clearText(serviceNameText);
  clearText(zoneText);
}

/** Forgets the last object's. */
export function resetMetadata(): void {
  clearText(namespaceText);
  clearText(nameText);
  clearText(resourceVersionText);
  clearText(continueText);
  creationTimestamp = NO_TIMESTAMP;
  isDeleting = false;
  resetAnnotations();
  resetLabels();
}

function readLabels(): void {
  resetLabels();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("kubernetes.io/service-name")) {
      readInto(serviceNameText);
    } else if (stringIs("topology.kubernetes.io/zone")) {
      readInto(zoneText);
    } else if (stringIs("service.kubernetes.io/service-proxy-name")) {
      readText();
      hasProxyName = true;
    } else if (stringIs("service.kubernetes.io/headless")) {
      readText();
      hasHeadless = true;
    } else if (stringIs("k8s-app")) {
      isDNS = readText() && stringIs("kube-dns");
    } else {
      skipValue();
    }
  } while (moreMembers());
}

function resetAnnotations(): void {
  initialEventsEnd = false;
  clearText(triggerTimeText);
}

function readAnnotations(): void {
  resetAnnotations();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("k8s.io/initial-events-end")) initialEventsEnd = readText() && stringIs("true");
    else if (stringIs("endpoints.kubernetes.io/last-change-trigger-time")) readInto(triggerTimeText);
    else skipValue();
  } while (moreMembers());
}

/** Reads the value of the key `metadata`. */
export function readMetadata(): void {
  resetMetadata();
  if (!openObject()) return;
  do {
    readKey();
    if (stringIs("managedFields")) {
      skipManagedFields();
    } else if (stringIs("name")) {
      readInto(nameText);
    } else if (stringIs("namespace")) {
      readInto(namespaceText);
    } else if (stringIs("resourceVersion")) {
      readInto(resourceVersionText);
    } else if (stringIs("labels")) {
      readLabels();
    } else if (stringIs("annotations")) {
      readAnnotations();
    } else if (stringIs("creationTimestamp")) {
      creationTimestamp = readText() ? parseTimestamp(stringAt, stringLength) : NO_TIMESTAMP;
    } else if (stringIs("deletionTimestamp")) {
      isDeleting = readText();
    } else if (stringIs("continue")) {
      readInto(continueText);
    } else {
      skipValue();
    }
  } while (moreMembers());
}

/** ASCII letters, digits, `.`, `_` and `-`: what may get into rule text. */
function isSafeName(bytes: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) {
    const byte = <u32>load<u8>(bytes + i);
    if ((byte | 0x20) - 0x61 < 26 || byte - 0x30 < 10) continue;
    if (byte != 0x2d && byte != 0x2e && byte != 0x5f) return false;
  }
  return true;
}

/** Reports a name that is too long or has other characters than it may; `where` is its place in the data. */
export function checkName(bytes: usize, length: usize, limit: usize, where: usize): bool {
  if (!isSafeName(bytes, length)) {
    valueProblem(
      Severity.ERROR,
      "invalid-name",
      where,
      bytes,
      length,
      " has characters that a name cannot have",
      "use only letters, digits, '.', '_' and '-'",
    );
    return false;
  }
  if (length <= limit) return true;
  valueProblem(
    Severity.ERROR,
    "invalid-name",
    where,
    bytes,
    length,
    limit == 63 ? " is longer than 63 bytes" : " is longer than 253 bytes",
    "use a shorter name",
  );
  return false;
}

const DEFAULT_NAMESPACE: usize = heap.alloc(8 + SLACK);
store<u64>(DEFAULT_NAMESPACE, 0x00746c7561666564); // "default"

/** Checks name and namespace of the object read; an absent namespace becomes `default` if the kind is namespaced. */
export function checkNames(namespaced: bool): bool {
  if (namespaced && namespaceText.length == 0) {
    namespaceText.bytes = DEFAULT_NAMESPACE;
    namespaceText.length = 7;
  }
  if (nameText.length == 0) {
    const where = nameText.valueAt != 0 ? nameText.valueAt : objectStart();
    literalProblem(Severity.ERROR, "missing-name", where, "the object has no metadata.name", "give it a name");
    return false;
  }
  if (!checkName(nameText.bytes, nameText.length, 253, nameText.valueAt)) return false;
  if (!namespaced) return true;
  return checkName(namespaceText.bytes, namespaceText.length, 63, namespaceText.valueAt);
}
