package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/daybook-ledger/daybook/eventstore/transparency"
	"github.com/daybook-ledger/daybook/eventstore/witness"
)

// maxLogs is how many logs a witness that takes any will know.
const maxLogs = 1000

// servingJSON is what a server says once it listens.
type servingJSON struct {
	URL string `json:"url"`
	Key string `json:"key,omitempty"`
}

func (a *app) witnessCommand() *cobra.Command {
	var listen, dir, name string
	var logs []string
	cmd := &cobra.Command{
		Use:   "witness",
		Short: "Cosign the logs of others",
		Long: `Serve as a witness (C2SP tlog-witness): cosign a log's checkpoint only if it
extends everything that was cosigned of that log before. It has its own key and
its own state, in a folder that no other process may use, and should run where
nobody who runs a book does.

It says where it listens and what its public key is: what daybook keys witness add
asks for. It knows the logs whose lists of keys are given with --log; without
any, every log that sends its list.`,
		Example: `  daybook witness --listen 127.0.0.1:7711 --state /var/lib/daybook-witness`,
		Args:    cobra.NoArgs,
		RunE: a.do(func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("name") && !transparency.Nameable(name) {
				return usage("the name %q cannot be that of a witness: it has no space and no +", name)
			}
			folder, key, err := witness.OpenFolder(dir)
			if err != nil {
				return err
			}
			defer folder.Close()
			if name, err = witnessName(folder, dir, name); err != nil {
				return err
			}
			w := &witness.Witness{Name: name, Key: key, State: folder, Now: a.now}
			if err := admit(w, folder, logs); err != nil {
				return err
			}
			return a.serve(cmd.Context(), listen, w.Handler(), w.Public().String())
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:0", "the `ADDRESS` to listen on")
	flags.StringVar(&dir, "state", "", "the `FOLDER` with the witness's key and what it has seen")
	flags.StringVar(&name, "name", "", "the witness's `NAME` in its cosignatures, which the first start sets (else the host's name and the state's)")
	flags.StringArrayVar(&logs, "log", nil, "a `FILE` with the list of keys of a log to cosign; may be repeated")
	if err := cmd.MarkFlagRequired("state"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// witnessName is the name that a witness has had since its first start. There it is
// the one that is given, or else made of the host's name and the folder's.
func witnessName(folder *witness.Folder, dir, given string) (string, error) {
	kept, err := folder.Name()
	if err != nil {
		return "", err
	}
	if kept != "" {
		if given != "" && given != kept {
			return "", fail("witness-name", "leave out --name, or make a witness of another name with a --state of its own",
				"the witness's name is %s, and stays: logs know it by that and its key", kept)
		}
		return kept, nil
	}
	if given == "" {
		if given, err = nameOfHost(dir); err != nil {
			return "", err
		}
	}
	return given, folder.SetName(given)
}

// nameOfHost is the name of a witness that was given none.
func nameOfHost(dir string) (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	name := host + "/" + filepath.Base(path)
	if !transparency.Nameable(name) {
		return "", usage("the name %q, of the host and the folder, cannot be that of a witness: give another with --name", name)
	}
	return name, nil
}

// admit makes the logs known that are named, or lets every log in.
func admit(w *witness.Witness, folder *witness.Folder, paths []string) error {
	named := map[string]bool{}
	w.Admit = func(l transparency.KeyList) bool {
		if len(paths) > 0 {
			return named[l.Origin]
		}
		known, err := folder.Logs()
		return err == nil && known < maxLogs
	}
	for _, path := range paths {
		_, list, err := readKeyList(path)
		if err != nil {
			return err
		}
		named[list.Origin] = true
	}
	return nil
}

// serve serves HTTP until a signal ends it.
func (a *app) serve(ctx context.Context, address string, handler http.Handler, key string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	url := "http://" + listener.Addr().String() + "/"
	if err := a.answer(servingJSON{url, key}, func(w io.Writer) {
		fmt.Fprintf(w, "Serving at %s\n", url)
		if key != "" {
			fmt.Fprintf(w, "Public key %s\n", key)
		}
	}); err != nil {
		return errors.Join(err, listener.Close())
	}
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(closing) // what is under way after that is cut off
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
