package console

// chinese translates what pages say; the English text is the key.
var chinese = map[string]string{}
