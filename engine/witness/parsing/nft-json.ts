// nft's JSON (`nft -j list ruleset`, libnftables-json(5)), written as a script of nft: each object of its list becomes a line of
// commands, so that one reader knows what rules mean, and a line is the place of an object in the list. What it does not know
// is written as a word that the reader does not know either.
import { SLACK } from "../../bytes/memory";
import { grown, sizeOf } from "../../bytes/sizes";
import { firstOf, isArray, isObject, isString, isText, member, nextOf, textLength, textOf, valueOf } from "./json";

/** The script. */
export let script: usize = 0;
export let scriptLength: usize = 0;
let capacity: u32 = 0;

function room(size: usize): void {
  if (scriptLength + size <= <usize>capacity) return;
  capacity = grown(capacity, <u32>(scriptLength + size), 65536);
  const bytes = sizeOf(capacity, 1, SLACK);
  script = script == 0 ? heap.alloc(bytes) : heap.realloc(script, bytes);
}

function put(text: string): void {
  room(<usize>text.length);
  for (let i = 0; i < text.length; i++) store<u8>(script + scriptLength++, <u8>text.charCodeAt(i));
}

function putBytes(bytes: usize, length: usize): void {
  room(length);
  memory.copy(script + scriptLength, bytes, length);
  scriptLength += length;
}

/** Two words, since some name may be one. */
function unknown(): void {
  put("? ?");
}

/** Gives the script's memory back. */
export function dropScript(): void {
  if (script != 0) heap.free(script);
  script = 0;
  scriptLength = 0;
  capacity = 0;
}

/** Writes the script of a text that is well-formed; false: it is no list of nft's objects. */
export function writeScript(text: usize): bool {
  scriptLength = 0;
  while (load<u8>(text) <= 0x20) text++;
  const list = member(text, "nftables");
  if (!isArray(list)) return false;
  for (let item = firstOf(list); item != 0; item = nextOf(item)) {
    writeItem(item);
    put("\n");
  }
  return true;
}

function writeItem(item: usize): void {
  const key = isObject(item) ? firstOf(item) : 0;
  if (key == 0) return;
  const isVerb =
    isText(key, "add") ||
    isText(key, "create") ||
    isText(key, "insert") ||
    isText(key, "delete") ||
    isText(key, "destroy") ||
    isText(key, "flush");
  if (!isVerb) {
    writeObject("add", 0, item);
    return;
  }
  writeObject("", key, valueOf(key));
}

/** `verb` or the key that is one; an object with one key, which says what it is. */
function writeObject(verb: string, verbKey: usize, item: usize): void {
  const kind = isObject(item) ? firstOf(item) : 0;
  if (kind == 0) return;
  const isRule = isText(kind, "rule");
  const isTable = isText(kind, "table");
  const isChain = isText(kind, "chain");
  const isSet = isText(kind, "set") || isText(kind, "map");
  const isElement = isText(kind, "element");
  if (!isRule && !isTable && !isChain && !isSet && !isElement && !isText(kind, "ruleset")) return;
  if (verbKey != 0) word(verbKey);
  else put(verb);
  put(" ");
  word(kind);
  const object = valueOf(kind);
  part(member(object, "family"));
  if (!isTable) part(member(object, "table"));
  part(member(object, isRule ? "chain" : "name"));
  if (isRule) writeStatements(member(object, "expr"));
  else if (isTable && isDormant(member(object, "flags"))) put(" { flags dormant ; }");
  else if (isChain) writeChain(object);
  else if (isSet) writeSet(object);
  else if (isElement) writeElements(member(object, "elem"));
}

function part(value: usize): void {
  if (value == 0) return;
  put(" ");
  word(value);
}

function isDormant(flags: usize): bool {
  if (isText(flags, "dormant")) return true;
  for (let flag = isArray(flags) ? firstOf(flags) : 0; flag != 0; flag = nextOf(flag)) {
    if (isText(flag, "dormant")) return true;
  }
  return false;
}

