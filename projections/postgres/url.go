package postgres

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// connectWithin bounds how long a connection takes to make, where the URL does
// not say connect_timeout.
const connectWithin = 10 * time.Second

// ErrURL means that a text is no URL of a database.
var ErrURL = errors.New("postgres: not the URL of a database")

// Parsed is a URL that is understood.
func parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil { // whose error would tell the text, and with it a password
		return nil, fmt.Errorf("%w: it cannot be read", ErrURL)
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("%w: it begins with postgres://", ErrURL)
	}
	if strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("%w: it names no database, as postgres://host/database does", ErrURL)
	}
	return u, nil
}

// Password reports whether a URL holds a password.
func Password(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return strings.Contains(text, "@")
	}
	_, set := u.User.Password()
	return set || u.Query().Has("password") || u.Query().Has("sslpassword")
}

// Redacted gives a URL as it may be shown: user, host and database alone.
func Redacted(text string) string {
	u, err := parse(text)
	if err != nil {
		return ""
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := u.User.Username(); name != "" {
		shown.User = url.User(name)
	}
	return shown.String()
}

// ParseURL reads a URL, postgres://user@host:port/database?parameters as libpq
// takes it; a password may come from PGPASSWORD or the password file too. Where
// the URL does not say sslmode, a database on another machine is reached only
// through TLS with a certificate that is checked: views hold personal data in
// clear.
func ParseURL(text string) (*pgxpool.Config, error) {
	u, err := parse(text)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	if !query.Has("sslmode") && !local(u) {
		query.Set("sslmode", "verify-full")
	}
	if !query.Has("connect_timeout") {
		query.Set("connect_timeout", fmt.Sprint(int(connectWithin.Seconds())))
	}
	if !query.Has("application_name") {
		query.Set("application_name", "daybook")
	}
	u.RawQuery = query.Encode()
	config, err := pgxpool.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("%w: a parameter of it cannot be used", ErrURL)
	}
	return config, nil
}

// Plain reports whether what goes to and from the database may be read, or
// altered, on its way.
func Plain(text string) bool {
	u, err := parse(text)
	if err != nil || local(u) {
		return false
	}
	switch mode := u.Query().Get("sslmode"); mode {
	case "", "verify-full", "verify-ca":
		return false
	default:
		return true
	}
}

// local reports whether the database is on this machine.
func local(u *url.URL) bool {
	host := u.Hostname()
	if more := u.Query().Get("host"); more != "" {
		host = more
	}
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || strings.HasPrefix(host, "/") || ip != nil && ip.IsLoopback()
}
