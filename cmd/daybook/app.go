package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/daybook-ledger/daybook/cmd/bookdir"
	"github.com/daybook-ledger/daybook/domain"
	"github.com/daybook-ledger/daybook/ledger"
	"github.com/daybook-ledger/daybook/projections/sqlite"
)

// app is one run of the program.
type app struct {
	args           []string // the first is the program's name
	stdin          io.Reader
	stdout, stderr io.Writer
	unheard        *unheard // what stdout writes through
	env            func(string) string
	now            func() time.Time
	clock          ledger.Clock
	log            *slog.Logger

	// The flags that every command has.
	dir, passphraseFile, keyFile, principal string
	// viewsURL is the flag; viewsAt gives what counts.
	viewsURL string
	json     bool

	// running is set once a command line was understood: errors before that are
	// mistakes of usage.
	running bool
	// compiled is closed once SQLite is ready.
	compiled chan struct{}
	// debug shows what goes on inside.
	debug bool
}

func newApp(args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) *app {
	if len(args) == 0 {
		args = []string{"daybook"}
	}
	out := &unheard{to: stdout}
	a := &app{
		args: args, stdin: stdin, stdout: out, unheard: out, stderr: stderr, env: env,
		now: time.Now, clock: bookdir.SystemClock(), debug: env("DAYBOOK_DEBUG") != "",
	}
	a.log = slog.New(&warnings{a: a})
	return a
}

