// Takes a node over from kube-proxy or from another mode of ours: removes what is left of it, once our rules are in place,
// and notices when somebody keeps making it again.
import type { Mode } from "../../../shared/contract.ts";
import { findLeftovers, type LeftoverOptions, removeLeftovers } from "./leftovers.ts";
import { findLiveKubeProxy } from "./live-kube-proxy.ts";

export interface TakeOverReport {
  /** What is gone since the last check, each in one line for the log. */
  readonly removed: readonly string[];
  /** What stays and why, what could not be removed, and signs of a kube-proxy that is alive: for the log and /healthz. */
  readonly remaining: readonly string[];
}

export interface TakeOverOptions extends LeftoverOptions {
  /** Signs of a kube-proxy that is alive. */
  readonly live?: () => Promise<readonly string[]>;
}

/** So many checks pass at most before something that came back is removed again. */
const LONGEST_PAUSE = 128;

/**
 * Call `check` when the first rules of both families are in place, and again at each syncPeriod. It costs a few lists of names.
 * While a kube-proxy is seen nothing is removed. If leftovers come back, a kube-proxy is alive that was not seen (another process
 * namespace, other ports). They are then removed less and less often.
 */
export class TakeOver {
  readonly #mode: Mode;
  readonly #options: TakeOverOptions;
  readonly #live: () => Promise<readonly string[]>;
  readonly #gone = new Set<string>();
  #checks = 0;
  #next = 0;
  #pause = 1;

  constructor(mode: Mode, options: TakeOverOptions = {}) {
    this.#mode = mode;
    this.#options = options;
    this.#live = options.live ?? (() => findLiveKubeProxy());
  }

  /** Does not throw for anything that the machine does. */
  async check(): Promise<TakeOverReport> {
    const check = this.#checks++;
    const { leftovers, problems } = await findLeftovers(this.#mode, this.#options);
    if (leftovers.length === 0) return { removed: [], remaining: problems };
    const texts = leftovers.map(({ text }) => text);
    const live = await this.#live();
    if (live.length > 0)
      return { removed: [], remaining: [...problems, ...live, ...texts.map((text) => `${text} stays`)] };

    // Numbers of chains change; what and where does not.
    const back = leftovers.filter(({ kind, text }) => kind !== "stale-chains" && this.#gone.has(withoutNumber(text)));
    const remaining = [
      ...problems,
      ...back.map(({ text }) => `${text}: removed before, and somebody has made it again`),
    ];
    if (check < this.#next) return { removed: [], remaining };
    if (back.length > 0) {
      this.#next = check + this.#pause;
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    }
    const report = await removeLeftovers(leftovers, this.#options);
    for (const text of report.removed) this.#gone.add(withoutNumber(text));
    return {
      removed: report.removed,
      remaining: [...remaining, ...report.kept, ...report.failed.map(({ message }) => message)],
    };
  }
}

function withoutNumber(text: string): string {
  return text.replace(/^\d+ chains? /, "");
}
