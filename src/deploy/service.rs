//! What deploying needs of CodeDeploy: few requests, each made once. When to make them again is decided
//! here in `deploy`, since watching goes on for hours and has a pace of its own.

use std::future::Future;
use std::time::SystemTime;

use crate::aws::codedeploy::deployment::{
    Deployment, Latest, NewestRevision, Request, Status, Target, TargetPage, TargetStatus,
};
use crate::aws::codedeploy::{CodeDeploy, Registration};
use crate::aws::error::CallError;

/// CodeDeploy in one region.
pub trait Service: Send + Sync {
    /// Creates a deployment of `revision`, and returns its id. Repeating it may create a second one.
    fn create(
        &self,
        request: &Request,
        revision: Option<&Registration>,
    ) -> impl Future<Output = Result<String, CallError>> + Send;

    /// What became of a deployment.
    fn deployment(&self, id: &str) -> impl Future<Output = Result<Deployment, CallError>> + Send;

    /// The ids of the targets of a deployment, from where the page `after` ended; only those with this
    /// status, if there is one.
    fn target_ids(
        &self,
        id: &str,
        status: Option<&TargetStatus>,
        after: Option<&str>,
    ) -> impl Future<Output = Result<TargetPage, CallError>> + Send;

    /// These targets, at most 25.
    fn targets(
        &self,
        id: &str,
        targets: &[String],
    ) -> impl Future<Output = Result<Vec<Target>, CallError>> + Send;

    /// The ids of deployments of the request's group: those that were created at or after `since`, with one
    /// of these statuses, or with any if there is none. At most one page.
    fn deployments(
        &self,
        request: &Request,
        since: Option<SystemTime>,
        statuses: &[Status],
    ) -> impl Future<Output = Result<Vec<String>, CallError>> + Send;

    /// The newest registered revision of an application.
    fn newest(
        &self,
        application: &str,
        among: &Latest,
    ) -> impl Future<Output = Result<NewestRevision, CallError>> + Send;

    /// Stops a deployment. `rollback` says whether it is rolled back; None leaves that to the group.
    fn stop(
        &self,
        id: &str,
        rollback: Option<bool>,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

impl Service for CodeDeploy {
    async fn create(
        &self,
        request: &Request,
        revision: Option<&Registration>,
    ) -> Result<String, CallError> {
        self.create_deployment(request, revision).await
    }

    async fn deployment(&self, id: &str) -> Result<Deployment, CallError> {
        self.deployment(id).await
    }

    async fn target_ids(
        &self,
        id: &str,
        status: Option<&TargetStatus>,
        after: Option<&str>,
    ) -> Result<TargetPage, CallError> {
        self.target_ids(id, status, after).await
    }

    async fn targets(&self, id: &str, targets: &[String]) -> Result<Vec<Target>, CallError> {
        self.targets(id, targets).await
    }

    async fn deployments(
        &self,
        request: &Request,
        since: Option<SystemTime>,
        statuses: &[Status],
    ) -> Result<Vec<String>, CallError> {
        let Request {
            application, group, ..
        } = request;
        self.deployments(application, group, since, statuses).await
    }

    async fn newest(&self, application: &str, among: &Latest) -> Result<NewestRevision, CallError> {
        self.newest_revision(application, among).await
    }

    async fn stop(&self, id: &str, rollback: Option<bool>) -> Result<(), CallError> {
        self.stop_deployment(id, rollback).await
    }
}
