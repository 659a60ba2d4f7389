// Package toolchain gets what environments need onto a machine: Terraform, its providers and the images of all services. Each comes from
// where the user has it (an address, the engine, a registry, a mirror) or is built from Go modules that are pinned under tools/. What
// was built is cached under the hash of its sources.
package toolchain
