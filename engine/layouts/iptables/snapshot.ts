// What is kept of a service port in iptables mode: the names of its chains, and what they were written from.

/** What the kernel holds of a service port; after it, the hashes of its endpoint chains, sorted. */
@unmanaged
export class Snapshot {
  signature: u64;
  signatureRest: u64;
  /** Number of the Service's record. */
  record: u64;
  /** Bits of Decision. */
  decision: u32;
  /** Bits of PortChain. */
  chains: u32;
  endpointCount: u32;

  /** Where the sixteen characters of an endpoint chain's name are. */
  hash(index: u32): usize {
    return changetype<usize>(this) + offsetof<Snapshot>() + ((<usize>index) << 4);
  }
}
