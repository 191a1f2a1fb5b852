// What an API server sends and what people write: lists, single objects and watch lines, one after the other.
//
// A document that is no JSON costs itself, from the place where it breaks. Reading goes on at the next line that begins
// with `{` in its first column: the next watch line, or the next of several documents printed with indentation.
import {
  beginText,
  MAX_PROBLEMS,
  Problem,
  problemAt,
  problemMark,
  Severity,
  textDecimal,
  textLiteral,
} from "../abi/problems";
import { releaseEndpointSlices } from "./endpoint-slice";
import {
  identify,
  isType,
  isWatchLine,
  Kind,
  kindText,
  objectAt,
  probeObject,
  surveyObject,
  typeText,
  versionText,
} from "./identity";
import { continueText, readMetadata, resourceVersionText } from "./metadata";
import { releaseNodes } from "./node";
import {
  beginDocument,
  checkDocumentUTF8,
  commitBookmark,
  commitObject,
  commitResourceVersion,
  failedInObject,
  finishObject,
  readBookmark,
  readError,
  readObject,
} from "./objects";
import { resetPaths } from "./path";
import {
  beginObject,
  dropObjectProblems,
  finishObjectProblems,
  literalProblem,
  objectProblem,
  textInput,
} from "./report";
import { resetResults, setContinue, setResourceVersion } from "./results";
import {
  beginScan,
  dataEnd,
  enterObject,
  expected,
  Failure,
  failed,
  failedAt,
  moreElements,
  moreMembers,
  OBJECT,
  peek,
  position,
  readKey,
  seek,
  stringIs,
} from "./scanner";
import { clearText, newText, releaseRecordRoom, Text } from "./scratch";
import { releaseServices } from "./service";
import { releaseServiceCIDRs } from "./service-cidr";
import { skipValue } from "./skip";
import { openArray, wrongType } from "./values";

/** Where the document at hand begins, and its `kind`. */
let document: usize = 0;
const documentKind: Text = newText();
/** It has the form of a watch line, which ends where its line ends. */
let isLine: bool = false;

function copyText(to: Text, from: Text): void {
  to.bytes = from.bytes;
  to.length = from.length;
  to.valueAt = from.valueAt;
}

/** Gives the document's kind to the problems reported since `beginObject(document)`. */
function finishDocumentProblems(): void {
  finishObjectProblems(documentKind.bytes, documentKind.length, 0, 0, 0, 0);
}

namespace WatchType {
  export const UNKNOWN: u32 = 0;
  export const CHANGED: u32 = 1;
  export const DELETED: u32 = 2;
  export const BOOKMARK: u32 = 3;
  export const ERROR: u32 = 4;
}

function watchType(): u32 {
  if (isType("ADDED") || isType("MODIFIED")) return WatchType.CHANGED;
  if (isType("DELETED")) return WatchType.DELETED;
  if (isType("BOOKMARK")) return WatchType.BOOKMARK;
  return isType("ERROR") ? WatchType.ERROR : WatchType.UNKNOWN;
}

function readWatched(type: u32): void {
  if (type == WatchType.BOOKMARK) readBookmark();
  else if (type == WatchType.ERROR) readError();
  else readObject(Kind.NONE, 0, 0);
}

function commitWatched(type: u32): void {
  if (type != WatchType.ERROR) commitResourceVersion();
  if (type == WatchType.BOOKMARK) commitBookmark();
  else commitObject(type == WatchType.DELETED);
}

/** Takes the rest of a watch line, behind its object. False if a key there changes what was read before. */
function endLine(): bool {
  let isPlain = true;
  while (moreMembers()) {
    readKey();
    if (stringIs("type") || stringIs("object") || stringIs("kind")) isPlain = false;
    skipValue();
  }
  return isPlain;
}

