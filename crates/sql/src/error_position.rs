//! Where a syntax error is: the one module of the project with `unsafe` in it.
//!
//! libpg_query reports the position of a syntax error (`PgQueryError.cursorpos`), pg_query's Rust error leaves it out.
//! This module calls the same C function that pg_query links and reads that one field. The declarations mirror
//! `pg_query.h` of libpg_query 18.
#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};

#[repr(C)]
struct PgQueryError {
    message: *mut c_char,
    funcname: *mut c_char,
    filename: *mut c_char,
    lineno: c_int,
    cursorpos: c_int,
    context: *mut c_char,
}

#[repr(C)]
struct PgQueryProtobufParseResult {
    tree_length: usize,
    tree_data: *mut c_void,
    stderr_buffer: *mut c_char,
    error: *mut PgQueryError,
}

unsafe extern "C" {
    fn pg_query_parse_protobuf(input: *const c_char) -> PgQueryProtobufParseResult;
    fn pg_query_free_protobuf_parse_result(result: PgQueryProtobufParseResult);
}

/// The character, from 1, at which the grammar stops; `None` where the text parses or the grammar does not say.
pub(crate) fn of(text: &str) -> Option<usize> {
    let input = CString::new(text).ok()?;
    // SAFETY: `input` is a NUL-terminated string that outlives the call. The result owns what it points to until it is
    // freed, once, below; `error` is null or points to a valid struct, of which only an integer is read before that.
    let position = unsafe {
        let result = pg_query_parse_protobuf(input.as_ptr());
        let position = result.error.as_ref().map_or(0, |error| error.cursorpos);
        pg_query_free_protobuf_parse_result(result);
        position
    };
    usize::try_from(position).ok().filter(|position| *position > 0)
}
