// Writing JSON to the output.
import { byte, lit, put } from "./out";

const HEX: string = "0123456789abcdef";

/** A string of valid UTF-8, with quotes. */
export function jsonString(bytes: usize, length: usize): void {
  byte(0x22);
  let start: usize = 0;
  for (let i: usize = 0; i < length; i++) {
    const c = load<u8>(bytes + i);
    if (c >= 0x20 && c != 0x22 && c != 0x5c) continue;
    put(bytes + start, i - start);
    start = i + 1;
    if (c < 0x20) {
      lit("\\u00");
      byte(<u8>HEX.charCodeAt(<i32>(c >> 4)));
      byte(<u8>HEX.charCodeAt(<i32>(c & 15)));
    } else {
      byte(0x5c);
      byte(c);
    }
  }
  put(bytes + start, length - start);
  byte(0x22);
}

/** `"name":` */
export function jsonKey(name: string): void {
  byte(0x22);
  lit(name);
  lit('":');
}

export function jsonLiteral(text: string): void {
  byte(0x22);
  lit(text);
  byte(0x22);
}

export function jsonBoolean(value: bool): void {
  lit(value ? "true" : "false");
}
