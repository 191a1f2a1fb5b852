// sluice cleanup, and sluice agent --cleanup.
import { parseArgs } from "node:util";
import type { CleanupSettings } from "../../agent/config/command.ts";
import type { LiveKubeProxyOptions } from "../../agent/kernel/leftovers/live-kube-proxy.ts";
import { type ExitCode, exitCode, UsageError } from "../exit-codes.ts";
import { type Io, write } from "../io.ts";

/** For `parseArgs`. */
export const cleanupArguments = {
  timeout: { type: "string" },
  "even-if-nothing-takes-over": { type: "boolean" },
} as const;

export async function cleanup(args: string[], io: Io): Promise<ExitCode> {
  const values = parse(args);
  const { parseTimeout } = await import("../../agent/config/cleanup-timeout.ts");
  const timeoutMs = parseTimeout(values.timeout);
  if (timeoutMs === undefined) {
    throw new UsageError(`--timeout ${values.timeout}: a duration is wanted`, "write it as 90s, 5m or 1h30m");
  }
  return removeRules({ timeoutMs, evenIfNothingTakesOver: values["even-if-nothing-takes-over"] ?? false }, io);
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: cleanupArguments }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, "`sluice help cleanup` has all options");
  }
}

export async function removeRules(
  settings: CleanupSettings & Pick<LiveKubeProxyOptions, "health" | "metrics">,
  io: Io,
): Promise<ExitCode> {
  const [{ cleanupAfterHandOver }, { lockHolder }] = await Promise.all([
    import("../../agent/kernel/leftovers/cleanup.ts"),
    import("../../agent/running/lock/node-lock.ts"),
  ]);
  const holder = await lockHolder();
  if (holder?.isAgent === true) {
    const what = `a sluice agent is running here (${holder.text}), and will write its rules again: stop it first`;
    await write(io.stderr, `sluice: warning: ${what}\n`);
  }
  const done = await cleanupAfterHandOver({ ...settings, say: (text) => write(io.stderr, `sluice: ${text}\n`) });
  if (done.outcome === "nothing-takes-over") {
    const hint =
      "start kube-proxy, or give --even-if-nothing-takes-over where another data plane serves this node or none is needed";
    await write(io.stderr, `sluice: nothing is removed, these are the node's last rules: ${done.missing}\n  ${hint}\n`);
    return exitCode.failure;
  }
  const { removed, kept, problems } = done;
  for (const text of removed) await write(io.stdout, `removed: ${text}\n`);
  for (const text of kept) await write(io.stdout, `kept: ${text}\n`);
  if (removed.length + kept.length + problems.length === 0) await write(io.stdout, "there was nothing to remove\n");
  for (const text of problems) await write(io.stderr, `sluice: ${text}\n`);
  return problems.length === 0 ? exitCode.done : exitCode.failure;
}
