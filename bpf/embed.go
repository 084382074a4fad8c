// SPDX-License-Identifier: Apache-2.0

// Package bpf embeds the rooms: one folder a hook.
package bpf

import "embed"

// Rooms holds NAME/NAME.o and NAME/NAME.sql of every hook.
//
//go:embed */*.o */*.sql
var Rooms embed.FS
