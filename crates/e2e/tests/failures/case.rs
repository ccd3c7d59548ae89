//! A way to provoke one failure.

use testkit::{Balancer, Client, Config, Message, Target};

/// The target, the configuration and the client's actions.
pub(crate) struct Case {
    pub(crate) target: Target,
    pub(crate) config: Config,
    /// Files beside the configuration: names and contents.
    pub(crate) files: Vec<(&'static str, String)>,
    pub(crate) open_files: Option<u32>,
    pub(crate) act: Act,
}

/// The client's actions. Returns the response, if there can be one.
pub(crate) type Act = Box<dyn FnOnce(&Balancer, Client) -> Option<Message> + Send>;

impl Case {
    pub(crate) fn new(
        target: Target,
        act: impl FnOnce(&Balancer, Client) -> Option<Message> + Send + 'static,
    ) -> Self {
        let config = patient(Config::to(&target));
        Self { target, config, files: Vec::new(), open_files: None, act: Box::new(act) }
    }

    /// The client sends these bytes and reads a response.
    pub(crate) fn sends(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::new(Target::named("served"), move |_, mut client| {
            client.send(&bytes);
            Some(client.response())
        })
    }

    /// The client requests `/` from this target.
    pub(crate) fn target(target: Target) -> Self {
        Self::new(target, |_, mut client| Some(client.get("/")))
    }

    /// The target answers with these bytes and closes.
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

/// Timeouts of one second or less.
pub(crate) fn patient(config: Config) -> Config {
    config
        .listener("header_timeout = \"1s\"")
        .listener("body_timeout = \"1s\"")
        .listener("send_timeout = \"1s\"")
        .group("timeouts = { connect = \"500ms\", response = \"500ms\", idle = \"500ms\" }")
}
