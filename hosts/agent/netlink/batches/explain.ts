// What the kernel's refusals mean, and what to do, for readers of the log. The kernel itself says little: most refusals are a
// bare errno.
import * as errno from "../messages/errno.ts";
import type { Subject } from "../messages/subject.ts";

/** Refusals that may go away when the same bytes are sent again. */
const TRANSIENT: ReadonlySet<number> = new Set([
  errno.EAGAIN,
  errno.EINTR,
  errno.ENOBUFS,
  errno.ENOMEM,
  errno.EBUSY,
  errno.ERESTART,
]);

export function isTransient(number: number): boolean {
  return TRANSIENT.has(number);
}

/**
 * A sentence or two in English.
 *
 * @param path of the offending attribute, as `attributeAt` writes it
 */
export function explain(number: number, subject: Subject, path = ""): string {
  switch (number) {
    case errno.EPERM:
    case errno.EACCES:
      return "the process may not change rules; it needs CAP_NET_ADMIN in the network namespace's user namespace, and nobody else may change a table with the flag `owner` while the process that made it runs";
    case errno.ENOENT:
      return explainMissing(subject, path);
    case errno.EEXIST:
      return explainExisting(subject);
    case errno.EBUSY:
      return subject.kind === "elements"
        ? "the set changed at the same moment, or two members overlap; send it again"
        : "something still refers to it (a rule, a verdict element, or on kernels before 6.2 one deleted moments ago); delete what refers to it first, or try again a second later";
    case errno.EINVAL:
      return "the kernel does not accept this combination of values, or one is missing";
    case errno.EOPNOTSUPP:
    case errno.EPROTONOSUPPORT:
    case errno.EAFNOSUPPORT:
      return "this kernel lacks the feature; run the feature probe to see which module or CONFIG option is missing";
    case errno.ENFILE:
      return "the set is full: its size was declared, and is reached";
    case errno.EMLINK:
      return "chains jump too deep, or too many references to one object";
    case errno.ELOOP:
      return "chains jump in a circle";
    case errno.ERANGE:
      return "a number is out of range for this attribute";
    case errno.EOVERFLOW:
      return "a counter of references is full";
    case errno.ENOMEM:
    case errno.ENOBUFS:
      return "the kernel is out of memory for this; nothing was changed; try again later, in smaller batches";
    case errno.EAGAIN:
    case errno.EINTR:
      return "the kernel was interrupted; nothing was changed; send it again";
    case errno.ERESTART:
      return "somebody else changed the ruleset after the generation that the batch was made for; make it anew";
    case errno.EMSGSIZE:
      return "the batch is longer than this socket may send; split it";
    default:
      return "the kernel refused it";
  }
}

function explainMissing(subject: Subject, path: string): string {
  switch (subject.kind) {
    case "table":
      return "there is no such table, or its family is not supported by this kernel";
    case "chain":
      return subject.action === "delete"
        ? "the table or the chain does not exist (any more); somebody else may have deleted it: reconcile"
        : "the table does not exist, or the kernel lacks this chain type (nat: CONFIG_NFT_NAT)";
    case "rule":
      return explainMissingInRule(path);
    case "set":
      return "the table or the set does not exist";
    case "elements":
      return subject.action === "delete"
        ? "the set or this element does not exist (any more); somebody else may have changed the table: reconcile"
        : "the table, the set, or the chain that a verdict points to does not exist";
    default:
      return "something that it names does not exist";
  }
}

/** NFTA_RULE_EXPRESSIONS[2](lookup) */
const EXPRESSION = /\[\d+\]\((.*)\)$/;

function explainMissingInRule(path: string): string {
  const expression = EXPRESSION.exec(path)?.[1];
  switch (expression) {
    case undefined:
      return "the table, the chain, or something that the rule names does not exist; somebody else may have deleted it: reconcile";
    case "lookup":
    case "dynset":
      return "the set that this expression names does not exist";
    case "immediate":
      return "the chain that this rule goes to does not exist";
    default:
      return `this kernel lacks the expression ${expression}; run the feature probe to see which module is missing`;
  }
}

function explainExisting(subject: Subject): string {
  if (subject.kind === "elements") {
    return "the element is there already with other data, or within the same batch twice, or it overlaps another interval: reconcile";
  }
  return "it exists already, with other properties; somebody else may have made it: reconcile, or delete it first";
}
