// Where RETURN leads to: frames that branches share, since each holds the one that it was entered from.
import { Vector } from "../../bytes/memory";

/** Of each frame: chain, position, frame below. Frame 0 is none. */
const frames = new Vector();

export function resetFrames(): void {
  frames.length = 3;
}
frames.reserve(64);
resetFrames();

export function pushFrame(chain: u32, position: u32, below: u32): u32 {
  frames.push(chain);
  frames.push(position);
  frames.push(below);
  return frames.length / 3 - 1;
}
export function frameChain(frame: u32): u32 {
  return frames.get(frame * 3);
}
export function framePosition(frame: u32): u32 {
  return frames.get(frame * 3 + 1);
}
export function frameBelow(frame: u32): u32 {
  return frames.get(frame * 3 + 2);
}
