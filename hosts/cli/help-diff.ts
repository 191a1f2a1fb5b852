// Help of the commands that say what a change does.

export const diffHelp = `Says what a change does to the traffic of Services: who loses endpoints and on which nodes, what is reachable from where, whose
source IP is hidden. Order, formatting, names of ports, and what an API server fills in, are no difference.

Usage:
  sluice diff BASE HEAD [options]
  sluice diff --base REF [--head REF] [PATH…] [options]

Input:
  BASE HEAD             manifests, a dump or a snapshot: a file, a directory, or - for stdin
      --base REF        a commit, read through git without touching the work tree: the paths as it has them
      --head REF        the other commit (default: the work tree)
                        With all options of \`sluice render\` for input (--config, --mode, --kube-version, --no-assume, …)
      --node NAME       as this node sees it (default: all Nodes that both sides have; what they see alike is said once)

Output:
      --report FORMAT[=FILE]
                        repeats; at most one goes to stdout
                          text      for people (default)
                          json      all of it, by hosts/shared/schemas/diff-report.json
                          markdown  for comments: as much as fits into 60,000 bytes, and how much does not
                          github    annotations of GitHub Actions
                          sarif     2.1.0
                          junit     a test case for each Service that changes
                          gitlab    code quality
      --rules           also the lines of rules that only one side has, on the first node that sees a change
  -v, --verbose         more on stderr
  -h, --help

Gates:
      --fail-on GATE    ends with 3 if so; repeats, or with commas in between
                          lost-endpoints  a Service has no endpoints any more, on any node
                          unreachable     that, or a Service, a port or an entry point goes, or another Service takes it
                          new-exposure    a new node port, external IP or load-balancer IP, or wider source ranges
                          source-ip       endpoints see another source IP: it is hidden or kept from now on
                          conflict        two Services claim the same address and port, or node port
                          problems        errors or warnings that BASE does not have, or a part that could not be read
                          any             anything changes
      --exit-code       ends with 2 if anything changes
      --keep-going      objects that are refused in HEAD do not fail the command

Exit codes, whatever the format: 0 done, 1 bad input or failure (the report says what it could), 2 something differs (only with
--exit-code), 3 a gate is violated, 64 wrong usage. 1 goes before 3, and 3 before 2.

Examples:
  # What does my branch do?
  sluice diff --base origin/main deploy/

  # What will this release of a chart do to the cluster?
  kubectl get services,endpointslices,nodes -A -o json > now.json
  helm template shop charts/shop | sluice diff now.json -

  # In CI: a file for machines, text for people, and a gate
  sluice diff --base origin/main --report text --report json=report.json --fail-on lost-endpoints,new-exposure deploy/
`;
