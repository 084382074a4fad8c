// SPDX-License-Identifier: Apache-2.0

// Fetch serves a file on a free port of the loopback device and fetches it a
// number of times: TCP traffic of a known size for the demo.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/dustin/go-humanize"
)

func main() {
	size := flag.String("size", "1MiB", "size of the file")
	times := flag.Int("times", 1, "how often to fetch it, each time over a new connection")
	flag.Parse()
	if err := run(*size, *times); err != nil {
		log.Fatal("fetch: ", err)
	}
}

func run(size string, times int) error {
	n, err := humanize.ParseBytes(size)
	if err != nil {
		return err
	}
	file := make([]byte, n)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "file", time.Time{}, bytes.NewReader(file))
	})}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	total := int64(0)
	for range times {
		response, err := client.Get("http://" + listener.Addr().String() + "/file")
		if err != nil {
			return err
		}
		got, err := io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil {
			return err
		}
		total += got
	}
	fmt.Printf("fetched %s over %s\n", humanize.IBytes(uint64(total)), listener.Addr())
	return nil
}
