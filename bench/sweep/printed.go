// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"io"
	"sync"
)

// capped writes the first bytes of what comes.
type capped struct {
	mu   sync.Mutex
	to   io.Writer
	left int
}

// mostPrinted is kept of what a cell's programs print.
const mostPrinted = 16 << 20

func (c *capped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left > 0 {
		n := min(c.left, len(p))
		c.left -= n
		_, _ = c.to.Write(p[:n]) // what programs say is no part of the collection
		if c.left == 0 {
			_, _ = io.WriteString(c.to, "\n[…]\n")
		}
	}
	return len(p), nil
}
