package console_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/console"
)

// A reader gets a runbook in the language that the browser prefers, and the other one by the link at its top.
func TestRunbooksInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	books := t.TempDir()
	for name, text := range map[string]string{
		"disk.md":       "# Disk full\n\n[中文](disk.zh-CN.md)\n\nFree space. See [memory](memory.md#limits).",
		"disk.zh-CN.md": "# 磁盘已满\n\n[English](disk.md)\n\n腾出空间。另见[内存](memory.zh-CN.md)。",
		"memory.md":     "# Memory\n\nOnly in English.",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(books, name), []byte(text), 0o600))
	}
	c := startConsole(t, console.Config{Paths: []string{"../../dashboards"}, Runbooks: books})
	for _, test := range []struct {
		path, accept string
		want         []string
	}{
		{"/runbooks/disk", "en-US", []string{"Free space.", `lang="en"`, `href="/runbooks/disk?lang=zh-CN"`, `href="/runbooks/memory#limits"`}},
		{"/runbooks/disk", "zh-CN,zh;q=0.9,en;q=0.8", []string{"腾出空间。", `lang="zh-CN"`, `href="/runbooks/disk?lang=en"`, `href="/runbooks/memory"`}},
		{"/runbooks/disk.md", "zh", []string{"腾出空间。"}},
		{"/runbooks/disk?lang=en", "zh-CN", []string{"Free space.", `lang="en"`}},
		{"/runbooks/disk?lang=zh-CN", "en", []string{"腾出空间。"}},
		{"/runbooks/disk?lang=../x", "en", []string{"Free space."}},
		{"/runbooks/memory", "zh-CN", []string{"Only in English."}},
		{"/runbooks", "zh-CN", []string{"磁盘已满", ">Memory<"}},
		{"/runbooks", "en", []string{"Disk full", ">Memory<"}},
	} {
		t.Run(test.path+" "+test.accept, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, c.url+test.path, nil)
			require.NoError(t, err)
			req.Header.Set("Accept-Language", test.accept)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			for _, want := range test.want {
				require.Contains(t, string(body), want)
			}
		})
	}
}
