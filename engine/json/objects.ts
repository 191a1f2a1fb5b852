// One object: finds out what it is, has it read, and, once its document allows, commits it.
import { Severity } from "../abi/problems";
import { SLACK } from "../bytes/memory";
import { writeLiteral } from "../bytes/out";
import { commitEndpointSlice, readEndpointSlice } from "./endpoint-slice";
import { assumeKind, contradicted, identify, Kind, kindText, probeObject, surveyObject, versionText } from "./identity";
import {
  initialEventsEnd,
  namespaceText,
  nameText,
  readMetadata,
  resetMetadata,
  resourceVersionText,
} from "./metadata";
import { commitNode, readNode } from "./node";
import { Outcome } from "./outcome";
import { beginObject, finishObjectProblems, literalProblem } from "./report";
import {
  countChange,
  countEndpointSlice,
  countNode,
  countService,
  countServiceCIDR,
  countSkipped,
  setBookmark,
  setResourceVersion,
  setStatus,
} from "./results";
import {
  containerDepth,
  enterObject,
  Failure,
  failed,
  failedAt,
  moreMembers,
  position,
  readKey,
  seek,
  stringIs,
} from "./scanner";
import { clearText, newText, Text } from "./scratch";
import { clusterIPLack, commitService, readService } from "./service";
import { commitServiceCIDR, readServiceCIDR } from "./service-cidr";
import { skipValue } from "./skip";
import { messageText, readStatus, reasonText, retryAfterSeconds, statusCode } from "./status";
import { invalidUTF8 } from "./utf8";

/** Of the object read last: its Kind, the text of its `kind`, where it begins and where it ends. */
let kind: u32 = Kind.NONE;
const objectKind: Text = newText();
let start: usize = 0;
let objectEnd: usize = 0;

/** Up to here the data is known to be UTF-8, or its problems are reported. */
let checkedTo: usize = 0;

/** The first byte outside objects that is no UTF-8; 0 if there is none so far. */
let badOutside: usize = 0;

/** A document begins at `from`. */
export function beginDocument(from: usize): void {
  checkedTo = from;
  badOutside = 0;
  start = 0;
  beginObject(from);
}

/** The text of a known `kind`, for items of lists that do not say it. */
function setKindText(listKind: u32): void {
  if (kindText.length != 0) {
    objectKind.bytes = kindText.bytes;
    objectKind.length = kindText.length;
    return;
  }
  clearText(objectKind);
  if (listKind == Kind.SERVICE) setLiteralKind(SERVICE, 7);
  else if (listKind == Kind.ENDPOINT_SLICE) setLiteralKind(ENDPOINT_SLICE, 13);
  else if (listKind == Kind.NODE) setLiteralKind(NODE, 4);
  else if (listKind == Kind.SERVICE_CIDR) setLiteralKind(SERVICE_CIDR, 11);
}

function setLiteralKind(bytes: usize, length: usize): void {
  objectKind.bytes = bytes;
  objectKind.length = length;
}

function bytesOf(literal: string): usize {
  const length = <usize>literal.length;
  const bytes = heap.alloc(length + SLACK);
  writeLiteral(bytes, literal);
  return bytes;
}

const SERVICE: usize = bytesOf("Service");
const ENDPOINT_SLICE: usize = bytesOf("EndpointSlice");
const NODE: usize = bytesOf("Node");
const SERVICE_CIDR: usize = bytesOf("ServiceCIDR");

function readMetadataOnly(): void {
  if (!enterObject()) return;
  do {
    readKey();
    if (stringIs("metadata")) readMetadata();
    else skipValue();
  } while (moreMembers());
}

function readAs(what: u32): void {
  if (what == Kind.ENDPOINT_SLICE) readEndpointSlice();
  else if (what == Kind.SERVICE) readService();
  else if (what == Kind.NODE) readNode();
  else if (what == Kind.SERVICE_CIDR) readServiceCIDR();
  else if (what == Kind.STATUS) readStatus();
  else if (what == Kind.OTHER) skipValue();
  else readMetadataOnly(); // it is going to be reported, by its name
}

/** What the object is. Any list is a LIST here: within a list or a watch line it is a mistake. */
function identifyObject(listKind: u32, version: usize, versionLength: usize): u32 {
  setKindText(listKind);
  const found = identify(listKind, version, versionLength);
  return found > Kind.SERVICE_CIDR ? Kind.LIST : found;
}

/** Goes back to the start of the object and through all of it, to find out what it is. */
function survey(depth: u32): bool {
  seek(start, depth);
  surveyObject();
  return failed == Failure.NONE;
}

function begin(): void {
  start = position();
  objectEnd = 0;
  kind = Kind.NONE;
  clearText(objectKind);
  resetMetadata();
  beginObject(start);
}

/** The object has been read. Where it ends is not known if the scanner has failed in it: the position is anywhere then. */
function end(): void {
  objectEnd = failed == Failure.NONE ? position() : 0;
}

