// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Close publishes what came: with the end frame as a finished collection,
// without it as far as it went. It returns the collection, or nil where there
// was nothing to publish. After an error what was published before is there,
// and [Recover] can finish it.
func (w *Writer) Close() (*Collection, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.place == nil {
		w.closed = true
		return nil, nil
	}
	w.closed = true
	close(w.stop)
	w.rotation.Stop()
	defer w.place.remove()
	err := w.finish()
	if len(w.tables) == 0 {
		return nil, err
	}
	found, listErr := collect(nil, w.target().dir())
	if len(found) == 0 {
		return nil, errors.Join(err, listErr)
	}
	return &found[0], err
}

func (w *Writer) finish() error {
	rotated := w.part > 0
	if rotated {
		w.publish() // before the merge, so that a crash in it loses nothing
	} else {
		for _, t := range w.tables {
			w.seal(t)
		}
	}
	if err := w.worker.finish(); err != nil {
		w.salvage()
		return err
	}
	if len(w.tables) == 0 {
		return nil
	}
	if !rotated {
		return w.publishWhole()
	}
	found, err := collect(nil, w.target().dir())
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return errors.New("merge parts: the collection has been removed")
	}
	return w.place.merge(&found[0])
}

// publishWhole publishes a collection that never rotated.
func (w *Writer) publishWhole() error {
	build := filepath.Join(w.place.dir, buildName)
	if err := os.Mkdir(build, 0o755); err != nil {
		return fmt.Errorf("publish collection: %w", err)
	}
	metas := w.metas()
	names := make([]string, len(w.tables))
	for i, t := range w.tables {
		names[i] = t.decl.Name
		if err := w.place.close(t, metas[i], filepath.Join(build, t.decl.Name)); err != nil {
			w.salvage()
			for _, done := range names[:i] {
				_ = os.Rename(filepath.Join(build, done), filepath.Join(w.target().dir(), fileName(done, w.part)))
			}
			return err
		}
	}
	dir := w.target().dir()
	if _, err := makeDirs(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("publish collection: %w", err)
	}
	return w.place.swap(dir, names)
}

// salvage publishes, after an error, what still can be: a full disk often has
// room for a footer once the row group that did not fit is cut off.
func (w *Writer) salvage() {
	w.complete = false
	metas, to := w.metas(), w.target()
	for i, t := range w.tables {
		if t.file == nil || t.file.groups == 0 {
			continue
		}
		if _, err := makeDirs(to.dir()); err != nil {
			return
		}
		_ = w.place.close(t, metas[i], filepath.Join(to.dir(), fileName(t.decl.Name, w.part)))
	}
}
