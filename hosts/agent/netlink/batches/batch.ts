// Sends a complete nfnetlink batch, as the engine writes them, and returns the kernel's answer.
import { type Acknowledgement, readAcknowledgement } from "../messages/acknowledgement.ts";
import { attributeAt, missingAttribute } from "../messages/attribute-path.ts";
import { EMSGSIZE, errnoName } from "../messages/errno.ts";
import { type Message, readMessages } from "../messages/messages.ts";
import { type Subject, subjectOf, subjectText } from "../messages/subject.ts";
import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NLM_F_ACK, NLMSG_OVERRUN } from "../messages/uapi.ts";
import type { NetlinkSocket } from "../sockets/socket.ts";
import { explain, isTransient } from "./explain.ts";

/** Why the kernel refused one message, or all. */
export interface BatchError {
  /** Of the refused message; the batch's first one when the kernel refused all at once (`subject.kind` is "batch"). */
  readonly sequence: number;
  readonly errno: number;
  /** "ENOENT" */
  readonly name: string;
  readonly subject: Subject;
  /** In the kernel's words, when it has any. */
  readonly kernelMessage: string | undefined;
  /** Where in the message the offending attribute starts, in bytes. */
  readonly attributeOffset: number | undefined;
  readonly attributeType: number | undefined;
  /** NFTA_SET_ELEM_LIST_ELEMENTS[3].KEY */
  readonly attributePath: string | undefined;
  /** An attribute that should be there, in the same notation. */
  readonly missingAttribute: string | undefined;
  /** The same bytes may succeed later. */
  readonly transient: boolean;
  /** All of it in one line: what was refused, why, what it means and what to do. */
  readonly message: string;
}

export type BatchResult =
  /** The kernel has committed the batch, all of it. */
  | { readonly outcome: "acknowledged"; readonly acknowledgements: number }
  /** The kernel has changed nothing. */
  | {
      readonly outcome: "refused";
      readonly errors: readonly BatchError[];
      /** False when the kernel had more errors than fit into the socket's receive buffer. */
      readonly complete: boolean;
    }
  /** Nothing was sent: the socket takes at most `limit` bytes at once. Split the batch. */
  | { readonly outcome: "too-large"; readonly bytes: number; readonly limit: number }
  /** Answers were lost. The batch is in the kernel or it is not: the caller must reconcile. */
  | { readonly outcome: "unknown"; readonly reason: string };

export interface SendBatchOptions {
  /** How long to wait for missing answers once send() has returned, in milliseconds. */
  readonly timeout?: number;
  /**
   * The batch has no NFNL_MSG_BATCH_END: the kernel tries all of it, answers, and takes everything back, without a new
   * generation of the ruleset (what `nft --check` does). "acknowledged" then means that it would be accepted.
   */
  readonly dryRun?: boolean;
}

/** The bytes are no valid batch: a defect of whoever made them. */
export class InvalidBatchError extends Error {
  override readonly name = "InvalidBatchError";
}

/**
 * The size of a batch, in bytes, to aim at when a load is split. The kernel works about 14 ms on so many elements of a map
 * (12,000). Without kernel preemption (`preempt=none`) our main thread may wait that long, if it shares a processor with the
 * sending thread. Larger batches are not faster.
 */
export const RECOMMENDED_BATCH_BYTES = 512 << 10;

const DEFAULT_TIMEOUT = 1000;
/** Answers read at once before timers get their turn. */
const ANSWERS_PER_TURN = 4096;

/**
 * Sends one batch: NFNL_MSG_BATCH_BEGIN, messages with consecutive sequence numbers, NFNL_MSG_BATCH_END.
 *
 * At least one message between them must have NLM_F_ACK; the last one alone is best, because refusals come without being
 * asked for and each answer takes room in the receive buffer. The flag is not looked at in BEGIN and END: kernels before
 * 6.10 do not answer those. Batches wait for each other. `bytes` must not change until the promise is settled.
 *
 * @throws {InvalidBatchError} nothing was sent
 * @throws {NetlinkError} the socket is closed or broken
 */
export async function sendBatch(
  socket: NetlinkSocket,
  bytes: Uint8Array,
  options: SendBatchOptions = {},
): Promise<BatchResult> {
  const shape = checkBatch(bytes, options.dryRun ?? false);
  if (bytes.length > socket.sendLimit) return { outcome: "too-large", bytes: bytes.length, limit: socket.sendLimit };
  return socket.exclusive(async () => {
    // Answers that are queued now belong to older requests: those to this batch are made inside send().
    socket.discardQueued();
    const errno = await socket.send(bytes);
    if (errno === EMSGSIZE) return { outcome: "too-large", bytes: bytes.length, limit: socket.sendLimit };
    if (errno !== 0) return refusedUnseen(bytes, shape, errno);
    return collect(socket, bytes, shape, options.timeout ?? DEFAULT_TIMEOUT);
  });
}

interface BatchShape {
  readonly first: number;
  /** Messages, BEGIN and END included. */
  readonly messages: number;
  /** With NFNL_MSG_BATCH_END. */
  readonly ended: boolean;
  /** Messages that ask for an answer. */
  readonly asking: number;
}

