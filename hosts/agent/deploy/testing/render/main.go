// Renders as kustomize and helm do, by their own libraries. Reads one request a line, a JSON object, and answers each with a line:
// {"kustomize": DIRECTORY} or {"helm": CHART, "values": {…}} → {"text": YAML} or {"error": TEXT}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

type request struct {
	Kustomize string         `json:"kustomize"`
	Helm      string         `json:"helm"`
	Values    map[string]any `json:"values"`
}

type answer struct {
	Text  string `json:"text"`
	Error string `json:"error"`
}

func kustomize(directory string) (string, error) {
	options := krusty.MakeDefaultOptions()
	resources, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return "", err
	}
	yaml, err := resources.AsYaml()
	return string(yaml), err
}

func helm(path string, given map[string]any) (string, error) {
	chart, err := loader.Load(path)
	if err != nil {
		return "", err
	}
	// As `helm template` does: the schema is looked at here.
	release := chartutil.ReleaseOptions{Name: "sluice", Namespace: "kube-system", IsInstall: true, Revision: 1}
	values, err := chartutil.ToRenderValues(chart, given, release, chartutil.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	rendered, err := engine.Engine{}.Render(chart, values)
	if err != nil {
		return "", err
	}
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		if strings.HasSuffix(name, ".yaml") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	text := ""
	for _, name := range names {
		text += "---\n" + rendered[name] + "\n"
	}
	return text, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var asked request
		var text string
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil && asked.Kustomize != "" {
			text, err = kustomize(asked.Kustomize)
		} else if err == nil {
			text, err = helm(asked.Helm, asked.Values)
		}
		said := answer{Text: text}
		if err != nil {
			said.Error = err.Error()
		}
		out, _ := json.Marshal(said)
		fmt.Println(string(out))
	}
}
