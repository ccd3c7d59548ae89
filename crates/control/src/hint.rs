//! What an operator can do about an engine that does not start or does not take a config.

use std::net::SocketAddr;

use proxy::EngineError;

/// What happened, and under it what to look at.
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
        EngineError::Start(_) => Some("look at `ulimit -n` and `ulimit -u`".to_owned()),
        EngineError::WorkerGone => {
            Some("this is a bug of Evenkeel: please report it with the log lines before it".to_owned())
        }
    }
}

fn bind_hint(address: SocketAddr, error: &str) -> Option<String> {
    let port = address.port();
    let error = error.to_ascii_lowercase();
    if error.contains("another") || error.contains("in use") {
        Some(format!("`ss -ltnp | grep :{port}` shows who listens there"))
    } else if error.contains("permission") {
        Some(format!(
            "ports below 1024 need CAP_NET_BIND_SERVICE; {port} is one of them, or a policy forbids it"
        ))
    } else if error.contains("assign") {
        Some(format!("{} is not an address of this machine: `ip address` shows those that are", address.ip()))
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
    fn names_listener_address_reason_and_what_to_do() {
        let text = bind("0.0.0.0:8080", "another program listens at this address");
        assert_eq!(
            text,
            "listener `web` cannot listen at 0.0.0.0:8080: another program listens at this address\n  \
             help: `ss -ltnp | grep :8080` shows who listens there"
        );
    }

    #[test]
    fn each_common_reason_has_its_own_hint() {
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
