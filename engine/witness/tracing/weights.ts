// Exact probabilities: fractions of 64-bit numbers, always reduced.
import { state } from "./state";

/** A product was beyond 64 bits: what was computed since `resetOverflow` is not exact. */
export let overflowed: bool = false;

export function resetOverflow(): void {
  overflowed = false;
}

function gcd(a: u64, b: u64): u64 {
  while (b != 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

function product(a: u64, b: u64): u64 {
  if (a != 0 && b > u64.MAX_VALUE / a) {
    overflowed = true;
    return u64.MAX_VALUE;
  }
  return a * b;
}

/** The path goes on with this share of its weight. */
export function multiplyWeight(numerator: u64, denominator: u64): void {
  if (state.numerator == 1 && numerator == 1) {
    state.denominator = product(state.denominator, denominator);
    return;
  }
  const one = gcd(state.numerator, denominator);
  const other = gcd(numerator, state.denominator);
  state.numerator = product(state.numerator / one, numerator / other);
  state.denominator = product(state.denominator / other, denominator / one);
}

/** What `addFractions` has found. */
export let sumNumerator: u64 = 0;
export let sumDenominator: u64 = 1;

export function addFractions(n1: u64, d1: u64, n2: u64, d2: u64): void {
  if (d1 == d2) {
    sumNumerator = n1 + n2;
    sumDenominator = d1;
  } else {
    const common = gcd(d1, d2);
    sumDenominator = product(d1, d2 / common);
    sumNumerator = product(n1, d2 / common) + product(n2, d1 / common);
  }
  const divisor = gcd(sumNumerator, sumDenominator);
  sumNumerator /= divisor;
  sumDenominator /= divisor;
}