function writeChain(chain: usize): void {
  const type = member(chain, "type");
  if (type == 0) return;
  put(" { type");
  part(type);
  put(" hook");
  part(member(chain, "hook"));
  put(" priority");
  part(member(chain, "prio"));
  put(" ;");
  if (member(chain, "policy") != 0) {
    put(" policy");
    part(member(chain, "policy"));
    put(" ;");
  }
  put(" }");
}

function writeSet(set: usize): void {
  put(" {");
  const type = member(set, "type");
  if (type != 0) {
    put(" ");
    const isTypeof = member(type, "typeof") != 0;
    put(isTypeof ? "typeof " : "type ");
    typeText(type);
    const value = member(set, "map");
    if (value != 0) {
      put(" : ");
      typeText(value);
    }
    put(" ;");
  }
  const flags = member(set, "flags");
  if (flags != 0) {
    put(" flags ");
    expression(flags);
    put(" ;");
  }
  if (member(set, "timeout") != 0) {
    put(" timeout");
    part(member(set, "timeout"));
    put("s ;");
  }
  if (member(set, "elem") != 0) {
    put(" elements =");
    writeElements(member(set, "elem"));
    put(" ;");
  }
  put(" }");
}

/** `"a"`, `"a . b"`, `["a", "b"]`, `{ "typeof": … }` */
function typeText(type: usize): void {
  const fields = member(type, "typeof");
  if (fields != 0) expression(fields);
  else if (isArray(type)) joined(type, " . ");
  else if (hasLineEnd(textOf(type), textLength(type))) unknown();
  else putBytes(textOf(type), textLength(type));
}

function hasLineEnd(bytes: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) {
    const c = load<u8>(bytes + i);
    if (c < 0x20 || c == 0x5c || c == 0x7b || c == 0x7d || c == 0x3b || c == 0x23) return true;
  }
  return false;
}

function joined(list: usize, between: string): void {
  for (let item = firstOf(list); item != 0; item = nextOf(item)) {
    if (item != firstOf(list)) put(between);
    expression(item);
  }
}

/** ` { a , b , c : d }` */
function writeElements(list: usize): void {
  put(" {");
  if (!isArray(list)) {
    put(" ");
    expression(list);
  } else {
    for (let item = firstOf(list); item != 0; item = nextOf(item)) {
      put(item == firstOf(list) ? " " : " , ");
      // A map's: key and value.
      if (isArray(item)) {
        expression(firstOf(item));
        put(" : ");
        const value: usize = firstOf(item) == 0 ? 0 : nextOf(firstOf(item));
        if (isObject(value)) writeValue(value);
        else expression(value);
      } else {
        expression(item);
      }
    }
  }
  put(" }");
}

/** An object as value of a map: a verdict or an expression. */
function writeValue(value: usize): void {
  const key = firstOf(value);
  if (key == 0) expression(0);
  else if (isText(key, "jump") || isText(key, "goto") || load<u8>(valueOf(key)) == 0x6e) statement(value);
  else expression(value);
}

function writeStatements(list: usize): void {
  for (let item = firstOf(list); item != 0; item = nextOf(item)) {
    put(" ");
    statement(item);
  }
}

function statement(item: usize): void {
  const key = isObject(item) ? firstOf(item) : 0;
  if (key == 0) {
    unknown();
    return;
  }
  const value = valueOf(key);
  // What decides nothing.
  if (isText(key, "counter") || isText(key, "log") || isText(key, "last")) return;
  if (isText(key, "match")) {
    expression(member(value, "left"));
    put(" ");
    const op = member(value, "op");
    if (!isText(op, "in")) part(op);
    put(" ");
    expression(member(value, "right"));
  } else if (isText(key, "jump") || isText(key, "goto")) {
    word(key);
    part(member(value, "target"));
  } else if (isText(key, "mangle")) {
    expression(member(value, "key"));
    put(" set ");
    expression(member(value, "value"));
  } else if (isText(key, "vmap")) {
    expression(member(value, "key"));
    put(" vmap ");
    expression(member(value, "data"));
  } else if (isText(key, "dnat") || isText(key, "snat")) writeNat(key, value);
  else if (isText(key, "masquerade") || isText(key, "redirect")) {
    word(key);
    if (member(value, "port") == 0) return;
    put(" to :");
    expression(member(value, "port"));
  } else if (isText(key, "reject")) {
    put("reject");
    const type = member(value, "type");
    if (type == 0) return;
    put(" with ");
    if (isText(type, "tcp reset")) put("tcp reset");
    else word(type);
    part(member(value, "expr"));
  } else if (isText(key, "set")) {
    part(member(value, "op"));
    put(" ");
    expression(member(value, "set"));
    put(" { ");
    expression(member(value, "elem"));
    put(" }");
  } else {
    // Verdicts and notrack; and limit, queue, tproxy and the like, which the reader does not know.
    word(key);
  }
}

