// Buckets of histograms, in seconds.

/** kube-proxy's for the duration of a sync: 0.001 × 2ⁿ, up to 16.384. */
export const syncBuckets: number[] = Array.from({ length: 15 }, (_, n) => 0.001 * 2 ** n);

const range = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => from + n * step);

/** kube-proxy's for network_programming_duration_seconds. It merges lists that begin with an empty one, hence the 0. */
export const programmingBuckets: number[] = [
  0,
  0.25,
  0.5,
  ...range(1, 59, 1),
  ...range(60, 115, 5),
  ...range(120, 300, 30),
];

/** client-go's for the duration of a request. */
export const requestBuckets: number[] = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** client-go's for the size of a request and of its answer, in bytes. */
export const sizeBuckets: number[] = [
  64, 256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216,
];

/** From an event's last byte to the kernel's acknowledgement: a fraction of a millisecond where little changes. */
export const eventBuckets: number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Bytes of a plan. */
export const byteBuckets: number[] = Array.from({ length: 11 }, (_, n) => 256 * 4 ** n);
