// The `yaml` package's lexer, as forgiving about indentation as kubectl's reader (go-yaml v2): within quotes and within
// flow collections (`{…}`, `[…]`) lines may begin in any column, with tabs too. YAML 1.2 wants them deeper than their key.
// fixtures/yaml-reader compares the two readers.
import { Lexer } from "yaml";

type Tokens = Generator<string, unknown, unknown>;

/** The lexer's own steps, which its type keeps private (yaml 2.9: dist/parse/lexer.js). */
interface Steps {
  /** Columns that a line must be indented by to go on with what is open. */
  indentNext: number;
  /** Flow collections that are open. */
  flowLevel: number;
  parseFlowCollection(): Tokens;
  parseQuotedScalar(): Tokens;
  parsePlainScalar(): Tokens;
}

/** A lexer for one text. */
export function lenientLexer(): Lexer {
  const lexer = new Lexer();
  const steps = lexer as unknown as Steps;
  const { parseFlowCollection, parseQuotedScalar, parsePlainScalar } = steps;
  steps.parseFlowCollection = () => anywhere(steps, parseFlowCollection);
  steps.parseQuotedScalar = () => anywhere(steps, parseQuotedScalar);
  steps.parsePlainScalar = () =>
    steps.flowLevel > 0 ? anywhere(steps, parsePlainScalar) : parsePlainScalar.call(steps);
  return lexer;
}

/** Runs one of the lexer's steps with lines that may begin anywhere. What was wanted before is wanted after it. */
function* anywhere(steps: Steps, step: (this: Steps) => Tokens): Tokens {
  const wanted = steps.indentNext;
  steps.indentNext = 0;
  const next = yield* step.call(steps);
  steps.indentNext = wanted;
  return next;
}
