// Makes policies/gotemplate/test/cases.json anew: what Go itself says to each template.
//
//	go run tests/lua/gotemplate.go < policies/gotemplate/test/cases.json > new
//
// The first line is the data, each other line a case: its template, and `out`, the text, or
// `fails`, "parse" or "run". As matchbox does, it takes a missing key for an error.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type test struct {
	Template string  `json:"template"`
	Out      *string `json:"out,omitempty"`
	Fails    string  `json:"fails,omitempty"`
}

func run(text string, data map[string]interface{}) test {
	parsed, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return test{Template: text, Fails: "parse"}
	}
	var out strings.Builder
	if err := parsed.Execute(&out, data); err != nil {
		return test{Template: text, Fails: "run"}
	}
	result := out.String()
	return test{Template: text, Out: &result}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	var data map[string]interface{}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for lines.Scan() {
		if data == nil {
			os.Stdout.WriteString(lines.Text() + "\n")
			if err := json.Unmarshal(lines.Bytes(), &data); err != nil {
				panic(err)
			}
			query := map[string]string{}
			for key, value := range data["query"].(map[string]interface{}) {
				query[key] = value.(string)
			}
			data["query"] = query
			continue
		}
		var each test
		if err := json.Unmarshal(lines.Bytes(), &each); err != nil {
			panic(err)
		}
		out.Encode(run(each.Template, data))
	}
}
