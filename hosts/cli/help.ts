import { version } from "./version.ts";

export const generalHelp = `sluice ${version}: Kubernetes Services as packet rules

Usage:
  sluice agent             programs this node's kernel in place of kube-proxy, whose flags and configuration it takes
  sluice cleanup           removes all rules that the agent or kube-proxy has written on this node
  sluice migrate           from one mode to another: which Services will behave differently, and what to do
  sluice render -f FILE…   manifests or a cluster dump → nftables or iptables rules, without a cluster
  sluice diff BASE HEAD    what a change does to the traffic of Services, with gates for CI
  sluice snapshot          a cluster → one file that the other commands read, if wanted with other names and addresses
  sluice trace             one packet → where it goes and why, through a node's rules or those of manifests
  sluice verify            does a node's kernel do what the objects ask, for every packet? Or what another one does?
  sluice completion SHELL  lets bash, zsh or fish complete all this
  sluice help [COMMAND]    what a command does, with examples
  sluice --version

Exit codes of all commands:
   0  done, or no difference
   1  bad input or failure
   2  something differs (verify; diff and migrate with --exit-code)
   3  no clean verdict: something is not understood, or was not compared to its end (trace, verify), or a gate is violated (diff)
  64  wrong usage (an unknown option or flag, or one whose value is none; agent and cleanup too)
`;

export const cleanupHelp = `Removes what the agent has written in any of its modes, and what kube-proxy has: tables sluice and kube-proxy of nftables,
and kube-proxy's chains of iptables, in both families. Rules of others stay.

Usage:
  sluice cleanup [options]

      --timeout DURATION            how long to wait for kube-proxy (default 5m)
      --even-if-nothing-takes-over  wait for nobody: for nodes that move to another data plane, or need no Services

Nothing is removed before a kube-proxy answers on this node that it is healthy, and its rules for default/kubernetes are in
the kernel: without them no Service can be reached. What that kube-proxy needs is kept. Stop the agent before, or it
writes its rules again. Needs CAP_NET_ADMIN.
Exit codes: 0 done, 1 nothing was removed since nothing took over in time, or something could not be looked at or removed,
64 wrong usage.
`;

export const renderHelp = `Turns Kubernetes objects into the rules of one node: kube-proxy's own, or a layout that does the same for less.

Usage:
  sluice render -f FILE|DIR|- [-f …] [options]

Input:
  -f, --filename FILE   manifests or a dump, YAML or JSON; a directory is read with all below it
                        (*.yaml, *.yml, *.json, sorted; not names that start with a dot); - is stdin. Repeats.
      --config FILE     a KubeProxyConfiguration: cluster CIDR, mode, node ports, masquerading, …
      --node NAME       the node whose rules to render; needed if the input has several Nodes.
                        Goes before the configuration's hostnameOverride.
      --strict          what is without meaning in the configuration is an error, not a warning: unknown fields and
                        feature gates, keys given twice, wrong values in the section of another mode

                        Of objects that no API server has seen, fields that are left out get the API server's defaults, and
                        what it would refuse is an error, in its words: the object is left out.
      --service-node-port-range R
                        of the API server (default 30000-32767)

What the files leave open (for objects that no API server has seen; marked as assumed wherever it is shown):
                        Services get addresses and node ports that depend on their names alone, and endpoints from the
                        pods that Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs and Pods among the files would
                        have. EndpointSlices that are given go before.
      --no-assume       leave it open: such Services have no rules
      --service-cidr C  from where cluster IPs come (default 10.96.0.0/16,fd00:10:96::/112). The first one's family is
                        the primary one. ServiceCIDRs among the files go before.
      --assume-lb[=C]   Services of type LoadBalancer get an address, too (default 192.0.2.0/24)
      --nodes N         without Nodes among the files, pods run on node-1 to node-N (default 3)
      --zones A,B       the zones of these nodes, in turns (default: none)

Rules:
      --mode MODE       default: the configuration's mode, else flat
                          flat      nftables, table sluice: no chain per Service or endpoint, quick to load and change
                          nftables  table kube-proxy, as kube-proxy's nftables mode has it
                          iptables  as kube-proxy's iptables mode has it
                        flat reads the configuration's nftables section
      --family FAMILY   ipv4, ipv6 or all. flat, nftables: default all, in one script.
                        iptables: default the node's primary family; all needs -o DIR/
      --kube-version V  the API server's version (default 1.37): from 1.38 on flat and nftables mode look after node ports on
                        127.0.0.1 and ::1, unless the configuration's gate KubeProxyNFTablesLocalhostNodePorts decides
      --no-nfacct       iptables: leave out the two nfacct counters, as kube-proxy does where they can't be had

Output:
  -o, --output FILE|DIR where to write instead of stdout. A directory gets rules.nft, or iptables.rules and
                        ip6tables.rules, rules.netlink or describe.json; it is made if the name ends with /
      --blame           before each rule, the object and field it comes from, with file and line
      --describe        instead of rules: where traffic may come in, which endpoints get it, and why not the
                        others, as JSON
      --format FORMAT   text (default), or netlink: what the agent sends to the kernel, as a hexdump that names each
                        message and attribute (flat and nftables)
      --keep-going      exit with 0 even if some objects were refused (not if a file could not be read to its end)
  -v, --verbose         more on stderr: kinds that were skipped, by file
  -h, --help

Errors and notes go to stderr; stdout has the rules and nothing else.
Exit codes: 0 done, 1 bad input or failure (the rules of all good objects are written), 64 wrong usage.

Examples:
  # What would a chart's Services become, before there is a cluster?
  helm template my-chart | sluice render -f - --blame | less

  # What would this node's kernel hold?
  kubectl get services,endpointslices,nodes,servicecidrs -A -o json > cluster.json
  sluice render -f cluster.json --node node-a

  # Load it into a network namespace of your own
  sluice render -f cluster.json --node node-a | sudo ip netns exec lab nft -f -

  # The iptables rules of both families, into a directory
  sluice render -f cluster.json --node node-a --mode iptables --family all -o rules/

  # Which Service made which rule?
  sluice render -f manifests/ --blame | less
`;

export const snapshotHelp = `Takes all of a cluster that Service rules are made of into one file, which every command reads by -f.

Usage:
  sluice snapshot [options]

      --kubeconfig FILE  default: $KUBECONFIG, else ~/.kube/config, else the service account of the pod that it runs in
      --context NAME     of the kubeconfig; default: its current one
      --workloads        also what endpoints are made of: Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs,
                         HorizontalPodAutoscalers and Pods
      --node-rules       also what the kernel of this host holds: nft list ruleset, iptables-save, ip6tables-save (as root)
      --redact           other names, labels and addresses, everywhere the same ones: the rules stay the same up to these,
                         and no name, label, uid or address of the cluster is left. Not with --node-rules
  -o, --output FILE      where to write instead of stdout; a file is written whole or not at all, for its owner alone (0600)
      --timeout DURATION for reading the cluster (default 5m)
  -h, --help

The file is a List that kubectl reads too, one object a line: Services, EndpointSlices, Nodes and ServiceCIDRs with the fields
that count. No Secrets, no environment, images and commands of containers, of annotations only those that decide where traffic
goes. Needs the verb list on these resources. The lists are read one after the other, each as it was at one moment.
Exit codes: 0 done, 1 something could not be read and nothing is written, 64 wrong usage.

Examples:
  # What does each node's kernel hold, and why?
  sluice snapshot -o cluster.json && sluice render -f cluster.json --node node-a --blame | less

  # A cluster that can be shown to others
  sluice snapshot --redact -o cluster.json
`;
