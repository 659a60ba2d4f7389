package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWhatIsAcceptedSurvivesAPowerCut asks the kernel what of the spool is in its memory alone, which is
// what a power cut takes: once Update has returned, nothing may be.
func TestWhatIsAcceptedSurvivesAPowerCut(t *testing.T) {
	dir := t.TempDir()
	// That the kernel would tell: a file that nobody synced.
	control, err := os.Create(filepath.Join(dir, "unsynced"))
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	if _, err := control.Write(make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	lost, err := unwritten(control)
	asked := err == nil && lost > 0
	switch {
	case errors.Is(err, unix.ENOSYS):
		t.Log("cachestat(2) came with Linux 6.5: only the store's settings are looked at")
	case err != nil:
		t.Fatal(err)
	case lost == 0:
		t.Logf("%s has no disk below it to sync to: only the store's settings are looked at", dir)
	}

	path := filepath.Join(dir, "spool.db")
	s := open(t, path, Options{})
	if s.db.NoSync || s.db.NoGrowSync {
		t.Fatal("the store does not sync what it writes")
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// Enough for the file to grow, which is a sync of its own.
	body := make([]byte, 256<<10)
	for i := range 200 {
		err := s.Update(context.Background(), func(tx *Tx) error {
			_, _, err := tx.Accept("ops", fmt.Append(body, i))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if !asked {
			continue
		}
		lost, err := unwritten(file)
		if err != nil {
			t.Fatal(err)
		}
		if lost != 0 {
			t.Fatalf("notification %d was acknowledged with %d pages of the spool in memory alone", i, lost)
		}
	}
}

// unwritten is how many pages of a file have not reached its disk.
func unwritten(f *os.File) (uint64, error) {
	var stat unix.Cachestat_t
	err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &stat, 0)
	return stat.Dirty + stat.Writeback, err
}
