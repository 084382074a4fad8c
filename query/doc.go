// SPDX-License-Identifier: Apache-2.0

// Package query answers questions about recordings with SQL, on a DuckDB that
// is part of the program.
//
// # Views
//
// Each table is a view over all collections that were opened, with a column
// "time" added: TIMESTAMP in UTC, boot_unix_ns + ts_ns. Beside them stand
//
//	collection   one row a collection: id, workload, kind, host, kernel, page_size, boot_unix_ns …
//	process      one row a process, put together from process_trace and process_info (views/process.sql)
//
// Views are made when a query names them: a dataset of a thousand collections
// opens as fast as one.
//
// # Summaries
//
// A summary is a file NAME.sql: here for questions across tables, in a room
// (package bpf) for those about its table. It is plain DuckDB SQL over the
// views, which [DB.Views] prints for use elsewhere. Its first comment line is
// its description; comment lines that begin with these words mean something
// to this package:
//
//	-- needs: TABLE, …                 there is no answer without these tables
//	-- optional: TABLE (COLUMN TYPE, …) an empty table of this shape stands in where none was recorded
//
// Parameters are DuckDB variables, getvariable('process'), NULL where not set.
// A summary's first column is collection_id, which is shown only where there
// are several collections.
//
// # Limits
//
// DuckDB gets no more memory than [Options] say and spills to a temporary
// directory; it never loads an extension and never talks to a network. Nothing
// here writes to a dataset.
package query
