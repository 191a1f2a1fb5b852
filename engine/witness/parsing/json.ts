// JSON, read where it stands: `checkJson` says once whether a text is well-formed, and what then walks through it need not ask.
// A value is known by its address; 0 is none.

const END_OF_TEXT: usize = 0;
/** nft nests about a dozen deep. */
const DEEPEST: u32 = 48;

/** Where `checkJson` has found what is wrong. */
export let brokenAt: usize = 0;

function isBlank(c: u32): bool {
  return c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09;
}

function skipBlanks(at: usize): usize {
  while (isBlank(load<u8>(at))) at++;
  return at;
}

/** Whether a text is one value, well-formed and not too deep. Behind the text there must be a NUL, and none within. */
export function checkJson(text: usize, length: usize): bool {
  const after = checkValue(skipBlanks(text), 0);
  if (after == END_OF_TEXT) return false;
  brokenAt = skipBlanks(after);
  return brokenAt == text + length;
}

function broken(at: usize): usize {
  brokenAt = at;
  return END_OF_TEXT;
}

/** Returns what follows the value, or 0. */
function checkValue(at: usize, depth: u32): usize {
  const c = <u32>load<u8>(at);
  if (c == 0x22) return checkString(at);
  if (c == 0x7b || c == 0x5b) return depth == DEEPEST ? broken(at) : checkList(at, depth + 1);
  const start = at;
  while (isPlain(load<u8>(at))) at++;
  return at == start ? broken(at) : at;
}

/** Numbers, true, false and null: whatever is made of such characters. */
function isPlain(c: u32): bool {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x7a) || c == 0x2d || c == 0x2b || c == 0x2e || c == 0x45;
}

function checkString(at: usize): usize {
  const start = at++;
  while (true) {
    const c = <u32>load<u8>(at);
    if (c < 0x20) return broken(start);
    if (c == 0x22) return at + 1;
    at += c == 0x5c && load<u8>(at + 1) >= 0x20 ? 2 : 1;
  }
}

function checkList(at: usize, depth: u32): usize {
  const isObject = load<u8>(at) == 0x7b;
  const close: u32 = isObject ? 0x7d : 0x5d;
  at = skipBlanks(at + 1);
  if (<u32>load<u8>(at) == close) return at + 1;
  while (true) {
    if (isObject) {
      if (load<u8>(at) != 0x22) return broken(at);
      at = checkString(at);
      if (at == END_OF_TEXT) return END_OF_TEXT;
      at = skipBlanks(at);
      if (load<u8>(at) != 0x3a) return broken(at);
      at = skipBlanks(at + 1);
    }
    at = checkValue(at, depth);
    if (at == END_OF_TEXT) return END_OF_TEXT;
    at = skipBlanks(at);
    const c = <u32>load<u8>(at);
    if (c == close) return at + 1;
    if (c != 0x2c) return broken(at);
    at = skipBlanks(at + 1);
  }
}

export function isObject(value: usize): bool {
  return value != 0 && load<u8>(value) == 0x7b;
}
export function isArray(value: usize): bool {
  return value != 0 && load<u8>(value) == 0x5b;
}
export function isString(value: usize): bool {
  return value != 0 && load<u8>(value) == 0x22;
}

/** What follows a value. */
function skipValue(at: usize): usize {
  let depth = 0;
  while (true) {
    const c = <u32>load<u8>(at);
    if (c == 0x22) {
      at++;
      while (load<u8>(at) != 0x22) at += load<u8>(at) == 0x5c ? 2 : 1;
      at++;
    } else if (c == 0x7b || c == 0x5b) {
      depth++;
      at++;
    } else if (c == 0x7d || c == 0x5d) {
      depth--;
      at++;
    } else if (isPlain(c)) {
      while (isPlain(load<u8>(at))) at++;
    } else {
      at++;
      continue;
    }
    if (depth == 0) return at;
  }
}

/** The first item of an array, or the first key of an object; 0: it is empty, or neither. */
export function firstOf(list: usize): usize {
  if (!isArray(list) && !isObject(list)) return 0;
  const at = skipBlanks(list + 1);
  return load<u8>(at) == 0x7d || load<u8>(at) == 0x5d ? 0 : at;
}

/** The item after this one, or after a key's value the next key; 0: there is none. */
export function nextOf(value: usize): usize {
  const at = skipBlanks(skipValue(value));
  return load<u8>(at) == 0x2c ? skipBlanks(at + 1) : 0;
}

/** The value of a key. */
export function valueOf(key: usize): usize {
  return skipBlanks(skipBlanks(skipValue(key)) + 1);
}

/** The value that an object has under a name; 0: none. */
export function member(object: usize, name: string): usize {
  if (!isObject(object)) return 0;
  for (let key = firstOf(object); key != 0; key = nextOf(valueOf(key))) if (isText(key, name)) return valueOf(key);
  return 0;
}

/** Whether a string is this one. */
export function isText(value: usize, text: string): bool {
  if (!isString(value)) return false;
  for (let i = 0; i < text.length; i++) if (<i32>load<u8>(value + 1 + <usize>i) != text.charCodeAt(i)) return false;
  return load<u8>(value + 1 + <usize>text.length) == 0x22;
}

/** Where the text of a string or plain value begins. */
export function textOf(value: usize): usize {
  return isString(value) ? value + 1 : value;
}

/** Its length; escapes are left as they are. */
export function textLength(value: usize): usize {
  const end = skipValue(value);
  return isString(value) ? end - value - 2 : end - value;
}
