// Writes small batches, for the feature probe and for tests. Batches with rules come from the engine as bytes.
import { AttributeWriter, align4 } from "./attributes.ts";
import { writeMessage } from "./messages.ts";
import * as uapi from "./uapi.ts";

export type ExpressionWriter = (writer: AttributeWriter) => void;

export interface ChainHook {
  readonly type: "filter" | "nat";
  /** NF_INET_PRE_ROUTING 0, LOCAL_IN 1, FORWARD 2, LOCAL_OUT 3, POST_ROUTING 4 */
  readonly hook: number;
  readonly priority: number;
}

export interface SetShape {
  /** NFT_SET_… */
  readonly flags?: number;
  readonly keyType?: number;
  /** Bytes of each part of the key; parts are padded to 4. */
  readonly key: readonly number[];
  /** Bytes of the data, "verdict", or absent for a set. */
  readonly data?: number | "verdict";
  readonly dataType?: number;
  readonly size?: number;
  /** Milliseconds. */
  readonly timeout?: bigint;
  readonly userData?: Uint8Array;
}

/** One element: key, and for maps data. */
export interface Element {
  readonly key: Uint8Array;
  readonly data?: Uint8Array | { readonly goto: string };
  readonly flags?: number;
}

/** Elements of one message stay under nlattr's 64 KiB. */
const ELEMENTS_PER_MESSAGE = 600;

export class BatchWriter {
  readonly family: number;
  readonly table: string;
  readonly #writer = new AttributeWriter(64 << 10);
  #sequence: number;

  /** @param firstSequence of NFNL_MSG_BATCH_BEGIN */
  constructor(family: number, table: string, firstSequence = 1) {
    this.family = family;
    this.table = table;
    this.#sequence = firstSequence;
    this.#control(uapi.NFNL_MSG_BATCH_BEGIN);
  }

  /** Of the message written next. */
  get nextSequence(): number {
    return this.#sequence;
  }

  addTable(flags = uapi.NLM_F_CREATE): number {
    return this.message(uapi.NFT_MSG_NEWTABLE, flags, (w) => w.string(uapi.NFTA_TABLE.NAME, this.table));
  }

  deleteTable(flags = 0): number {
    return this.message(uapi.NFT_MSG_DELTABLE, flags, (w) => w.string(uapi.NFTA_TABLE.NAME, this.table));
  }

  addChain(name: string, hook?: ChainHook, flags = uapi.NLM_F_CREATE): number {
    return this.message(uapi.NFT_MSG_NEWCHAIN, flags, (w) => {
      w.string(uapi.NFTA_CHAIN.TABLE, this.table);
      w.string(uapi.NFTA_CHAIN.NAME, name);
      if (hook === undefined) return;
      w.nest(uapi.NFTA_CHAIN.HOOK, () => {
        w.u32(uapi.NFTA_HOOK.HOOKNUM, hook.hook);
        w.u32(uapi.NFTA_HOOK.PRIORITY, hook.priority);
      });
      w.string(uapi.NFTA_CHAIN.TYPE, hook.type);
    });
  }

  deleteChain(name: string, flags = 0): number {
    return this.message(uapi.NFT_MSG_DELCHAIN, flags, (w) => {
      w.string(uapi.NFTA_CHAIN.TABLE, this.table);
      w.string(uapi.NFTA_CHAIN.NAME, name);
    });
  }

