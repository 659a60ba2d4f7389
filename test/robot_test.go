package test

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A message is what arrived at the robot.
type message struct {
	ID       int
	Time     time.Time
	Accepted bool
	ErrCode  int
	ErrMsg   string
	Title    string
	Text     string
	Links    []struct{ Title, URL string }
}

func (m message) String() string { return fmt.Sprintf("title %q\n%s", m.Title, m.Text) }

// messages are all that arrived after the message with that id, oldest first.
func (s *stack) messages(ctx context.Context, since int) ([]message, error) {
	var answer struct{ Messages []message }
	if err := s.get(ctx, fmt.Sprintf("%s/api/messages?since=%d", s.url("robot"), since), &answer); err != nil {
		return nil, err
	}
	return answer.Messages, nil
}

// arrived looks for a message that the robot took and whose title and text, together, hold all words.
// A message that holds them and was refused ends the search: the robot would have swallowed it.
func (s *stack) arrived(ctx context.Context, since int, words ...string) (message, error) {
	messages, err := s.messages(ctx, since)
	if err != nil {
		return message{}, err
	}
	titles := make([]string, 0, len(messages))
	for _, m := range messages {
		titles = append(titles, m.Title)
		if !holds(m.Title+"\n"+m.Text, words...) {
			continue
		}
		if !m.Accepted {
			return m, fmt.Errorf("the robot refused a message with errcode %d, %s: %w\n%s", m.ErrCode, m.ErrMsg, errNever, m)
		}
		return m, nil
	}
	return message{}, fmt.Errorf("%d messages, none with %q: %q", len(messages), words, titles)
}

func holds(text string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
