// nfnetlink batches for people: each message with what it does, each attribute with its name, and all their bytes.
import { attributeAt } from "../../agent/netlink/messages/attribute-path.ts";
import { ATTRIBUTE_HEADER, align4, readAttributes, viewOf } from "../../agent/netlink/messages/attributes.ts";
import { ATTRIBUTES, type Message, readMessages } from "../../agent/netlink/messages/messages.ts";
import { subjectOf, subjectText } from "../../agent/netlink/messages/subject.ts";
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NLA_F_NESTED,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
} from "../../agent/netlink/messages/uapi.ts";
import type { Batch } from "../../shared/contract.ts";
import { joinPieces } from "../../shared/engine.ts";

const PER_LINE = 16;
const FLAGS = [
  [NLM_F_ACK, "ACK"],
  [NLM_F_CREATE, "CREATE"],
  [NLM_F_APPEND, "APPEND"],
] as const;

/** The text of all batches, one piece a message. `#` begins what is said about the bytes. */
export function* netlinkHexdump(batches: readonly Batch[]): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  for (const [index, { family, data }] of batches.entries()) {
    const bytes = joinPieces(data);
    yield encoder.encode(`# batch ${index + 1} of ${batches.length}, ${family}: ${bytes.length} bytes\n`);
    let offset = 0;
    for (const message of readMessages(bytes)) {
      yield encoder.encode(`${describeMessage(message, offset).join("\n")}\n`);
      offset += align4(message.bytes.length);
    }
  }
}

function describeMessage(message: Message, offset: number): string[] {
  const { type, flags, sequence, bytes } = message;
  const names = FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
  const said = [`message ${sequence}`, `${bytes.length} bytes`, ...names].join(", ");
  const lines = [`# ${said}: ${what(message)}`, ...hex(bytes, 0, ATTRIBUTES, offset)];
  if (type === NFNL_MSG_BATCH_BEGIN || type === NFNL_MSG_BATCH_END) return lines;
  describeAttributes(message, ATTRIBUTES, bytes.length, 1, offset, lines);
  return lines;
}

function what(message: Message): string {
  if (message.type === NFNL_MSG_BATCH_BEGIN) return "begins the batch";
  return message.type === NFNL_MSG_BATCH_END ? "ends the batch" : subjectText(subjectOf(message));
}

function describeAttributes(
  message: Message,
  start: number,
  end: number,
  depth: number,
  offset: number,
  lines: string[],
): void {
  const { bytes, type } = message;
  for (const attribute of readAttributes(bytes.subarray(0, end), start)) {
    const at = attribute.offset;
    const last = at + ATTRIBUTE_HEADER + attribute.payload.length;
    const name = attributeAt(bytes, type, at)?.path ?? `attribute ${attribute.type}`;
    const nested = (viewOf(bytes).getUint16(at + 2, true) & NLA_F_NESTED) !== 0;
    const shown = nested ? at + ATTRIBUTE_HEADER : Math.min(align4(last), bytes.length);
    lines.push(...hex(bytes, at, shown, offset, "  ".repeat(depth) + name));
    if (nested) describeAttributes(message, at + ATTRIBUTE_HEADER, last, depth + 1, offset, lines);
  }
}

/** Lines of `offset  bytes`, the first with a remark. */
function hex(bytes: Uint8Array, from: number, to: number, offset: number, remark = ""): string[] {
  const lines: string[] = [];
  for (let at = from; at < to; at += PER_LINE) {
    const row = [...bytes.subarray(at, Math.min(at + PER_LINE, to))].map((byte) => byte.toString(16).padStart(2, "0"));
    const place = (offset + at).toString(16).padStart(8, "0");
    const comment = at === from && remark !== "" ? `  #${remark}` : "";
    lines.push(`${place}  ${row.join(" ").padEnd(comment === "" ? 0 : PER_LINE * 3 - 1)}${comment}`);
  }
  return lines;
}
