package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/daybook-ledger/daybook/projections"
)

// The SQLSTATE codes that mean something here.
const (
	uniqueViolation     = "23505"
	duplicateSchema     = "42P06"
	duplicateTable      = "42P07"
	duplicateObject     = "42710"
	undefinedTable      = "42P01"
	undefinedColumn     = "42703"
	invalidSchema       = "3F000"
	lockNotAvailable    = "55P03"
	diskFull            = "53100"
	tooManyConnections  = "53300"
	adminShutdown       = "57P01"
	crashShutdown       = "57P02"
	cannotConnectNow    = "57P03"
	idleInTransaction   = "25P03"
	dataCorrupted       = "XX001"
	indexCorrupted      = "XX002"
	invalidPassword     = "28P01"
	invalidUser         = "28000"
	noSuchDatabase      = "3D000"
	connectionException = "08" // the class
)

// errHangs means that the database did not answer in time.
var errHangs = errors.New("postgres: the database does not answer")

// replaced reports that another generation is live, or that the one that was has
// been dropped meanwhile.
func replaced(err error) bool {
	return errors.Is(err, errReplaced)
}

// classify gives errors the faults that they are.
func classify(err error) error {
	if err == nil || errors.As(err, new(*projections.Fault)) {
		return err
	}
	if fault := faultOf(err); fault != nil {
		return fmt.Errorf("%w: %w", fault, err)
	}
	return err
}

func faultOf(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code {
		case uniqueViolation, undefinedTable, undefinedColumn, invalidSchema, dataCorrupted, indexCorrupted:
			return projections.ErrDamaged
		case diskFull:
			return projections.ErrFull
		case tooManyConnections, adminShutdown, crashShutdown, cannotConnectNow, idleInTransaction,
			invalidPassword, invalidUser, noSuchDatabase:
			return projections.ErrUnreachable
		}
		if strings.HasPrefix(refused.Code, connectionException) {
			return projections.ErrUnreachable
		}
		return nil
	}
	var network net.Error
	var connecting *pgconn.ConnectError
	for _, lost := range []error{errHangs, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, lost) {
			return projections.ErrUnreachable
		}
	}
	if errors.As(err, &connecting) || errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) && !errors.Is(err, context.Canceled) {
		return projections.ErrUnreachable
	}
	return nil
}
