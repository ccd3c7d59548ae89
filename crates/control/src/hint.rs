//! Hints for operators: what to do if the engine does not start or rejects a config.

use std::net::SocketAddr;

use proxy::EngineError;

/// The error and, on the next line, a hint.
pub fn start_error(error: &EngineError) -> String {
    match hint(error) {
        Some(hint) => format!("{error}\n  help: {hint}"),
        None => error.to_string(),
    }
}

fn hint(error: &EngineError) -> Option<String> {
    match error {
        EngineError::Bind { address, error, .. } => bind_hint(*address, error),
        EngineError::AccessLog { .. } => Some(
            "the directory must exist, and the user that runs evenkeel must be allowed to write there"
                .to_owned(),
        ),
        EngineError::Start(_) => Some("check `ulimit -n` and `ulimit -u`".to_owned()),
        EngineError::WorkerGone => {
            Some("this is a bug in Evenkeel: please report it with the log lines before it".to_owned())
        }
    }
}

fn bind_hint(address: SocketAddr, error: &str) -> Option<String> {
    let port = address.port();
    let error = error.to_ascii_lowercase();
    if error.contains("unix socket") {
        Some("`ss -lxp | grep evenkeel/tcp` shows which process listens there".to_owned())
    } else if error.contains("another") || error.contains("in use") {
        Some(format!("`ss -ltnp | grep :{port}` shows which process listens there"))
    } else if error.contains("permission") {
        Some(format!(
            "a port below 1024 needs CAP_NET_BIND_SERVICE; a security policy can forbid {port} as well"
        ))
    } else if error.contains("assign") {
        Some(format!("{} is not an address of this machine: `ip address` lists its addresses", address.ip()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use model::ListenerName;

    use super::*;

    fn bind(address: &str, error: &str) -> String {
        let listener = ListenerName::new("web");
        start_error(&EngineError::Bind {
            listener,
            address: address.parse().unwrap(),
            error: error.to_owned(),
        })
    }

    #[test]
    fn the_text_has_listener_address_reason_and_hint() {
        let text = bind("0.0.0.0:8080", "another program listens at this address");
        assert_eq!(
            text,
            "listener `web` cannot listen at 0.0.0.0:8080: another program listens at this address\n  \
             help: `ss -ltnp | grep :8080` shows which process listens there"
        );
    }

    #[test]
    fn common_reasons_have_hints() {
        for (error, hint) in [
            ("another instance of Evenkeel serves this address", "ss -ltnp"),
            ("Address already in use (os error 98)", "ss -ltnp"),
            ("Permission denied (os error 13)", "CAP_NET_BIND_SERVICE"),
            ("Cannot assign requested address (os error 99)", "ip address"),
        ] {
            assert!(bind("192.0.2.1:80", error).contains(hint), "{error}");
        }
        assert!(!bind("192.0.2.1:80", "odd").contains("help"));
    }
}
