// Contender: Go's net/http, a goroutine for each connection. It takes the same arguments as the others,
// counts as they do (bench/bench.h says how), and prints the same line.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"context"
)

const (
	requestsPerLook = 64
	uploadInMemory  = 64 * 1024
)

var (
	https       = flag.Bool("https", false, "")
	port        = flag.Int("port", 0, "")
	path        = flag.String("path", "/", "")
	addresses   = flag.Int("addresses", 1, "")
	connections = flag.Int("connections", 1, "")
	requests    = flag.Int64("requests", 10000, "")
	warm        = flag.Int64("warm", 0, "")
	seconds     = flag.Float64("seconds", 10, "")
	bodyBytes   = flag.Int64("bytes", 1024, "")
	bufferBytes = flag.Int("buffer", 16384, "")
	cold        = flag.Bool("cold", false, "")
	closeEach   = flag.Bool("close", false, "")
	noResume    = flag.Bool("no-resume", false, "")
	ca          = flag.String("ca", "", "")
	save        = flag.String("save", "", "")
	upload      = flag.String("upload", "", "")
	idle        = flag.Float64("idle", 0, "")
)

func fail(format string, arguments ...interface{}) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", arguments...)
	os.Exit(1)
}

// ------------------------------------------------------------------------------------- counting

type reading struct {
	wall              time.Time
	user, system      float64
	resident, peakKib int64
}

var (
	warmWorkers, warmRequests, done, opened, counted int64
	begins, measuring, over                          int32
	first, last                                      reading
)

func secondsOf(t syscall.Timeval) float64 {
	return float64(t.Sec) + float64(t.Usec)/1e6
}

func readNow() reading {
	var usage syscall.Rusage
	now := reading{wall: time.Now()}
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	now.user, now.system = secondsOf(usage.Utime), secondsOf(usage.Stime)
	return now
}

func readMemory(into *reading) {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		fmt.Sscanf(line, "VmHWM: %d", &into.peakKib)
		fmt.Sscanf(line, "VmRSS: %d", &into.resident)
	}
}

func bothNow() reading {
	now := readNow()
	readMemory(&now)
	return now
}

func next() bool {
	return atomic.LoadInt32(&over) == 0
}

func countWarm(isWarm *bool) {
	all := atomic.AddInt64(&warmRequests, 1)
	workers := atomic.LoadInt64(&warmWorkers)
	if !*isWarm {
		workers = atomic.AddInt64(&warmWorkers, 1)
	}
	*isWarm = true
	if workers == int64(*connections) && all >= *warm && atomic.CompareAndSwapInt32(&begins, 0, 1) {
		first = bothNow()
		atomic.StoreInt32(&measuring, 1)
	}
}

func count(isWarm *bool, bytes, sent int64) {
	if bytes != *bodyBytes {
		fail("a body of %d bytes, not %d", bytes, *bodyBytes)
	}
	if atomic.LoadInt32(&measuring) == 0 {
		countWarm(isWarm)
		return
	}
	n := atomic.AddInt64(&done, 1)
	look := n%requestsPerLook == 0 || bytes > uploadInMemory || sent > uploadInMemory
	if (n == *requests || (look && time.Since(first.wall).Seconds() >= *seconds)) &&
		atomic.CompareAndSwapInt32(&over, 0, 1) {
		last = bothNow()
		counted = n
	}
}

func printCommon() {
	fmt.Printf("{\"contender\":\"go\",\"connections\":%d,\"wall_s\":%.6f,\"user_s\":%.6f,\"system_s\":%.6f,"+
		"\"opened\":%d,\"resident_before_kib\":%d,\"resident_kib\":%d,\"peak_kib\":%d",
		*connections, last.wall.Sub(first.wall).Seconds(), last.user-first.user,
		last.system-first.system, atomic.LoadInt64(&opened), first.resident, last.resident, last.peakKib)
}

// ------------------------------------------------------------------------------------- requests

func newClient() *http.Client {
	dialer := &net.Dialer{}
	transport := &http.Transport{
		MaxIdleConns:        0,
		MaxIdleConnsPerHost: 1 << 20,
		DisableCompression:  true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			atomic.AddInt64(&opened, 1)
			return dialer.DialContext(ctx, network, address)
		},
	}
	if *https {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			fail("%v", err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
		if !*noResume {
			transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(64)
		}
	}
	return &http.Client{Transport: transport}
}

