//! Applications and revisions.

use serde_json::{Value, json};

use super::*;

impl Local {
    pub(super) fn call_in(&self, region: &str, operation: &str, input: &Value) -> (u16, Value) {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=a/20260101/{region}/codedeploy/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let target = format!("CodeDeploy_20141006.{operation}");
        let headers = [("X-Amz-Target", &*target), ("Authorization", &scope)];
        let answer = self.send("POST", "/", &headers, input.to_string().as_bytes());
        assert!(answer.header("x-amzn-requestid").is_some());
        let output = if answer.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer.body).unwrap()
        };
        (answer.status, output)
    }

    pub(super) fn call(&self, operation: &str, input: &Value) -> Value {
        let (status, output) = self.call_in("us-east-1", operation, input);
        assert_eq!(status, 200, "{output}");
        output
    }

    /// The name of the error that `operation` fails with.
    pub(super) fn refusal(&self, operation: &str, input: &Value) -> String {
        let (status, output) = self.call_in("us-east-1", operation, input);
        assert_eq!(status, 400, "{output}");
        assert!(!output["message"].as_str().unwrap().is_empty());
        output["__type"].as_str().unwrap().to_owned()
    }
}

pub(super) fn s3(key: &str) -> Value {
    json!({
        "revisionType": "S3",
        "s3Location": { "bucket": "b", "key": key, "bundleType": "zip", "eTag": "e-1" }
    })
}

#[test]
fn a_registered_revision_is_found_again() {
    let mut local = Local::start();
    let input = json!({
        "applicationName": "app", "revision": s3("k.zip"), "description": "first", "future": 1
    });
    assert_eq!(
        local.call("RegisterApplicationRevision", &input),
        Value::Null
    );
    local.restart();
    let found = local.call("GetApplicationRevision", &input);
    assert_eq!(found["revision"], s3("k.zip"));
    assert_eq!(found["revisionInfo"]["description"], "first");
    let at = found["revisionInfo"]["registerTime"].as_f64().unwrap();
    assert!(at > 1.7e9 && at < 1e11, "seconds, not {at}");

    // A location without the registered ETag is another revision.
    let mut other = input.clone();
    other["revision"]["s3Location"]
        .as_object_mut()
        .unwrap()
        .remove("eTag");
    assert_eq!(
        local.refusal("GetApplicationRevision", &other),
        "RevisionDoesNotExistException"
    );

    // Registered again, it takes the new description.
    let again = json!({ "applicationName": "app", "revision": s3("k.zip"), "description": "new" });
    local.call("RegisterApplicationRevision", &again);
    let found = local.call("GetApplicationRevision", &again);
    assert_eq!(found["revisionInfo"]["description"], "new");
    assert_eq!(found["revisionInfo"]["registerTime"].as_f64().unwrap(), at);
    let list = local.call(
        "ListApplicationRevisions",
        &json!({ "applicationName": "app" }),
    );
    assert_eq!(list["revisions"].as_array().unwrap().len(), 1);
}

#[test]
fn a_bad_registration_gets_the_error_of_the_service() {
    let local = Local::start();
    let refusal = |input: Value| {
        let mut whole = json!({ "applicationName": "app", "revision": s3("k") });
        for (name, value) in input.as_object().unwrap() {
            whole[name] = value.clone();
        }
        local.refusal("RegisterApplicationRevision", &whole)
    };
    for (input, expected) in [
        (
            json!({ "applicationName": null }),
            "ApplicationNameRequiredException",
        ),
        (
            json!({ "applicationName": "a b" }),
            "InvalidApplicationNameException",
        ),
        (
            json!({ "applicationName": "a".repeat(101) }),
            "InvalidApplicationNameException",
        ),
        (
            json!({ "applicationName": "none" }),
            "ApplicationDoesNotExistException",
        ),
        (json!({ "revision": null }), "RevisionRequiredException"),
        (
            json!({ "description": "é".repeat(513) }),
            "DescriptionTooLongException",
        ),
        (json!({ "description": 1 }), "SerializationException"),
    ] {
        assert_eq!(refusal(input), expected);
    }
    let tar = json!({ "bucket": "b", "key": "k", "bundleType": "rar" });
    for revision in [
        json!({}),
        json!({ "revisionType": "FTP" }),
        json!({ "revisionType": "S3" }),
        json!({ "revisionType": "S3", "s3Location": { "bucket": "b", "bundleType": "zip" } }),
        json!({ "revisionType": "S3", "s3Location": tar }),
        json!({ "revisionType": "GitHub", "s3Location": s3("k")["s3Location"] }),
        json!({ "revisionType": "AppSpecContent", "appSpecContent": { "content": "" } }),
    ] {
        assert_eq!(
            refusal(json!({ "revision": revision })),
            "InvalidRevisionException"
        );
    }
    let (_, missing) = local.call_in(
        "us-east-1",
        "RegisterApplicationRevision",
        &json!({ "applicationName": "none", "revision": s3("k") }),
    );
    assert_eq!(missing["message"], "No application found for name: none");
    for operation in [
        "UpdateDeploymentGroup",
        "DeleteApplication",
        "ListApplications",
        "BatchGetApplicationRevisions",
    ] {
        let refusal = local.refusal(operation, &json!({}));
        assert_eq!(refusal, "UnknownOperationException");
    }
}

