package postgres

import (
	"context"

	"github.com/google/uuid"
)

// LiveSchema names the schema that is live, to be disturbed.
func LiveSchema(ctx context.Context, url string, book uuid.UUID) (string, error) {
	db, err := newDatabase(Options{URL: url, Book: book})
	if err != nil {
		return "", err
	}
	c, err := db.connect(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	var number int64
	err = c.QueryRow(ctx, liveQuery, book[:]).Scan(&number)
	return db.schema(number), err
}