/** `{"type": …, "object": …}` as it always comes. False if it is not that plain; nothing has been committed then. */
function readPlainLine(): bool {
  const type = watchType();
  if (type == WatchType.UNKNOWN) return false;
  seek(objectAt, 1);
  if (peek() != OBJECT) return false;
  readWatched(type);
  if (failed != Failure.NONE) return true;
  const isPlain = endLine();
  if (failed == Failure.NONE && isPlain) commitWatched(type);
  return isPlain || failed != Failure.NONE;
}

/** A watch line that has been surveyed and is good JSON. */
function readSurveyedLine(): void {
  const end = position();
  const type = watchType();
  const at = objectAt;
  beginObject(document);
  if (type == WatchType.UNKNOWN) {
    const problem = objectProblem(
      Severity.ERROR,
      "unknown-watch-type",
      typeText.valueAt == 0 ? document : typeText.valueAt,
    );
    beginText();
    textInput(typeText.bytes, typeText.length);
    textLiteral(" is no type of watch event; the line is skipped");
    problem.setMessage();
    problem.setHint("type is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR");
    finishDocumentProblems();
  } else {
    seek(at, 1);
    if (peek() == OBJECT) {
      readWatched(type);
      commitWatched(type);
    } else {
      wrongType("an object");
      finishDocumentProblems();
    }
  }
  seek(end, 0);
}

/** Reports an element of `items` that is no object. */
function refuseItem(index: u32): void {
  beginObject(document);
  wrongType("an object");
  if (failed != Failure.NONE) return;
  const last = problemMark() - 1;
  if (last < MAX_PROBLEMS) {
    const problem = problemAt(last);
    beginText();
    textLiteral("items[");
    textDecimal(index);
    textLiteral("]");
    problem.setBuiltField(); // no need to walk the list for it
  }
  finishDocumentProblems();
}

function readItems(itemKind: u32, version: usize, versionLength: usize): void {
  beginObject(document);
  const hasItems = openArray();
  finishDocumentProblems();
  if (!hasItems) return;
  let index: u32 = 0;
  do {
    if (peek() == OBJECT) {
      readObject(itemKind, version, versionLength);
      if (failed != Failure.NONE) return;
      commitObject(false);
    } else {
      refuseItem(index);
    }
    index++;
  } while (moreElements());
}

const listVersion: Text = newText();
const listResourceVersion: Text = newText();
const listContinue: Text = newText();

function readListMetadata(): void {
  beginObject(document);
  readMetadata();
  if (failed != Failure.NONE) return;
  copyText(listResourceVersion, resourceVersionText);
  copyText(listContinue, continueText);
  finishDocumentProblems();
}

/** At `{`: reads a list. Its objects are committed one by one, its resourceVersion once it is complete. */
function readList(kind: u32): void {
  const itemKind = kind == Kind.LIST ? Kind.NONE : kind - Kind.TYPED_LIST;
  copyText(listVersion, versionText);
  clearText(listResourceVersion);
  clearText(listContinue);
  let hasItems = false;
  if (enterObject()) {
    do {
      readKey();
      if (stringIs("metadata")) {
        readListMetadata();
      } else if (stringIs("items")) {
        if (!hasItems) {
          hasItems = true;
          readItems(itemKind, listVersion.bytes, listVersion.length);
        } else {
          beginObject(document);
          peek();
          literalProblem(
            Severity.ERROR,
            "duplicate-items",
            position(),
            "the list has items twice; only the first ones are read",
            "put all objects into one array",
          );
          finishDocumentProblems();
          skipValue();
        }
      } else {
        skipValue();
      }
    } while (failed == Failure.NONE && moreMembers());
  }
  if (failed != Failure.NONE) return;
  setResourceVersion(listResourceVersion);
  setContinue(listContinue);
}