#[test]
fn revisions_are_listed_by_order_filter_and_page() {
    let local = Local::start();
    let key = |number: usize| format!("r/{number:03}");
    for number in 0..103 {
        let input = json!({ "applicationName": "app", "revision": s3(&key(number)) });
        local.call("RegisterApplicationRevision", &input);
    }
    let list = |filters: Value| {
        let mut input = json!({ "applicationName": "app" });
        for (name, value) in filters.as_object().unwrap() {
            input[name] = value.clone();
        }
        let (mut keys, mut pages) = (Vec::new(), 0);
        loop {
            let page = local.call("ListApplicationRevisions", &input);
            let revisions = page["revisions"].as_array().unwrap();
            keys.extend(
                revisions
                    .iter()
                    .map(|one| one["s3Location"]["key"].as_str().unwrap().to_owned()),
            );
            pages += 1;
            assert!(pages < 4, "pages do not end");
            if page["nextToken"].is_null() {
                return (keys, pages);
            }
            input["nextToken"] = page["nextToken"].clone();
        }
    };
    let all: Vec<String> = (0..103).map(key).collect();
    assert_eq!(list(json!({})), (all.clone(), 2));
    let backwards: Vec<String> = all.iter().rev().cloned().collect();
    assert_eq!(
        list(json!({ "sortBy": "registerTime", "sortOrder": "descending" })),
        (backwards, 2)
    );
    let some = json!({ "s3Bucket": "b", "s3KeyPrefix": "r/00", "deployed": "exclude" });
    assert_eq!(list(some), (all[..10].to_vec(), 1));
    assert_eq!(list(json!({ "s3Bucket": "other" })).0, [""; 0]);
    assert_eq!(list(json!({ "deployed": "include" })).0, [""; 0]);

    for (filter, expected) in [
        (
            json!({ "s3KeyPrefix": "r" }),
            "BucketNameFilterRequiredException",
        ),
        (json!({ "sortBy": "size" }), "InvalidSortByException"),
        (json!({ "sortOrder": "up" }), "InvalidSortOrderException"),
        (
            json!({ "deployed": "maybe" }),
            "InvalidDeployedStateFilterException",
        ),
        (json!({ "nextToken": "x" }), "InvalidNextTokenException"),
        (json!({ "nextToken": "cjp4" }), "InvalidNextTokenException"),
    ] {
        let mut input = filter;
        input["applicationName"] = json!("app");
        assert_eq!(local.refusal("ListApplicationRevisions", &input), expected);
    }
}

#[test]
fn an_application_belongs_to_its_region() {
    let local = Local::start();
    let named = json!({ "applicationName": "App.1_+=,@-" });
    let id = local.call("CreateApplication", &named)["applicationId"].clone();
    assert_eq!(
        local.refusal("CreateApplication", &named),
        "ApplicationAlreadyExistsException"
    );
    let found = local.call("GetApplication", &named);
    assert_eq!(found["application"]["applicationId"], id);
    assert_eq!(found["application"]["computePlatform"], "Server");
    let odd = json!({ "applicationName": "x", "computePlatform": "PDP-11" });
    assert_eq!(
        local.refusal("CreateApplication", &odd),
        "InvalidComputePlatformException"
    );

    let (status, elsewhere) = local.call_in("eu-west-1", "GetApplication", &named);
    assert_eq!(
        (status, &elsewhere["__type"]),
        (400, &json!("ApplicationDoesNotExistException"))
    );
    let (status, _) = local.call_in("..", "GetApplication", &named);
    assert_eq!(status, 400);

    // Unsigned requests are us-east-1's.
    let target = [("X-Amz-Target", "CodeDeploy_20141006.GetApplication")];
    let unsigned = local.send("POST", "/", &target, br#"{"applicationName":"app"}"#);
    assert!(unsigned.text().contains("\"app\""), "{}", unsigned.text());
}
