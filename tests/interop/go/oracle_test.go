package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/protobuf"
	"github.com/gertd/go-pluralize"
	"github.com/stretchr/testify/require"
	yamlv4 "go.yaml.in/yaml/v4"
	yamlv3 "gopkg.in/yaml.v3"
	"google.golang.org/protobuf/types/known/timestamppb"
	"k8s.io/client-go/third_party/forked/golang/template"
	"k8s.io/client-go/util/jsonpath"
)

// A question of the Python tests: what Go's own libraries make of something.
type question struct {
	What     string            // the name of one of the answers below
	Text     string            // YAML, a template, or a word
	Data     string            // the YAML that a template is for
	ID       string            // of the resource whose payload Text is
	Labels   map[string]string // of the same
	Version3 bool              // gopkg.in/yaml.v3 instead of go.yaml.in/yaml/v4
}

type answer struct {
	Value any
	Error string
}

var answers = map[string]func(question) (any, error){
	"read":     read,
	"resource": asTalosctlShows,
	"jsonpath": found,
	"cell":     cell,
	"singular": func(q question) (any, error) { return english.Singular(q.Text), nil },
	"plural":   func(q question) (any, error) { return english.IsPlural(q.Text), nil },
}

var english = pluralize.NewClient()

func TestOracle(t *testing.T) {
	asked, err := os.ReadFile(os.Getenv("COSI_QUESTIONS"))
	require.NoError(t, err)
	var questions []question
	require.NoError(t, json.Unmarshal(asked, &questions))

	results := make([]answer, 0, len(questions))
	for _, q := range questions {
		value, err := answers[q.What](q)
		result := answer{Value: value}
		if err != nil {
			result.Error = err.Error()
		}
		results = append(results, result)
	}
	encoded, err := json.Marshal(results)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(os.Getenv("COSI_ANSWERS"), encoded, 0o600))
}

func read(q question) (any, error) {
	var value any
	err := yamlv4.Unmarshal([]byte(q.Text), &value)
	if q.Version3 {
		value = nil
		err = yamlv3.Unmarshal([]byte(q.Text), &value)
	}
	return typed(value), err
}

// typed replaces whatever is neither text nor a collection by the name of what it is.
func typed(value any) any {
	switch value := value.(type) {
	case string:
		return value
	case map[string]any:
		for key, item := range value {
			value[key] = typed(item)
		}
		return value
	case map[any]any:
		return "a key that is no text"
	case []any:
		for i, item := range value {
			value[i] = typed(item)
		}
		return value
	default:
		return fmt.Sprintf("<%T>", value)
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// asTalosctlShows does what talosctl 1.14 does for `get -o yaml` (output/yaml.go).
func asTalosctlShows(q question) (any, error) {
	unmarshaled, err := protobuf.Unmarshal(&v1alpha1.Resource{
		Metadata: &v1alpha1.Metadata{
			Namespace: "default", Type: "Things.example.org", Id: q.ID, Version: "1", Phase: "running",
			Created: timestamppb.New(noon), Updated: timestamppb.New(noon), Labels: q.Labels,
		},
		Spec: &v1alpha1.Spec{YamlSpec: q.Text, ProtoSpec: []byte{}},
	})
	if err != nil {
		return nil, err
	}
	out, err := resource.MarshalYAML(unmarshaled)
	if err != nil {
		return nil, err
	}
	var written bytes.Buffer
	err = yamlv4.NewEncoder(&written).Encode(out)
	return written.String(), err
}

// found does what talosctl 1.14 does for `get -o jsonpath=` (output/jsonpath.go).
func found(q question) (any, error) {
	path := jsonpath.New("talos")
	if err := path.Parse(q.Text); err != nil {
		return nil, fmt.Errorf("error parsing jsonpath: %w", err)
	}
	var data map[string]any
	if err := yamlv4.Unmarshal([]byte(q.Data), &data); err != nil {
		return nil, err
	}
	results, err := path.FindResults(data)
	if err != nil {
		return nil, fmt.Errorf("error finding result for jsonpath: %w", err)
	}
	var written bytes.Buffer
	for _, group := range results {
		for _, result := range group {
			if err := printResult(&written, result); err != nil {
				return nil, err
			}
		}
	}
	return written.String(), nil
}

func printResult(to io.Writer, result reflect.Value) error {
	kind := result.Kind()
	if kind == reflect.Interface {
		kind = result.Elem().Kind()
	}
	switch kind {
	case reflect.Map, reflect.Array, reflect.Slice, reflect.Struct:
		text, err := json.MarshalIndent(result.Interface(), "", "    ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(to, "%s\n", text)
		return err
	}
	printable, ok := template.PrintableValue(result)
	if !ok {
		return fmt.Errorf("can't translate type %s to text", result.Type())
	}
	_, err := fmt.Fprintln(to, printable)
	return err
}

// cell does what talosctl 1.14 does for a print column (output/table.go).
func cell(q question) (any, error) {
	path := jsonpath.New("column")
	if err := path.Parse(q.Text); err != nil {
		return nil, err
	}
	var data any
	if err := yamlv4.Unmarshal([]byte(q.Data), &data); err != nil {
		return nil, err
	}
	var written bytes.Buffer
	err := path.AllowMissingKeys(true).Execute(&written, data)
	return written.String(), err
}
