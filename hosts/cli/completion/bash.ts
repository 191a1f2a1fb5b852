// Completion for bash 3.2 (macOS has it) and newer; it needs nothing of the package bash-completion.
import type { CompletedCommand, Words } from "./completed-commands.ts";

export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# bash completion of sluice; load it with: source <(sluice completion bash)
_sluice() {
  local IFS=$' \\t\\n' cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} words=
  COMPREPLY=()
  # bash makes three words of --mode=flat.
  if [[ $cur == '=' ]]; then
    cur=
  elif [[ $prev == '=' ]]; then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if (( COMP_CWORD == 1 )); then
    words='${[...commands.map(({ name }) => name), "--help", "--version"].join(" ")}'
  else
    case "\${COMP_WORDS[1]} $prev" in
${commands.flatMap(values).join("\n")}
    *)
      case "\${COMP_WORDS[1]} $cur" in
${commands.map(options).join("\n")}
${commands.map(operands).join("\n")}
      esac
      ;;
    esac
  fi
  # Without words, what is completed are no files either.
  type compopt &>/dev/null && compopt +o default
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _sluice sluice
`;
}

/** Cases of a value after its option. `return`: readline's own completion of files. */
function values({ name, options }: CompletedCommand): string[] {
  return options.flatMap((option) => {
    if (option.value === undefined) return [];
    const spellings = [`--${option.name}`, ...(option.short === undefined ? [] : [`-${option.short}`])];
    return [`    ${spellings.map((spelling) => `'${name} ${spelling}'`).join("|")}) ${action(option.value)} ;;`];
  });
}

function options({ name, options: all }: CompletedCommand): string {
  const spellings = all.flatMap((each) => [`--${each.name}`, ...(each.short === undefined ? [] : [`-${each.short}`])]);
  return `      '${name} -'*) words='${spellings.join(" ")}' ;;`;
}

function operands({ name, options: all, operands: taken }: CompletedCommand): string {
  if (taken !== "text") return `      '${name} '*) ${action(taken)} ;;`;
  return `      '${name} ') words='${all.map((each) => `--${each.name}`).join(" ")}' ;;`;
}

function action(words: Words): string {
  if (words === "files") return "return";
  return words === "text" ? "words=" : `words='${words.join(" ")}'`;
}
