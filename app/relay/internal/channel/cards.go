package channel

import (
	"context"
	"log/slog"
	"time"
)

// Actions of the buttons on a card.
const (
	// Take says that someone takes care of it.
	Take = "take"
	// Silence takes it and silences it for some hours from the tap.
	Silence = "silence"
	// Extend takes it and silences it for some hours more than it is.
	Extend = "extend"
)

// Tap is what someone tapped on a card.
type Tap struct {
	// ID is the same however often the chat delivers the tap.
	ID string `json:"id"`
	// Card is the ID of the message.
	Card string `json:"card"`
	// Who tapped: the name that the configuration has for them, else what the chat calls them.
	Who string `json:"who"`
	// Action is Take, Silence or Extend; Hours that a silence lasts.
	Action string `json:"action"`
	Hours  int    `json:"hours,omitempty"`
	// At is when the chat says that it was tapped.
	At time.Time `json:"at"`
}

// Card is what a card says about its alerts after it was sent.
type Card struct {
	// Status is one line of markdown: who takes care of them.
	Status string `json:"status"`
	// Open is set while its buttons are of use.
	Open bool `json:"open"`
}

// Cards is a Sender whose messages have buttons and can be changed afterwards.
type Cards interface {
	Sender
	// Listen hands over what people tap until ctx is over. tapped returns nil once the tap cannot be lost any more;
	// only then is it acknowledged to the chat. connected is told about each change of the connection.
	Listen(ctx context.Context, log *slog.Logger, tapped func(context.Context, Tap) error, connected func(bool))
	// Update changes a card for everyone who sees it. It tries once.
	Update(ctx context.Context, id string, card Card) Answer
}
