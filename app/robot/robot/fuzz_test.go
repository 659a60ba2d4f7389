package robot_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"lookout/app/robot/robot"
)

// FuzzSend looks for a body that makes the robot panic, or answer with anything but errcode and
// errmsg, or spoils the page.
func FuzzSend(f *testing.F) {
	for _, seed := range []string{
		text("报警"), `{"msgtype":"markdown","markdown":{"title":"报警","text":"# x"}}`, `{"msgtype":"link","link":{"title":"报警","text":"x","messageUrl":"http://a"}}`,
		`{"msgtype":"actionCard","actionCard":{"title":"报警","text":"x","btns":[{"title":"x","actionURL":"http://a"}]}}`,
		`{"msgtype":"feedCard","feedCard":{"links":[{"title":"报警","messageURL":"http://a","picURL":"http://a"}]}}`,
		`{"msgtype":"link"}`, `{"msgtype":"feedCard"}`, `{"msgtype":"actionCard"}`, `null`, `[]`, `{"at":null,"msgtype":null}`, "\xff", "",
	} {
		f.Add([]byte(seed))
	}
	s, err := robot.New(robot.Config{Robots: []robot.Robot{{AccessToken: "t", Name: "n", Keywords: []string{"报警"}}}, Keep: 3, PerMinute: 1 << 30})
	if err != nil {
		f.Fatal(err)
	}
	h := s.Handler()
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/robot/send?access_token=t", bytes.NewReader(body)))
		var fields map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &fields); err != nil || w.Code != 200 || len(fields) != 2 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, path := range []string{"/", "/api/messages"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if w.Code != 200 {
				t.Fatalf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}