function checkBatch(bytes: Uint8Array, dryRun: boolean): BatchShape {
  let first = 0;
  let messages = 0;
  let asking = 0;
  let lastType = 0;
  for (const { type, sequence, flags } of readMessages(bytes)) {
    if (messages === 0) {
      first = sequence;
      if (type !== NFNL_MSG_BATCH_BEGIN) throw new InvalidBatchError("a batch starts with NFNL_MSG_BATCH_BEGIN");
    } else if (type === NFNL_MSG_BATCH_BEGIN || lastType === NFNL_MSG_BATCH_END) {
      throw new InvalidBatchError(`message ${messages} starts a second batch; send each alone`);
    }
    if (sequence !== (first + messages) >>> 0) {
      throw new InvalidBatchError(`message ${messages} has sequence number ${sequence} after ${first + messages - 1}`);
    }
    const control = type === NFNL_MSG_BATCH_BEGIN || type === NFNL_MSG_BATCH_END;
    if (!control && (flags & NLM_F_ACK) !== 0) asking++;
    lastType = type;
    messages++;
  }
  if ((lastType === NFNL_MSG_BATCH_END) === dryRun) {
    throw new InvalidBatchError(`a batch ${dryRun ? "for a dry run has no" : "ends with"} NFNL_MSG_BATCH_END`);
  }
  if (asking === 0) throw new InvalidBatchError("no message asks for an acknowledgement (NLM_F_ACK)");
  return { first, messages, asking, ended: !dryRun };
}

async function collect(
  socket: NetlinkSocket,
  bytes: Uint8Array,
  shape: BatchShape,
  timeout: number,
): Promise<BatchResult> {
  const refusals: Acknowledgement[] = [];
  let accepted = 0;
  let lost = false;
  const deadline = performance.now() + timeout;
  const last = shape.messages - 1;
  const end = shape.ended ? last : -1;

  for (let turn = 1; ; turn++) {
    const received = socket.receive();
    if (received.kind === "overrun") {
      lost = true;
    } else if (received.kind === "data") {
      for (const message of readMessages(received.bytes)) {
        if (message.type === NLMSG_OVERRUN) lost = true;
        const answer = readAcknowledgement(message);
        if (answer === undefined) continue;
        const index = (answer.sequence - shape.first) >>> 0;
        if (index > last) continue;
        if (answer.errno !== 0) refusals.push(answer);
        else if (index !== 0 && index !== end) accepted++;
      }
    } else if (refusals.length > 0) {
      return { outcome: "refused", errors: decode(bytes, shape, refusals), complete: !lost };
    } else if (accepted >= shape.asking && !lost) {
      return { outcome: "acknowledged", acknowledgements: accepted };
    } else {
      const missing = `${shape.asking - accepted} of ${shape.asking} acknowledgements`;
      if (lost)
        return {
          outcome: "unknown",
          reason: `the receive buffer was full and the kernel dropped answers: ${missing} missing`,
        };
      const left = deadline - performance.now();
      if (left <= 0 || !(await socket.waitReadable(left))) {
        return { outcome: "unknown", reason: `${missing} did not come within ${timeout} ms` };
      }
    }
    if (turn % ANSWERS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The kernel did not even look at the batch. */
function refusedUnseen(bytes: Uint8Array, shape: BatchShape, errno: number): BatchResult {
  const answer: Acknowledgement = {
    sequence: shape.first,
    errno,
    kernelMessage: undefined,
    offset: undefined,
    missingType: undefined,
    missingNest: undefined,
  };
  return { outcome: "refused", errors: decode(bytes, shape, [answer]), complete: true };
}

/** In the order of the messages; the batch's own refusal first. */
function decode(bytes: Uint8Array, shape: BatchShape, refusals: readonly Acknowledgement[]): BatchError[] {
  const wanted = new Set(refusals.map((refusal) => refusal.sequence));
  const messages = new Map<number, Message>();
  for (const message of readMessages(bytes)) if (wanted.has(message.sequence)) messages.set(message.sequence, message);
  return refusals
    .flatMap((refusal) => {
      const message = messages.get(refusal.sequence);
      return message === undefined ? [] : [describe(refusal, message)];
    })
    .sort((a, b) => ((a.sequence - shape.first) >>> 0) - ((b.sequence - shape.first) >>> 0));
}

function describe(refusal: Acknowledgement, message: Message): BatchError {
  const subject = subjectOf(message);
  const at = refusal.offset === undefined ? undefined : attributeAt(message.bytes, message.type, refusal.offset);
  const missing =
    refusal.missingType === undefined
      ? undefined
      : missingAttribute(message.bytes, message.type, refusal.missingType, refusal.missingNest);
  const name = errnoName(refusal.errno);
  const where = [
    at === undefined ? "" : `at ${at.path}`,
    missing === undefined ? "" : `missing ${missing}`,
    refusal.kernelMessage === undefined ? "" : `the kernel says "${refusal.kernelMessage}"`,
  ].filter((part) => part !== "");
  const details = where.length === 0 ? "" : ` (${where.join(", ")})`;
  return {
    sequence: refusal.sequence,
    errno: refusal.errno,
    name,
    subject,
    kernelMessage: refusal.kernelMessage,
    attributeOffset: refusal.offset,
    attributeType: at?.type,
    attributePath: at?.path,
    missingAttribute: missing,
    transient: isTransient(refusal.errno),
    message: `cannot ${subject.kind === "batch" ? "commit the batch" : subjectText(subject)}: ${name}${details}: ${explain(refusal.errno, subject, at?.path)}`,
  };
}
