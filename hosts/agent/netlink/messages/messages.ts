// Netlink messages: struct nlmsghdr (u32 length, u16 type, u16 flags, u32 sequence, u32 port id), then for netfilter
// struct nfgenmsg (u8 family, u8 version, u16 resource id in big-endian), then attributes.
import { AttributeWriter, align4, viewOf } from "./attributes.ts";
import { NFGENMSG, NLM_F_REQUEST, NLMSG_HEADER } from "./uapi.ts";

/** Where the attributes of a netfilter message start. */
export const ATTRIBUTES = NLMSG_HEADER + NFGENMSG;

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
  /** The whole message, header included, without padding: a view. */
  readonly bytes: Uint8Array;
}

/** A message's length does not fit into the bytes that hold it. */
export class MalformedMessageError extends Error {
  override readonly name = "MalformedMessageError";
  /** Of the message, in the bytes read. */
  readonly offset: number;

  constructor(offset: number, reason: string) {
    super(`malformed netlink message at byte ${offset}: ${reason}`);
    this.offset = offset;
  }
}

/** @throws {MalformedMessageError} */
export function* readMessages(bytes: Uint8Array): Generator<Message> {
  const view = viewOf(bytes);
  let offset = 0;
  while (offset < bytes.length) {
    if (offset + NLMSG_HEADER > bytes.length) throw new MalformedMessageError(offset, "the header is cut off");
    const length = view.getUint32(offset, true);
    if (length < NLMSG_HEADER || offset + length > bytes.length) {
      throw new MalformedMessageError(offset, `its length is ${length}, and ${bytes.length - offset} bytes are there`);
    }
    yield {
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      portId: view.getUint32(offset + 12, true),
      bytes: bytes.subarray(offset, offset + length),
    };
    offset += align4(length);
  }
}

/** nfgenmsg's family; 0 when the message is too short to have one. */
export function messageFamily(message: Message): number {
  return message.bytes[NLMSG_HEADER] ?? 0;
}

/** nfgenmsg's resource id: nf_tables puts the low 16 bits of the ruleset's generation there. */
export function messageResource(message: Message): number {
  return ((message.bytes[NLMSG_HEADER + 2] ?? 0) << 8) | (message.bytes[NLMSG_HEADER + 3] ?? 0);
}

export interface MessageHeader {
  readonly type: number;
  /** NLM_F_REQUEST is added. */
  readonly flags: number;
  readonly sequence: number;
  /** NFPROTO_… */
  readonly family: number;
  /** nfgenmsg's resource id, 0 when absent. */
  readonly resource?: number;
}

/** Appends one netfilter message with the attributes that `content` writes. */
export function writeMessage(writer: AttributeWriter, header: MessageHeader, content: () => void = () => {}): void {
  const start = writer.skip(ATTRIBUTES);
  content();
  writer.setU32(start, writer.length - start);
  writer.setU16(start + 4, header.type);
  writer.setU16(start + 6, header.flags | NLM_F_REQUEST);
  writer.setU32(start + 8, header.sequence);
  writer.setU8(start + NLMSG_HEADER, header.family);
  writer.setU16BigEndian(start + NLMSG_HEADER + 2, header.resource ?? 0);
}

/** One message alone. */
export function request(header: MessageHeader, content?: (writer: AttributeWriter) => void): Uint8Array {
  const writer = new AttributeWriter(256);
  writeMessage(writer, header, () => content?.(writer));
  return writer.bytes();
}
