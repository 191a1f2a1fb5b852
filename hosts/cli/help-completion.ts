export const completionHelp = `Prints a script that lets a shell complete commands, options and their values.

Usage:
  sluice completion bash|zsh|fish

Exit codes: 0 done, 64 wrong usage.

Examples:
  # bash: for this shell, and for those to come
  source <(sluice completion bash)
  echo 'source <(sluice completion bash)' >> ~/.bashrc

  # zsh: after compinit
  echo 'source <(sluice completion zsh)' >> ~/.zshrc

  # fish
  sluice completion fish > ~/.config/fish/completions/sluice.fish
`;
