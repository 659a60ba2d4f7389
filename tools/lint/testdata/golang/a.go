// Package testdata has a mistake for each kind of check.
package testdata

import (
	"context"
	"crypto/md5" // want G501
	"errors"
	"fmt"
	"html/template"
	"io"
	"math/rand"
	"net/http"
	"os"
	"time"
)

func compares(err error) bool { return err == io.EOF } // want errorlint U1000

func leaks(c *http.Client) (int, error) { // want U1000
	resp, err := c.Get("http://127.0.0.1") // want bodyclose
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// Exported is used by others.
func Exported(name string, w io.Writer) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	os.Chdir(name)          // want errcheck
	fmt.Fprintln(w, "done") // the other side may be gone
	n := 1                  // want ineffassign
	n = 2
	fmt.Printf("%d\n", name) // want printf SA5009
	_ = fmt.Sprint(n)
	return errors.New("Something failed") // want ST1005
}

// Name is of the field.
func Name() error { return errors.New("Grafana is not there") }

// Secret is not.
func Secret() int { return rand.Int() } // want G404

// Page is not escaped.
func Page(text string) template.HTML { return template.HTML(text) } // want G203

// Sum is weak.
func Sum(b []byte) [16]byte { return md5.Sum(b) } // want G401

// Excused has its reason.
func Excused(text string) template.HTML {
	//lint:ignore G203 a test
	return template.HTML(text)
}

// Old uses what is deprecated.
func Old() string {
	//lint:ignore SA1019
	return fmt.Sprint(http.ErrNotMultipart, time.Now().Sub(time.Time{}), http.ErrWriteAfterFlush) // want S1012 SA1019
}

//lint:ignore G203 nothing is found here
func context2(ctx context.Context) context.Context { // want U1000
	ctx, _ = context.WithCancel(ctx) // want lostcancel G118
	return ctx
}
