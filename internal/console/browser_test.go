package console_test

import (
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lookout/internal/browsertest"
)

var screenshots = flag.String("screenshots", "", "folder to write pictures of the pages to")

// TestMain ends what the tests share: the browser, the Prometheus and the Alertmanager.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == flag.Lookup("test.parallel").DefValue {
		// Most tests wait for a browser or a server most of the time.
		_ = flag.Set("test.parallel", "4")
	}
	code := m.Run()
	browsertest.Close()
	stopShared()
	os.Exit(code)
}

func picture(b *browsertest.Tab, name string) {
	b.T.Helper()
	if *screenshots != "" {
		require.NoError(b.T, os.WriteFile(filepath.Join(*screenshots, name+".png"), b.Screenshot(), 0o644))
	}
}

// drawn waits until each panel that is on the screen shows something. A page whose Prometheus takes too long says so meanwhile, and asks again.
const drawn = `!document.querySelector("[data-unasked]") && [...document.querySelectorAll(".panel")].filter(p => p.getBoundingClientRect().top < innerHeight && p.offsetParent).every(p => p.querySelector(".body").children.length && !p.querySelector(".body > .wait, .body > .bad") && !p.classList.contains("loading"))`

// drawAll scrolls until all panels are drawn. They are when they come near the screen, and one that is drawn behind the focus would be passed over by the keyboard.
func drawAll(b *browsertest.Tab) {
	b.T.Helper()
	for range 60 {
		b.Until(drawn)
		if b.Eval(`(() => { const y = scrollY; scrollTo({top: y + innerHeight / 2, behavior: "instant"}); return scrollY === y })()`) == "true" {
			break
		}
	}
	b.Until(drawn)
}

// axe is the accessibility checker.
var axe = sync.OnceValues(func() ([]byte, error) { return os.ReadFile("../../.cache/axe.min.js") })

// accessible wants no serious or critical finding; rules are those to check, all if there are none.
func accessible(b *browsertest.Tab, name string, rules ...string) {
	b.T.Helper()
	script, err := axe()
	require.NoError(b.T, err, "the accessibility checker is needed: make test-deps")
	assert.Empty(b.T, b.Serious(script, rules...), "accessibility of %s", name)
}
