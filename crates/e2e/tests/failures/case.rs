//! One way to make one failure happen.

use testkit::{Balancer, Client, Config, Message, Target};

/// Who plays, and what the client does.
pub(crate) struct Case {
    pub(crate) target: Target,
    pub(crate) config: Config,
    /// Beside the configuration: their names and texts.
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) open_files: Option<u32>,
    pub(crate) act: Act,
}

/// What the client does; the response that it got, if it can get one.
pub(crate) type Act = Box<dyn FnOnce(&Balancer, Client) -> Option<Message> + Send>;

impl Case {
    pub(crate) fn new(
        target: Target,
        act: impl FnOnce(&Balancer, Client) -> Option<Message> + Send + 'static,
    ) -> Self {
        let config = patient(Config::to(&target));
        Self { target, config, files: Vec::new(), open_files: None, act: Box::new(act) }
    }

    /// The client sends this and reads a response.
    pub(crate) fn sends(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::new(Target::named("served"), move |_, mut client| {
            client.send(&bytes);
            Some(client.response())
        })
    }

    /// The client gets `/` from this target.
    pub(crate) fn target(target: Target) -> Self {
        Self::new(target, |_, mut client| Some(client.get("/")))
    }

    /// The target answers with this and closes.
    pub(crate) fn answers(bytes: impl Into<Vec<u8>>) -> Self {
        Self::target(Target::once(bytes))
    }

    pub(crate) fn with(mut self, change: impl FnOnce(Config) -> Config) -> Self {
        self.config = change(self.config);
        self
    }

    pub(crate) fn file(mut self, name: &'static str, text: String) -> Self {
        self.files.push((name, text));
        self
    }
}

/// Patience of about a second.
pub(crate) fn patient(config: Config) -> Config {
    config
        .listener("header_timeout = \"1s\"")
        .listener("body_timeout = \"1s\"")
        .listener("send_timeout = \"1s\"")
        .group("timeouts = { connect = \"500ms\", response = \"500ms\", idle = \"500ms\" }")
}
