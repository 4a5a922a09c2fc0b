//! Refusals as gRPC statuses (`wire.md` 4.5).
//!
//! | the handler said | code | message |
//! |---|---|---|
//! | a registered error | Unknown | `codespace X code N: `, the registered text, then the words around it |
//! | a plain error | Unknown | its text |
//! | a gRPC status | its own | its own |
//! | a crash | Internal | its text |
//! | no such path | Unimplemented | which service or method |

use crate::error::{Form, Refusal, Status as Code};
use tonic::Status;

/// The status of a refused query of `path`.
pub(super) fn of(refusal: Refusal, path: &str) -> Status {
    let Refusal { codespace, code, log, form } = refusal;
    match form {
        Form::Registered(text) | Form::Outright(text) => {
            let around = log.strip_suffix(text).unwrap_or(&log).trim_end_matches(": ");
            let around = if around.is_empty() { String::new() } else { format!(": {around}") };
            Status::unknown(format!("codespace {codespace} code {code}: {text}{around}"))
        }
        Form::Plain => Status::unknown(log),
        Form::Status(code) => {
            let said = log.split_once(" desc = ").map_or(log.as_str(), |(_, said)| said).to_owned();
            match code {
                Code::Unknown => Status::unknown(said),
                Code::InvalidArgument => Status::invalid_argument(said),
                Code::Internal => Status::internal(said),
                Code::NotFound => Status::not_found(said),
                Code::PermissionDenied => Status::permission_denied(said),
            }
        }
        Form::Panic => Status::internal(log),
        Form::NoSuchPath => {
            let (service, method) = path.trim_start_matches('/').rsplit_once('/').unwrap_or((path, ""));
            Status::unimplemented(format!("unknown method {method} for service {service}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Failure, panicked, plain, sdk, status};
    use tonic::Code as Grpc;

    #[test]
    fn every_form_has_its_code_and_message() {
        let registered = "codespace sdk code 2: tx parse error";
        for (failure, code, message) in [
            (sdk::TX_DECODE.bare(), Grpc::Unknown, registered.to_owned()),
            (sdk::TX_DECODE.because("why"), Grpc::Unknown, format!("{registered}: why")),
            (plain("no hex"), Grpc::Unknown, "no hex".to_owned()),
            (status(Code::NotFound, "account x not found"), Grpc::NotFound, "account x not found".to_owned()),
            (status(Code::InvalidArgument, "bad"), Grpc::InvalidArgument, "bad".to_owned()),
            (panicked("nil"), Grpc::Internal, "recovered: nil: panic".to_owned()),
        ] {
            let Failure::Refused(refusal) = failure else { panic!() };
            let status = of(refusal, "/a.Query/B");
            assert_eq!((status.code(), status.message()), (code, message.as_str()));
        }
    }
}
