// SPDX-License-Identifier: Apache-2.0

package bench

import "embed"

// Workloads holds the built-in workloads, workloads/NAME.yaml.
//
//go:embed workloads/*.yaml
var Workloads embed.FS
