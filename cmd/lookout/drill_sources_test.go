package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lookout/internal/drill"
	"lookout/internal/rules"
)

func TestAlertsOfSourcesThatAreNotThereAreSkipped(t *testing.T) {
	file := func(name string, alerts ...string) *rules.File {
		f := &rules.File{Path: "alerts/" + name, Groups: []*rules.Group{{}}}
		for _, a := range alerts {
			f.Groups[0].Rules = append(f.Groups[0].Rules, &rules.Rule{Alert: a})
		}
		return f
	}
	files := []*rules.File{file("redis.yaml", "RedisDown", "RedisMemoryHigh"), file("mysql.yaml", "MySQLDown", "MySQLSlow"), file("service.yaml", "ErrorRatioHigh")}
	plans := []*drill.Plan{{Alert: "RedisDown"}, {Alert: "RedisMemoryHigh", Skip: "it is paused"}, {Alert: "MySQLDown"}, {Alert: "MySQLSlow"}, {Alert: "ErrorRatioHigh"}}
	leaveOut(plans, files, []string{"Watchdog", "MySQLSlow"})
	require.Equal(t, `alerts/redis.yaml is not applied in this environment; add "redis" to its sources to have that`, plans[0].Skip)
	require.Equal(t, "it is paused", plans[1].Skip)
	for _, p := range plans[2:] {
		require.Empty(t, p.Skip, "%s: that it is missing is a fault to be found", p.Alert)
	}
}
