// Help of the commands that read rules back.

const rulesInput = `      --rules FILE|DIR      iptables-save, ip6tables-save or nft list ruleset of a node, a directory with them, or a
                            snapshot with --node-rules; - is stdin. Repeats.
      --live                this node's kernel instead: read only, needs CAP_NET_ADMIN
      --addresses FILE      the node's own addresses, as \`ip -j addr\` lists them (default: those of its Node, and loopback)`;

const reports = `      --report FORMAT[=FILE]  text (default) or json; repeats, to stdout or a file
  -v, --verbose             what is not understood, line by line
  -h, --help`;

export const traceHelp = `Follows one packet through rules, whoever wrote them: every path with its exact probability, each step with its line and reason.
Or all packets that a question is about: which sources reach what, what leads to an endpoint, what is dropped, and by which rule.

Usage:
  sluice trace --rules FILE… --to DESTINATION [options]
  sluice trace -f FILE… --to DESTINATION [options]
  sluice trace --rules FILE…|-f FILE… --to DESTINATION --from any | --reaches ENDPOINT | --stopped

Rules:
${rulesInput}
  -f, --filename FILE       objects: their rules are followed, or, beside --rules, their names are used. Each step says which
                            object and field made its rule, with file and line.
                            With all options of \`sluice render\` for input (--config, --node, --mode, --kube-version, …)

Packet:
      --to DESTINATION      ADDRESS:PORT; with -f also svc/NAMESPACE/NAME:PORT, lb:NAMESPACE/NAME:PORT; nodeport:PORT
      --from PLACE          outside (default), node, an address of a pod or client, ADDRESS[:PORT]; with -f also
                            pod:NAMESPACE/NAME; any: all sources, and which of them reach what
      --proto PROTOCOL      tcp (default), udp or sctp
      --in-interface NAME   by which it comes in, where rules ask for that
      --reaches ENDPOINT    instead of --to: all that leads to ADDRESS, ADDRESS:PORT or (with -f) pod:NAMESPACE/NAME[:PORT]
      --stopped             all that is dropped or rejected, and by which rule; with --to, of what goes there

Output:
      --table               a line for each path, without its steps
${reports}

Exit codes: 0 done, 1 bad input or failure, 3 it ends at a rule that is not understood, 64 wrong usage.

Examples:
  # Why does this node not reach the Service?
  iptables-save > rules.txt; sluice trace --rules rules.txt --from 10.244.1.7 --to 10.96.0.10:53 --proto udp

  # Who can reach this pod, and through what?
  sluice trace --rules rules.txt -f manifests/ --reaches pod:shop/web-0

  # Where would a client from outside end, after this change?
  sluice trace -f manifests/ --node node-a --to nodeport:30080
`;

export const verifyHelp = `Compares what rules do with every packet, and not only with samples: equal, or the packets that differ.

Usage:
  sluice verify --rules FILE…|--live -f FILE… [options]   a kernel with what these objects ask of the node
  sluice verify A B                                       two dumps with each other, each a file or a directory

Rules:
${rulesInput}
  -f, --filename FILE       the objects, with all options of \`sluice render\` for input.
                            --mode: default what the rules hold

Comparison:
      --new-only            new connections alone, not established and invalid ones
      --limit N             gives up after so many classes of packets (default 50000000)

Output:
${reports}

A class of packets is a set that no rule tells apart. What was taken for granted about the node is printed with the verdict.
Exit codes: 0 equal, 1 bad input or failure, 2 different, 3 inconclusive (rules that are not understood) or given up,
64 wrong usage.

Examples:
  # Does this node do what the cluster asks?
  kubectl get services,endpointslices,nodes,servicecidrs -A -o json > cluster.json
  sudo sluice verify --live -f cluster.json --node node-a

  # Do two nodes' rules do the same?
  sluice verify node-a/ node-b/ --report json=difference.json
`;

export const migrateHelp = `Says per kind of behaviour what changes with the mode, for whom in this cluster and what to do. Found by comparing the rules of both
modes for every packet; what ipvs does otherwise is taken from its documentation, and marked so.

Usage:
  sluice migrate --from iptables|nftables|ipvs --to flat|nftables -f FILE… [options]

  -f, --filename FILE       the cluster's objects, with all options of \`sluice render\` for input but --mode
      --from-version V      of Kubernetes, for its calendar (default 1.37)
      --to-version V        default 1.40
      --exit-code           2 where anything changes

Output:
${reports}

Exit codes: 0 done, 1 bad input or failure, 2 something changes (with --exit-code), 64 wrong usage.

Example:
  kubectl get services,endpointslices,nodes,servicecidrs -A -o json > cluster.json
  sluice migrate --from iptables --to nftables -f cluster.json --node node-a
`;
