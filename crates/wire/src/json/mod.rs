//! JSON without an intermediate tree where speed counts (written straight into the output, read straight into the
//! fields that matter), and with exact error positions where a caller must find its mistake.

pub(crate) mod checked;
pub(crate) mod read;
pub(crate) mod write;
