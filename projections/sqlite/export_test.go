package sqlite

import (
	"database/sql"
	"path/filepath"
)

// Raw opens the live file of a folder to be disturbed.
func Raw(dir string, keys Keys) (*sql.DB, error) {
	id, _, err := readPointer(dir)
	if err != nil {
		return nil, err
	}
	key, err := keys.Key(id)
	if err != nil {
		return nil, err
	}
	f, err := openFile(filepath.Join(dir, fileName(id)), key, writing)
	if err != nil {
		return nil, err
	}
	return f.write, f.read.Close()
}