/**
 * At `{`: reads one object, up to behind its `}`. `listKind` is the Kind of the list's items, NONE where they (or a
 * single object) must say it themselves; `version` is the list's apiVersion, if any.
 */
export function readObject(listKind: u32, version: usize, versionLength: usize): void {
  const depth = containerDepth();
  begin();
  probeObject();
  setKindText(listKind);
  if (failed != Failure.NONE) return;
  let isSure = false;
  if (listKind == Kind.NONE && (kindText.length == 0 || versionText.length == 0)) {
    if (!survey(depth)) return;
    isSure = true;
  }
  kind = identifyObject(listKind, version, versionLength);
  seek(start, depth);
  assumeKind(kind);
  readAs(kind);
  if (contradicted && !isSure && failed == Failure.NONE) {
    if (!survey(depth)) return;
    kind = identifyObject(listKind, version, versionLength);
    seek(start, depth);
    beginObject(start);
    readAs(kind);
  }
  end();
}

/** At `{`: reads the object of a BOOKMARK line, of whatever kind: only its metadata counts. */
export function readBookmark(): void {
  begin();
  readMetadataOnly();
  end();
}

/** At `{`: reads the object of an ERROR line. */
export function readError(): void {
  begin();
  kind = Kind.STATUS;
  readStatus();
  end();
}

function reportInvalidUTF8(where: usize): void {
  literalProblem(
    Severity.ERROR,
    "invalid-utf8",
    where,
    "the text is not UTF-8",
    "write the data in UTF-8; a tool in between may have changed its encoding",
  );
}

function checkOutside(end: usize): void {
  if (checkedTo >= end) return;
  const bad = invalidUTF8(checkedTo, end);
  if (bad != end && badOutside == 0) badOutside = bad;
  checkedTo = end;
}

/** Reports what is no UTF-8 in the object; what is before it, the document answers for. */
function checkObjectUTF8(): void {
  checkOutside(start);
  if (checkedTo >= objectEnd) return;
  const bad = invalidUTF8(checkedTo, objectEnd);
  checkedTo = objectEnd;
  if (bad != objectEnd) reportInvalidUTF8(bad);
}

/** At the end of a document: adds a problem if it is no UTF-8 outside its objects. */
export function checkDocumentUTF8(document: usize, end: usize): void {
  checkOutside(end);
  if (badOutside == 0) return;
  beginObject(document);
  reportInvalidUTF8(badOutside);
}

function count(outcome: u32): void {
  if (outcome == Outcome.REFUSED) return;
  if (outcome == Outcome.CHANGED) countChange();
  if (kind == Kind.SERVICE) countService(clusterIPLack);
  else if (kind == Kind.ENDPOINT_SLICE) countEndpointSlice();
  else if (kind == Kind.NODE) countNode();
  else countServiceCIDR();
}

function commitAs(deleted: bool): void {
  if (kind == Kind.ENDPOINT_SLICE) {
    count(commitEndpointSlice(deleted));
  } else if (kind == Kind.SERVICE) {
    count(commitService(deleted));
  } else if (kind == Kind.NODE) {
    count(commitNode(deleted));
  } else if (kind == Kind.SERVICE_CIDR) {
    count(commitServiceCIDR(deleted));
  } else if (kind == Kind.STATUS) {
    setStatus(statusCode, reasonText, messageText, retryAfterSeconds);
  } else if (kind == Kind.OTHER) {
    countSkipped(objectKind, versionText);
  } else if (kind == Kind.LIST) {
    const hint = "put its objects into the list around it, or give it as a document of its own";
    literalProblem(Severity.ERROR, "list-in-list", start, "a list stands where an object should be", hint);
  } else if (kind == Kind.UNVERSIONED) {
    literalProblem(Severity.ERROR, "missing-api-version", start, "the object has no apiVersion", "give it one");
  } else {
    literalProblem(Severity.ERROR, "missing-kind", start, "the object has no kind", "give it a kind");
  }
}

/** Gives the object's name to its problems and forgets it. */
export function finishObject(): void {
  finishObjectProblems(
    objectKind.bytes,
    objectKind.length,
    namespaceText.bytes,
    namespaceText.length,
    nameText.bytes,
    nameText.length,
  );
  start = 0;
}

/** The object that was read counts. `deleted`: it is gone. */
export function commitObject(deleted: bool): void {
  checkObjectUTF8();
  commitAs(deleted);
  finishObject();
}

export function commitBookmark(): void {
  setBookmark(initialEventsEnd);
  finishObject();
}

/** The resourceVersion of the object that was read is where the client stands now. */
export function commitResourceVersion(): void {
  setResourceVersion(resourceVersionText);
}

/** True if the scanner has failed inside an object: it then gets the object's name and a path from there. */
export function failedInObject(): bool {
  return start != 0 && failedAt >= start && (objectEnd == 0 || failedAt < objectEnd);
}
