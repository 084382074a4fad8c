// SPDX-License-Identifier: Apache-2.0

package process

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// Heed calls take with each signal that comes, one after the other, and with
// SIGTERM once ctx ends. It returns when over is closed.
func Heed(ctx context.Context, signals <-chan os.Signal, over <-chan struct{}, take func(os.Signal)) {
	ended := ctx.Done()
	for {
		var s os.Signal = unix.SIGTERM
		select {
		case s = <-signals:
		case <-ended:
			ended = nil
		case <-over:
			return
		}
		take(s)
	}
}
