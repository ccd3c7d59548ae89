//! `evenkeel demo`

use std::process::ExitCode;

use control::AdminAddress;

use crate::output::failed;

pub(crate) fn demo(_admin: Option<AdminAddress>) -> ExitCode {
    failed("the demo comes with the next change; use `evenkeel run -c FILE`")
}
