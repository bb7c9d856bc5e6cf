package jetstream

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// account is the account that holds the stream; its name is a folder of the
// server's files. The readers are in an account of their own (see the package
// comment), and the server's system account has no users at all.
const account = "book"

// users are the identities at an embedded server. All but the reader's are made
// anew at each start and never leave the process.
type users struct {
	// writer publishes pages, process does everything else that this process
	// wants to, creator makes the stream. Only Create uses the last.
	writer, process, creator nkeys.KeyPair
	// reader is for other processes: nil if they may not connect.
	reader nkeys.KeyPair
}

func newUsers(seed []byte) (users, error) {
	var u users
	for _, key := range []*nkeys.KeyPair{&u.writer, &u.process, &u.creator} {
		made, err := nkeys.CreateUser()
		if err != nil {
			return users{}, fmt.Errorf("new key: %w", err)
		}
		*key = made
	}
	if len(seed) > 0 {
		key, err := nkeys.FromSeed(seed)
		if err != nil {
			return users{}, fmt.Errorf("the readers' seed: %w", err)
		}
		u.reader = key
	}
	return u, nil
}

// accounts is the part of the server's configuration that says who may do what.
// It is built of ids and public keys alone, which need no quoting.
func (u users) accounts(book uuid.UUID) (string, error) {
	names := map[string]string{
		"ACCOUNT": account, "STREAM": StreamName(book), "PAGES": PagesSubject(book),
		"STORED": StoredSubject(book), "REQUESTS": RequestSubject(book, ">"), "PREFIX": readerPrefix(book),
	}
	for name, key := range map[string]nkeys.KeyPair{
		"WRITER": u.writer, "PROCESS": u.process, "CREATOR": u.creator, "READER": u.reader,
	} {
		if key == nil {
			continue
		}
		public, err := key.PublicKey()
		if err != nil {
			return "", fmt.Errorf("public key: %w", err)
		}
		names[name] = public
	}
	readers := "users: []"
	if u.reader != nil {
		readers = readerUsers
	}
	text := "accounts { " + bookAccount + "  readers { " + readers + readerImports + "  }\n}"
	var pairs []string
	for name, value := range names {
		pairs = append(pairs, "${"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text), nil
}

const bookAccount = `
  ${ACCOUNT} {
    jetstream: enabled
    users: [
      { nkey: ${WRITER}, permissions: { publish: { allow: [
          "${PAGES}", "$JS.API.STREAM.INFO.${STREAM}",
          "$JS.API.STREAM.MSG.GET.${STREAM}", "$JS.API.DIRECT.GET.${STREAM}"
      ] } } }
      { nkey: ${PROCESS}, permissions: { publish: { deny: [
          "${PAGES}", "${STORED}",
          "$JS.API.STREAM.CREATE.${STREAM}", "$JS.API.STREAM.UPDATE.${STREAM}",
          "$JS.API.STREAM.DELETE.${STREAM}", "$JS.API.STREAM.PURGE.${STREAM}",
          "$JS.API.STREAM.MSG.DELETE.${STREAM}", "$JS.API.STREAM.RESTORE.${STREAM}"
      ] } } }
      { nkey: ${CREATOR}, permissions: { publish: { allow: [
          "$JS.API.STREAM.CREATE.${STREAM}", "$JS.API.STREAM.INFO.${STREAM}"
      ] } } }
    ]
    exports: [
      { service: "$JS.API.STREAM.INFO.${STREAM}", accounts: [readers] }
      { service: "$JS.API.STREAM.MSG.GET.${STREAM}", accounts: [readers] }
      { service: "$JS.API.DIRECT.GET.${STREAM}", response: stream, accounts: [readers] }
      { service: "${REQUESTS}", response: stream, accounts: [readers] }
      { stream: "${STORED}", accounts: [readers] }
    ]
  }
`

const readerUsers = `
    users: [
      { nkey: ${READER}, permissions: {
          publish: { allow: [
            "${PREFIX}.STREAM.INFO.${STREAM}", "${PREFIX}.STREAM.MSG.GET.${STREAM}",
            "${PREFIX}.DIRECT.GET.${STREAM}", "${REQUESTS}"
          ] }
          subscribe: { allow: [ "_INBOX.>", "${STORED}" ] }
      } }
    ]
`

const readerImports = `
    imports: [
      { service: { account: ${ACCOUNT}, subject: "$JS.API.STREAM.INFO.${STREAM}" }, to: "${PREFIX}.STREAM.INFO.${STREAM}" }
      { service: { account: ${ACCOUNT}, subject: "$JS.API.STREAM.MSG.GET.${STREAM}" }, to: "${PREFIX}.STREAM.MSG.GET.${STREAM}" }
      { service: { account: ${ACCOUNT}, subject: "$JS.API.DIRECT.GET.${STREAM}" }, to: "${PREFIX}.DIRECT.GET.${STREAM}" }
      { service: { account: ${ACCOUNT}, subject: "${REQUESTS}" } }
      { stream: { account: ${ACCOUNT}, subject: "${STORED}" } }
    ]
`

const (
	// memoryStore is what JetStream may keep in memory: nothing of a book's.
	memoryStore = 1 << 20
	// fileStore leaves the limit to the disk. The server's own default, a part
	// of what is free at its start, would refuse pages before the disk does.
	fileStore = 1 << 60
	// connections bounds what other processes can hold open.
	connections = 256
)

// serverOptions configures the server. Port 0 stands for any.
func serverOptions(c Config, u users, port int) (*server.Options, error) {
	o := &server.Options{}
	accounts, err := u.accounts(c.Book)
	if err != nil {
		return nil, err
	}
	if err := o.ProcessConfigString(accounts); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	o.ServerName = "daybook-" + c.Book.String()
	o.Host, o.Port = "127.0.0.1", port
	if port == 0 {
		o.Port = server.RANDOM_PORT
	}
	o.DontListen = u.reader == nil
	o.NoSigs = true
	o.MaxConn = connections
	o.AuthTimeout = readyTimeout.Seconds() // as long as this process waits for it
	o.MaxPayload = maxPage + headerRoom
	o.JetStream = true
	o.DisableJetStreamBanner = true
	o.StoreDir = c.Dir
	o.SyncAlways = !c.Bulk
	o.JetStreamMaxMemory = memoryStore
	o.JetStreamMaxStore = fileStore
	return o, nil
}