/** `[family] to A[:P]`, or to a map */
function writeNat(key: usize, value: usize): void {
  word(key);
  part(member(value, "family"));
  put(" to ");
  const address = member(value, "addr");
  const port = member(value, "port");
  const isV6 = isString(address) && port != 0 && hasColon(address);
  if (isV6) put("[");
  if (address != 0) expression(address);
  if (isV6) put("]");
  if (port == 0) return;
  put(":");
  expression(port);
}

function hasColon(value: usize): bool {
  const bytes = textOf(value);
  for (let i: usize = 0; i < textLength(value); i++) if (load<u8>(bytes + i) == 0x3a) return true;
  return false;
}

function expression(value: usize): void {
  if (value == 0) unknown();
  else if (isArray(value)) joined(value, ",");
  else if (!isObject(value)) word(value);
  else compound(value);
}

function compound(object: usize): void {
  const key = firstOf(object);
  if (key == 0) {
    unknown();
    return;
  }
  const value = valueOf(key);
  if (isText(key, "prefix")) {
    expression(member(value, "addr"));
    put("/");
    expression(member(value, "len"));
  } else if (isText(key, "range")) joined(value, "-");
  else if (isText(key, "concat")) joined(value, " . ");
  else if (isText(key, "set")) writeElements(value);
  else if (isText(key, "elem")) {
    expression(member(value, "val"));
    if (member(value, "timeout") == 0) return;
    put(" timeout");
    part(member(value, "timeout"));
    put("s");
  } else if (isText(key, "payload")) {
    // By name; one by offset and length is not known.
    expression(member(value, "protocol"));
    put(" ");
    expression(member(value, "field"));
  } else if (isText(key, "meta") || isText(key, "socket")) {
    word(key);
    part(member(value, "key"));
  } else if (isText(key, "ct")) {
    put("ct");
    part(member(value, "dir"));
    part(member(value, "key"));
  } else if (isText(key, "fib")) {
    put("fib ");
    const flags = member(value, "flags");
    if (isArray(flags)) joined(flags, " . ");
    else expression(flags);
    part(member(value, "result"));
  } else if (isText(key, "numgen")) {
    put("numgen");
    part(member(value, "mode"));
    put(" mod");
    part(member(value, "mod"));
    if (member(value, "offset") == 0) return;
    put(" offset");
    part(member(value, "offset"));
  } else if (isText(key, "map")) {
    expression(member(value, "key"));
    put(" map ");
    expression(member(value, "data"));
  } else if (isText(key, "&") || isText(key, "|") || isText(key, "^")) {
    for (let item = firstOf(value); item != 0; item = nextOf(item)) {
      if (item != firstOf(value)) {
        put(" ");
        word(key);
        put(" ");
      }
      expression(item);
    }
  } else {
    word(key);
    put(" ");
    unknown();
  }
}

/** A string, number or name as one word; in quotes if the reader would part it. */
function word(value: usize): void {
  if (isArray(value) || isObject(value)) {
    unknown();
    return;
  }
  const bytes = textOf(value);
  const length = textLength(value);
  let isSafe = length > 0;
  for (let i: usize = 0; i < length; i++) {
    const c = <u32>load<u8>(bytes + i);
    // Escapes stand in names of interfaces at most, and nobody uses them.
    if (c == 0x5c) {
      unknown();
      return;
    }
    if (c <= 0x20 || c == 0x7b || c == 0x7d || c == 0x3b || c == 0x2c || c == 0x23) isSafe = false;
  }
  if (!isSafe) put('"');
  putBytes(bytes, length);
  if (!isSafe) put('"');
}
