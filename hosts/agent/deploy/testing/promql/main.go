// Reads PromQL as Prometheus does. A line of input is a JSON object: {"query": PROMQL}, answered with the metrics that it asks for,
// the labels by which it chooses among their series, and those by which it groups; or {"rules": YAML}, a file of rules, answered
// with what is wrong with it, as `promtool check rules` says.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

type matcher struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

type selector struct {
	Metric   string    `json:"metric"`
	Matchers []matcher `json:"matchers"`
}

type answer struct {
	Selectors []selector `json:"selectors"`
	Grouping  []string   `json:"grouping"`
	Errors    []string   `json:"errors"`
}

func read(query string) answer {
	said := answer{Selectors: []selector{}, Grouping: []string{}, Errors: []string{}}
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		said.Errors = append(said.Errors, err.Error())
		return said
	}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		switch each := node.(type) {
		case *parser.VectorSelector:
			found := selector{Metric: each.Name, Matchers: []matcher{}}
			for _, m := range each.LabelMatchers {
				if m.Name != labels.MetricName {
					found.Matchers = append(found.Matchers, matcher{m.Name, m.Type.String(), m.Value})
				}
			}
			said.Selectors = append(said.Selectors, found)
		case *parser.AggregateExpr:
			said.Grouping = append(said.Grouping, each.Grouping...)
		case *parser.BinaryExpr:
			if each.VectorMatching != nil {
				said.Grouping = append(said.Grouping, each.VectorMatching.MatchingLabels...)
			}
		}
		return nil
	})
	return said
}

func check(rules string) answer {
	said := answer{Selectors: []selector{}, Grouping: []string{}, Errors: []string{}}
	_, errs := rulefmt.Parse([]byte(rules), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		said.Errors = append(said.Errors, err.Error())
	}
	return said
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var asked struct{ Query, Rules string }
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		said := read(asked.Query)
		if asked.Rules != "" {
			said = check(asked.Rules)
		}
		out, _ := json.Marshal(said)
		fmt.Println(string(out))
	}
}
