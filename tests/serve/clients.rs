//! The real clients of others.

use std::process::Command;

use serde_json::json;

use super::server::Server;
use super::texts::writer;
use crate::reports::browser;
use crate::support::{Project, python, root};
use crate::tracking::client;

#[test]
fn the_client_of_openai_works_unchanged() {
    let Some(python) = python("openai") else {
        return;
    };
    let project = writer();
    project.write(
        "runs/run/1/chat_template.jinja",
        "{% for message in messages %}{{ message.content }}{% endfor %}",
    );
    project.write("token", "sesame");
    let server = Server::start(&project, "poet=runs/run --token-file token");
    let url = format!("http://{}/v1", server.address);
    let found = client(&python, "openai_client.py", &[&url, "sesame", "poet"]);
    assert_eq!(found["models"], json!(["poet"]));
    assert_eq!(found["streamed"], found["text"]);
    assert_eq!(found["chat_streamed"], found["chat"]);
    assert_eq!(found["usage"], json!([3, 20]));
    assert_eq!(
        found["errors"],
        json!(["BadRequestError", "NotFoundError", "AuthenticationError"])
    );
}

#[test]
fn the_client_of_triton_and_the_validator_of_openapi_find_nothing_wrong() {
    let project = Project::new();
    project
        .ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=20");
    let server = Server::start(&project, "runs/iris");
    if let Some(python) = python("tritonclient.http") {
        let found = client(&python, "triton_client.py", &[&server.address, "iris"]);
        assert_eq!(found["prediction"], json!(["setosa"]));
        assert_eq!(
            (&found["live"], &found["ready"], &found["loaded"]),
            (&json!(true), &json!(true), &json!(true))
        );
    }
    if let Some(python) = python("openapi_spec_validator") {
        let url = format!("http://{}/openapi.json", server.address);
        let found = client(&python, "openapi.py", &[&url]);
        assert!(found["paths"].as_u64().unwrap() > 8, "{found}");
    }
}

#[test]
fn the_page_answers_in_a_browser() {
    let Some(browser) = browser() else {
        return;
    };
    let project = writer();
    project
        .ok("train configs/tabular/iris.toml -q --set device.backend=flex --set train.epochs=20");
    project.ok("train configs/vision/digits-cnn.toml -q --set device.backend=flex --set train.epochs=1 --set lr_scheduler.warmup_steps=0");
    let image = image::GrayImage::from_fn(8, 8, |x, y| image::Luma([(x * 30 + y) as u8]));
    image.save(project.path("a.png")).unwrap();
    let server = Server::start(&project, "digits=runs/digits-cnn runs/iris poet=runs/run");
    let ran = Command::new("node")
        .arg(root().join("tests/clients/serve.mjs"))
        .arg(browser)
        .arg(format!("http://{}/", server.address))
        .arg(project.path("a.png"))
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ran.stderr)));
    for wrong in ["errors", "requests", "violations", "wide"] {
        assert_eq!(found[wrong], json!([]), "{wrong}");
    }
    assert!(
        found["iris"].as_str().unwrap().contains("setosa"),
        "{found}"
    );
    assert!(
        found["digits"].as_str().unwrap().contains("class_1"),
        "{found}"
    );
    assert!(found["poet"].as_str().unwrap().len() > 20, "{found}");
    assert!(
        found["bad"].as_str().unwrap().contains("sepal_width"),
        "{found}"
    );
}