type worker struct {
	client *http.Client
	url    string
	buffer []byte
	body   []byte // to be sent, if it is small
	file   *os.File
	size   int64 // of what is sent
}

func newWorker(client *http.Client, number int) *worker {
	scheme := "http"
	if *https {
		scheme = "https"
	}
	w := &worker{client: client, buffer: make([]byte, *bufferBytes)}
	w.url = fmt.Sprintf("%s://127.0.0.%d:%d%s", scheme, 1+number%*addresses, *port, *path)
	if *upload != "" {
		file, err := os.Open(*upload)
		if err != nil {
			fail("%v", err)
		}
		status, _ := file.Stat()
		w.file, w.size = file, status.Size()
		if w.size <= uploadInMemory {
			w.body, _ = io.ReadAll(file)
		}
	}
	return w
}

func (w *worker) request() (*http.Request, error) {
	if *upload == "" {
		return http.NewRequest("GET", w.url, nil)
	}
	if w.body != nil {
		return http.NewRequest("POST", w.url, bytes.NewReader(w.body))
	}
	w.file.Seek(0, io.SeekStart)
	request, err := http.NewRequest("POST", w.url, io.NopCloser(w.file))
	if err == nil {
		request.ContentLength = w.size
	}
	return request, err
}

func (w *worker) open() *http.Response {
	request, err := w.request()
	if err != nil {
		fail("%v", err)
	}
	request.Close = *closeEach
	response, err := w.client.Do(request)
	if err != nil {
		fail("%v", err)
	}
	if response.StatusCode != 200 {
		fail("the status is %d", response.StatusCode)
	}
	return response
}

// finish reads the body to its end, into the buffer or into the file, and closes.
func (w *worker) finish(response *http.Response) int64 {
	var to io.Writer = plainWriter{io.Discard}
	if *save != "" {
		file, err := os.Create(*save)
		if err != nil {
			fail("%v", err)
		}
		defer file.Close()
		to = file
	}
	bytes, err := io.CopyBuffer(to, response.Body, w.buffer)
	if err != nil {
		fail("%v", err)
	}
	response.Body.Close()
	return bytes
}

// plainWriter hides io.Discard's ReadFrom, which would not use the buffer.
type plainWriter struct{ io.Writer }

func (w *worker) run() {
	isWarm := false
	for next() {
		count(&isWarm, w.finish(w.open()), w.size)
	}
}

// ----------------------------------------------------------------------------------------- main

func hold(client *http.Client, number int) {
	var opening sync.WaitGroup
	workers := make([]*worker, number)
	responses := make([]*http.Response, number)
	for i := range responses {
		opening.Add(1)
		go func(i int) {
			workers[i] = newWorker(client, i)
			responses[i] = workers[i].open()
			opening.Done()
		}(i)
	}
	opening.Wait()
	for i, response := range responses {
		workers[i].finish(response)
	}
}

func runIdle(client *http.Client) {
	hold(client, 1)
	first = bothNow()
	hold(client, *connections)
	last = bothNow()
	time.Sleep(time.Duration(*idle * float64(time.Second)))
	later := bothNow()
	debug.FreeOSMemory()
	trimmed := bothNow()
	printCommon()
	fmt.Printf(",\"resident_later_kib\":%d,\"resident_trimmed_kib\":%d,\"idle_cpu_s\":%.6f}\n",
		later.resident, trimmed.resident, later.user-last.user+later.system-last.system)
}

func main() {
	flag.Parse()
	if *cold {
		first = bothNow()
		measuring = 1
	}
	client := newClient()
	if *idle > 0 {
		runIdle(client)
		return
	}
	var running sync.WaitGroup
	var size int64
	for i := 0; i < *connections; i++ {
		w := newWorker(client, i)
		size = w.size
		running.Add(1)
		go func() {
			w.run()
			running.Done()
		}()
	}
	running.Wait()
	printCommon()
	fmt.Printf(",\"requests\":%d,\"bytes\":%d}\n", counted, counted*(*bodyBytes+size))
}
