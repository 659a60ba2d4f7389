// Package drill drills alerts on the real chain, as processes: Prometheus, Alertmanager, the relay, the mock of the robot, the console and the sample
// service, all in seconds. Then it breaks each part and asks the drill which one it was.
package drill

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/drill"
)

// The whole way: by a gauge, by counters and by a knob, at the same time where they do not disturb each other.
func TestAlertsGoToTheChatAndBack(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.start()
	results := c.drill(t.Context(), c.options(), "ThreadsHigh", "ErrorsMany", "Knobbed", "Slow", "Gone", "Watchdog")
	by := map[string]drill.Result{}
	for _, r := range results {
		by[r.Alert] = r
	}
	for _, name := range []string{"ThreadsHigh", "ErrorsMany", "Knobbed", "Watchdog"} {
		require.Equal(t, drill.Passed, by[name].Verdict, "%s: %s", name, by[name].Words())
	}
	require.Equal(t, drill.Skipped, by["Slow"].Verdict)
	require.Contains(t, by["Slow"].Reason, "for: 1h")
	require.Equal(t, drill.Skipped, by["Gone"].Verdict)
	require.Contains(t, by["Gone"].Reason, "series are missing")
	var names []string
	for _, s := range by["ThreadsHigh"].Stages {
		names = append(names, s.Name)
	}
	require.Equal(t, []string{"breach", "scraped", "pending", "firing", "alertmanager", "relay", "chat", "restored", "ended", "recovery in the chat"}, names)
}
