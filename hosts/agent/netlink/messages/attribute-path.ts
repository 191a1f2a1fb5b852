// Names the attribute at a byte offset of an nf_tables message, as the kernel's extended errors point to it:
// NFTA_SET_ELEM_LIST_ELEMENTS[3].KEY. The first name is whole, the others are within it.
import { ATTRIBUTE_HEADER, type Attribute, findAttribute, readAttributes, readString } from "./attributes.ts";
import { ATTRIBUTES } from "./messages.ts";
import * as uapi from "./uapi.ts";

/** What attributes inside one attribute mean. */
interface Space {
  readonly prefix: string;
  readonly numbers: Readonly<Record<string, number>>;
  /** By name: what is nested in it. */
  readonly inside?: Readonly<Record<string, () => Inside>>;
}

/** A list's members are counted: all have the type NFTA_LIST_ELEM. */
type Inside = Space | { readonly listOf: Space };

const verdict: Space = { prefix: "NFTA_VERDICT_", numbers: uapi.NFTA_VERDICT };
const data: Space = { prefix: "NFTA_DATA_", numbers: uapi.NFTA_DATA, inside: { VERDICT: () => verdict } };
const expression: Space = { prefix: "NFTA_EXPR_", numbers: uapi.NFTA_EXPR };
const expressions = () => ({ listOf: expression });
const hook: Space = { prefix: "NFTA_HOOK_", numbers: uapi.NFTA_HOOK };
const field: Space = { prefix: "NFTA_SET_FIELD_", numbers: uapi.NFTA_SET_FIELD };
const description: Space = {
  prefix: "NFTA_SET_DESC_",
  numbers: uapi.NFTA_SET_DESC,
  inside: { CONCAT: () => ({ listOf: field }) },
};
const element: Space = {
  prefix: "NFTA_SET_ELEM_",
  numbers: uapi.NFTA_SET_ELEM,
  inside: { KEY: () => data, DATA: () => data, KEY_END: () => data, EXPR: () => expression, EXPRESSIONS: expressions },
};

const table: Space = { prefix: "NFTA_TABLE_", numbers: uapi.NFTA_TABLE };
const chain: Space = { prefix: "NFTA_CHAIN_", numbers: uapi.NFTA_CHAIN, inside: { HOOK: () => hook } };
const rule: Space = { prefix: "NFTA_RULE_", numbers: uapi.NFTA_RULE, inside: { EXPRESSIONS: expressions } };
const set: Space = {
  prefix: "NFTA_SET_",
  numbers: uapi.NFTA_SET,
  inside: { DESC: () => description, EXPR: () => expression, EXPRESSIONS: expressions },
};
const elements: Space = {
  prefix: "NFTA_SET_ELEM_LIST_",
  numbers: uapi.NFTA_SET_ELEM_LIST,
  inside: { ELEMENTS: () => ({ listOf: element }) },
};
const generation: Space = { prefix: "NFTA_GEN_", numbers: uapi.NFTA_GEN };
const object: Space = { prefix: "NFTA_OBJ_", numbers: uapi.NFTA_OBJ };

const SPACES: Readonly<Record<number, Space>> = {
  [uapi.NFT_MSG_NEWTABLE]: table,
  [uapi.NFT_MSG_GETTABLE]: table,
  [uapi.NFT_MSG_DELTABLE]: table,
  [uapi.NFT_MSG_NEWCHAIN]: chain,
  [uapi.NFT_MSG_GETCHAIN]: chain,
  [uapi.NFT_MSG_DELCHAIN]: chain,
  [uapi.NFT_MSG_NEWRULE]: rule,
  [uapi.NFT_MSG_GETRULE]: rule,
  [uapi.NFT_MSG_DELRULE]: rule,
  [uapi.NFT_MSG_NEWSET]: set,
  [uapi.NFT_MSG_GETSET]: set,
  [uapi.NFT_MSG_DELSET]: set,
  [uapi.NFT_MSG_NEWSETELEM]: elements,
  [uapi.NFT_MSG_GETSETELEM]: elements,
  [uapi.NFT_MSG_DELSETELEM]: elements,
  [uapi.NFT_MSG_NEWGEN]: generation,
  [uapi.NFT_MSG_GETGEN]: generation,
  [uapi.NFT_MSG_NEWOBJ]: object,
  [uapi.NFT_MSG_DELOBJ]: object,
};

