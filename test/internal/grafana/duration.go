package grafana

import (
	"encoding/json"
	"time"

	"github.com/prometheus/common/model"
)

// A duration is read and written as Prometheus does: 90s comes back as 1m30s, 36h as 1d12h, 365d as 1y. A fraction, a bare
// number, an empty text and a negative one are not durations.
type duration struct {
	time.Duration
}

func (d duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(model.Duration(d.Duration).String())
}

func (d *duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	parsed, err := model.ParseDuration(text)
	d.Duration = time.Duration(parsed)
	return err
}
