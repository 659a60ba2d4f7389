//go:build !linux

package mutate

// scratch is the directory for temporary files: that of the system.
func scratch() string { return "" }
