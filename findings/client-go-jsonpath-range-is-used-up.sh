#!/usr/bin/env bash
# A parsed JSONPath template with {range} works for the first object only.
#
# k8s.io/client-go/util/jsonpath (what kubectl and talosctl print with `-o jsonpath`).
# Many expect: a template is parsed once and executed for each object, as text/template is.
# Seen: while it is inside a range, FindResults replaces the parser's own list of nodes by the rest
#       of the template, and leaves it so. The first object is printed; to the second, what stands
#       *inside* the range is applied as if it were the whole template: an error, or wrong output.
#       A template without {range} may be executed as often as one likes.
# Way out: parse it anew for each object.
set -euo pipefail

version=v0.37.0
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
export GOPATH="$work/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local GOWORK=off

cat >go.mod <<EOF
module finding

go 1.26.0
EOF
cat >main.go <<'EOF'
package main

import (
	"bytes"
	"fmt"

	"k8s.io/client-go/util/jsonpath"
)

func main() {
	for _, text := range []string{`{.items[*].name};`, `{range .items[*]}{.name} {end};`} {
		template := jsonpath.New("x")
		if err := template.Parse(text); err != nil {
			panic(err)
		}
		for _, name := range []string{"one", "two"} {
			object := map[string]any{"items": []any{map[string]any{"name": name}}}
			var out bytes.Buffer
			err := template.Execute(&out, object)
			fmt.Printf("%s: %q error: %v\n", name, out.String(), err)
		}
	}
}
EOF
timeout 300 go get "k8s.io/client-go@$version" >/dev/null 2>&1
seen=$(timeout 300 go run .)
echo "client-go $version:"
echo "$seen"
expected='one: "one;" error: <nil>
two: "two;" error: <nil>
one: "one ;" error: <nil>
two: "" error: name is not found'
if [ "$seen" != "$expected" ]; then
  echo "this has changed; it was:"
  echo "$expected"
  exit 1
fi