/** Attributes of an expression, by the name that it carries. */
const EXPRESSIONS: Readonly<Record<string, Space>> = {
  bitwise: {
    prefix: "NFTA_BITWISE_",
    numbers: uapi.NFTA_BITWISE,
    inside: { MASK: () => data, XOR: () => data, DATA: () => data },
  },
  byteorder: { prefix: "NFTA_BYTEORDER_", numbers: uapi.NFTA_BYTEORDER },
  cmp: { prefix: "NFTA_CMP_", numbers: uapi.NFTA_CMP, inside: { DATA: () => data } },
  counter: { prefix: "NFTA_COUNTER_", numbers: uapi.NFTA_COUNTER },
  ct: { prefix: "NFTA_CT_", numbers: uapi.NFTA_CT },
  dynset: {
    prefix: "NFTA_DYNSET_",
    numbers: uapi.NFTA_DYNSET,
    inside: { EXPR: () => expression, EXPRESSIONS: expressions },
  },
  fib: { prefix: "NFTA_FIB_", numbers: uapi.NFTA_FIB },
  immediate: { prefix: "NFTA_IMMEDIATE_", numbers: uapi.NFTA_IMMEDIATE, inside: { DATA: () => data } },
  limit: { prefix: "NFTA_LIMIT_", numbers: uapi.NFTA_LIMIT },
  log: { prefix: "NFTA_LOG_", numbers: uapi.NFTA_LOG },
  lookup: { prefix: "NFTA_LOOKUP_", numbers: uapi.NFTA_LOOKUP },
  masq: { prefix: "NFTA_MASQ_", numbers: uapi.NFTA_MASQ },
  meta: { prefix: "NFTA_META_", numbers: uapi.NFTA_META },
  nat: { prefix: "NFTA_NAT_", numbers: uapi.NFTA_NAT },
  numgen: { prefix: "NFTA_NG_", numbers: uapi.NFTA_NG },
  objref: { prefix: "NFTA_OBJREF_", numbers: uapi.NFTA_OBJREF },
  payload: { prefix: "NFTA_PAYLOAD_", numbers: uapi.NFTA_PAYLOAD },
  range: {
    prefix: "NFTA_RANGE_",
    numbers: uapi.NFTA_RANGE,
    inside: { FROM_DATA: () => data, TO_DATA: () => data },
  },
  redir: { prefix: "NFTA_REDIR_", numbers: uapi.NFTA_REDIR },
  reject: { prefix: "NFTA_REJECT_", numbers: uapi.NFTA_REJECT },
};

interface Step {
  readonly text: string;
  /** Type of the attribute. */
  readonly type: number;
  /** What may be inside it. */
  readonly space: Inside | undefined;
}

export interface AttributeAt {
  readonly path: string;
  readonly type: number;
}

/** Undefined when no attribute starts at that offset (counted from the message's first byte). */
export function attributeAt(message: Uint8Array, messageType: number, offset: number): AttributeAt | undefined {
  const steps = stepsTo(message, messageType, offset);
  const last = steps?.at(-1);
  return steps === undefined || last === undefined ? undefined : { path: pathOf(steps), type: last.type };
}

/**
 * Name of an attribute that is missing, with the path of the nest where it should be.
 *
 * @param nest offset of that nest in the message; undefined for the message itself
 */
export function missingAttribute(message: Uint8Array, messageType: number, type: number, nest?: number): string {
  if (nest === undefined) return nameOf(SPACES[messageType], type, true);
  const steps = stepsTo(message, messageType, nest);
  if (steps === undefined) return `attribute ${type}`;
  const space = steps.at(-1)?.space;
  const name = space !== undefined && "listOf" in space ? "[]" : `.${nameOf(space, type, false)}`;
  return `${pathOf(steps)}${name}`;
}

function pathOf(steps: readonly Step[]): string {
  return steps.map((step) => step.text).join("");
}

function stepsTo(message: Uint8Array, messageType: number, offset: number): Step[] | undefined {
  return descend(message, ATTRIBUTES, message.length, SPACES[messageType], offset, true);
}

function descend(
  message: Uint8Array,
  start: number,
  end: number,
  space: Inside | undefined,
  offset: number,
  outermost: boolean,
): Step[] | undefined {
  let index = 0;
  for (const attribute of readAttributes(message, start, end)) {
    const after = attribute.offset + ATTRIBUTE_HEADER + attribute.payload.length;
    if (offset >= attribute.offset && offset < after) {
      const step = stepOf(message, start, attribute, index, space, outermost);
      if (attribute.offset === offset) return [step];
      const rest = descend(message, attribute.offset + ATTRIBUTE_HEADER, after, step.space, offset, false);
      return rest === undefined ? undefined : [step, ...rest];
    }
    index++;
  }
  return undefined;
}

function stepOf(
  message: Uint8Array,
  start: number,
  attribute: Attribute,
  index: number,
  space: Inside | undefined,
  outermost: boolean,
): Step {
  if (space !== undefined && "listOf" in space) {
    return {
      text: `[${index}]${expressionName(attribute, space.listOf)}`,
      type: attribute.type,
      space: space.listOf,
    };
  }
  const name = nameOf(space, attribute.type, outermost);
  return {
    text: outermost ? name : `.${name}`,
    type: attribute.type,
    space: insideOf(message, start, attribute, space),
  };
}

/** "(lookup)" after the index of an expression: numbers alone are hard to find in a rule. */
function expressionName(attribute: Attribute, listOf: Space): string {
  if (listOf !== expression) return "";
  const name = readString(findAttribute(attribute.payload, uapi.NFTA_EXPR.NAME));
  return name === undefined ? "" : `(${name})`;
}

function insideOf(
  message: Uint8Array,
  start: number,
  attribute: Attribute,
  space: Space | undefined,
): Inside | undefined {
  if (space === undefined) return undefined;
  if (space === expression && attribute.type === uapi.NFTA_EXPR.DATA) {
    return EXPRESSIONS[readString(findAttribute(message, uapi.NFTA_EXPR.NAME, start, attribute.offset)) ?? ""];
  }
  return space.inside?.[shortName(space, attribute.type) ?? ""]?.();
}

function shortName(space: Space, type: number): string | undefined {
  return Object.entries(space.numbers).find(([, number]) => number === type)?.[0];
}

function nameOf(space: Inside | undefined, type: number, whole: boolean): string {
  if (space === undefined || "listOf" in space) return `attribute ${type}`;
  const name = shortName(space, type);
  if (name === undefined) return `attribute ${type}`;
  return whole ? `${space.prefix}${name}` : name;
}
