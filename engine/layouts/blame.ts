// `blame` as JSON, from the owners that were recorded while the text was made.

import { jsonKey, jsonLiteral, jsonString } from "../bytes/json";
import { byte, decimal, lit, outFlush, StreamName } from "../bytes/out";
import { Entry } from "../cluster/table";
import { Field, fieldPath, LineOwner, lineOwners, OwnerKind } from "../encodings/owners";
import { options } from "../routing/options";

function kindName(kind: u32): string {
  switch (kind) {
    case OwnerKind.SERVICE:
      return "Service";
    case OwnerKind.ENDPOINT_SLICE:
      return "EndpointSlice";
    case OwnerKind.NODE:
      return "Node";
    case OwnerKind.SERVICE_CIDR:
      return "ServiceCIDR";
    default:
      return "KubeProxyConfiguration";
  }
}

/** A path whose `[*]` stands for the index. */
function writePath(field: u32, index: u32): void {
  if (field == Field.CLUSTER_IP && index == 0xff) {
    jsonLiteral("spec.clusterIP");
    return;
  }
  const path = fieldPath(field);
  byte(0x22);
  for (let i = 0; i < path.length; i++) {
    const c = path.charCodeAt(i);
    if (c == 0x2a) decimal(index);
    else byte(<u8>c);
  }
  byte(0x22);
}

function writeOwner(owner: LineOwner): void {
  byte(0x7b);
  jsonKey("kind");
  jsonLiteral(kindName(owner.kind));
  lit(",");
  jsonKey("namespace");
  if (owner.object == 0) {
    lit('"",');
    jsonKey("name");
    if (owner.kind == OwnerKind.NODE) jsonString(options().nodeName, options().nodeNameLength);
    else lit('""');
  } else {
    const entry = changetype<Entry>(owner.object);
    jsonString(entry.key, entry.namespaceLength);
    lit(",");
    jsonKey("name");
    const skip = entry.namespaceLength == 0 ? 0 : entry.namespaceLength + 1;
    jsonString(entry.key + skip, entry.keyLength - skip);
  }
  lit(",");
  jsonKey("field");
  writePath(owner.field, owner.index);
  byte(0x7d);
}

const OWNER_SIZE: usize = offsetof<LineOwner>();

/** Writes the owners of one stream's lines, which stand `before` lines after the beginning of the text. */
function writeStream(stream: u32, before: u32, first: bool): bool {
  let line: i64 = -1;
  let isFirst = first;
  for (let i: u32 = 0; i < lineOwners.length; i += <u32>(OWNER_SIZE >> 2)) {
    const owner = changetype<LineOwner>(lineOwners.data + ((<usize>i) << 2));
    if (owner.stream != stream) continue;
    if (<i64>owner.line != line) {
      if (line >= 0) lit("]}");
      if (!isFirst) lit(",\n");
      isFirst = false;
      line = <i64>owner.line;
      lit('{"line":');
      decimal(before + owner.line + 1);
      lit(',"owners":[');
    } else {
      lit(",");
    }
    writeOwner(owner);
  }
  if (line >= 0) lit("]}");
  return isFirst;
}

/**
 * Writes the array, into the results. `lines`, `chainLines`: how many lines the main stream and that of the nat chains
 * had when the text was made.
 */
export function writeBlame(lines: u32, chainLines: u32): void {
  lit("[");
  let first = writeStream(StreamName.MAIN, 0, true);
  first = writeStream(StreamName.NAT_CHAINS, lines, first);
  writeStream(StreamName.NAT_RULES, lines + chainLines, first);
  lit("]\n");
  outFlush(StreamName.MAIN);
}