// command is the whole command line.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "daybook",
		Short: "A ledger of invoices that forgets nothing",
		Long: `Daybook keeps a business's invoices in an append-only ledger: every change is
signed, encrypted and provable, nothing is ever overwritten, and lists and
reports follow from it.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          a.do(func(cmd *cobra.Command, _ []string) error { return cmd.Help() }),
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.dir, "dir", "", "the book's `FOLDER` (DAYBOOK_DIR, else the nearest folder above that holds a book)")
	flags.StringVar(&a.passphraseFile, "passphrase-file", "", "`FILE` with the passphrase (DAYBOOK_PASSPHRASE_FILE, else it is asked for)")
	flags.StringVar(&a.keyFile, "key-file", "", "`FILE` with the key, in place of a passphrase (DAYBOOK_KEY_FILE, else the one that init recorded)")
	flags.StringVar(&a.principal, "principal", "", "the `NAME` of who gives the command (DAYBOOK_PRINCIPAL, else \"owner\")")
	flags.StringVar(&a.viewsURL, "views-url", "", "the database `URL` of the lists and reports (DAYBOOK_VIEWS, else where daybook views put them)")
	flags.BoolVar(&a.json, "json", false, "answer with one JSON object, errors too")
	root.MarkFlagsMutuallyExclusive("passphrase-file", "key-file")
	root.AddCommand(
		a.initCommand(), a.bookCommand(), a.customerCommand(), a.invoiceCommand(), a.creditCommand(),
		a.paymentCommand(), a.periodCommand(),
		a.seriesCommand(), a.importCommand(), a.exportCommand(), a.reportCommand(), a.historyCommand(), a.diffCommand(), a.verifyCommand(),
		a.backupCommand(), a.restoreCommand(), a.repairCommand(), a.rebuildCommand(), a.viewsCommand(), a.attestCommand(), a.statusCommand(),
		a.keysCommand(), a.receiptCommand(), a.logCommand(), a.witnessCommand(), a.bundleCommand(), a.accessCommand(), a.demoCommand(), a.versionCommand(),
	)
	completePaths(root)
	root.SetArgs(a.args[1:])
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	return root
}

// completePaths lets shells complete the values of flags that say they are paths,
// of a command and of those below it. Nothing else is completed to names of files.
func completePaths(cmd *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{cmd.LocalNonPersistentFlags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			directive := cobra.ShellCompDirectiveDefault
			switch what, _ := pflag.UnquoteUsage(f); what {
			case "FILE":
			case "FOLDER":
				directive = cobra.ShellCompDirectiveFilterDirs
			default:
				return
			}
			if err := cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(nil, directive)); err != nil {
				panic(err) // a flag has one completion: here, or where it is defined
			}
		})
	}
	for _, below := range cmd.Commands() {
		completePaths(below)
	}
}

// files lets shells complete a command's arguments to names of files.
func files(cmd *cobra.Command) *cobra.Command {
	cmd.ValidArgsFunction = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	return cmd
}

// do makes a command's function of one: from there on errors are no longer
// mistakes of usage, unless they say so.
func (a *app) do(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.running = true
		return f(cmd, args)
	}
}

// group is a command that only has commands below it.
func (a *app) group(use, short string, below ...*cobra.Command) *cobra.Command {
	var names []string
	for _, c := range below {
		names = append(names, c.Name())
	}
	choices := strings.Join(names, ", ")
	group := &cobra.Command{Use: use, Short: short, RunE: func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("%s has no command %q: it has %s", use, args[0], choices)
		}
		return usage("%s needs a command: %s", use, choices)
	}}
	group.AddCommand(below...)
	return group
}

// finish says what went wrong, if anything did, and gives the exit code.
func (a *app) finish(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	if a.unheard.gone && errors.Is(err, syscall.EPIPE) {
		return exitFailed // nobody wants to hear the rest
	}
	var told *failure
	if !a.running && !errors.As(err, &told) {
		err = usage("%s", err)
		a.json = a.json || slices.Contains(a.args, "--json")
	}
	f := explain(err, context.Cause(ctx))
	if dir, err := a.bookDir(); f.code == codeFailed && err == nil && bookdir.Full(dir) {
		// SQLite and others do not say why they cannot write.
		f.code, f.hint = bookdir.CodeDiskFull, hintRoom
	}
	f.tell(a)
	if f.usage {
		return exitUsage
	}
	return exitFailed
}

// setting is a flag's value, or else that of an environment variable.
func (a *app) setting(flag, variable string) string {
	if flag != "" {
		return flag
	}
	return a.env(variable)
}

// who is the principal who gives the commands.
func (a *app) who() string {
	if name := a.setting(a.principal, "DAYBOOK_PRINCIPAL"); name != "" {
		return name
	}
	return "owner"
}

// bookDir is the folder of the book that is meant.
func (a *app) bookDir() (string, error) {
	if dir := a.setting(a.dir, "DAYBOOK_DIR"); dir != "" {
		return dir, nil
	}
	return bookdir.Find(".")
}

// today is the day on this machine's calendar.
func (a *app) today() domain.Date { return domain.DateOf(a.now()) }

// compile begins to make SQLite ready, beside other work.
func (a *app) compile() {
	if a.compiled != nil {
		return
	}
	a.compiled = make(chan struct{})
	cache := a.cacheDir()
	go func() {
		defer close(a.compiled)
		// What fails here fails again, and is told, where a file is opened.
		_ = sqlite.Compile(cache)
	}()
}

// cacheDir is where compiled SQLite is kept; empty for nowhere.
func (a *app) cacheDir() string {
	if dir := a.env("DAYBOOK_CACHE_DIR"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "daybook")
}

// warn tells people something that is not an error. Programs are not told.
func (a *app) warn(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.stderr, "daybook: warning: %s\n", fmt.Sprintf(format, args...))
	}
}

var levels = map[slog.Level]string{
	slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warning", slog.LevelError: "warning",
}

// warnings is a log handler that passes on what people should know.
type warnings struct {
	a     *app
	attrs string
}

// Enabled implements slog.Handler.
func (w *warnings) Enabled(_ context.Context, level slog.Level) bool {
	return w.a.debug || level >= slog.LevelWarn && !w.a.json
}

// Handle implements slog.Handler.
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	text := w.attrs
	r.Attrs(func(attr slog.Attr) bool {
		text += " " + attr.String()
		return true
	})
	if !w.a.debug && strings.Contains(text, " from=nats-server") && r.Level < slog.LevelError {
		return nil // of interest only to those who look for it
	}
	_, err := fmt.Fprintf(w.a.stderr, "daybook: %s: %s%s\n", levels[r.Level], r.Message, text)
	return err
}

// WithAttrs implements slog.Handler.
func (w *warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	text := w.attrs
	for _, attr := range attrs {
		text += " " + attr.String()
	}
	return &warnings{w.a, text}
}

// WithGroup implements slog.Handler.
func (w *warnings) WithGroup(string) slog.Handler { return w }
