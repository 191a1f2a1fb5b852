import type { CompletedCommand, CompletedOption, Words } from "./completed-commands.ts";

export function fishCompletion(commands: readonly CompletedCommand[]): string {
  return `# fish completion of sluice; load it with: sluice completion fish | source
function __sluice_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = $argv[1]
end
complete -c sluice -e
complete -c sluice -f
complete -c sluice -n 'test (count (commandline -opc)) -eq 1' -a '${commands.map(({ name }) => name).join(" ")}'
complete -c sluice -n 'test (count (commandline -opc)) -eq 1' -l help -s h
complete -c sluice -n 'test (count (commandline -opc)) -eq 1' -l version
${commands.flatMap(lines).join("\n")}
`;
}

function lines({ name, options, operands }: CompletedCommand): string[] {
  const condition = `complete -c sluice -n '__sluice_command ${name}'`;
  return [
    ...options.map((option) => `${condition} ${optionFlags(option)}`),
    ...(operands === "text" ? [] : [`${condition} ${operands === "files" ? "-F" : words(operands)}`]),
  ];
}

function optionFlags({ name, short, value }: CompletedOption): string {
  const spelled = `-l ${name}${short === undefined ? "" : ` -s ${short}`}`;
  if (value === undefined) return spelled;
  return `${spelled} ${value === "files" ? "-r -F" : `-x${value === "text" ? "" : ` ${words(value)}`}`}`;
}

function words(value: Exclude<Words, "files" | "text">): string {
  return `-a '${value.join(" ")}'`;
}
