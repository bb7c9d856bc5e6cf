package views

import (
	"fmt"

	"github.com/daybook-ledger/daybook/projections"
)

// damaged tells what about the view cannot be.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", projections.ErrDamaged, fmt.Sprintf(format, args...))
}

// fault is about what was asked for.
func fault(code, format, hint string, args ...any) *projections.Fault {
	return &projections.Fault{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}
