#!/bin/sh
# kustomize's hash of a ConfigMap's contents leaves out the ConfigMap's name.
#
# One would guess: the hash that ends a generated ConfigMap's name is made of data, kind and name. Its source says so ("Data, Kind,
# and Name are taken into account", api/hasher/hasher.go), and so does kubectl's, of which it is a copy. But it looks the name up by
# yaml.Lookup("metadata/name"): a field of that name, not a path. There is none, and the name counts as empty.
#
# Who meets it: whoever computes the same name elsewhere, as our Helm chart does, so that chart and kustomization make one ConfigMap.
#
# Needs kubectl. Exits with 0 as long as it is so, 1 once it is not.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo 'value' >key
cat >kustomization.yaml <<X
configMapGenerator:
- {name: one, files: [key]}
- {name: other, files: [key]}
X
names=$(kubectl kustomize . | sed -n 's/^  name: //p')
echo "$names"
hashes=$(echo "$names" | sed 's/.*-//' | sort -u | wc -l)
[ "$(echo "$names" | wc -l)" -eq 2 ] && [ "$hashes" -eq 1 ]