/** At `{`: reads a document of any form. Afterwards `failed` tells whether it was one. */
function readDocument(): void {
  document = position();
  clearText(documentKind);
  beginDocument(document);
  probeObject();
  copyText(documentKind, kindText);
  isLine = typeText.length != 0 && kindText.length == 0;
  if (failed != Failure.NONE) return;
  if (isLine && objectAt != 0 && readPlainLine()) return;
  if (isLine || kindText.length == 0 || versionText.length == 0) {
    seek(document, 0);
    surveyObject();
    copyText(documentKind, kindText);
    if (failed != Failure.NONE) return;
  }
  if (isWatchLine()) {
    readSurveyedLine();
    return;
  }
  const kind = identify(Kind.NONE, 0, 0);
  seek(document, 0);
  if (kind == Kind.LIST || kind > Kind.TYPED_LIST) {
    readList(kind);
    return;
  }
  readObject(Kind.NONE, 0, 0);
  if (failed != Failure.NONE) return;
  if (kind != Kind.STATUS) commitResourceVersion();
  commitObject(false);
}

function describeFailure(problem: Problem): void {
  beginText();
  if (failed == Failure.TOO_DEEP) {
    textLiteral("objects and arrays are nested more than 64 deep");
    problem.setMessage();
    problem.setHint("no Kubernetes object is like that");
    return;
  }
  textLiteral("expected ");
  textLiteral(expected);
  if (failed == Failure.TRUNCATED) {
    textLiteral(", found the end of the data");
    problem.setMessage();
    problem.setHint("the data is cut off; send all of it");
    return;
  }
  textLiteral(", found ");
  textInput(failedAt, min<usize>(dataEnd() - failedAt, 16));
  problem.setMessage();
  problem.setHint("correct the JSON here");
}

function failureCode(): string {
  if (failed == Failure.TOO_DEEP) return "json-too-deep";
  return failed == Failure.TRUNCATED ? "json-truncated" : "json-syntax";
}

/** Reports why the document cannot be read on, in place of all that its unfinished object has given rise to. */
function reportFailure(): void {
  const inObject = failedInObject();
  dropObjectProblems();
  if (!inObject) beginObject(document);
  describeFailure(objectProblem(Severity.ERROR, failureCode(), failedAt));
  if (inObject) finishObject();
  else finishDocumentProblems();
}

/** Goes to the first line from `from` on that begins with `{`, or to the end. */
function resynchronise(from: usize, data: usize): void {
  const end = dataEnd();
  let at = from;
  while (at < end && !(load<u8>(at) == OBJECT && (at == data || load<u8>(at - 1) == 0x0a))) {
    while (at < end && load<u8>(at) != 0x0a) at++;
    if (at < end) at++;
  }
  seek(min(at, end), 0);
}

function refuseTop(): void {
  const at = position();
  document = at;
  beginObject(at);
  const problem = objectProblem(Severity.ERROR, "not-an-object", at);
  beginText();
  textLiteral("expected an object, found ");
  textInput(at, min<usize>(dataEnd() - at, 16));
  problem.setMessage();
  problem.setHint("give Kubernetes objects, lists or watch lines as JSON");
  finishObjectProblems(0, 0, 0, 0, 0, 0);
}

function release(): void {
  resetResults();
  resetPaths();
  releaseRecordRoom();
  releaseServices();
  releaseEndpointSlices();
  releaseNodes();
  releaseServiceCIDRs();
}

/**
 * Reads all documents in `length` bytes at `data` and stores or deletes the objects in them. Bytes up to SLACK past the
 * end may be read. The results are in json/results.ts and, after what abi/problems.ts held before, in its table; they
 * refer to the data and to the arena, so both must stay until they have been read. `arenaReset` must come before, not
 * after.
 */
export function readDocuments(data: usize, length: usize): void {
  release();
  beginScan(data, length);
  if (length >= 3 && load<u16>(data) == 0xbbef && load<u8>(data, 2) == 0xbf) seek(data + 3, 0);
  const first = position();
  while (true) {
    const byte = peek();
    if (position() >= dataEnd()) return;
    if (byte != OBJECT) {
      refuseTop();
      resynchronise(position() + 1, first);
      continue;
    }
    readDocument();
    if (failed == Failure.NONE) {
      checkDocumentUTF8(document, position());
      finishDocumentProblems();
      continue;
    }
    reportFailure();
    resynchronise(isLine ? document + 1 : max(failedAt, document + 1), first);
  }
}
