//! The admin API's part about sessions (SP11): what is refused, and how.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not every program of tests needs all of it")]
mod support;

use control::{FilterView, QuestionView, Reply};
use serde_json::Value;
use support::Balancer;

const SOURCE: &str = "workers = 1\n[listener.web]\nbind = \"127.0.0.1:0\"\nforward = \"app\"\n\
    [target_group.app]\ntargets = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n\
    persistence = { type = \"source_ip\", timeout = \"5m\" }\n\
    [target_group.other]\ntargets = [\"127.0.0.1:3\"]\n";

fn question(what: &str) -> QuestionView {
    QuestionView { what: Some(what.to_owned()), ..QuestionView::default() }
}

fn error(reply: &Reply) -> String {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap();
    answer["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_empty_list_has_no_line_but_the_rest() {
    let balancer = Balancer::start(SOURCE).await;
    let mut text = String::new();
    let reply = balancer.client.lines("/sessions", |_| panic!("there is no line")).await.unwrap();
    assert_eq!(reply.status, 200);
    let filter = FilterView { most: Some(5), ..FilterView::default() };
    let each = |lines: &str| {
        text += lines;
        true
    };
    balancer.client.lines(&filter.path(), each).await.unwrap();
    assert_eq!(text, "{\"more\":0}\n");
}

#[tokio::test]
async fn unknown_names_are_404_and_nonsense_is_400() {
    let balancer = Balancer::start(SOURCE).await;
    for (path, status, part) in [
        ("/sessions?group=ap", 404, "did you mean `app`?"),
        ("/sessions?target=127.0.0.1%3A11", 404, "did you mean `127.0.0.1:1`?"),
        ("/sessions?grop=app", 400, "not understood"),
        ("/sessions?most=x", 400, "not understood"),
    ] {
        let reply = balancer.client.lines(path, |_| true).await.unwrap();
        assert_eq!((reply.status, error(&reply).contains(part)), (status, true), "{path}: {}", error(&reply));
    }
    let to = |to: &str| Some(to.to_owned());
    let base = QuestionView::default();
    for (path, question, status, part) in [
        ("/sessions/show", base.clone(), 400, "not understood"),
        ("/sessions/show", question(""), 400, "empty"),
        ("/sessions/show", question("EKSESSION=x"), 404, "no target group or rule has persistence by cookie"),
        ("/sessions/show", question("192.0.2.0/24"), 404, "prefixes of 24 bits"),
        ("/sessions/delete", base.clone(), 400, "name either"),
        ("/sessions/delete", QuestionView { group: to("app"), ..question("x") }, 400, "name either"),
        (
            "/sessions/delete",
            QuestionView { group: to("other"), ..base.clone() },
            404,
            "no target group or rule",
        ),
        ("/sessions/move", QuestionView { group: to("app"), ..base.clone() }, 400, "needs a target"),
        (
            "/sessions/move",
            QuestionView { target: to("127.0.0.1:1"), to: to("127.0.0.1:1"), ..base.clone() },
            400,
            "same",
        ),
        ("/sessions/move", QuestionView { to: to("127.0.0.1:9"), ..question("192.0.2.1") }, 404, "no target"),
    ] {
        let reply = balancer.client.ask(path, &question).await.unwrap();
        assert_eq!((reply.status, error(&reply).contains(part)), (status, true), "{path}: {}", error(&reply));
    }
}

#[tokio::test]
async fn a_question_is_not_repeated_and_not_too_long() {
    let balancer = Balancer::start(SOURCE).await;
    let long = question(&"secret".repeat(20_000));
    for path in ["/sessions/show", "/sessions/delete", "/sessions/move"] {
        let reply = balancer.client.ask(path, &long).await.unwrap();
        assert_eq!(reply.status, 400);
        assert!(!error(&reply).contains("secret"), "{path}");
    }
    let reply = balancer.client.ask("/sessions/show", &serde_json::json!({ "wat": "secret" })).await.unwrap();
    assert!(reply.status == 400 && !error(&reply).contains("secret"), "{}", error(&reply));
}

#[tokio::test]
async fn an_address_without_a_session_has_a_reason() {
    let config = SOURCE.replace("\"127.0.0.1:2\"", "{ address = \"127.0.0.1:2\", weight = 0 }");
    let balancer = Balancer::start(&config).await;
    let reply = balancer.client.ask("/sessions/show", &question("192.0.2.1")).await.unwrap();
    let view: control::ShowView = balancer.client.decode(&reply).unwrap();
    assert!(!view.has_found());
    let [finding] = &view.findings[..] else { panic!("{view:?}") };
    assert_eq!((finding.verdict.as_str(), finding.target.as_ref()), ("none", None));
    assert!(finding.why.ends_with("(round robin in app), not to 127.0.0.1:2 (weight 0)"), "{}", finding.why);
}
