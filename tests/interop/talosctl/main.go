// Stock talosctl without its commands for clusters on this machine (`cluster`, `gen`, `machineconfig`
// and the like): what is left is talosctl's own code, unchanged, and needs no module that the module
// proxy may not have. Its go.mod replaces what talosctl's own go.mod replaces, and names published
// versions for what that one takes from a branch.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/siderolabs/talos/cmd/talosctl/cmd/talos"
	"github.com/siderolabs/talos/cmd/talosctl/pkg/talos/safeout"
	"github.com/siderolabs/talos/pkg/cli"
	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{Use: "talosctl", SilenceErrors: true, SilenceUsage: true}
	root.SetOut(safeout.Stdout())
	root.SetErr(safeout.Stderr())
	root.AddCommand(talos.Commands...)

	_, err := cli.WithContextC(context.Background(), root.ExecuteContextC)

	safeout.Flush() //nolint:errcheck
	if err != nil {
		fmt.Fprintln(os.Stderr, safeout.String(err.Error()))
		os.Exit(1)
	}
}
