// What `sluice agent --help` prints.
import { isSwitch } from "./command-line.ts";
import { type Flag, flags, spelled } from "./flags.ts";

export function agentHelp(): string {
  const groups = [...new Set(flags.map(({ group }) => group))];
  const lines = groups.flatMap((group) => ["", `${group}:`, ...flags.filter((flag) => flag.group === group).map(line)]);
  return [
    "Keeps this node's packet rules for Services as the API server has them, in kube-proxy's place.",
    "",
    "Usage:",
    "  sluice agent --config FILE [flags]",
    "  sluice agent [flags]",
    "",
    "All flags of kube-proxy are taken. With --config the file says it all: only the flags marked * count beside it.",
    ...lines,
    "",
    "Exit codes: 0 done, or ended by a signal; 1 the configuration is wrong, or something failed; 64 wrong usage.",
    "",
  ].join("\n");
}

function line(flag: Flag): string {
  const name = spelled(flag.name) + (isSwitch(flag) ? "" : flag.name === "v" ? " N" : " VALUE");
  return `${flag.besideFile ? " *" : "  "} ${name.padEnd(42)} ${flag.help}`;
}