  addSet(name: string, shape: SetShape, flags = uapi.NLM_F_CREATE): number {
    const concatenated = shape.key.length > 1;
    return this.message(uapi.NFT_MSG_NEWSET, flags, (w) => {
      w.string(uapi.NFTA_SET.TABLE, this.table);
      w.string(uapi.NFTA_SET.NAME, name);
      w.u32(uapi.NFTA_SET.FLAGS, (shape.flags ?? 0) | (shape.data === undefined ? 0 : uapi.NFT_SET_MAP));
      w.u32(uapi.NFTA_SET.KEY_TYPE, shape.keyType ?? 0);
      const keyLength = concatenated ? shape.key.reduce((sum, part) => sum + align4(part), 0) : (shape.key[0] ?? 0);
      w.u32(uapi.NFTA_SET.KEY_LEN, keyLength);
      if (shape.data === "verdict") {
        w.u32(uapi.NFTA_SET.DATA_TYPE, uapi.NFT_DATA_VERDICT);
      } else if (shape.data !== undefined) {
        w.u32(uapi.NFTA_SET.DATA_TYPE, shape.dataType ?? 0);
        w.u32(uapi.NFTA_SET.DATA_LEN, shape.data);
      }
      // Any number that no other set of the batch has.
      w.u32(uapi.NFTA_SET.ID, this.#sequence);
      const { size, timeout, userData } = shape;
      w.nest(uapi.NFTA_SET.DESC, () => {
        if (size !== undefined) w.u32(uapi.NFTA_SET_DESC.SIZE, size);
        // Only for ranges; with the fields but without that flag the kernel answers EINVAL (6.6 and later).
        if (((shape.flags ?? 0) & uapi.NFT_SET_CONCAT) === 0) return;
        w.nest(uapi.NFTA_SET_DESC.CONCAT, () => {
          for (const part of shape.key) w.nest(uapi.NFTA_LIST_ELEM, () => w.u32(uapi.NFTA_SET_FIELD.LEN, part));
        });
      });
      if (timeout !== undefined) w.u64(uapi.NFTA_SET.TIMEOUT, timeout);
      if (userData !== undefined) w.raw(uapi.NFTA_SET.USERDATA, userData);
    });
  }

  deleteSet(name: string): number {
    return this.message(uapi.NFT_MSG_DELSET, 0, (w) => {
      w.string(uapi.NFTA_SET.TABLE, this.table);
      w.string(uapi.NFTA_SET.NAME, name);
    });
  }

  /** Returns the sequence number of the first message; 600 elements go into each. */
  addElements(set: string, elements: readonly Element[], flags = uapi.NLM_F_CREATE): number {
    return this.#elements(uapi.NFT_MSG_NEWSETELEM, set, elements, flags);
  }

  deleteElements(set: string, elements: readonly Element[], flags = 0): number {
    return this.#elements(uapi.NFT_MSG_DELSETELEM, set, elements, flags);
  }

  addRule(
    chain: string,
    expressions: readonly ExpressionWriter[],
    flags = uapi.NLM_F_CREATE | uapi.NLM_F_APPEND,
  ): number {
    return this.message(uapi.NFT_MSG_NEWRULE, flags, (w) => {
      w.string(uapi.NFTA_RULE.TABLE, this.table);
      w.string(uapi.NFTA_RULE.CHAIN, chain);
      w.nest(uapi.NFTA_RULE.EXPRESSIONS, () => {
        for (const write of expressions) w.nest(uapi.NFTA_LIST_ELEM, () => write(w));
      });
    });
  }

  message(type: number, flags: number, content: (writer: AttributeWriter) => void): number {
    const sequence = this.#sequence++;
    writeMessage(this.#writer, { type, flags, sequence, family: this.family }, () => content(this.#writer));
    return sequence;
  }

  /** Closes the batch. Give the last message NLM_F_ACK. */
  end(): Uint8Array {
    this.#control(uapi.NFNL_MSG_BATCH_END);
    return this.#writer.bytes();
  }

  /** Without NFNL_MSG_BATCH_END, for a dry run. */
  endDryRun(): Uint8Array {
    return this.#writer.bytes();
  }

  #elements(type: number, set: string, elements: readonly Element[], flags: number): number {
    const first = this.#sequence;
    for (let start = 0; start < elements.length; start += ELEMENTS_PER_MESSAGE) {
      const part = elements.slice(start, start + ELEMENTS_PER_MESSAGE);
      this.message(type, flags, (w) => {
        w.string(uapi.NFTA_SET_ELEM_LIST.TABLE, this.table);
        w.string(uapi.NFTA_SET_ELEM_LIST.SET, set);
        w.nest(uapi.NFTA_SET_ELEM_LIST.ELEMENTS, () => {
          for (const element of part) w.nest(uapi.NFTA_LIST_ELEM, () => writeElement(w, element));
        });
      });
    }
    return first;
  }

  #control(type: number): void {
    const sequence = this.#sequence++;
    writeMessage(this.#writer, { type, flags: 0, sequence, family: 0, resource: uapi.NFNL_SUBSYS_NFTABLES });
  }
}

/** Data that is a value. */
export function writeValue(w: AttributeWriter, type: number, value: Uint8Array): void {
  w.nest(type, () => w.raw(uapi.NFTA_DATA.VALUE, value));
}

/** Data that is a verdict which leads to a chain. */
export function writeVerdict(w: AttributeWriter, type: number, code: number, chain: string): void {
  w.nest(type, () => {
    w.nest(uapi.NFTA_DATA.VERDICT, () => {
      w.u32(uapi.NFTA_VERDICT.CODE, code);
      w.string(uapi.NFTA_VERDICT.CHAIN, chain);
    });
  });
}

function writeElement(w: AttributeWriter, { key, data, flags }: Element): void {
  writeValue(w, uapi.NFTA_SET_ELEM.KEY, key);
  if (data instanceof Uint8Array) writeValue(w, uapi.NFTA_SET_ELEM.DATA, data);
  else if (data !== undefined) writeVerdict(w, uapi.NFTA_SET_ELEM.DATA, uapi.NFT_GOTO, data.goto);
  if (flags !== undefined) w.u32(uapi.NFTA_SET_ELEM.FLAGS, flags);
}
