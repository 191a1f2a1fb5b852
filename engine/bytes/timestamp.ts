// RFC 3339 timestamps, as Kubernetes writes them: `2026-11-23T05:05:06Z`.

/** What an absent or unreadable time counts as: younger than all others. */
export const NO_TIMESTAMP: u64 = u64.MAX_VALUE;

const NO_DIGITS: u32 = 0xffffffff;

function digits(at: usize, count: u32): u32 {
  let value: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const digit = <u32>load<u8>(at + i) - 0x30;
    if (digit > 9) return NO_DIGITS;
    value = value * 10 + digit;
  }
  return value;
}

/** Days from 1970-01-01 to a date of the Gregorian calendar (years counted from March, so that leap days come last). */
function daysSince1970(year: i32, month: i32, day: i32): i64 {
  const y = month <= 2 ? year - 1 : year;
  const fromMarch = month > 2 ? month - 3 : month + 9;
  const era = y / 400; // y is never negative here
  const yearOfEra = y - era * 400;
  const dayOfYear = (153 * fromMarch + 2) / 5 + day - 1;
  return <i64>era * 146097 + <i64>(yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear) - 719468;
}

function daysInMonth(year: u32, month: u32): u32 {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/** The fraction that `parseTimestamp` has dropped last, in whole milliseconds. */
export let droppedMilliseconds: u32 = 0;

function fractionOf(digitsAt: usize, end: usize): u32 {
  let value: u32 = 0;
  for (let i: usize = 0; i < 3; i++) value = value * 10 + (digitsAt + i < end ? <u32>load<u8>(digitsAt + i) - 0x30 : 0);
  return value;
}

/** Seconds since 1970 (times before it count as 0, fractions are dropped), or NO_TIMESTAMP if the text is no time. */
export function parseTimestamp(bytes: usize, length: usize): u64 {
  if (length < 20) return NO_TIMESTAMP;
  const year = digits(bytes, 4);
  const month = digits(bytes + 5, 2);
  const day = digits(bytes + 8, 2);
  const hour = digits(bytes + 11, 2);
  const minute = digits(bytes + 14, 2);
  const second = digits(bytes + 17, 2);
  if (year == NO_DIGITS || month - 1 > 11 || day - 1 > 30 || hour > 23 || minute > 59 || second > 59) {
    return NO_TIMESTAMP;
  }
  if (day > daysInMonth(year, month)) return NO_TIMESTAMP;
  if (load<u8>(bytes, 4) != 0x2d || load<u8>(bytes, 7) != 0x2d || load<u8>(bytes, 10) != 0x54) return NO_TIMESTAMP;
  if (load<u8>(bytes, 13) != 0x3a || load<u8>(bytes, 16) != 0x3a) return NO_TIMESTAMP;
  let at = bytes + 19;
  droppedMilliseconds = 0;
  const end = bytes + length;
  if (load<u8>(at) == 0x2e) {
    const first = ++at;
    while (at < end && <u32>load<u8>(at) - 0x30 <= 9) at++;
    if (at == first || at == end) return NO_TIMESTAMP;
    droppedMilliseconds = fractionOf(first, at);
  }
  let seconds = daysSince1970(<i32>year, <i32>month, <i32>day) * 86400 + <i64>(hour * 3600 + minute * 60 + second);
  const zone = load<u8>(at);
  if (zone == 0x5a) {
    if (at + 1 != end) return NO_TIMESTAMP;
  } else {
    if ((zone != 0x2b && zone != 0x2d) || at + 6 != end || load<u8>(at, 3) != 0x3a) return NO_TIMESTAMP;
    const hours = digits(at + 1, 2);
    const minutes = digits(at + 4, 2);
    if (hours > 23 || minutes > 59) return NO_TIMESTAMP;
    const offset = <i64>(hours * 3600 + minutes * 60);
    seconds += zone == 0x2b ? -offset : offset;
  }
  return seconds < 0 ? 0 : <u64>seconds;
}
