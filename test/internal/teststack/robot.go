package teststack

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Message is what arrived at the mock robot.
type Message struct {
	ID       int
	Time     time.Time
	Robot    string
	Accepted bool
	ErrCode  int
	ErrMsg   string
	Title    string
	Text     string
	Links    []struct{ Title, URL string }
	Repeats  int
}

func (m Message) String() string { return fmt.Sprintf("title %q\n%s", m.Title, m.Text) }

// Has reports whether title and text, together, hold all words.
func (m Message) Has(words ...string) bool { return Holds(m.Title+"\n"+m.Text, words...) }

// Messages are all that arrived after the message with that id, oldest first.
func (s *Stack) Messages(ctx context.Context, since int) ([]Message, error) {
	var answer struct{ Messages []Message }
	if err := s.Get(ctx, fmt.Sprintf("%s/api/messages?since=%d", s.URL("robot"), since), &answer); err != nil {
		return nil, err
	}
	return answer.Messages, nil
}

// Arrived looks for a message that the robot took and that holds all words. One that holds them and was refused ends the
// search: the robot would have swallowed it.
func (s *Stack) Arrived(ctx context.Context, since int, words ...string) (Message, error) {
	messages, err := s.Messages(ctx, since)
	if err != nil {
		return Message{}, err
	}
	titles := make([]string, 0, len(messages))
	for _, m := range messages {
		titles = append(titles, m.Title)
		if !m.Has(words...) {
			continue
		}
		if !m.Accepted {
			return m, fmt.Errorf("the robot refused a message with errcode %d, %s: %w\n%s", m.ErrCode, m.ErrMsg, ErrNever, m)
		}
		return m, nil
	}
	return Message{}, fmt.Errorf("%d messages, none with %q: %q", len(messages), words, titles)
}

// Holds reports whether a text holds all words.
func Holds(text string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// Unwrapped undoes Terraform's line breaks and borders, so that a sentence can be looked for.
func Unwrapped(text string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(text)), " ")
}
