#!/usr/bin/env bash
# go.yaml.in/yaml/v4 (release candidate 6) loses a *value* that is `<<`, and v3 does not.
#
# YAML's merge type is about keys: `<<: *base`. A plain `<<` in another place is a text.
# Many expect: v3 and v4 read {l: <<} alike, whatever they read it into; or an error.
# Seen: v4 drops the pair, or the item of a list, without an error, if it is read into `any`; read
#       into a map or a list of strings, it is there.
# Way out: write the text in quotes.
set -euo pipefail

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
export GOPATH="$work/go" GOFLAGS=-mod=mod GOTOOLCHAIN=local GOWORK=off

cat >go.mod <<EOF
module finding

go 1.24.0
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"

	v3 "go.yaml.in/yaml/v3"
	v4 "go.yaml.in/yaml/v4"
)

type reader func([]byte, any) error

func show(name string, read reader) {
	for _, text := range []string{"{k: v, l: <<}", "{k: v, l: '<<'}", "[a, <<]"} {
		var found any
		err := read([]byte(text), &found)
		fmt.Printf("%s any: %s is %v error: %v\n", name, text, found, err)
	}
	texts, items := map[string]string{}, []string{}
	err := read([]byte("{k: v, l: <<}"), &texts)
	fmt.Printf("%s texts: %v error: %v\n", name, texts, err)
	err = read([]byte("[a, <<]"), &items)
	fmt.Printf("%s items: %v error: %v\n", name, items, err)
}

func main() {
	show("v3", func(text []byte, into any) error { return v3.Unmarshal(text, into) })
	show("v4", func(text []byte, into any) error { return v4.Unmarshal(text, into) })
}
EOF
timeout 300 go get go.yaml.in/yaml/v3@v3.0.4 go.yaml.in/yaml/v4@v4.0.0-rc.6 >/dev/null 2>&1
seen=$(timeout 300 go run .)
echo "go.yaml.in/yaml v3.0.4 and v4.0.0-rc.6:"
echo "$seen"
expected="v3 any: {k: v, l: <<} is map[k:v l:<<] error: <nil>
v3 any: {k: v, l: '<<'} is map[k:v l:<<] error: <nil>
v3 any: [a, <<] is [a <<] error: <nil>
v3 texts: map[k:v l:<<] error: <nil>
v3 items: [a <<] error: <nil>
v4 any: {k: v, l: <<} is map[k:v] error: <nil>
v4 any: {k: v, l: '<<'} is map[k:v l:<<] error: <nil>
v4 any: [a, <<] is [a] error: <nil>
v4 texts: map[k:v l:<<] error: <nil>
v4 items: [a <<] error: <nil>"
if [ "$seen" != "$expected" ]; then
  echo "this has changed; it was:"
  echo "$expected"
  exit 1
fi
