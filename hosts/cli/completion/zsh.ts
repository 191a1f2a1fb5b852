import type { CompletedCommand, CompletedOption, Words } from "./completed-commands.ts";

export function zshCompletion(commands: readonly CompletedCommand[]): string {
  return `#compdef sluice
# zsh completion of sluice; load it with: source <(sluice completion zsh), or put it into a directory of $fpath as _sluice
_sluice() {
  if (( CURRENT == 2 )); then
    compadd -- ${[...commands.map(({ name }) => name), "--help", "--version"].join(" ")}
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${commands.map(commandCase).join("\n")}
  esac
}
# Loaded by the completion system it completes at once; by source it is only made known.
if [[ $funcstack[1] == _sluice ]]; then
  _sluice "$@"
else
  compdef _sluice sluice
fi
`;
}

function commandCase({ name, options, operands }: CompletedCommand): string {
  const specs = [...options.flatMap(optionSpecs), ...(operands === "text" ? [] : [`'*:name:${action(operands)}'`])];
  return `  ${name})
    _arguments -s ${specs.join(" \\\n      ")}
    ;;`;
}

/** As `_arguments` takes them: `--mode=` and `-o+` take their value in the same word or the next one. */
function optionSpecs({ name, short, value, repeats }: CompletedOption): string[] {
  const long = `--${name}`;
  const before = repeats ? "*" : `(${short === undefined ? long : `${long} -${short}`})`;
  const after = value === undefined ? "" : `:${name}:${action(value)}`;
  return [
    `'${before}${long}${value === undefined ? "" : "="}${after}'`,
    ...(short === undefined ? [] : [`'${before}-${short}${value === undefined ? "" : "+"}${after}'`]),
  ];
}

function action(words: Words): string {
  if (words === "files") return "_files";
  return words === "text" ? " " : `(${words.join(" ")})`;
}
